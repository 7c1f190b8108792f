"""A job's log, read as it grows: from a byte on, or its last lines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

AT_ONCE = 1 << 20
"""Bytes that one read answers."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a log, and where what follows it begins."""

    data: bytes
    next_offset: int


def read(path: Path, offset: int) -> Piece:
    """What is there from a byte on, at most AT_ONCE bytes; nothing where there is no log yet.

    A retry begins the log anew: an offset beyond its end starts at the beginning.
    """
    try:
        with path.open("rb") as log:
            size = os.fstat(log.fileno()).st_size
            start = offset if offset <= size else 0
            log.seek(start)
            data = log.read(AT_ONCE)
    except FileNotFoundError:
        return Piece(b"", 0)
    return Piece(data, start + len(data))


def offset_of_last(path: Path, lines: int) -> int:
    """Where the last lines of a log begin; not more than AT_ONCE bytes before its end."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - AT_ONCE))
            data = log.read()
    except FileNotFoundError:
        return 0
    kept = data.splitlines(keepends=True)[-lines:] if lines else []
    return size - sum(map(len, kept))
