"""What the supervised notebook step costs over bare papermill, kernel start included.

Prints the medians of fresh processes and the ratio; they take turns, so that load hits both alike.
usage: python benchmarks/notebook.py [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CELLS = 20
GOAL = 1.05


def _notebook() -> str:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    cells = [cell | {"source": f"print({number})"} for number in range(CELLS)]
    metadata = {"kernelspec": kernelspec}
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": cells})


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _commands(folder: Path) -> tuple[list[str], list[str]]:
    source = folder / "in.ipynb"
    source.write_text(_notebook())
    request = {
        "input": str(source),
        "output": str(folder / "ours.ipynb"),
        "result": str(folder / "result.json"),
        "log": str(folder / "log.txt"),
        "parameters": {"x": 1},
    }
    papermill = ["papermill", str(source), str(folder / "theirs.ipynb"), "-p", "x", "1"]
    ours = ["couler_jobs.in_pod.notebook", "--request", json.dumps(request)]
    return [sys.executable, "-m", *papermill], [sys.executable, "-m", *ours]


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = _commands(Path(folder))
        pairs = [(_seconds(theirs), _seconds(ours)) for _ in range(rounds)]
    papermill, supervised = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"papermill      {papermill:6.3f} s")
    print(f"notebook step  {supervised:6.3f} s   (median of {rounds}, {CELLS} cells)")
    print(f"ratio          {supervised / papermill:6.3f}     (goal {GOAL})")


if __name__ == "__main__":
    main()
