"""The volumes of this machine: folders that steps see where they mount them.

A claim is `COULER_JOBS_HOME/volumes/<claim>`, made when it is first used and shared by all runs;
one of a run's own claim templates lies with the run, an `emptyDir` with the step. Config maps and
secrets are those of the operator (`references`), and only ever read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from couler_jobs.backends.local.files import FileProblem
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.references import Missing, References
from couler_jobs.backends.local.values import Mount

_NAME = re.compile(r"(?!\.\.?$)[-._a-zA-Z0-9]+")


def spread(mount: Mount, run: RunFolder) -> Iterator[Mount]:
    """The mounts of its keys in place of one that is spread; `Missing` if there is nothing."""
    if not mount.spread:
        yield mount
        return
    try:
        keys = References(run.home).keys(mount.kind, mount.name)
    except Missing:
        if mount.optional:
            return
        raise
    for key in keys:
        yield replace(mount, path=f"{mount.path}/{key}", sub_path=key, spread=False)


def source(mount: Mount, run: RunFolder, step: Path) -> Path | None:
    """What is to be seen at a mount's path, made if need be; `FileProblem` if it cannot be.

    `step` is the folder of the step that mounts it. None: an optional key that is not there.
    `Missing` or `ConfigError` for a config map or secret that is missing, or open to others.
    """
    if mount.kind in ("config map", "secret"):
        return _stored(mount, run, step)
    if ".." in Path(mount.sub_path).parts or Path(mount.sub_path).is_absolute():
        raise FileProblem(f"The subPath {mount.sub_path!r} leads out of its volume.")
    whole = _whole(mount, run, step)
    part = whole / mount.sub_path
    if mount.sub_path and not Path(os.path.realpath(part)).is_relative_to(os.path.realpath(whole)):
        raise FileProblem(f"The subPath {mount.sub_path!r} leads out of its volume.")
    try:
        if not part.exists():
            part.mkdir(mode=0o700, parents=True)
    except OSError as error:
        why = error.strerror or error
        raise FileProblem(f"The volume of {mount.path} could not be made: {why}.") from error
    return part


def _stored(mount: Mount, run: RunFolder, step: Path) -> Path | None:
    try:
        return References(run.home).shown(mount.kind, mount.name, mount.sub_path)
    except Missing:
        if not mount.optional:
            raise
    if mount.sub_path:
        return None
    empty = step / "volumes" / "missing"
    empty.mkdir(parents=True, exist_ok=True)
    return empty


def _whole(mount: Mount, run: RunFolder, step: Path) -> Path:
    if mount.kind == "host path":
        if not Path(mount.name).is_absolute():
            raise FileProblem(f"The hostPath {mount.name!r} is not an absolute path.")
        return Path(mount.name)
    if not _NAME.fullmatch(mount.name):
        raise FileProblem(f"{mount.name!r} cannot be the name of a volume.")
    holder = {"claim": run.home, "own claim": run.root, "empty": step}[mount.kind]
    return holder / "volumes" / mount.name
