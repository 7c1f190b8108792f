"""`python -m couler_jobs.backends.local.daemon HOME`: the process that starts runs on schedule.

One daemon serves a state folder: a file lock sees to that, so starting another is harmless. It ends
by itself once no cron workflow is left, or its state folder is gone. Whoever applies, or looks at,
a cron workflow starts it again should it be gone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from couler_jobs.backends.local.identity import Identity, own
from couler_jobs.errors import BackendError, Unavailable

if TYPE_CHECKING:
    from couler_jobs.backends.local.client import LocalBackend
    from couler_jobs.backends.local.home import Home
    from couler_jobs.backends.local.ticking import Told

LOOK_EVERY = 10.0
"""Seconds between two looks at the clock at most: it may be set, or the machine may have slept."""

SWEEP_EVERY = 60.0
"""Seconds between two looks for runs that have outlived their time."""

AFTER_AN_ERROR = 5.0
"""Seconds until the next look after one that failed as a whole."""

_logger = logging.getLogger("couler_jobs.cron")


def main(arguments: Sequence[str]) -> int:
    """Leave the caller, then serve until no cron workflow is left."""
    if os.fork() != 0:
        return 0
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return serve(Path(arguments[0]))


def serve(root: Path, *, forever: bool = False) -> int:
    """Serve in this process; at once 0 if another daemon does. `forever`: also with no crons.

    SIGTERM and SIGINT end it after the look that it is at; the runs that it started go on.
    """
    from couler_jobs.backends.local.client import LocalBackend

    backend = LocalBackend(root)
    stop = _stop_on_signals()
    while _serve_alone(backend, stop, forever=forever) and not stop.is_set():
        if running(backend.home) is not None or not _counted_on(backend):
            break
    return 0


def _counted_on(backend: LocalBackend) -> bool:
    """Whether a cron workflow was made while this daemon was leaving."""
    with contextlib.suppress(BackendError):  # the state folder may be gone
        return bool(backend.crons.all())
    return False


def _serve_alone(backend: LocalBackend, stop: threading.Event, *, forever: bool) -> bool:
    """Serve until nothing is left to serve; False if another daemon serves."""
    from filelock import FileLock, Timeout

    home = backend.home
    try:
        with FileLock(home.cron_lock, timeout=0):
            home.cron_daemon.write_text(json.dumps(asdict(own())), encoding="utf-8")
            try:
                _serve_while(backend, stop, forever=forever)
            finally:
                _take_leave(home)
    except Timeout:
        _logger.info("Another daemon serves %s already.", home.root)
        return False
    return True


def _serve_while(backend: LocalBackend, stop: threading.Event, *, forever: bool) -> None:
    """Look again and again. Ends too where this is no longer the daemon of its state folder."""
    told: Told = {}
    sweep_at = 0.0
    while not stop.is_set() and running(backend.home) == own():
        before = _touched(backend.home)  # what changes during the look is looked at again
        wait = _look(backend, told)
        if time.monotonic() >= sweep_at:
            sweep_at = time.monotonic() + SWEEP_EVERY
            _sweep(backend)
        if wait is None and not forever:
            return
        seconds = LOOK_EVERY if wait is None else min(wait, LOOK_EVERY)
        _sleep(backend.home, before, seconds, stop)


def _look(backend: LocalBackend, told: Told) -> float | None:
    from couler_jobs.backends.local.ticking import tick_all

    try:
        return tick_all(backend, time.time(), told)
    except Exception as error:  # a full disk or a locked database passes; nothing was half done
        _logger.error("Looking again in a while: %s: %s", type(error).__name__, error)
        return AFTER_AN_ERROR


def _sweep(backend: LocalBackend) -> None:
    try:
        backend.forget_expired()
    except Exception as error:  # the next sweep finds them too
        _logger.error("Old runs stay for now: %s: %s", type(error).__name__, error)


def _take_leave(home: Home) -> None:
    if running(home) == own():
        home.cron_daemon.unlink(missing_ok=True)


def running(home: Home) -> Identity | None:
    """The daemon that serves this state folder now, if one does."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = Identity(**json.loads(home.cron_daemon.read_text(encoding="utf-8")))
        return found if found.alive else None
    return None


def ensure(home: Home) -> None:
    """See to it that a daemon serves this state folder, and that it looks at once.

    Raises `Unavailable` when none can be started.
    """
    if running(home) is not None:
        wake(home)
        return
    try:
        _start(home)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"The daemon that starts runs on schedule could not be started ({error}); "
            f"{home.cron_log} may say why."
        ) from error


def look_after(home: Home) -> None:
    """`ensure`, for somebody who only looks: a daemon that cannot start is no error of theirs."""
    try:
        ensure(home)
    except Unavailable as error:
        _logger.warning("%s", error)


def wake(home: Home) -> None:
    """Have the daemon, if one runs, look at once."""
    with contextlib.suppress(OSError):  # it looks by itself a little later
        home.cron_wake.touch()


def _start(home: Home) -> None:
    from couler_jobs.backends.local.launching import supervisor_environment

    with open(home.cron_log, "ab") as log:
        subprocess.run(
            [sys.executable, "-m", "couler_jobs.backends.local.daemon", str(home.root)],
            cwd=home.root,
            env=supervisor_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def stop(home: Home, patience: float = 15.0) -> bool:
    """End the daemon; its cron workflows stay, but nothing ticks. False if none was running."""
    daemon = running(home)
    if daemon is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(daemon.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while daemon.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    return True


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _sleep(home: Home, before: int, seconds: float, stop: threading.Event) -> None:
    """Until the time is up, a signal came, or somebody has touched the wake file since `before`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _touched(home) == before:
        if stop.wait(max(0.0, min(0.2, deadline - time.monotonic()))):
            return


def _touched(home: Home) -> int:
    try:
        return home.cron_wake.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
