"""What tests want to know about the processes of a run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun


def unmeasured() -> dict[str, str]:
    """This environment for a program whose coverage tells nothing: it starts a third faster."""
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}


def supervised(store: Store, name: str) -> StoredRun:
    """The run as soon as it has a supervisor."""
    assert soon(lambda: store.find(name).supervisor is not None, 60)
    return store.find(name)


def pid_in(path: Path, seconds: float = 60) -> int:
    """The number that a process writes to that file, a whole line."""
    assert soon(lambda: path.exists() and path.read_bytes().strip() != b"", seconds), (
        f"{path} was not written"
    )
    return int(path.read_text(encoding="utf-8"))


def soon(so: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it becomes so."""
    deadline = time.monotonic() + seconds
    while not so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(*processes: object) -> None:
    """SIGKILL to all of these."""
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
