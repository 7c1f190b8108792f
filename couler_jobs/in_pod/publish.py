"""Files that are whole whenever somebody reads them: write beside, fsync, rename."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NotPublished(Exception):  # noqa: N818  an answer, not a defect
    """The file could not be written; what was there before still is. One sentence."""


def write(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path`: a reader sees the old file or the new one. Raises `NotPublished`."""
    with _replacing(Path(path), durable) as file:
        file.write(data)


def copy(source: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Put a copy of `source` at `path`, like `write`."""
    with open(source, "rb") as origin, _replacing(Path(path), durable=True) as file:
        shutil.copyfileobj(origin, file, 1 << 20)


@contextmanager
def _replacing(path: Path, durable: bool) -> Iterator[IO[bytes]]:
    part = _part(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
        os.replace(part, path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise NotPublished(why(error, path)) from error


def _part(path: Path) -> Path:
    """The file beside `path` that becomes it.

    Its name is short, so that a name of 255 bytes has one, and always the same, so that a retry
    writes over what a killed attempt left.
    """
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:20]}.part")


def _sync_folder(folder: Path) -> None:
    """Make the rename last. Some network file systems cannot, and need not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why(error: OSError, path: Path) -> str:
    """One sentence for a write that failed: a full disk says how much is left."""
    if error.errno not in FULL:
        return f"{path} could not be written: {error.strerror or error}."
    return f"disk full ({path}, {_free_bytes(path.parent)} bytes free)"


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
