"""The few calls of the Linux kernel that Python 3.11 has no word for."""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable
from typing import TypeVar

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
MS_RDONLY = 0x1
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000

T = TypeVar("T")

NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Errors of a machine that has no room for another process at this moment."""

_PAUSES = (0.1, 0.4, 1.6)  # seconds

_libc = ctypes.CDLL(None, use_errno=True)


def when_there_is_room(start: Callable[[], T]) -> T:
    """What `start` answers; tried again while the machine has no room for another process."""
    for pause in _PAUSES:
        try:
            return start()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            time.sleep(pause)
    return start()


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends: none can slip away."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def private_mounts() -> None:
    """Give this process a view of the file systems of its own; `OSError` if it may not have one.

    Root needs no more than that; anybody else needs a user namespace, in which they stay who
    they are.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 and _libc.unshare(CLONE_NEWNS) == 0:
        _make_private()
        return
    _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _make_private()


def bind(source: str, target: str) -> None:
    """Show the file or folder `source`, and what is mounted below it, at `target` too."""
    _mount(source, target, MS_BIND | MS_REC)


def read_only(target: str) -> None:
    """Let nobody write through the bind mount at `target`, not even root."""
    # in a user namespace what the mount forbids already cannot be allowed again
    kept = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
    _mount("none", target, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def _make_private() -> None:
    _mount("none", "/", MS_REC | MS_PRIVATE)


def _mount(source: str, target: str, flags: int) -> None:
    answer = _libc.mount(
        os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None
    )
    _check(answer, f"mount {target}")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
