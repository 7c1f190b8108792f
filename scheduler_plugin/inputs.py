"""What a run was given to work with, noted so that another run can be given the same.

A run may write over its own input. So the note has the size and the time of each file, and a file
is only taken again, from the run's folder or from where it came from, if it still has both.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scheduler_plugin import staging
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.staging import JobFolder

AGAIN = "create the job again from the notebook instead"


def note(work: Path, origin: Path) -> str:
    """The note of a working folder that has just been staged from `origin`."""
    noted: dict[str, Any] = {"origin": str(origin), "files": {}, "links": {}, "folders": []}
    for below, folders, files in os.walk(work):
        for name in (*folders, *files):
            path = Path(below, name)
            _add(noted, str(path.relative_to(work)), path)
    return json.dumps(noted)


def _add(noted: Mapping[str, Any], relative: str, path: Path) -> None:
    if path.is_symlink():
        noted["links"][relative] = os.readlink(path)
    elif path.is_dir():
        noted["folders"].append(relative)
    else:
        noted["files"][relative] = _stamp(path)


def lay_out_again(folder: JobFolder, target: Path) -> None:
    """Put what a run was given into the empty folder `target`.

    Raises JobRefused where a file of it has been changed since, StagingFailed.
    """
    noted = _read(folder)
    with staging.failing("The input of the job cannot be staged again", target):
        for path in noted["folders"]:
            (target / path).mkdir(parents=True, exist_ok=True)
        for path, leads_to in noted["links"].items():
            (target / path).symlink_to(leads_to)
        for path, stamp in noted["files"].items():
            _take(_unchanged(path, stamp, [folder.work, Path(noted["origin"])]), target / path)


def _read(folder: JobFolder) -> Any:
    try:
        return json.loads(folder.inputs.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise JobRefused(f"What this job was given is not known any more: {AGAIN}.") from None


def _unchanged(path: str, stamp: list[int], places: list[Path]) -> Path:
    for place in places:
        if _stamp(place / path) == stamp:
            return place / path
    raise JobRefused(
        f"The file {path!r} that this job was given has been changed since, by its run or "
        f"by somebody: {AGAIN}."
    )


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _take(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # it is only read, and soon copied
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
