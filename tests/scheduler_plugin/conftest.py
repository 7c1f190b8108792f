"""A database as jupyter_scheduler makes it, notebooks, and the service over both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scheduler_plugin.database import Database, Patience
from scheduler_plugin.records import Records

if TYPE_CHECKING:
    from scheduler_plugin.config import Settings
    from scheduler_plugin.environments import Environments

SHORT = Patience(attempt=0.05, total=0.2)


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    from jupyter_scheduler.orm import create_tables

    url = f"sqlite:///{tmp_path}/scheduler.sqlite"
    create_tables(url)
    return url


@pytest.fixture
def records(db_url: str) -> Records:
    return Records(Database(db_url, SHORT))


@pytest.fixture
def settings(tmp_path: Path, db_url: str) -> Settings:
    from scheduler_plugin.config import Settings

    root = tmp_path / "root"
    root.mkdir()
    return Settings(
        root=root,
        staging=tmp_path / "staging",
        downloads=root / "jobs",
        db_url=db_url,
        owner="ada",
        image="python:3.12",
    )


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """No conda here, whatever the machine has."""
    from scheduler_plugin.environments import Environments

    return Environments({"HOME": str(tmp_path), "PATH": str(tmp_path)})


Write = Callable[..., Path]


@pytest.fixture
def write_notebook(settings: Settings) -> Write:
    def write(path: str = "nb.ipynb", *cells: str, **metadata: Any) -> Path:
        target = settings.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(notebook(*cells, **metadata)), encoding="utf-8")
        return target

    return write


def notebook(*cells: str, **metadata: Any) -> dict[str, Any]:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": [_code(number, source) for number, source in enumerate(cells)],
        "metadata": {"kernelspec": kernel, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _code(number: int, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"cell-{number}",
        "metadata": {"tags": ["parameters"]} if source.startswith("# parameters") else {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }
