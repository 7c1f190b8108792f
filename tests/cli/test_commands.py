"""The commands, over a backend in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from couler_jobs.backends import choose
from couler_jobs.cli import main
from couler_jobs.errors import Unavailable
from couler_jobs.spec.status import Phase
from tests.runs.fake import FakeBackend, info, node
from tests.test_submission import HELLO

Output = pytest.CaptureFixture[str]
FAILED = info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="exit code 3"))
DONE = info(
    "w", Phase.SUCCEEDED, node("w", type="DAG", outputs={"parameters": {"n": "3"}}), node("w.a")
)
RUNNING = info("w", Phase.RUNNING, node("w.a", Phase.RUNNING))


@pytest.fixture
def hello(tmp_path: Path) -> str:
    path = tmp_path / "hello.json"
    path.write_text(json.dumps(HELLO), encoding="utf-8")
    return str(path)


def printed_json(capsys: Output) -> Any:
    return json.loads(capsys.readouterr().out)


def test_without_a_command_it_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2


def test_the_version_is_printed(capsys: Output) -> None:
    assert main(["version"]) == 0
    plain = capsys.readouterr().out.strip()
    assert main(["version", "--json"]) == 0
    assert printed_json(capsys) == {"version": plain}


# --- compile and lint


def test_compile_prints_yaml_and_json(hello: str, capsys: Output) -> None:
    assert main(["compile", hello, "-p", "who=me"]) == 0
    assert "value: me" in capsys.readouterr().out
    assert main(["compile", hello, "--json"]) == 0
    assert printed_json(capsys) == HELLO


TALKING = """
import couler_jobs as cj

@cj.step
def say():
    print("running")

@cj.workflow
def talking():
    print("declaring")
    say()

