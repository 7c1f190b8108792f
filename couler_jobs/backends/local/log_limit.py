"""How long a log may grow."""

from __future__ import annotations

import contextlib
import os

LOG_LIMIT = 256 * 1024 * 1024
"""Bytes of one step's log: of a longer one the first and the last are kept."""

LOG_END = 1024 * 1024
"""Bytes of a log that was too long which are kept of its end."""

_CUT = b"\n[couler-jobs] here the log was longer than it may be: lines are missing\n"


def cut(log: int, limit: int = LOG_LIMIT) -> None:
    """Take the middle out of an open log that has grown beyond the limit."""
    with contextlib.suppress(OSError):
        size = os.fstat(log).st_size
        if size > limit:
            kept = min(LOG_END, limit // 2)
            end = os.pread(log, kept, size - kept)
            os.ftruncate(log, limit - kept - len(_CUT))
            write_all(log, _CUT + end)


def write_all(descriptor: int, block: bytes) -> None:
    """Write all of it, however few bytes are taken at a time."""
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
