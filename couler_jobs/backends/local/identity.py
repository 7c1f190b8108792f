"""Telling whether a process that was started earlier is still that process.

A process id is given out again after its process has ended, and all of them after a restart of the
machine; so it counts only together with the moment that the process started and the boot's id.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19  # `starttime`, counted from the field after the command's name: proc(5)


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of this machine, for ever."""

    pid: int
    started: int  #: clock ticks after the boot
    boot: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        return self.boot == boot_id() and started(self.pid) == self.started

    @property
    def of_this_boot(self) -> bool:
        """Whether the machine has not been restarted since."""
        return self.boot == boot_id()


def boot_id() -> str:
    """What tells this run of the machine from every other."""
    return _BOOT.read_text(encoding="ascii").strip()


def identify(pid: int) -> Identity | None:
    """The identity of a process, or None if there is no such process (any more)."""
    moment = started(pid)
    return None if moment is None else Identity(pid, moment, boot_id())


def own() -> Identity:
    """The identity of this process."""
    found = identify(os.getpid())
    assert found is not None, "this process runs"  # noqa: S101
    return found


def started(pid: int) -> int | None:
    """When a process started, in clock ticks after the boot; None for none, or a zombie."""
    fields = stat_fields(pid)
    return None if fields is None or fields[0] in ("Z", "X") else int(fields[_STARTED])


def parent(pid: int) -> int | None:
    """The id of a process's parent, zombies included; None if there is no such process."""
    fields = stat_fields(pid)
    return None if fields is None else int(fields[1])


def stat_fields(pid: int) -> list[str] | None:
    """The fields of `/proc/<pid>/stat` from the state on; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # the command's name stands in brackets and may hold blanks and brackets itself
    return text[text.rindex(b")") + 2 :].decode("ascii").split()
