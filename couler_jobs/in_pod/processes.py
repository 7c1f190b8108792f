"""The processes below this one: all of them, also those that tried to leave."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_subreaper() -> None:
    """From now on a process below us whose parent ends becomes our child, not init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when our parent, process `parent`, ends; also if it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def below(pid: int) -> list[psutil.Process]:
    """Every living process below `pid`, at any depth."""
    try:
        found = psutil.Process(pid).children(recursive=True)
    except _GONE:
        return []
    return [process for process in found if not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except _GONE:
        return True


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each; one that has ended is no error."""
    for process in processes:
        with suppress(*_GONE):
            process.send_signal(number)


def end_all(pid: int, patience: float) -> None:
    """Leave no process below `pid`: SIGTERM, then SIGKILL after `patience` seconds.

    The kill is repeated, for processes that start others meanwhile.
    """
    send(below(pid), signal.SIGTERM)
    deadline = time.monotonic() + patience
    while (left := below(pid)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=min(0.1, patience))
    for _ in range(50):
        if not (left := below(pid)):
            return
        send(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=0.1)


def reap() -> None:
    """Collect every child that has ended. Only for a process that waits for none of them itself."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Processor time that these have used so far."""
    total = 0.0
    for process in processes:
        with suppress(*_GONE):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def is_frozen(processes: Iterable[psutil.Process]) -> bool:
    """Whether one of them is stopped (SIGSTOP, a debugger)."""
    for process in processes:
        with suppress(*_GONE):
            if process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
                return True
    return False


def killed_first(pid: int) -> None:
    """When memory runs out, let the kernel of the system choose `pid` before its supervisor."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")


def signal_name(number: int) -> str:
    """SIGKILL for 9; the number itself for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def memory_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The bytes that this container may use (cgroup 2, then 1); None when there is no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((root / name).read_text())
            return limit if limit < 2**60 else None  # cgroup 1 writes "none" as a huge number
    return None
