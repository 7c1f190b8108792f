"""What a step prints when its function fails: lines of the program, and none of the script's."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl.footer import step_script


class MissingError(Exception):
    """Why a row cannot be read."""


class Table:
    def rows(self, count: int) -> list[int]:
        return [self.row(number) for number in range(count)]

    def row(self, number: int) -> int:
        raise MissingError(
            number,
        )


def deeper(count: int) -> int:
    return deeper(count + 1)


@cj.step
def read(count: int) -> list[int]:
    # a comment

    return Table().rows(count)


@cj.step
def wrap(count: int) -> list[int]:
    try:
        return Table().rows(count)
    except MissingError as error:
        raise ValueError("no rows") from error


@cj.step
def several(count: int) -> None:
    try:
        Table().row(count)
    except MissingError as error:
        raise ExceptionGroup("all of them", [error])  # noqa: B904


@cj.step
def recurse(count: int) -> int:
    return deeper(count)


@cj.step
def lay(count: int) -> Path:
    return Path(str(Table().row(count)))


@cj.step(ship="import")
def imported(count: int) -> int:
    return Table().row(count)


@cj.step
def leave(count: int) -> None:
    raise SystemExit(count + 6)


def ended(step: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    """The step's script, run as a step runs it with the argument 1."""

    @cj.workflow
    def flow() -> None:
        step(1)

    (source,) = [t["script"]["source"] for t in flow.compile()["spec"]["templates"][1:]]
    return ran(source, folder)


def ran(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script, run with the argument 1."""
    script = folder / "script"
    script.write_text(source, encoding="utf-8")
    environ = {**os.environ, "COULER_JOBS_ARG_count": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, script], env=environ, capture_output=True, text=True, check=False
    )


def told(step: Any, folder: Path) -> list[str]:
    """The lines of the traceback, without the marks, which Pythons do differently."""
    found = ended(step, folder)
    assert found.returncode == 1
    lines = found.stderr.splitlines()
    return [line for line in lines if line.strip(" ~^|)") and "in <listcomp>" not in line]


def frames(step: Any, folder: Path) -> list[tuple[str, str, str]]:
    """File, line and function of each frame, from the outermost."""
    text = "\n".join(told(step, folder))
    return re.findall(r'File "(.+)", line (\d+), in (\w+)', text)


ROWS = [("<Table>", "3", "rows"), ("<Table>", "6", "row")]


def test_a_traceback_has_the_lines_of_the_function_counted_from_its_def(tmp_path: Path) -> None:
    lines = told(read, tmp_path)
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1:3] == ['  File "<read>", line 4, in read', "    return Table().rows(count)"]
    assert lines[-1] == "MissingError: 0"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (read, [("<read>", "4", "read"), *ROWS]),
        (wrap, [("<wrap>", "3", "wrap"), *ROWS, ("<wrap>", "5", "wrap")]),
        (several, [*[("<several>", "3", "several"), ROWS[1]] * 2, ("<several>", "5", "several")]),
        (recurse, [("<recurse>", "2", "recurse"), *[("<deeper>", "2", "deeper")] * 3]),
        (lay, [("<lay>", "2", "lay"), ROWS[1]]),
    ],
)
def test_the_frames_are_those_of_the_program(
    step: Any, expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    assert sorted(frames(step, tmp_path)) == sorted(expected)


def test_an_imported_function_is_told_by_its_own_file(tmp_path: Path) -> None:
    files = {file for file, _, _ in frames(imported, tmp_path)}
    assert files == {__file__}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({1}, " cannot travel: Object of type set is not JSON serializable"),
        ({"a": [0, {1}]}, "['a'][1] cannot travel: Object of type set is not JSON serializable"),
        ({"a": (math.nan,)}, "['a'][0] cannot travel: Out of range float values are not JSON"),
        ({"a": {(1, 2): 0}}, "['a'] cannot travel: keys must be str, int, float, bool or None"),
    ],
)
def test_a_value_that_is_no_json_is_told_in_a_line_with_the_place_in_it(
    value: Any, sentence: str, tmp_path: Path
) -> None:
    (line,) = said_of(value, {((), "value"): "value"}, tmp_path)
    assert line.startswith(f"The step's value{sentence}")


@pytest.mark.parametrize(
    ("value", "outputs", "sentence"),
    [
        ({"a": 1}, {(("b",), "value"): "b"}, " is of type dict: KeyError('b')"),
        ({"a": None}, {(("a", "b"), "value"): "b"}, "['a'] is of type NoneType: TypeError("),
        (None, {((), "items"): "items"}, " is of type NoneType: TypeError("),
        ([0, {1}], {((), "items"): "items"}, "[1] cannot travel: Object of type set"),
    ],
)
def test_a_value_without_the_part_that_is_passed_on_is_told_in_a_line(
    value: Any, outputs: Any, sentence: str, tmp_path: Path
) -> None:
    (line,) = said_of(value, outputs, tmp_path)
    assert line.startswith(f"The step's value{sentence}")


def said_of(value: Any, outputs: Any, folder: Path) -> list[str]:
    """What a step that returns the value prints where these parts of it are passed on."""
    text = f"nan = float('nan')\n\n\ndef give():\n    return {value!r}\n"
    found = ran(step_script("give", text, [], outputs), folder)
    assert found.returncode == 1
    return found.stderr.splitlines()


def test_a_step_still_ends_with_the_code_that_it_says(tmp_path: Path) -> None:
    found = ended(leave, tmp_path)
    assert (found.returncode, found.stderr) == (7, "")
