from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.in_pod.request import NotebookRequest
from couler_jobs.in_pod.step import OUTPUTS, run_notebook


def program(code: int = 0, *shown: Any) -> Any:
    """A program that leaves a notebook whose last cell shows these."""

    def run(request: NotebookRequest) -> int:
        outputs = [{"output_type": "stream"}, *({"data": data} for data in shown)]
        Path(request.output).write_text(json.dumps({"cells": [{"outputs": outputs}]}))
        return code

    return run


def test_outputs_are_what_the_last_cell_showed(tmp_path: Path) -> None:
    shows = program(0, {"text/plain": "x"}, {OUTPUTS: '{"a": [1]}'})
    assert run_notebook("{}", {}, ["a"], folder=str(tmp_path), program=shows) == {"a": [1]}


def test_without_outputs_there_is_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_notebook("{}", {}, program=program()) is None
    assert (tmp_path / "notebook-executed.ipynb").exists()


def test_a_failed_run_ends_the_step_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        run_notebook("{}", {}, folder=str(tmp_path), program=program(4))
    assert end.value.code == 4


def test_a_notebook_that_ended_early_has_no_outputs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ended before its last cell"):
        run_notebook("{}", {}, ["a"], folder=str(tmp_path), program=program())
