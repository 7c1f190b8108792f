"""A notebook as a step of a workflow: run it here, and give back variables of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.notebook import run
from couler_jobs.in_pod.request import NotebookRequest

OUTPUTS = "application/vnd.couler-jobs.outputs+json"
"""The type of what a notebook's last cell shows: its outputs as JSON text."""


def run_notebook(
    notebook: str,
    parameters: Mapping[str, Any],
    outputs: Sequence[str] = (),
    kernel: str | None = None,
    *,
    folder: str | None = None,
    program: Callable[[NotebookRequest], int] = run,
) -> dict[str, Any] | None:
    """Run a notebook's text; the answer is its variables `outputs`, None if none are asked for.

    The executed notebook stays in `folder`, without one in the current folder, or in a temporary
    one where that cannot be written. Raises SystemExit with the program's exit code if the run
    failed (the log has said why), and ValueError if the notebook ended before its last cell.
    """
    place = Path(folder or _writable())
    source, executed = place / "notebook.ipynb", place / "notebook-executed.ipynb"
    source.write_text(notebook, encoding="utf-8")
    code = program(
        NotebookRequest(
            input=str(source),
            output=str(executed),
            result=str(place / "notebook.json"),
            parameters=parameters,
            kernel=kernel,
        )
    )
    if code:
        raise SystemExit(code)
    return _shown(json.loads(executed.read_text(encoding="utf-8"))) if outputs else None


def _writable() -> str:
    current = os.getcwd()
    return current if os.access(current, os.W_OK) else tempfile.mkdtemp(prefix="couler-jobs-")


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    for output in document["cells"][-1].get("outputs", ()):
        if OUTPUTS in output.get("data", ()):
            found: dict[str, Any] = json.loads(output["data"][OUTPUTS])
            return found
    raise ValueError("The notebook ended before its last cell, so that its outputs are not known.")
