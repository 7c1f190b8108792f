"""What holds for every test."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

# The first example of a test may import what the others then have; machines are busy.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

_ENGINE = ("couler_jobs.backends.local.supervisor", "couler_jobs.backends.local.daemon")


@pytest.fixture(scope="session", autouse=True)
def _signals_as_at_a_terminal() -> None:
    """A runner in the background ignores some signals, and so would all that tests start.

    What has a handler here starts with the system's default in a program that is started.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End the supervisors and daemons of tests that failed, and what runs below them."""
    base = tmp_path_factory.getbasetemp()
    yield
    found = {process for process in psutil.process_iter() if _serves(process, base)}
    for process in set(found):
        with contextlib.suppress(psutil.Error):
            process.suspend()  # a guard would start another supervisor
            found.update(process.children(recursive=True))
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _serves(process: psutil.Process, base: Path) -> bool:
    """Whether it is the engine's, for a home below that folder."""
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return any(module in line for module in _ENGINE) and any(
        Path(word).is_relative_to(base) for word in line
    )
