"""Runs on the Argo that `ARGO_SERVER` names, with `ARGO_TOKEN` and `ARGO_NAMESPACE`.

All that is assumed of it: containers can run this Python with this package, at the same path, and
may mount a folder of this machine. Whatever a test starts carries the session's label and is
deleted at the end.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.config import Settings
from couler_jobs.errors import BackendError
from tests.cluster.manifests import LABEL


def pytest_configure(config: pytest.Config) -> None:
    # jupyter_scheduler's own use of SQLAlchemy, seen when it is imported
    config.addinivalue_line("filterwarnings", "ignore:The declarative_mixin decorator")


@pytest.fixture(scope="session")
def backend() -> ArgoServerBackend:
    """The Argo that is named; skipped where none is."""
    if not os.environ.get("ARGO_SERVER"):
        pytest.skip("ARGO_SERVER names no Argo to run on")
    return ArgoServerBackend.from_settings(Settings.load())


@pytest.fixture(scope="session")
def session(backend: ArgoServerBackend) -> Iterator[str]:
    """What everything of these tests is labelled with; all of that goes at the end."""
    label = f"s{secrets.token_hex(4)}"
    yield label
    for cron in list(backend.list_crons({LABEL: label})):
        forget(backend.delete_cron, cron.name)
    for run in list(backend.list({LABEL: label})):
        forget(backend.terminate, run.name)
        forget(backend.delete, run.name)


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    """A folder of this machine that containers may mount and write to."""
    tmp_path.chmod(0o777)
    return tmp_path


def forget(call: Callable[[str], Any], name: str) -> None:
    """Carry it out if it can be."""
    try:
        call(name)
    except BackendError:
        return
