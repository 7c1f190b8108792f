"""The folder that goes along with a notebook: what of it is copied, and what is not.

What is left out the operator says for everybody (`Limits.exclude`), and whoever owns the folder in
its `.jobignore`, in the syntax of gitignore. That file counts in the notebook's own folder alone.
"""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.staging import MOST_FILES, copy_file, failing

IGNORE_FILE = ".jobignore"
_OTHERWISE = f"name it in {IGNORE_FILE}, or run the notebook without its folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a packaged folder may hold."""

    size: int = 1 << 30  #: bytes
    files: int = MOST_FILES
    exclude: tuple[str, ...] = (".git", ".ipynb_checkpoints", "__pycache__")  #: name patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a folder that is to be copied."""

    path: PurePosixPath  #: relative to the folder
    link: str | None = None  #: where a symbolic link leads, relative to its own place
    folder: bool = False
    size: int = 0


def survey(folder: Path, limits: Limits, leave_out: Iterable[Path] = ()) -> tuple[Item, ...]:
    """What of a folder would be copied. Raises JobRefused where it cannot or may not be.

    Sockets, FIFOs, devices and links that lead nowhere are left out, and so are the folders
    `leave_out` (resolved paths), and what the folder's own IGNORE_FILE names. Links inside the
    folder stay links and are not followed.
    """
    items: list[Item] = []
    size = 0
    top = folder.resolve()
    for entry in _walk(top, _left_out(top, limits.exclude, frozenset(leave_out))):
        item = _item(entry, top)
        if item is None:
            continue
        items.append(item)
        size += item.size
        if size > limits.size or len(items) > limits.files:
            raise JobRefused(
                f"The notebook's folder holds more than {limits.files:,} files or "
                f"{limits.size / 1e6:,.0f} MB, too much to run the notebook with: name what it "
                f"does not need in a file {IGNORE_FILE} there, or put the notebook and what it "
                "needs into a folder of their own."
            )
    return tuple(items)


def _left_out(
    top: Path, exclude: Sequence[str], leave_out: frozenset[Path]
) -> Callable[[Path], bool]:
    """Whether an entry below a folder is not to be copied."""
    ignored = _ignored(top / IGNORE_FILE)

    def left_out(entry: Path) -> bool:
        if entry in leave_out or any(fnmatch.fnmatch(entry.name, one) for one in exclude):
            return True
        # git has patterns for folders alone, and takes a link to one for a file
        end = "/" if entry.is_dir() and not entry.is_symlink() else ""
        return ignored.match_file(f"{entry.relative_to(top).as_posix()}{end}")

    return left_out


def _ignored(file: Path) -> GitIgnoreSpec:
    if not file.is_file():
        return GitIgnoreSpec.from_lines([])
    try:
        return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:  # not UTF-8, or no pattern
        raise JobRefused(
            f"The file {file.name} beside the notebook cannot be used ({error}): correct it."
        ) from error


def _walk(top: Path, left_out: Callable[[Path], bool]) -> Iterator[Path]:
    """All entries below a folder, each folder before what is in it."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        for entry in sorted(_entries(folder)):
            if left_out(entry):
                continue
            yield entry
            if entry.is_dir() and not entry.is_symlink():
                waiting.append(entry)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise JobRefused(
            f"The folder {folder.name!r} cannot be read ({error.strerror}): make it readable, or "
            "run the notebook without its folder."
        ) from error


def _item(entry: Path, top: Path) -> Item | None:
    path = PurePosixPath(entry.relative_to(top))
    try:
        status = entry.lstat()
    except FileNotFoundError:  # programs make files there and remove them while we look
        return None
    if stat.S_ISLNK(status.st_mode):
        return _link(entry, path, top)
    if stat.S_ISDIR(status.st_mode):
        return Item(path=path, folder=True)
    if not stat.S_ISREG(status.st_mode):
        return None
    if not os.access(entry, os.R_OK):
        raise JobRefused(
            f"The file {str(path)!r} beside the notebook cannot be read: make it readable, "
            f"{_OTHERWISE}."
        )
    return Item(path=path, size=status.st_size)


def _link(entry: Path, path: PurePosixPath, top: Path) -> Item | None:
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return None
    if not target.is_relative_to(top):
        raise JobRefused(
            f"The link {str(path)!r} beside the notebook leads out of the folder, to {target}: "
            f"copy what it leads to into the folder, {_OTHERWISE}."
        )
    return Item(path=path, link=os.path.relpath(target, entry.parent))


def stage_folder(folder: Path, items: Iterable[Item], work: Path) -> None:
    """Copy surveyed entries into a working folder. Raises StagingFailed."""
    for item in items:
        source, target = folder / item.path, work / item.path
        with failing(f"{str(item.path)!r} cannot be staged", source):
            if item.folder:
                target.mkdir(exist_ok=True)
            elif item.link is not None:
                target.symlink_to(item.link)
            else:
                copy_file(source, target)
                os.utime(target, ns=(time.time_ns(), source.lstat().st_mtime_ns))
