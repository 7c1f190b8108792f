"""Starting a run's supervisor, and noticing that one is gone."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

from couler_jobs.backends.local import kernel
from couler_jobs.backends.local.home import Home, full_disk
from couler_jobs.backends.local.process import clean_environment
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.errors import Unavailable
from couler_jobs.spec.status import Phase

_MODULE = "couler_jobs.backends.local.supervisor"
_SLOW_START = 15.0  # seconds: a supervisor that has not reported by then was lost on its way
_OURS = ("COULER_JOBS_", "COVERAGE_", "PYTHON", "LD_LIBRARY_PATH")

RESTARTED = "The machine was restarted while this run was under way. Retry the workflow to go on."


def start_supervisor(home: Home, uid: str) -> None:
    """Start a process that runs `uid` and outlives its caller. `Unavailable` if it cannot be."""
    folder = home.run(uid)
    try:
        folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        code = kernel.when_there_is_room(lambda: _start(home, uid))
    except OSError as error:
        raise Unavailable(_sentence(error, folder.root)) from error
    if code != 0:
        raise Unavailable(f"The run's supervisor could not be started: {folder.log} says why.")


def _start(home: Home, uid: str) -> int:
    """The exit code of the first process, which ends as soon as the guard is there."""
    folder = home.run(uid)
    with open(folder.log, "ab") as log:
        return subprocess.run(
            [sys.executable, "-m", _MODULE, str(home.root), uid],
            cwd=folder.root,
            env=supervisor_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        ).returncode


def supervisor_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the supervisor inherits: it needs no token either, and its steps could read them."""
    ours = {name: value for name, value in environ.items() if name.startswith(_OURS)}
    path = {"PATH": environ["PATH"]} if "PATH" in environ else {}
    return {**clean_environment(environ), **path, **ours, **_our_code(environ)}


def _our_code(environ: Mapping[str, str]) -> dict[str, str]:
    """The setting by which the supervisor finds this very package, also where it is not installed.

    An installed one is found anyway, and must not come before the standard library.
    """
    root = str(Path(__file__).resolve().parents[3])
    if root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, environ.get("PYTHONPATH")]))}


def wake(home: Home, uid: str) -> None:
    """Tell a supervisor that something waits for it; one that is about to start looks anyway."""
    with contextlib.suppress(OSError):
        pipe = os.open(home.run(uid).wake, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"\n")
        finally:
            os.close(pipe)


def look_after(home: Home, store: Store, run: StoredRun) -> StoredRun:
    """The run; if nobody supervises it although it is under way, that is put right first."""
    if run.phase.ended or _supervised(run):
        return run
    run = store.by_uid(run.uid)  # it may have ended since
    if run.phase.ended or _supervised(run):
        return run
    from couler_jobs.backends.local.steps import end_marked

    end_marked(run.uid, home.run(run.uid).steps)
    if run.supervisor is not None and not run.supervisor.of_this_boot:
        store.end(run.uid, Phase.ERROR, RESTARTED, time.time())
    else:
        store.asked(run.uid, time.time())
        start_supervisor(home, run.uid)
    return store.by_uid(run.uid)


def _supervised(run: StoredRun) -> bool:
    if any(process is not None and process.alive for process in (run.supervisor, run.guard)):
        return True
    return time.time() - run.asked_at < _SLOW_START and (
        run.supervisor is None or run.asked_at > (run.started_at or 0)
    )


def _sentence(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk(folder)
    return f"The run's supervisor could not be started ({error.strerror or error}): try again."