print("imported")
"""


@pytest.mark.parametrize(
    "command",
    [["compile", "{}", "--json"], ["lint", "{}", "--json"], ["diff", "{}", "{}", "--json"]],
)
def test_what_a_program_prints_is_not_the_answer(
    command: list[str], tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "talking.py"
    path.write_text(TALKING, encoding="utf-8")
    assert main([word.format(path) for word in command]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) is not None
    assert err.startswith("imported\ndeclaring\n")


def test_compile_writes_a_file(hello: str, tmp_path: Path, capsys: Output) -> None:
    assert main(["compile", hello, "-o", str(tmp_path / "out.yaml")]) == 0
    assert "kind: Workflow" in (tmp_path / "out.yaml").read_text(encoding="utf-8")
    assert main(["compile", hello, "-o", str(tmp_path)]) == 2
    assert "cannot be written: Is a directory" in capsys.readouterr().err


def test_compile_prints_no_manifest_that_lint_refuses(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**HELLO, "spec": {"entrypoint": "x", "templates": []}}))
    assert main(["compile", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "error " in err


def test_lint_of_what_is_right_prints_nothing(hello: str, capsys: Output) -> None:
    assert main(["lint", hello]) == 0
    assert capsys.readouterr().out == ""


def test_lint_prints_each_finding_with_its_file(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**HELLO, "spec": {"entrypoint": "x", "templates": []}}))
    assert main(["lint", str(path)]) == 2
    assert capsys.readouterr().out.startswith(f"{path}: error ")
    assert main(["lint", str(path), "--json"]) == 2
    (first, *_) = printed_json(capsys)
    assert (first["file"], first["severity"]) == (str(path), "error")


def test_lint_names_the_lines_of_every_manifest_in_a_file(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("kind: Nonsense\n---\nkind: Workflow\nspec: {entrypoint: x, odd: 1}\n")
    assert main(["lint", str(path), "--json"]) == 2
    found = {(one["code"], one["line"]) for one in printed_json(capsys)}
    assert ("kind", 1) in found
    assert any(line == 4 for _, line in found)


def test_lint_goes_through_a_file_from_its_top(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n"
        "  entrypoint: no-such\n  templates:\n  - name: a\n    container: {image: a, odd: 1}\n"
        "  - name: b\n    container: {image: a, odd: 1}\n  odd: 1\n"
    )
    assert main(["lint", str(path), "--json"]) == 2
    lines = [one["line"] for one in printed_json(capsys) if one["severity"] == "error"]
    assert len(lines) >= 4
    assert lines == sorted(lines)


@pytest.mark.parametrize("text", ["", "# only this\n", "---\n"])
def test_lint_of_a_file_without_a_manifest_is_2(text: str, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(text)
    assert main(["lint", str(path)]) == 2
    assert f"{path} holds 0 manifests" in capsys.readouterr().out


UNUSABLE = {
    "misspelt.py": ("import couler_jobs as cj\n@cj.step(retires=2)\ndef f(): ...\n", 2, "retires"),
    "raises.py": ("\n\n1 / 0\n", 3, "ZeroDivisionError"),
    "syntax.py": ("def f(:\n", 1, "SyntaxError"),
    "odd.yaml": ("a: 1\na: 2\n", 2, "a second time"),
    "odd.json": ("[", None, "is not JSON"),
    "odd.txt": ("", None, "cannot be read as a workflow"),
}


def test_lint_goes_through_every_file_whatever_is_wrong_with_one(
    hello: str, tmp_path: Path, capsys: Output
) -> None:
    for name, (text, _, _) in UNUSABLE.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**HELLO, "spec": {"entrypoint": "x", "templates": []}}))
    files = [*(str(tmp_path / name) for name in UNUSABLE), str(tmp_path / "none.py"), str(broken)]
    assert main(["lint", *files, hello, "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert list(dict.fromkeys(one["file"] for one in found)) == files
    for (_, line, said), one in zip(UNUSABLE.values(), found, strict=False):
        assert (one["severity"], one["code"], one["line"]) == ("error", "declaration", line)
        assert said in one["message"]
    assert {one.keys() == found[-1].keys() for one in found} == {True}


def test_lint_prints_an_error_of_a_declaration_like_any_finding(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    path.write_text(UNUSABLE["misspelt.py"][0], encoding="utf-8")
    assert main(["lint", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}: error declaration at {path}, line 2: @cj.step has no option")
    assert err == ""


@pytest.mark.parametrize("name", ["", ":flow"])
def test_a_finding_has_the_file_whose_line_it_has(
    name: str, tmp_path: Path, capsys: Output
) -> None:
    bad = "import couler_jobs as cj\n\n\n@cj.step(memory=3)\ndef bad(): ...\n"
    flow = (
        "import couler_jobs as cj\nfrom broken_beside import bad\n@cj.workflow\ndef flow(): bad()\n"
    )
    own, helper, program = (tmp_path / f"{stem}.py" for stem in ("own", "broken_beside", "flow"))
    own.write_text(bad, encoding="utf-8")
    helper.write_text(bad, encoding="utf-8")
    program.write_text(flow, encoding="utf-8")
    for what, file in ((f"{own}{name}", f"{own}{name}"), (f"{program}{name}", str(helper))):
        assert main(["lint", what, "--json"]) == 2
        (found,) = json.loads(capsys.readouterr().out)
        assert (found["file"], found["line"]) == (file, 4)


def test_lint_of_a_target_that_is_unknown_is_no_finding(hello: str, capsys: Output) -> None:
    assert main(["lint", hello, "--target", "9.9"]) == 2
    assert "9.9" in capsys.readouterr().err


def test_lint_reads_programs(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "flow.py"
    path.write_text("import couler_jobs.argo as c\nc.run_container(image='a', command=['b'])\n")
    assert main(["lint", str(path)]) == 0
    assert capsys.readouterr().out == ""


NEEDING = """
from pathlib import Path
import couler_jobs as cj
@cj.step
def show(n: int, f: Path) -> int:
    return n
