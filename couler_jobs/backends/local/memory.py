"""Whether the kernel killed a process of this machine for want of memory."""

from __future__ import annotations

import re
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")

KILLED = "It was killed (SIGKILL): often the memory of the machine, or of its container, ran out."


def kills() -> int:
    """How many processes of this one's control group were killed so; 0 where nobody counts."""
    found = re.search(r"^oom_kill (\d+)$", _read("memory.events"), re.MULTILINE)
    return int(found[1]) if found else 0


def sentence(kills_before: int) -> str:
    """Why a process got SIGKILL that nobody here sent, given what `kills` said at its start."""
    if kills() == kills_before:
        return KILLED
    limit = _read("memory.max").strip()
    bound = f" (limit: {limit} bytes)" if limit.isdigit() else ""
    return f"It was killed (SIGKILL) by the kernel, because memory ran out{bound}."


def _read(name: str) -> str:
    """A file of this process's control group (version 2): its own, else the root that it sees."""
    for folder in (_GROUPS / _group(), _GROUPS):
        try:
            return (folder / name).read_text(encoding="ascii")
        except OSError:
            continue
    return ""


def _group() -> str:
    try:
        lines = _OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
