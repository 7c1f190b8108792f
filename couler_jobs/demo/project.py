"""The sample project that the demo works on: a folder with one notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOTEBOOK = "sales report.ipynb"

PARAMETERS_CELL = """\
region = "everywhere"
days = 3
seconds_per_day = 0.5
started_file = None
"""

STARTED_CELL = """\
from pathlib import Path

if started_file:
    Path(started_file).write_text("the first cell has run")
print(f"Sales of {days} days in {region}")
"""

WORK_CELL = """\
import time

rows = []
for day in range(1, days + 1):
    rows.append((day, 100 + 17 * day % 40))
    print(f"day {day}: {rows[-1][1]} sold", flush=True)
    time.sleep(seconds_per_day)
"""

TOTAL_CELL = """\
total = sum(sold for _, sold in rows)
print(f"{total} sold in {region}")
total
"""


def write_project(folder: Path) -> Path:
    """Lay the sample notebook into `folder` and return its path."""
    path = folder / NOTEBOOK
    path.write_text(json.dumps(_notebook(), indent=1), encoding="utf-8")
    return path


def _notebook() -> dict[str, Any]:
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Sales report"},
        _code("parameters", PARAMETERS_CELL, tags=["parameters"]),
        _code("started", STARTED_CELL),
        _code("work", WORK_CELL),
        _code("total", TOTAL_CELL),
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _code(name: str, source: str, tags: list[str] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": tags} if tags else {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }
