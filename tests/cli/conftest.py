"""A command line in this process over a backend in memory, and a real one over the local engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from couler_jobs.backends import choose
from tests.runs.fake import FakeBackend

ROOT = Path(__file__).parents[2]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBackend:
    """What `--backend local` leads to in this test."""
    backend = FakeBackend()
    monkeypatch.setitem(choose.MAKERS, "local", lambda settings: backend)
    monkeypatch.setenv("COULER_JOBS_BACKEND", "local")
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path / "home"))
    return backend


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """This process's, with a state folder of the test's own and no cluster."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARGO_")}
    return {**kept, "COULER_JOBS_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def program(environment: dict[str, str], tmp_path: Path) -> Program:
    """`python -m couler_jobs`, run to its end."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "couler_jobs", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )

    return run