@cj.workflow
def needs(n: int, f: Path):
    show(n, f)
@cj.workflow(schedule="0 2 * * *")
def nightly(n: int):
    show(n, cj.raw("x"))
@cj.workflow(kind="WorkflowTemplate")
def stored(n: int, f: Path):
    show(n, f)
"""


@pytest.fixture
def needing(tmp_path: Path) -> str:
    """A program whose parameters get their values from whoever submits it."""
    path = tmp_path / "flow.py"
    path.write_text(NEEDING, encoding="utf-8")
    return str(path)


def test_a_parameter_without_a_value_is_one_warning_of_a_program(
    needing: str, capsys: Output
) -> None:
    assert main(["lint", f"{needing}:needs"]) == 0
    n, f = capsys.readouterr().out.splitlines()
    assert f"at {needing}, line 7: the workflow needs" in n
    assert n.endswith("n has no value. Give it with `-p n=...`, in Python with `n=...`.")
    assert f.endswith("f has no value. Give it in Python, such as `f=cj.s3(...)`.")
    assert main(["lint", f"{needing}:nightly", f"{needing}:stored"]) == 0
    (n,) = capsys.readouterr().out.splitlines()
    assert "spec.workflowSpec.arguments.parameters[0]" in n
    assert main(["lint", f"{needing}:nightly", "-p", "n=3"]) == 0
    assert capsys.readouterr().out == ""


def test_compile_prints_a_program_whose_parameter_has_no_value(
    needing: str, capsys: Output
) -> None:
    assert main(["compile", f"{needing}:needs"]) == 0
    out, err = capsys.readouterr()
    assert "kind: Workflow" in out
    assert err.count("has no value") == 2


def test_submit_wants_each_value_and_says_so_once(
    needing: str, fake: FakeBackend, capsys: Output
) -> None:
    for command, what in (("submit", "needs"), ("apply", "nightly")):
        assert main([command, f"{needing}:{what}"]) == 2
        assert capsys.readouterr().err.count("n has no value. Give it with `-p n=...`") == 1
    assert fake.submitted == []


def test_lint_of_a_manifest_judges_a_parameter_without_a_value_as_argo(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "flow.json"
    spec = {**HELLO["spec"], "arguments": {"parameters": [{"name": "n"}]}}
    path.write_text(json.dumps({**HELLO, "spec": spec}))
    assert main(["lint", str(path)]) == 2
    assert "error no-value" in capsys.readouterr().out
    assert main(["lint", str(path), "-p", "n=3"]) == 0


def test_lint_goes_through_all_workflows_of_a_program(needing: str, capsys: Output) -> None:
    assert main(["lint", needing]) == 0
    found = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert found == [f"{needing}:needs", f"{needing}:needs", f"{needing}:nightly"]
    assert main(["compile", needing]) == 2
    assert "choose one of" in capsys.readouterr().err


def test_lint_names_the_workflow_that_cannot_be_compiled(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "flow.py"
    text = (
        "import couler_jobs as cj\n@cj.workflow\ndef one(): 1 / 0\n@cj.workflow\ndef two(): ...\n"
    )
    path.write_text(text, encoding="utf-8")
    assert main(["lint", str(path)]) == 2
    one, two = capsys.readouterr().out.splitlines()
    assert one.startswith(f"{path}:one: error declaration at {path}, line 3: ZeroDivisionError")
    assert two.startswith(f"{path}:two: error")


# --- submit and run


def test_submit_prints_the_name_alone(hello: str, fake: FakeBackend, capsys: Output) -> None:
    assert main(["submit", hello, "-p", "who=me"]) == 0
    assert capsys.readouterr() == ("hello-x7k2p\n", "")


def test_submit_prints_json_alone(hello: str, fake: FakeBackend, capsys: Output) -> None:
    assert main(["submit", hello, "--name", "mine", "--json"]) == 0
    found = printed_json(capsys)
    assert (found["name"], found["phase"], found["backend"]) == ("mine", "Pending", "fake")


def test_submit_and_wait_tells_progress_and_outputs(
    hello: str, fake: FakeBackend, capsys: Output
) -> None:
    fake.answers = [RUNNING, DONE]
    assert main(["submit", hello, "--wait", "--name", "w"]) == 0
    out, err = capsys.readouterr()
    assert out == "w\n"
    assert err.splitlines() == ["a Running", "w Running", "a Succeeded", "w Succeeded", "  n = 3"]


def test_submit_and_wait_for_a_failure_is_1_and_says_why(
    hello: str, fake: FakeBackend, capsys: Output
) -> None:
    fake.answers = [FAILED]
    assert main(["submit", hello, "--wait", "--json", "--name", "w"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["phase"] == "Failed"
    told = json.loads(err.splitlines()[-1])
    assert told["error"] == "WorkflowFailed"
    assert told["message"].endswith("because its step a ended as Failed: exit code 3.")


def test_a_time_out_is_124_and_still_reports(
    hello: str, fake: FakeBackend, tmp_path: Path, capsys: Output
) -> None:
    fake.answers = [RUNNING]
    junit = tmp_path / "report.xml"
    command = ["submit", hello, "--wait", "--timeout", "0.05", "--junit", str(junit), "--json"]
    assert main(command) == 124
    assert printed_json(capsys)["phase"] == "Running"
    assert ET.parse(junit).getroot()[0].get("errors") == "1"


def test_a_junit_report_that_cannot_be_written_is_refused_before_sending(
    hello: str, fake: FakeBackend, tmp_path: Path, capsys: Output
) -> None:
    assert main(["submit", hello, "--wait", "--junit", str(tmp_path / "no" / "r.xml")]) == 2
    assert f"there is no folder {tmp_path / 'no'}" in capsys.readouterr().err
    assert fake.submitted == []


def test_a_junit_report_that_turns_out_unwritable_is_told(
    hello: str, fake: FakeBackend, tmp_path: Path, capsys: Output
) -> None:
    fake.answers = [DONE]
    (tmp_path / ".r.xml.part").mkdir()
    assert main(["submit", hello, "--wait", "--junit", str(tmp_path / "r.xml")]) == 2
    assert "r.xml cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--junit", "x.xml"], ["--timeout", "3"]])
def test_what_needs_waiting_is_refused_without_it(
    hello: str, fake: FakeBackend, option: list[str], capsys: Output
) -> None:
    assert main(["submit", hello, *option]) == 2
    assert "go with --wait" in capsys.readouterr().err


def test_run_prints_the_steps_lines_on_stdout(
    hello: str, fake: FakeBackend, capsys: Output
) -> None:
    fake.answers, fake.lines = [RUNNING, DONE], {"w.a": ["one", "two"]}
    assert main(["run", hello, "--name", "w"]) == 0
    assert capsys.readouterr().out == "w.a: one\nw.a: two\n"


def test_run_with_json_prints_the_steps_lines_on_stderr(
    hello: str, fake: FakeBackend, capsys: Output
) -> None:
    fake.answers, fake.lines = [DONE], {"w.a": ["one"]}
    assert main(["run", hello, "--name", "w", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["outputs"] == {"n": 3}
    assert "w.a: one\n" in err


class NoLogs(FakeBackend):
    def logs(self, name: str, node: str | None = None, *, follow: bool = False) -> Any:
        raise Unavailable("The logs are away.")


@pytest.mark.usefixtures("fake")
def test_logs_that_cannot_be_read_are_told(
    hello: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setitem(choose.MAKERS, "local", lambda settings: NoLogs(DONE))
    assert main(["run", hello]) == 3
    assert capsys.readouterr().err.endswith("couler-jobs: The logs are away.\n")


def test_a_warning_is_told_and_the_run_is_sent(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    big = {"name": "main", "script": {"image": "python", "source": "#" * 1_300_000}}
    path = tmp_path / "big.json"
    path.write_text(json.dumps({**HELLO, "spec": {"entrypoint": "main", "templates": [big]}}))
    assert main(["submit", str(path)]) == 0
    assert capsys.readouterr().err.startswith("warning size at ")
    assert len(fake.submitted) == 1


# --- looking at runs


def test_status_prints_the_steps_and_the_outputs(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [DONE]
    assert main(["status", "w"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "w Succeeded (3.0 s)",
        "  a  Succeeded  2.0 s",
        "  n = 3",
    ]


def test_status_of_a_failed_run_is_no_failure_of_the_command(
    fake: FakeBackend, capsys: Output
) -> None:
    fake.answers = [FAILED]
    assert main(["status", "w", "--json"]) == 0
    assert [one["display_name"] for one in printed_json(capsys)["nodes"]] == ["a"]


def test_an_unknown_run_is_3(fake: FakeBackend, capsys: Output) -> None:
    assert main(["status", "w"]) == 3
    assert capsys.readouterr().err == "couler-jobs: There is no workflow w.\n"


def test_watch_answers_how_it_ended(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [RUNNING, FAILED]
    assert main(["watch", "w"]) == 1
    assert "a Failed: exit code 3" in capsys.readouterr().err


def test_list_prints_a_line_a_run(fake: FakeBackend, capsys: Output) -> None:
    nightly = info("n", Phase.PENDING, labels={"team": "a"}, created_at=None)
    fake.answers = [DONE, nightly]
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "w  Succeeded  2026-01-02 03:04:05 UTC\nn  Pending\n"
    assert main(["list", "-l", "team=a", "--json"]) == 0
    assert [one["name"] for one in printed_json(capsys)] == ["n"]
    assert main(["list", "-n", "1"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_a_list_stands_in_columns(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [DONE, info("longer", Phase.RUNNING)]
    assert main(["list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.index("2026-") == second.index("2026-")
    assert first.index("Succeeded") == second.index("Running")


def test_a_label_without_a_value_is_wrong_usage(fake: FakeBackend, capsys: Output) -> None:
    with pytest.raises(SystemExit):
        main(["list", "-l", "team"])
    assert "is not NAME=VALUE" in capsys.readouterr().err


def test_logs_of_all_steps_have_their_names_before(fake: FakeBackend, capsys: Output) -> None:
    fake.answers, fake.lines = [DONE], {"w.a": ["one"], "w.b": ["two"]}
    assert main(["logs", "w", "-f"]) == 0
    assert capsys.readouterr().out == "w.a: one\nw.b: two\n"


def test_logs_of_one_step_are_as_they_are(fake: FakeBackend, capsys: Output) -> None:
    fake.answers, fake.lines = [DONE], {"w.a": ["one"]}
    assert main(["logs", "w", "--node", "a"]) == 0
    assert capsys.readouterr().out == "one\n"


# --- asking


@pytest.mark.parametrize("verb", ["stop", "terminate", "suspend", "resume", "retry"])
def test_what_is_asked_reaches_the_backend(verb: str, fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [FAILED]
    assert main([verb, "w"]) == 0
    assert fake.asked[-1][:2] == (verb, "w")
    assert capsys.readouterr().out == "w Failed\n"


def test_answers_reach_the_step_that_is_named(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [info("w", Phase.RUNNING, node("w.ask", Phase.RUNNING, type="Suspend"))]
    assert main(["resume", "w", "--node", "ask", "--answer", "n=5", "--answer", "who=me"]) == 0
    assert fake.asked[-1] == ("resume", "w", "w.ask", "n=5", "who=me")
    assert main(["status", "w"]) == 0
    assert "to go on: couler-jobs resume w --node ask\n" in capsys.readouterr().out


ASKS = node("w.ask", Phase.RUNNING, type="Suspend", asks={"tag": None, "who": "me"})


def test_a_misspelt_answer_is_told_with_what_is_asked_for(
    fake: FakeBackend, capsys: Output
) -> None:
    fake.answers = [info("w", Phase.RUNNING, ASKS)]
    assert main(["resume", "w", "--answer", "tga=v2"]) == 3
    said = "No step of w waits for the answers tga: ask asks for tag, who."
    assert said in capsys.readouterr().err
    fake.answers = [RUNNING]
    assert main(["resume", "w", "--answer", "tag=v2"]) == 3
    assert "waits for the answers tag, nor for any other (yet)." in capsys.readouterr().err


def test_watch_says_how_to_go_on_once(fake: FakeBackend, capsys: Output) -> None:
    waits = info("w", Phase.RUNNING, ASKS)
    fake.answers = [waits, waits, DONE]
    assert main(["watch", "w"]) == 0
    err = capsys.readouterr().err
    assert "ask Running: waits for tag, who ('me')\n" in err
    assert err.count("to go on: couler-jobs resume w --node ask --answer tag=... ") == 1


def test_watch_ends_when_a_step_asks_if_that_is_wanted(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [RUNNING, info("w", Phase.RUNNING, ASKS)]
    assert main(["watch", "w", "--until-asked", "--json"]) == 0
    assert printed_json(capsys)["nodes"][0]["asks"] == {"tag": None, "who": "me"}
    fake.answers = [RUNNING, FAILED]
    assert main(["watch", "w", "--until-asked"]) == 1


def test_with_json_each_answer_is_json(fake: FakeBackend, capsys: Output) -> None:
    fake.answers, fake.lines = [DONE], {"w.a": ["one", "two"]}
    assert main(["stop", "w", "--json"]) == 0
    assert printed_json(capsys)["phase"] == "Succeeded"
    assert main(["delete", "w", "--json"]) == 0
    assert printed_json(capsys) == {"name": "w", "uid": "uid-of-w", "deleted": True}
    assert main(["logs", "w", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"node": "w.a", "text": "one"}, {"node": "w.a", "text": "two"}]


def test_with_json_an_error_is_json_on_stderr(fake: FakeBackend, capsys: Output) -> None:
    assert main(["status", "w", "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {"error": "NotFound", "message": "There is no workflow w."}


def test_json_shows_parameters_as_the_values_that_they_are(
    fake: FakeBackend, capsys: Output
) -> None:
    texts = {"text": '"x"', "rows": "3", "plain": "day"}
    step = node("w.a", inputs=texts, outputs={"result": '"y"', "parameters": texts})
    fake.answers = [info("w", Phase.SUCCEEDED, step, parameters=texts)]
    assert main(["status", "w", "--json"]) == 0
    found, values = printed_json(capsys), {"text": "x", "rows": 3, "plain": "day"}
    assert found["parameters"] == values
    assert found["nodes"][0]["inputs"] == values
    assert found["nodes"][0]["outputs"] == {"result": "y", "parameters": values}


def test_delete_reaches_the_backend(fake: FakeBackend, capsys: Output) -> None:
    fake.answers = [DONE]
    assert main(["delete", "w"]) == 0
    assert fake.asked[-1] == ("delete", "w")
    assert capsys.readouterr().out == "w deleted\n"


def test_an_interrupted_wait_leaves_the_run_and_says_how_to_end_it(
    hello: str, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    fake.answers = [RUNNING]
    monkeypatch.setattr("time.sleep", interrupted)
    assert main(["submit", hello, "--wait", "--name", "w"]) == 130
    assert capsys.readouterr().err.endswith("w goes on. To end it: couler-jobs stop w\n")


@pytest.mark.parametrize("away", [False, True])
def test_an_interrupted_wait_reports_how_far_it_has_come(
    away: bool, hello: str, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(seconds: float) -> None:
        if away:
            monkeypatch.setattr("couler_jobs.runs.run.FRESH_FOR", -1.0)
            fake.answers = [Unavailable("The server is away.")]
        raise KeyboardInterrupt

    fake.answers = [RUNNING]
    monkeypatch.setattr("time.sleep", interrupted)
    junit = tmp_path / "report.xml"
    junit.write_text("<testsuites/>")
    assert main(["submit", hello, "--wait", "--name", "w", "--junit", str(junit)]) == 130
    (suite,) = ET.parse(junit).getroot()
    assert (suite.get("name"), suite.get("errors")) == ("w", "1")


def test_what_is_not_sent_leaves_no_report_of_an_earlier_run(
    hello: str, fake: FakeBackend, tmp_path: Path, capsys: Output
) -> None:
    junit = tmp_path / "report.xml"
    junit.write_text("<testsuites/>")
    assert main(["submit", hello, "--wait", "--junit", str(junit), "-p", "odd=1"]) == 2
    assert not junit.exists()


def test_a_program_does_not_differ_from_its_manifest(capsys: Output) -> None:
    examples = Path(__file__).parent.parent.parent / "examples"
    assert main(["diff", str(examples / "diamond.yaml"), str(examples / "diamond.py")]) == 0
    assert capsys.readouterr().out == ""


def test_what_differs_is_printed_and_is_1(hello: str, tmp_path: Path, capsys: Output) -> None:
    main(["compile", hello])
    text = capsys.readouterr().out
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text)
    new.write_text(text.replace("generateName: ", "generateName: my-"))
    assert main(["diff", str(old), str(new)]) == 1
    changed = [line for line in capsys.readouterr().out.splitlines() if line[:2] in ("- ", "+ ")]
    assert len(changed) == 2
    assert changed[1] == changed[0].replace("-", "+", 1).replace(": ", ": my-")

    assert main(["diff", "--json", str(old), str(new)]) == 1
    assert printed_json(capsys)["equal"] is False


def test_the_order_of_keys_is_no_difference(tmp_path: Path, capsys: Output) -> None:
    files = tmp_path / "a.json", tmp_path / "b.json"
    files[0].write_text('{"kind": "Workflow", "spec": {"a": [{"b": 1, "c": 2}]}}')
    files[1].write_text('{"spec": {"a": [{"c": 2, "b": 1}]}, "kind": "Workflow"}')
    assert main(["diff", *map(str, files)]) == 0
    assert capsys.readouterr().out == ""


def test_a_manifest_is_imported_as_a_program_that_compiles_back_to_it(
    tmp_path: Path, capsys: Output
) -> None:
    manifest = Path(__file__).parent.parent.parent / "examples" / "diamond.yaml"
    program = tmp_path / "diamond.py"
    assert main(["import", str(manifest), "-o", str(program)]) == 0
    assert main(["compile", str(program)]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == yaml.safe_load(manifest.read_text())


def test_what_is_no_manifest_is_not_imported(tmp_path: Path, capsys: Output) -> None:
    assert main(["import", str(tmp_path / "flow.py")]) == 2
    assert "is no manifest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hint", "given", "arrives"),
    [
        ("str", "3.10", '"3.10"'),
        ("str", '"3.10"', '"3.10"'),
        ("str", "null", '"null"'),
        ("str | None", "3.10", '"3.10"'),
        ("str | None", "null", "null"),
        ("float", "3.10", "3.1"),
        ("object", "3.10", "3.1"),
    ],
)
def test_a_parameter_that_is_text_gets_what_was_typed(
    hint: str, given: str, arrives: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flow.py"
    text = f"import couler_jobs as cj\n@cj.step\ndef use(v: {hint}) -> None: ...\n"
    path.write_text(f"{text}@cj.workflow\ndef flow(v: {hint}): use(v)\n", encoding="utf-8")
    assert main(["compile", str(path), "-p", f"v={given}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["spec"]["arguments"]["parameters"] == [{"name": "v", "value": arrives}]
