"""What is said about the mistakes that programs have most: the file, the line, the variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
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
    "count(dya=day)": "count() has no parameter 'dya': did you mean 'day'?",
    "count()": "count(): missing a required argument: 'day'",
    "tell(f'{rows}')": "An f-string needs the value of count",
    "tell(rows + 1)": "Arithmetic needs the value of count",
    "if rows: tell(1)": "`if` (or `and`, `or`, `not`) needs the value of count",
    "if rows > 1: tell(1)": "write `with cj.when(...)` instead of `if`",
    "for row in rows: tell(row)": "A loop needs the value of count",
    "tell(rows.total)": "the value of count has no attribute 'total'",
    "tell(rows, after=count)": "after=<step count>: a step can only follow a call",
    "tell('x')": "'rows' of tell() is annotated with int, and its value is of type str",
    "tell(1.5)": "its value is of type float",
    "tell([1])": "its value is of type list",
    "tell(__import__('pathlib').Path('x'))": "its value is of type PosixPath",
    "cj.map(tell, [1, 'x'])": "'rows' of tell() is annotated with int, and its value",
    "flow(3)": "The argument 'day' of flow() is annotated with str, and its value is of type int",
    "tell(object())": "The argument 'rows': A value of type object cannot travel as JSON",
    "tell(float('nan'))": "The argument 'rows': A value of type float cannot travel as JSON",
    "cj.map(tell, 3)": "cj.map takes lists, or the value of a step, and 3 is neither",
    "cj.map(tell, [1], after='x')": "after='x'",
    "tell(rowz)": "NameError: name 'rowz' is not defined",
    "tell({}['rows'])": "KeyError: there is no 'rows'",
    "import json; json.loads('no')": "JSONDecodeError",
    "with cj.when(rows > 'a'): tell(1)": "'a' is no number",
    "tell(abs(rows))": "Arithmetic needs the value of count",
    "tell(-rows)": "Arithmetic needs the value of count",
    "tell(divmod(rows, 2))": "Arithmetic needs the value of count",
    "tell(round(rows))": "Arithmetic needs the value of count",
    "tell(rows << 2)": "Arithmetic needs the value of count",
    "tell(len(rows))": "`len` needs the value of count",
    "tell({rows: 1})": "A key of a mapping, or a set, needs the value of count",
    "tell({rows})": "A key of a mapping, or a set, needs the value of count",
    "rows['total'] = 1": "An assignment needs the value of count",
    "rows.total = 1": "Handle stands for a value that exists only when the workflow runs",
    "tell(rows())": "Handle stands for a value that exists only when the workflow runs",
    "tell(','.join([rows]))": "Handle stands for a value that exists only when the workflow runs",
    "import json; tell(json.dumps(rows))": "A Handle stands for a value",
    "a, b = rows": "use `cj.map(step, ...)`, or take its parts with value[0], value[1].",
    "cj.map(tell, rows)": "cj.map loops over a list, and the value of count is annotated with int",
    "tell(*rows)": "A loop needs the value of count",
    "if rows in (1, 2): tell(1)": "write `with cj.when(...)` instead of `if`",
    "while rows < 3: rows = count(day)": "write `with cj.when(...)` instead of `if`",
    "with cj.when(0 < rows < 3): tell(1)": "and `&`, `|`, `~` instead of `and`",
    "print(rows)": "Text needs the value of count",
    "tell(rows[1:2])": "can be indexed with a key or a number, not with slice(1, 2, None)",
    "tell(len(day))": "`len` needs the parameter 'day'",
    "cj.when(rows > 1); tell(1)": "This condition is never used: write `with cj.when(...):`",
    "flow()": "The workflow flow calls itself (flow -> flow) and nothing ends that",
    "cj.map(count, 'abc')": "cj.map takes lists, and 'abc' is a str",
    "cj.map(count, {'a': 1})": "cj.map takes lists, and {'a': 1} is a dict",
    "cj.map(count, {'a'})": "cj.map takes lists, and {'a'} is a set",
    "cj.container('alpine', command='echo hi')": "write ['echo', 'hi'], or ['sh', '-c', 'echo hi']",
    "cj.container('alpine', cmd=['true'])": "cj.container has no option 'cmd'",
    "cj.container(command=['true'])": "missing 1 required positional argument: 'image'",
    "cj.http('https://a', heders={})": "cj.http has no option 'heders': did you mean 'headers'?",
    "cj.plugin({'slack': 1})": "cj.plugin takes a plugin's name, such as 'slack', not {'slack': 1}",
    "cj.http('rows')": "url='rows': it begins with https:// or http://",
    "cj.suspend('soon')": "duration='soon'",
    "cj.notebook('gone.ipynb')": "The notebook gone.ipynb cannot be read",
    "cj.resource('make', {})": "action='make'",
    "cj.stored('tools')": "missing 1 required positional argument: 'template'",
    "cj.either(rows, 5)": "cj.either chooses between steps' values; 5 is none",
    "cj.maap(tell, [1])": "has no attribute 'maap': did you mean 'map'?",
    "cj.map([1], tell)": "cj.map calls a step, a workflow or a function that calls some; [1] is",
    "cj.map(tell, [1], [2])": "tell(): too many positional arguments",
    "cj.map(tell, [1], day=2)": "tell() has no parameter 'day'",
    "with cj.when('x'): tell(1)": "'x' is no condition",
    "count('x' * 200000)": "The argument 'day' has 195 KiB as JSON",
    "cj.submit(flow)": "starts a workflow as soon as it is read",
    "with cj.otherwise(): tell(1)": "cj.otherwise() stands after no cj.when(...)",
}
OUT = f"{STEPS}out = couler.run_container('alpine', 'true', step_name='a')\n"
STEPS_OF = {
    "gpu={'amd': 1}": "Kubernetes has no resource 'amd'",
    "image=3": "image=3: it is such as 'python:3.12'",
    "name=5": "name=5: it is such as 'nightly'",
    "memory=512": "memory=512: it is such as '2Gi'",
    "cpu=[1]": "cpu=[1]: it is such as 2 or '500m'",
    "env=['A=1']": "env=['A=1']: it is such as {'REGION': 'eu'}",
    "working_dir=5": "working_dir=5: it is such as '/work'",
    "mutex=5": "mutex=5: it is such as",
    "semaphore='limits'": "semaphore='limits': it takes cj.config_key",
    "hooks=[count]": "hooks=[<step count>]: it is such as {'warn': cj.hook",
    "mounts=['/data']": "mounts=['/data']: it is such as {'/data': cj.claim('data')}",
    "mounts={'data': cj.claim('data')}": "it is an absolute path",
    "cache=True, cache_files='table.csv'": "it is such as ['table.csv']",
    "cache='often'": "cache='often'",
    "labels={'a b': 'c'}": "labels={'a b': 'c'}: Kubernetes takes letters",
    "labels={'a': 'c d'}": "labels={'a': 'c d'}: Kubernetes takes letters",
    "labels={'a': 1}": "labels={'a': 1}: names and values are texts",
    "retries='2'": "retries='2'",
    "retries=2, backoff={'factor': 'x'}": "backoff={'factor': 'x'}: it is a number",
    "backoff=5": "backoff=5 is a wait before a retry",
    "timeout=-1": "timeout=-1",
    "metrics='x'": "metrics='x'",
    "node_selector='pool=big'": "node_selector='pool=big'",
    "tolerations={'key': 'x'}": "tolerations={'key': 'x'}",
    "env={'A': cj.secret('x')}": "cj.secret('x') names no key",
    "sidecars=[{'image': 'x'}]": "sidecars=[{'image': 'x'}]",
}
FLOWS_OF = {
    "parallelism='10'": "parallelism='10': it is such as 10",
    "parallelism=0": "parallelism=0: it is how many steps may run at once",
    "schedule=5": "schedule=5: it is such as '0 2 * * *'",
    "timezone='Europe/Paris'": "timezone= goes with schedule=",
    "kind='WorkflowTemplate', schedule='0 2 * * *'": "A WorkflowTemplate has no schedule",
    "kind='CronWorkflow'": "kind='CronWorkflow'",
    "dns='Mine'": "dns='Mine': it is one of ClusterFirst",
    "ttl={'ok': '1h'}": "ttl has no 'ok'",
    "priority='high'": "priority='high': it is a whole number",
    "schedul='0 2 * * *'": "no option 'schedul': did you mean 'schedule'",
}
WITH_AN_ANSWER = {
    "if out == '1': out = None": "couler.when(couler.equal(...), function)",
    "if out[0] == '1': out = None": "couler.when(couler.equal(...), function)",
    "if out != '1': out = None": "couler.when(couler.equal(...), function)",
    "if out > 1: out = None": "couler.when(couler.equal(...), function)",
    "if '1' in out: out = None": "couler.when(couler.equal(...), function)",
    "f'{out}'": "An f-string needs the output 'result' of a",
    "'%s' % out": "Text needs the output 'result' of a",
    "'{}'.format(out)": "An f-string needs the output 'result' of a",
    "str(out)": "Text needs the output 'result' of a",
    "'x' + out": "Arithmetic needs the output 'result' of a",
    "out + 1": "Arithmetic needs the output 'result' of a",
    "out * 2": "Arithmetic needs the output 'result' of a",
    "2 - out": "Arithmetic needs the output 'result' of a",
    "out['k']": "the list of its outputs, [the output 'result' of a], each by its number",
    f"{HERE}resources={{'cpus': 1}})": "no resource 'cpus': did you mean 'cpu'?",
    f"{HERE}resources={{'gpus': 1}})": "no resource 'gpus': did you mean 'gpu'?",
    f"{HERE}resources='cpu=1')": "resources='cpu=1': it is a mapping",
}
OUTSIDE = {
    **{f"@cj.step({words})\ndef f() -> None: ...": said for words, said in STEPS_OF.items()},
    **{f"@cj.workflow({words})\ndef f(): ...": said for words, said in FLOWS_OF.items()},
    "couler.set_dependencies(lambda: 0, 3)": "dependencies=3: it is a list of names or a text",
    "cj.stpe": "module 'couler_jobs' has no attribute 'stpe': did you mean 'step'?",
    "@cj.step(agrs=[1])\ndef f() -> None: ...": "@cj.step has no option 'agrs' (it has affinity,",
    "cj.step(lambda x: x)": "A lambda has no name to run as a step by",
    "@cj.step\n@cj.step\ndef f() -> None: ...": "<step f> is no function, so it cannot be a step",
    "@cj.step('python:3.12')\ndef f() -> None: ...": "'python:3.12' is no function",
    "@cj.step\ndef f(*rows): ...": "The step f takes *rows",
    "@cj.step\ndef f(): yield 1": "The step f is no plain function",
    "@cj.step\nasync def f(): ...": "The step f is no plain function",
    "@cj.workflow\ndef flow(): yield count('x')": "The workflow flow is no plain function",
    "import nowhere": "ModuleNotFoundError: No module named 'nowhere'",
    f"{HERE}backoff=3)": "backoff=3 is a wait before a retry: give retries=",
    "couler.run_container('alpine', 'echo hi')": "write ['echo', 'hi'], or ['sh', '-c', 'echo hi']",
    "@cj.step(retry=2)\ndef f() -> None: ...": "@cj.step has no option 'retry': did you mean",
    "@cj.step(image_pull_policy='Always')\ndef f() -> None: ...": "did you mean 'pull_policy'",
    "@cj.step(pull_policy='Often')\ndef f() -> None: ...": "pull_policy='Often'",
    "@cj.step(timeout='soon')\ndef f() -> None: ...": "timeout='soon'",
    "@cj.workflow\ndef flow(day=object()): ...": "The parameter 'day'",
    "@cj.workflow\ndef flow(day: int = 'x'): count('y')": "The default of 'day' is annotated",
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


@pytest.mark.parametrize("line", WITH_AN_ANSWER)
def test_a_mistake_with_a_step_s_answer_is_told_with_its_line(
    line: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    found = said(path, OUT + line, capsys)
    assert found.startswith(f"couler-jobs: {path}, line {OUT.count(chr(10)) + 1}: ")
    assert WITH_AN_ANSWER[line] in found


def test_a_method_is_no_step(tmp_path: Path, capsys: Output) -> None:
    text = f"{STEPS}class A:\n    @cj.step\n    def f(self): ..."
    assert "line 11: The step f is a method" in said(tmp_path / "flow.py", text, capsys)


def test_a_ring_of_workflows_is_refused_and_one_with_a_condition_is_not(
    tmp_path: Path, capsys: Output
) -> None:
    ring = f"{STEPS}@cj.workflow\ndef one(): two()\n@cj.workflow\ndef two(): one()\n"
    text = f"{ring}@cj.workflow\ndef flow(): one()"
    assert "nothing ends that: call it under a condition" in said(
        tmp_path / "flow.py", text, capsys
    )
    path = tmp_path / "good.py"
    again = "    with cj.when(rows < 3): flow()"
    path.write_text(f"{STEPS}@cj.workflow\ndef flow():\n    rows = count('x')\n{again}\n")
    assert main(["compile", str(path)]) == 0


def test_a_cycle_names_its_steps(tmp_path: Path, capsys: Output) -> None:
    text = f"{STEPS}for one, other in ('ab', 'ba'):\n    couler.set_dependencies("
    text += "lambda: couler.run_container('alpine', 'true', step_name=one), dependencies=[other])"
    assert "a -> b -> a" in said(tmp_path / "flow.py", text, capsys)


def test_a_step_s_answer_is_a_list_as_in_couler() -> None:
    out: Any = couler.run_container("alpine", "true", step_name="a")
    (only,) = out
    both: Any = couler.run_container("alpine", "true", args=out + [only], step_name="b")  # noqa: RUF005
    assert [len(out), len(both), bool(out)] == [1, 1, True]
    assert out not in (None, [])
    couler.when(out == both, lambda: couler.run_container("alpine", "true", step_name="c"))
    found = cj.compile()["spec"]["templates"][0]["steps"]
    assert [step["name"] for (step,) in found] == ["a", "b", "c"]
    assert [step.get("when") for (step,) in found][:2] == [None, None]
    assert found[2][0]["when"].count("outputs") == 2
