"""The command: what it refuses, and that nothing else happens then."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.in_pod.notebook import main
from tests.in_pod.running import PROGRAM, environment, request_for


def given(request: dict[str, Any]) -> list[str]:
    return ["--request", json.dumps(request)]


@pytest.fixture(autouse=True)
def keep_signals() -> Any:
    """The program takes over signals of its process, which is pytest's here."""
    import signal

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_a_malformed_request_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--request", "{"]) == 2
    assert "The request is not JSON" in capsys.readouterr().err


def test_a_request_file_that_is_missing_is_a_usage_error(tmp_path: Path) -> None:
    assert main(["--request-file", str(tmp_path / "none")]) == 2


def test_a_check_names_the_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = request_for(tmp_path, ["1"], kernel="python3")
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))
    assert main(["--check", "--request-file", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["kernel"] == "python3"


def test_a_request_can_come_by_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for(tmp_path, ["1"], kernel="python3")
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request)))
    assert main(["--check", "--request-file", "-"]) == 0


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"input": "/no/such.ipynb"}, "There is no notebook at /no/such.ipynb."),
    ({"input": "/"}, "/ is not a file."),
    ({"environment": "/no/env"}, "There is no environment at /no/env"),
    ({"kernel": "cobol"}, "has no kernel 'cobol'"),
    ({"formats": {"papyrus": "/tmp/x"}}, "There is no output format 'papyrus'"),
    ({"working_dir": "/no/folder"}, "The working folder /no/folder does not exist."),
    ({"output": "/proc/nope/out.ipynb"}, "The folder /proc/nope cannot be made"),
    ({"output": "/proc/out.ipynb"}, "The folder /proc cannot be written to"),
    ({"output": "/tmp"}, "/tmp is a folder; a file is to be written there."),
    ({"scratch": "/no/scratch"}, "There is no room to work in"),
]


@pytest.mark.parametrize(("wrong", "sentence"), REFUSALS)
def test_a_refusal_is_one_sentence_with_its_own_exit_code(
    tmp_path: Path, wrong: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = request_for(tmp_path, ["1"]) | wrong
    assert main(given(request)) == 3
    assert sentence in capsys.readouterr().err
    result = json.loads(Path(request["result"]).read_text())
    assert (result["status"], result["exit_code"]) == ("refused", 3)
    assert sentence in result["message"]
    assert sentence in Path(request["log"]).read_text()


def test_a_refused_run_leaves_no_notebook(tmp_path: Path) -> None:
    request = request_for(tmp_path, ["1"], kernel="cobol")
    main(given(request))
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["log.txt", "result.json"]


def test_a_refused_check_writes_no_result(tmp_path: Path) -> None:
    assert main(["--check", *given(request_for(tmp_path, ["1"], kernel="cobol"))]) == 3
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_result_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = request_for(tmp_path, ["1"]) | {"result": "/proc/nope/result.json"}
    assert main(given(request)) == 3
    assert "/proc/nope/result.json could not be written" in capsys.readouterr().err


def test_an_unreadable_notebook_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "loop.ipynb"
    request = request_for(tmp_path, ["1"]) | {"input": f"{tmp_path}/{'x' * 300}"}
    loop.symlink_to(loop)
    assert main(given(request)) == 3
    assert "cannot be read: File name too long" in capsys.readouterr().err


def test_a_stop_while_it_still_looks_is_recorded(tmp_path: Path) -> None:
    """A python that never answers holds the look for ipykernel."""
    home = tmp_path / "env"
    spec = home / "share" / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [str(home / "slow"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python"}))
    (home / "slow").write_text(f"#!/bin/sh\ntouch '{home}/asked'\nexec sleep 60\n")
    (home / "slow").chmod(0o755)
    request = request_for(tmp_path, ["1"], environment=str(home))
    with subprocess.Popen(
        [*PROGRAM, *given(request)], env=environment(), stderr=subprocess.PIPE
    ) as process:
        while not os.path.exists(home / "asked"):
            time.sleep(0.05)
        process.terminate()
        process.communicate(timeout=30)
    result = json.loads(Path(request["result"]).read_text())
    assert (process.returncode, result["status"]) == (143, "stopped")
    assert result["message"] == "Stopped by SIGTERM before the first cell."
