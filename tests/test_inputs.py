"""Everything that can be read as a workflow."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs import inputs
from couler_jobs.errors import DeclarationError
from couler_jobs.inputs import read
from couler_jobs.manifests import filled, read_mapping
from couler_jobs.runs.values import Said
from tests.test_submission import HELLO, doubling, value_of

YAML = """\
kind: Workflow
metadata: {name: w}
spec: {arguments: {parameters: [{name: day, value: 2026-01-02}]}}
"""
PROGRAM = """\
import couler_jobs as cj
from beside import LIMIT

@cj.step
def count(day: str) -> int:
    return 1

@cj.workflow
def nightly(day: str = "x"):
    count(day)
"""
SECOND = """
@cj.workflow
def weekly():
    count("y")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("LIMIT = 3\n", encoding="utf-8")
    return tmp_path


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def entry(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"].get("generateName") or manifest["metadata"]["name"])


# --- manifests


@pytest.mark.parametrize("name", ["w.yaml", "w.yml"])
def test_yaml_is_read_with_its_dates_as_text(tmp_path: Path, name: str) -> None:
    assert value_of(read(write(tmp_path / name, YAML), "4.1"), "day") == "2026-01-02"


def test_json_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / write(tmp_path / "w.json", json.dumps(HELLO)), "4.1") == HELLO


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"---\n{YAML}---\n"))
    assert entry(read("-", "4.1")) == "w"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("w.yaml", "a: [", "w.yaml: Line 2 is not YAML"),
        ("w.yaml", "a: &x [*x, *y]", "w.yaml: Line 1"),
        ("w.yaml", "!!python/object:os.system {}", "w.yaml: Line 1"),
        ("w.yaml", "", "holds 0 manifests"),
        ("w.yaml", f"{YAML}---\n{YAML}", "holds 2 manifests"),
        ("w.yaml", "just text", "w.yaml: "),
        ("w.json", "{", "is not JSON"),
        ("w.json", "[" * 100_000, "is not JSON"),
        ("w.json", "{}", "is not a manifest: it has no kind"),
        ("w.json", "[]", "is not a mapping"),
        ("w.toml", "", "cannot be read as a workflow: give a file that ends in .py, .yaml"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        read(write(tmp_path / name, text), "4.1")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"w.yaml cannot be read: there is no such file"):
        read(tmp_path / "w.yaml", "4.1")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DeclarationError, match="it is not UTF-8 text"):
        read(tmp_path / "w.yaml", "4.1")


def test_a_file_of_parameters_is_a_mapping(tmp_path: Path) -> None:
    assert read_mapping(Path(write(tmp_path / "p.yaml", "day: 2026-01-02\nrows: 3"))) == {
        "day": "2026-01-02",
        "rows": 3,
    }
    with pytest.raises(DeclarationError, match="holds 0 mappings: give it exactly one"):
        read_mapping(Path(write(tmp_path / "empty.yaml", "")))


# --- parameters


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("world", "you", "you"),
        ("world", 3, "3"),
        ("world", {"a": None}, '{"a": null}'),
        ('"world"', "you", '"you"'),
        (None, "you", "you"),
        ("1", "{{x}}", "{{x}}"),
        ('"3.9"', Said("3.10"), "3.10"),
        ("world", Said("1e3"), "1e3"),
        ('"world"', Said("you"), '"you"'),
        ("world", Said('"3.10"'), "3.10"),
        ("[]", Said("[1.10]"), "[1.1]"),
    ],
)
def test_a_text_stays_text_unless_the_steps_read_json(before: Any, value: Any, after: str) -> None:
    manifest = {"spec": {"arguments": {"parameters": [{"name": "p", "value": before}]}}}
    assert value_of(filled(manifest, {"p": value}), "p") == after


def test_a_parameter_with_a_value_from_elsewhere_can_be_set() -> None:
    declared = {"name": "p", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    manifest = {"spec": {"arguments": {"parameters": [declared]}}}
    assert filled(manifest, {"p": "x"})["spec"]["arguments"]["parameters"] == [
        {"name": "p", "value": "x"}
    ]


def test_a_parameter_of_a_template_elsewhere_is_added() -> None:
    manifest = {"spec": {"workflowTemplateRef": {"name": "t"}}}
    assert value_of(filled(manifest, {"p": 1}), "p") == "1"


def test_a_parameter_of_a_cron_workflow_is_that_of_its_runs() -> None:
    cron = {"kind": "CronWorkflow", "spec": {"workflowSpec": HELLO["spec"]}}
    assert (
        value_of({"spec": read(cron, "4.1", {"who": "me"})["spec"]["workflowSpec"]}, "who") == "me"
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ([], "spec is not a mapping"),
        ({"arguments": "x"}, "arguments is not a mapping"),
        ({"arguments": {"parameters": {"x": 1}}}, "is not a list of names"),
        ({"arguments": {"parameters": ["x"]}}, "is not a list of names"),
        ({"arguments": {"parameters": [{"value": 1}]}}, "is not a list of names"),
        (None, "no parameter 'x': it has none"),
        ({"arguments": {"parameters": None}}, "no parameter 'x': it has none"),
    ],
)
def test_a_manifest_without_a_list_of_parameters_is_refused(spec: Any, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        filled({"spec": spec}, {"x": 1})


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (HELLO, "no parameter 'x': it has who"),
        ({"kind": "Workflow"}, "no parameter 'x': it has none"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_known_ones(what: Any, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        read(what, "4.1", {"x": 1})


# --- programs


def test_the_only_workflow_of_a_program_is_compiled(folder: Path) -> None:
    path = write(folder / "flow.py", PROGRAM)
    manifest = read(path, "4.1", {"day": "2026-01-02"})
    assert (entry(manifest), value_of(manifest, "day")) == ("nightly-", '"2026-01-02"')


def test_a_workflow_that_was_imported_does_not_count(folder: Path) -> None:
    imported = "from tests.test_submission import doubling\n"
    assert entry(read(write(folder / "flow.py", imported + PROGRAM), "4.1")) == "nightly-"


MONTHLY = """
@cj.workflow
def monthly():
    [nightly(day) for day in ("x", "y")]
"""


def test_of_several_workflows_the_one_that_calls_the_others_is_meant(folder: Path) -> None:
    program = write(folder / "flow.py", PROGRAM + MONTHLY)
    assert entry(read(program, "4.1")) == "monthly-"


def test_two_workflows_that_no_other_calls_are_both_offered(folder: Path) -> None:
    program = write(folder / "flow.py", PROGRAM + SECOND + MONTHLY)
    with pytest.raises(DeclarationError, match=r"one of \S*:weekly, \S*:monthly\.$"):
        read(program, "4.1")


def test_one_of_several_workflows_is_chosen_by_name(folder: Path) -> None:
    path = write(folder / "flow.py", PROGRAM + SECOND)
    assert entry(read(f"{path}:weekly", "4.1")) == "weekly-"
    with pytest.raises(
        DeclarationError, match=r"choose one of .*flow.py:nightly, .*flow.py:weekly"
    ):
        read(path, "4.1")
    with pytest.raises(
        DeclarationError, match=r"nothing called monthly in .*flow.py: it has nightly, weekly"
    ):
        read(f"{path}:monthly", "4.1")


@pytest.mark.parametrize(
    "start",
    ["submit(nightly)", "schedule(nightly, '0 2 * * *')", "apply_template(nightly)"],
)
def test_reading_a_program_starts_nothing(folder: Path, start: str) -> None:
    text = f"import couler_jobs\n{PROGRAM}\ncouler_jobs.{start}\n"
    with pytest.raises(DeclarationError, match=r"flow.py starts a workflow as soon as it is read"):
        read(write(folder / "flow.py", text), "4.1")
    guarded = text.replace("couler_jobs." + start, f"if __name__ == '__main__':\n    {start}")
    assert entry(read(write(folder / "flow.py", guarded), "4.1")) == "nightly-"


def test_a_program_without_a_workflow_is_named(folder: Path) -> None:
    with pytest.raises(DeclarationError, match=r"flow.py declares no workflow: put @cj.workflow"):
        read(write(folder / "flow.py", "print(1)\n"), "4.1")


COULER = """\
import couler_jobs.argo as couler
couler.run_container(image="alpine", command=["true"], step_name="theirs")
"""


def test_a_program_in_coulers_spelling_is_compiled(folder: Path) -> None:
    manifest = read(write(folder / "flow.py", COULER), "4.1")
    assert "theirs" in [one["name"] for one in manifest["spec"]["templates"]]


def test_a_program_and_its_reader_do_not_mix_what_they_record(folder: Path) -> None:
    couler.run_container(image="alpine", command=["true"], step_name="mine")
    theirs = read(write(folder / "flow.py", COULER), "4.1")["spec"]["templates"]
    mine = read(None, "4.1")["spec"]["templates"]
    assert "mine" not in [one["name"] for one in theirs]
    assert "theirs" not in [one["name"] for one in mine]


def test_reading_a_program_leaves_no_trace(folder: Path) -> None:
    before = list(sys.path), set(sys.modules)
    read(write(folder / "flow_without_trace.py", PROGRAM), "4.1")
    assert sys.path == before[0]
    assert "flow_without_trace" not in sys.modules
    sys.modules.pop("beside", None)


def test_a_program_may_have_the_name_of_a_module(folder: Path) -> None:
    assert entry(read(write(folder / "json.py", PROGRAM), "4.1")) == "nightly-"
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("x = 1\n1 / 0\n", r"flow.py, line 2: ZeroDivisionError: division by zero\."),
        ("x = (\n", r"flow.py, line 1: SyntaxError: '\(' was never closed\.$"),
        ("import sys\nsys.exit(3)\n", r"flow.py, line 2: SystemExit: 3\."),
        ("import no_such_module_at_all\n", r"flow.py, line 1: ModuleNotFoundError: "),
        ("raise ValueError\n", r"flow.py, line 1: ValueError\."),
    ],
)
def test_an_error_in_a_program_names_its_line(folder: Path, program: str, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        read(write(folder / "flow.py", program), "4.1")


@pytest.mark.parametrize(
    ("helper", "why"),
    [
        ("x = 1\nx = y\n", r"helper.py, line 2: NameError: name 'y' is not defined\.$"),
        ("x = (\n", r"helper.py, line 1: SyntaxError: '\(' was never closed\.$"),
        ("import json\njson.loads('a')\n", r"helper.py, line 2: JSONDecodeError: Expecting"),
    ],
)
def test_an_error_in_a_file_beside_a_program_names_its_line(
    folder: Path, helper: str, why: str
) -> None:
    write(folder / "helper.py", helper)
    with pytest.raises(DeclarationError, match=why):
        read(write(folder / "flow.py", "import helper\n"), "4.1")


def test_an_error_in_what_is_installed_names_the_line_of_the_program(folder: Path) -> None:
    installed = folder / "venv" / "site-packages"
    installed.mkdir(parents=True)
    write(installed / "helper.py", "x = y\n")
    program = f"import sys\nsys.path.append({str(installed)!r})\nimport helper\n"
    with pytest.raises(DeclarationError, match=r"flow.py, line 3: NameError: name 'y'"):
        read(write(folder / "flow.py", program), "4.1")
    sys.path.remove(str(installed))


def test_a_folder_that_begins_like_an_installed_one_is_a_programs_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_INSTALLED", (str(folder / "jobs"),))
    own = folder / "jobs_of_mine"
    own.mkdir()
    write(own / "helper.py", "x = y\n")
    with pytest.raises(DeclarationError, match=r"helper.py, line 1: NameError: name 'y'"):
        read(write(own / "flow.py", "import helper\n"), "4.1")


def test_a_declaration_error_in_a_program_stays_as_it_is(folder: Path) -> None:
    program = "import couler_jobs as cj\ncj.step(retries=-1)(print)\n"
    with pytest.raises(DeclarationError, match="retries=-1"):
        read(write(folder / "flow.py", program), "4.1")


def test_a_missing_program_is_refused(folder: Path) -> None:
    with pytest.raises(DeclarationError, match=r"flow.py cannot be read: there is no such file"):
        read(folder / "flow.py", "4.1")


def test_a_declared_workflow_is_compiled() -> None:
    assert read(doubling, "4.1") == cj.compile(doubling, target="4.1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("os.environ['NO_SUCH_A']", "KeyError: the environment variable NO_SUCH_A is not set."),
        ("{'a': 1}['b']", "KeyError: there is no 'b'."),
    ],
)
def test_a_key_that_is_not_there_is_told_in_words(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(f"import os\n{line}\n", encoding="utf-8")
    with pytest.raises(DeclarationError) as told:
        read(str(path), "4.1")
    assert str(told.value) == f"{path}, line 2: {said}"
