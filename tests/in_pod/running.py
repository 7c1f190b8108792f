"""Runs notebooks for the tests, as a step does: the program in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Cell = str | dict[str, Any]  #: a text is a code cell
PROGRAM = (sys.executable, "-m", "couler_jobs.in_pod.notebook")


def code(source: str, *tags: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}
    return cell | {"outputs": [], "execution_count": None}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def document(cells: Sequence[Cell], **metadata: Any) -> dict[str, Any]:
    """A notebook: texts are code cells."""
    return {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": metadata,
        "cells": [code(cell) if isinstance(cell, str) else cell for cell in cells],
    }


def request_for(
    folder: Path, cells: Sequence[Cell], name: str = "in.ipynb", **more: Any
) -> dict[str, Any]:
    """A notebook of `cells` in `folder`, and the request to run it into `folder/out`."""
    source = folder / name
    source.write_text(json.dumps(document(cells)), encoding="utf-8")
    out = folder / "out"
    places = {
        "output": str(out / name),
        "result": str(out / "result.json"),
        "log": str(out / "log.txt"),
        "progress": str(out / "progress.json"),
    }
    # The time-out ends what a failing test leaves running.
    return {"input": str(source), **places, "grace": 1, "timeout": 100, **more}


@dataclass(frozen=True)
class Ran:
    """A run that has ended."""

    request: dict[str, Any]
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(self.request["result"]).read_text())
        return found

    @property
    def log(self) -> str:
        return Path(self.request["log"]).read_text(encoding="utf-8")

    @property
    def notebook(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(self.request["output"]).read_text(encoding="utf-8"))
        return found

    @property
    def code_cells(self) -> list[dict[str, Any]]:
        return [cell for cell in self.notebook["cells"] if cell["cell_type"] == "code"]


def environment(**more: str) -> dict[str, str]:
    """The step's variables: the package is found wherever the step's folder is."""
    return os.environ | {"PYTHONPATH": str(ROOT), **more}


def start(request: dict[str, Any], prefix: Sequence[str] = (), **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, *PROGRAM, "--request", json.dumps(request)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**env),
        cwd=os.path.dirname(request["input"]),
    )


def finish(process: subprocess.Popen[str], request: dict[str, Any]) -> Ran:
    started = time.monotonic()
    with process:
        stdout, stderr = process.communicate(timeout=120)
    return Ran(request, process.returncode, stdout, stderr, time.monotonic() - started)


def run(request: dict[str, Any], prefix: Sequence[str] = (), **env: str) -> Ran:
    return finish(start(request, prefix, **env), request)


def wait_for(path: Path, seconds: float = 60) -> str:
    """The text of a file that a cell writes once it is where the test wants it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")
