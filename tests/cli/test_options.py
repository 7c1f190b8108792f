"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from couler_jobs._version import __version__
from couler_jobs.cli import main
from couler_jobs.cli.options import parameter, parameters, seconds
from couler_jobs.runs.values import decoded_values


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("n=3", ("n", 3)),
        ("day=2026-01-02", ("day", "2026-01-02")),
        ('text="3"', ("text", "3")),
        ("empty=", ("empty", "")),
        ("sum=a=b", ("sum", "a=b")),
        ("list=[1, null]", ("list", [1, None])),
    ],
)
def test_a_parameter_is_json_where_it_can_be_read_as_such(text: str, pair: tuple[str, Any]) -> None:
    assert decoded_values(dict([parameter(text)])) == dict([pair])


@pytest.mark.parametrize("text", ["n", "=3", ""])
def test_a_parameter_needs_a_name_and_an_equals_sign(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=VALUE"):
        parameter(text)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan", "m", "", "10 min"])
def test_seconds_are_a_number_above_zero(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        seconds(text)
    assert seconds("2.5") == 2.5


@pytest.mark.parametrize(("text", "number"), [("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_a_time_may_have_the_unit_that_a_steps_time_out_has(text: str, number: float) -> None:
    assert seconds(text) == number


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: 1\nb: 2\n", encoding="utf-8")
    given = argparse.Namespace(parameters_file=file, parameters=[("b", 3)])
    assert parameters(given) == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["complie", "flow.py"], "did you mean compile?"),
        (["compile", "flow.py", "--taget", "4.1"], "--taget 4.1 - did you mean --target?"),
        (["compile", "flow.py", "--taget=4.1"], "did you mean --target?"),
        (["lint", "flow.py", "--jsn"], "couler-jobs lint: error: unrecognized arguments: --jsn"),
        (["schedule", "puase", "nightly"], "did you mean pause?"),
        (["compile", "flow.py", "other.py"], "unrecognized arguments: other.py\n"),
        (["compile"], "the following arguments are required: WORKFLOW"),
        (["list", "--limit", "x"], "argument -n/--limit: 'x' is not a number"),
        (["submit", "flow.py", "--timeout", "soon"], "'soon' is no time"),
        (["compile", "flow.py", "-p", "n"], "'n' is not NAME=VALUE"),
    ],
)
def test_a_command_line_that_is_not_understood_names_the_nearest_word(
    line: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_version_is_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("gone.py", None, "gone.py cannot be read: there is no such file"),
        ("gone.yaml", None, "gone.yaml cannot be read: there is no such file"),
        ("folder.py/", None, "folder.py cannot be read: it is a folder"),
        ("flow.txt", "x", "cannot be read as a workflow: give a file that ends in .py"),
        ("flow.yaml", "a: [1", "is not YAML: did not find expected"),
        ("flow.yaml", "a: 1\na: 2", "flow.yaml: Line 2 has the key 'a' a second time"),
        ("flow.yaml", "- 1", "flow.yaml: Line 1 begins a document that is not a mapping"),
        ("flow.yaml", "", "flow.yaml holds 0 manifests"),
        ("flow.yaml", "a: 1", "flow.yaml is not a manifest: it has no kind"),
        ("flow.json", "{", "flow.json is not JSON"),
        ("flow.json", "[1]", "flow.json is not a mapping"),
        ("flow.ipynb", "x", "flow.ipynb is not a notebook: it is not JSON"),
        ("flow.ipynb", "{}", "flow.ipynb is not a notebook: it has no format version"),
        ("flow.py", "x = 1", "flow.py declares no workflow: put @cj.workflow above"),
        ("flow.py", "x = (", "flow.py, line 1: SyntaxError"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused_in_a_sentence(
    name: str, text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["compile", str(path)]) == 2
    assert sentence in capsys.readouterr().err
