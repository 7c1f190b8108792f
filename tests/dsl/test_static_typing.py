"""mypy and pyright see the signature of the function below `@step` and `@workflow`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
from pathlib import Path
from typing import Annotated

import couler_jobs as cj


@cj.step
def count(day: str, factor: int = 1) -> int:
    return len(day) * factor


@cj.step(image="python:3.12", cache="7d")
def table(day: Annotated[str, "The day"]) -> Path:
    return Path(day)


@cj.workflow
def inner(day: str, *, limit: int = 3) -> Path:
    count(day, limit, after=[])
    return table(day)


@cj.workflow(timeout="2h")
def outer(day: str = "2026-01-01") -> int:
    inner(day, limit=2)
    table(day).exists()
    return count(day, factor=2)


@cj.workflow
def loops(day: str = "x") -> list[int]:
    best = cj.repeat(count, day, until=lambda found: found > 3, carry="factor", at_most=3)
    reveal_type(best)
    cj.repeat(count, day, until=lambda found: found.missing, at_most=3)  # wrong
    return cj.map(lambda factor: count(day, factor), [1, best])


reveal_type(count("x"))
reveal_type(table("x"))
reveal_type(inner("x"))
reveal_type(outer())
count(3)  # wrong
count()  # wrong
count("x", factr=2)  # wrong
table(Path("x"))  # wrong
inner("x", 2)  # wrong
inner("x", limit="2")  # wrong
outer(day=1)  # wrong
count("x").missing  # wrong
table("x").missing  # wrong
"""
WRONG = {n for n, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
TYPES = ["int", "int", "Path", "Path", "int"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def ran(module: str, *arguments: str) -> str:
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_mypy_sees_the_real_signature(program: Path, tmp_path: Path) -> None:
    found = ran("mypy", "--cache-dir", str(tmp_path / "cache"), str(program))
    assert {int(line) for line in re.findall(r"program\.py:(\d+): error", found)} == WRONG, found
    types = re.findall(r'Revealed type is "([\w.]+)"', found)
    assert [one.rpartition(".")[2] for one in types] == TYPES


def test_pyright_sees_the_real_signature(program: Path) -> None:
    found = json.loads(
        ran("pyright", "--outputjson", "--pythonpath", sys.executable, str(program))
    )["generalDiagnostics"]
    errors = {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}
    assert errors == WRONG, found
    told = [one["message"] for one in found if one["severity"] == "information"]
    assert [re.findall(r'is "(\w+)"$', text)[0] for text in told] == TYPES
