"""What is found in a compiled manifest is told with the line of the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import couler_jobs as cj
from couler_jobs.cli import main
from couler_jobs.errors import LintError

Output = pytest.CaptureFixture[str]

STEPS = """import couler_jobs as cj
import couler_jobs.argo as couler

@cj.step
def count(day: str) -> int: return len(day)

"""
HERE = STEPS.count("\n") + 1
RUN = "couler.run_container('alpine', 'true', step_name"
#: The lines that follow the steps; how many lines below the first the wrong one is; what is said.
FOUND = {
    "a step": (
        "@cj.step(memory='2 GB')\ndef big() -> None: ...\n@cj.workflow\ndef flow(): big()",
        *(0, "the step big (spec.templates[1].script.resources.limits.memory)"),
    ),
    "a container": (
        "@cj.workflow\ndef flow():\n"
        "    cj.container('alpine', command=['true'], name='x', memory='much')",
        *(2, "the step x (spec.templates[1].container.resources.limits.memory)"),
    ),
    "the whole workflow": (
        "@cj.workflow(spec_extra={'onExit': 'gone'})\ndef flow(): count('x')",
        *(0, "the workflow flow (spec.onExit)"),
    ),
    "a workflow on a schedule": (
        "@cj.step(memory='2 GB')\ndef big() -> None: ...\n"
        "@cj.workflow(schedule='0 2 * * *')\ndef flow(): big()",
        *(0, "the step big (spec.workflowSpec.templates[1]."),
    ),
    "a call in Couler's order": (
        f"{RUN}='a')\ncouler.set_dependencies(\n    lambda: {RUN}='b'), 'gone.Failed')",
        *(2, "the call b (spec.templates[0].dag.tasks[1].depends)"),
    ),
    "what holds for a whole program for Couler": (
        f"couler.config_workflow(name='x', service_account=3)\n{RUN}='a')",
        *(0, "the workflow x (spec.serviceAccountName)"),
    ),
}
REFUSED = {
    "a cron line": (
        "\n@cj.workflow(schedule='99 * * * *')\ndef flow(): count('x')",
        *(1, "'99' is not a minute"),
    ),
    "a time zone": (
        "@cj.workflow(schedule='0 2 * * *', timezone='Paris')\ndef flow(): count('x')",
        *(0, "There is no time zone 'Paris'"),
    ),
    "a cron line of Couler's": (
        f"{RUN}='a')\ncouler.config_workflow(name='x', cron_config={{'schedule': 'now'}})",
        *(1, "cron line"),
    ),
    "an unknown dependency": (
        f"{RUN}='a')\ncouler.set_dependencies(lambda: {RUN}='b'), ['gone'])",
        *(1, "b in main follows gone, which is no step of it"),
    ),
    "a cycle": (
        f"for one, other in ('ab', 'ba'):\n"
        f"    couler.set_dependencies(lambda: {RUN}=one), [other])",
        *(1, "a -> b -> a"),
    ),
    "a field that the target does not have": (
        "@cj.step(template_extra={'resubmitPendingPods': True, 'pluginx': {}})\n"
        "def old() -> None: ...\n@cj.workflow\ndef flow(): old()",
        *(0, "unknown-field"),
    ),
    "a default": (
        "@cj.step\ndef tell(rows=object()) -> None: ...\n@cj.workflow\ndef flow(): tell()",
        *(0, "The default of 'rows'"),
    ),
    "a workflow without steps": (
        "\n\n@cj.workflow\ndef flow(): ...",
        *(2, "The workflow flow calls no step"),
    ),
}


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COULER_JOBS_BACKEND", "local")
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path / "home"))


def told(tmp_path: Path, capsys: Output, text: str, *command: str) -> tuple[str, str]:
    path = tmp_path / "flow.py"
    path.write_text(f"{STEPS}{text}\n", encoding="utf-8")
    assert main([*command, str(path)]) == 2
    found = capsys.readouterr()
    return str(path), found.out + found.err


@pytest.mark.parametrize("command", ["lint", "compile", "submit"])
@pytest.mark.parametrize("case", FOUND)
def test_a_finding_in_a_program_names_the_line_and_what_stands_there(
    case: str, command: str, tmp_path: Path, capsys: Output
) -> None:
    text, line, sentence = FOUND[case]
    path, found = told(tmp_path, capsys, text, command)
    assert f" at {path}, line {HERE + line}: {sentence}" in found


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_compiler_refuses_names_the_line(
    case: str, tmp_path: Path, capsys: Output
) -> None:
    text, line, sentence = REFUSED[case]
    path, found = told(tmp_path, capsys, text, "compile")
    assert f"{path}, line {HERE + line}: " in found
    assert sentence in found


def test_the_argument_of_a_call_is_named(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(f"{STEPS}@cj.workflow\ndef flow():\n    count('x')\n", encoding="utf-8")
    from couler_jobs.inputs import read_placed

    origin = read_placed(path, "4.1")[1]
    assert origin is not None
    said = origin("spec.templates[0].dag.tasks[0].arguments.parameters[0].value")
    assert said == f"{path}, line {HERE + 2}: the argument day of the call count"
    assert origin("spec.templates[0].outputs") == f"{path}, line {HERE}: the workflow flow"
    assert origin("spec.templates[9]") == origin("metadata.name")


def test_the_places_go_with_the_parts_of_a_workflow_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    calls = "".join(f"    count('{number}')\n" for number in range(300))
    path.write_text(f"{STEPS}@cj.workflow\ndef flow():\n{calls}", encoding="utf-8")
    from couler_jobs.inputs import read_placed

    manifest, origin = read_placed(path, "4.1")
    assert origin is not None
    tasks = [
        (index, place, task)
        for index, template in enumerate(manifest["spec"]["templates"])
        for place, task in enumerate(template.get("dag", {}).get("tasks", ()))
        if task.get("template") == "count"
    ]
    assert len(tasks) == 300
    for index, place, task in tasks:
        value = json.loads(task["arguments"]["parameters"][0]["value"])
        line = origin(f"spec.templates[{index}].dag.tasks[{place}]")
        assert line.startswith(f"{path}, line {HERE + 2 + int(value)}: the call ")


def test_a_submit_in_a_program_names_the_line() -> None:
    @cj.step(memory="2 GB")
    def big() -> None: ...

    @cj.workflow
    def flow() -> None:
        big()

    line = big.__wrapped__.__code__.co_firstlineno  # type: ignore[attr-defined]
    with pytest.raises(LintError, match=f"{Path(__file__).name}, line {line}: the step big"):
        cj.submit(flow, backend="local")


def test_a_line_in_a_notebook_is_that_of_the_cell(capsys: Output) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("import couler_jobs as cj", store_history=True)
        text = "@cj.workflow\ndef flow():\n    if cj.workflow_name(): pass\ncj.compile(flow)"
        found = shell.run_cell(text, store_history=True)
        assert str(found.error_in_exec).startswith("In[2], line 3: `if` (or")
        text = "lock = object()\n@cj.step\ndef f(): lock\n@cj.workflow\ndef g(): f()\ncj.compile(g)"
        found = shell.run_cell(text, store_history=True)
        said = str(found.error_in_exec)
        assert said.startswith("In[3], line 5: f uses 'lock' (In[3], line 3)")
        assert capsys.readouterr().out.count("\n") < 4, "no line of this package is shown"
    finally:
        InteractiveShell.clear_instance()


def test_a_call_that_reads_what_another_part_leaves_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    calls = "".join(f"    rows = more(rows, {number})\n" for number in range(300))
    more = "@cj.step\ndef more(rows: int, by: int) -> int: return rows + by\n"
    text = f"{STEPS}{more}@cj.workflow\ndef flow():\n    rows = count('x')\n{calls}"
    path.write_text(text, encoding="utf-8")
    from couler_jobs.inputs import read_placed

    manifest, origin = read_placed(path, "4.1")
    assert origin is not None
    told = {
        origin(f"spec.templates[{index}].dag.tasks[{place}]")
        for index, template in enumerate(manifest["spec"]["templates"])
        for place, task in enumerate(template.get("dag", {}).get("tasks", ()))
        if "part" not in task["name"]
    }
    assert len({said.partition(":")[0] for said in told}) == 301
