"""What is said about the mistakes that programs have most: the file, the line, the variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from couler_jobs.cli import main

Output = pytest.CaptureFixture[str]

STEPS = """import couler_jobs as cj
import couler_jobs.argo as couler

@cj.step
def count(day: str) -> int: return len(day)

@cj.step
def tell(rows: int) -> None: print(rows)

"""
FLOW = f"{STEPS}@cj.workflow\ndef flow(day: str = 'x'):\n    rows = count(day)\n    "
HERE = "couler.run_container('alpine', 'true', "

IN_A_WORKFLOW = {
    "count(dya=day)": "count() has no parameter 'dya' (it has day)",
    "count()": "count(): missing a required argument: 'day'",
    "tell(f'{rows}')": "An f-string needs the value of count",
    "tell(rows + 1)": "Arithmetic needs the value of count",
    "if rows: tell(1)": "`if` (or `and`, `or`, `not`) needs the value of count",
    "if rows > 1: tell(1)": "write `with cj.when(...)` instead of `if`",
    "for row in rows: tell(row)": "A loop needs the value of count",
    "tell(rows.total)": "the value of count has no attribute 'total'",
    "tell(rows, after=count)": "after=<step count>: a step can only follow a call",
    "tell(object())": "The argument 'rows': A value of type object cannot travel as JSON",
    "tell(float('nan'))": "The argument 'rows': A value of type float cannot travel as JSON",
    "cj.map(tell, 3)": "cj.map takes lists, or the value of a step, and 3 is neither",
    "cj.map(tell, [1], after='x')": "after='x'",
    "tell(rowz)": "NameError: name 'rowz' is not defined",
    "tell({}['rows'])": "KeyError: 'rows'",
    "import json; json.loads('no')": "JSONDecodeError",
    "with cj.when(rows > 'a'): tell(1)": "'a' is no number",
    "with cj.otherwise(): tell(1)": "cj.otherwise() stands after no cj.when(...)",
}
OUTSIDE = {
    "@cj.step(retry=2)\ndef f() -> None: ...": "@cj.step has no option 'retry': did you mean",
    "@cj.step(image_pull_policy='Always')\ndef f() -> None: ...": "did you mean 'pull_policy'",
    "@cj.step(pull_policy='Often')\ndef f() -> None: ...": "pull_policy='Often'",
    "@cj.step(timeout='soon')\ndef f() -> None: ...": "timeout='soon'",
    "@cj.workflow\ndef flow(day=object()): ...": "The parameter 'day'",
    f"{HERE}image_pull_policy='Often')": "image_pull_policy='Often'",
    f"{HERE}env={{'A': object()}})": "The variable A is <object object",
    f"{HERE}secret='nobody')": "There is no secret 'nobody'",
    f"{HERE}retries=2)": "unexpected keyword argument 'retries'",
    "couler.get_step_output('nobody')": "There is no step 'nobody'",
}


def said(path: Path, text: str, capsys: Output) -> str:
    path.write_text(f"{text}\n", encoding="utf-8")
    assert main(["compile", str(path)]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("line", IN_A_WORKFLOW)
def test_a_mistake_in_a_workflow_is_told_with_its_line(
    line: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    found = said(path, FLOW + line, capsys)
    assert found.startswith(f"couler-jobs: {path}, line {FLOW.count(chr(10)) + 1}: ")
    assert IN_A_WORKFLOW[line] in found


@pytest.mark.parametrize("line", OUTSIDE)
def test_a_mistake_in_a_declaration_is_told_with_its_line(
    line: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    found = said(path, STEPS + line, capsys)
    assert found.startswith(f"couler-jobs: {path}, line {STEPS.count(chr(10)) + 1}: ")
    assert OUTSIDE[line] in found


def test_a_cycle_names_its_steps(tmp_path: Path, capsys: Output) -> None:
    text = f"{STEPS}for one, other in ('ab', 'ba'):\n    couler.set_dependencies("
    text += "lambda: couler.run_container('alpine', 'true', step_name=one), dependencies=[other])"
    assert "a -> b -> a" in said(tmp_path / "flow.py", text, capsys)
