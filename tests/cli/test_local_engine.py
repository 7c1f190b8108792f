"""`python -m couler_jobs` over the local engine: exit codes, pipes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import Program

FLOW = """\
import couler_jobs as cj

@cj.step
def work(text: str, code: int) -> str:
    print("working on", text, flush=True)
    if code:
        raise SystemExit(code)
    return text.upper()

@cj.workflow
def flow(text: str = "x", code: int = 0):
    return work(text, code)
"""
SLEEP = """\
kind: Workflow
apiVersion: argoproj.io/v1alpha1
metadata: {name: sleeper}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: alpine, command: [sh, -c, "echo asleep; exec sleep 60"]}
"""
HOSTILE = "O'Brien's \"report\" {{x}} $(id) ;é\n--"


@pytest.fixture
def flow(tmp_path: Path) -> str:
    path = tmp_path / "flow.py"
    path.write_text(FLOW, encoding="utf-8")
    return str(path)


@pytest.fixture
def sleeper(tmp_path: Path) -> str:
    path = tmp_path / "sleeper.yaml"
    path.write_text(SLEEP, encoding="utf-8")
    return str(path)


def test_a_run_that_succeeds_is_0_with_plain_text_everywhere(program: Program, flow: str) -> None:
    ended = program("run", flow, "--timeout", "60")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith(".work: working on x\n")
    assert "work Succeeded" in ended.stderr
    assert "value = 'X'" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr


def test_any_text_arrives_as_it_was_typed(program: Program, flow: str) -> None:
    ended = program("submit", flow, "--wait", "--json", "-p", f"text={HOSTILE}")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["outputs"]["value"] == HOSTILE.upper()


def test_a_workflow_that_fails_is_1_with_a_report(
    program: Program, flow: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    ended = program("submit", flow, "--wait", "-p", "code=3", "--junit", str(report))
    assert ended.returncode == 1
    assert "because its step work ended as Failed" in ended.stderr
    assert "    working on x" in ended.stderr
    assert "Traceback" not in ended.stderr
    (case,) = ET.parse(report).getroot()[0]
    assert "working on x" in (case.findtext("failure") or "")


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["submit", "missing.yaml"], 2, "missing.yaml cannot be read: there is no such file."),
        (["submit", "flow.py", "-p", "size=3"], 2, "size"),
        (["submit", "flow.py", "-p", "size"], 2, "is not NAME=VALUE"),
        (["submit", "flow.py", "--backend", "argo-server"], 2, "set ARGO_SERVER to host:port"),
        (["status", "no-such-run"], 3, "no-such-run"),
        (["nonsense"], 2, "invalid choice"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    program: Program, flow: str, arguments: list[str], code: int, why: str
) -> None:
    ended = program(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_manifest_that_cannot_run_here_is_3(program: Program) -> None:
    manifest = SLEEP.partition("    container:")[0] + "    plugin: {hello: {}}\n"
    ended = program("submit", "-", stdin=manifest)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "plugin" in ended.stderr


def test_a_time_out_is_124_and_the_run_can_be_stopped_and_deleted(
    program: Program, sleeper: str
) -> None:
    assert program("submit", sleeper, "--wait", "--timeout", "0.5").returncode == 124
    assert program("stop", "sleeper").returncode == 0
    assert program("watch", "sleeper", "--timeout", "30").returncode == 1
    assert "sleeper  Failed" in program("list").stdout
    resumed = program("resume", "sleeper")
    assert (resumed.returncode, resumed.stdout) == (3, "")
    assert "sleeper has ended as Failed, so it cannot be resumed: retry it" in resumed.stderr
    assert program("delete", "sleeper").returncode == 0
    assert program("list").stdout == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_the_run_and_says_so(
    program: Program, sleeper: str, environment: dict[str, str], number: int, code: int
) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "couler_jobs", "run", sleeper],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "sleeper: asleep\n"
    waiting.send_signal(number)
    _, told = waiting.communicate(timeout=30)
    assert waiting.returncode == code
    assert told.endswith("sleeper goes on. To end it: couler-jobs stop sleeper\n")
    assert json.loads(program("status", "sleeper", "--json").stdout)["phase"] == "Running"
    assert program("delete", "sleeper").stdout == "sleeper deleted\n"


def test_a_reader_that_leaves_ends_the_command_quietly(
    program: Program, flow: str, environment: dict[str, str]
) -> None:
    name = program("submit", flow, "--wait").stdout.strip()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "couler_jobs", "logs", name],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_notebook_runs_with_its_parameters(program: Program, tmp_path: Path) -> None:
    notebook = tmp_path / "O'Brien's report.ipynb"
    notebook.write_text(json.dumps(notebook_of("day = ''", "print(day, rows + 1)")))
    out = tmp_path / "out.ipynb"
    command = ["notebook", str(notebook), "-p", "day=2026-01-02", "-p", "rows=3", "-o", str(out)]
    ended = program(*command, "--format", "html", "--timeout", "90")
    assert ended.returncode == 0, ended.stderr
    assert "2026-01-02 4" in ended.stdout
    assert out.is_file()
    html = out.with_suffix(".html")
    assert html.is_file()
    assert f"notebook: {out}\nhtml: {html}\n" in ended.stderr
    assert "does not assign rows" in ended.stderr
    assert "does not assign rows" in ended.stdout


def test_a_notebook_whose_own_assignment_wins_is_told(program: Program, tmp_path: Path) -> None:
    notebook = tmp_path / "nb.ipynb"
    document = notebook_of("x = 1", "print('x is', x)")
    document["cells"][0]["metadata"] = {}
    notebook.write_text(json.dumps(document))
    ended = program("notebook", str(notebook), "-p", "x=5", "-o", "out.ipynb", "--json")
    sentence = "no cell tagged 'parameters': its own assignment of x wins; tag the cell."
    assert ended.stderr.count(sentence) == 2  # once at once, once in the step's log
    assert json.loads(ended.stdout)["files"] == {"notebook": str(tmp_path / "out.ipynb")}


def notebook_of(parameters: str, code: str) -> dict[str, Any]:
    def cell(source: str, *tags: str) -> dict[str, Any]:
        return {
            "cell_type": "code",
            "id": f"c{len(source)}",
            "source": source,
            "metadata": {"tags": list(tags)},
            "outputs": [],
            "execution_count": None,
        }

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": [cell(parameters, "parameters"), cell(code)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    program = (
        "import sys, couler_jobs.cli\n"
        "couler_jobs.cli.parser().format_help()\n"
        "heavy = {'yaml', 'requests', 'sqlalchemy', 'lark', 'papermill', 'jupyter_client'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
