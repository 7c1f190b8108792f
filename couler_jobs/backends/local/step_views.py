"""What a step finds when it starts: its folder, its inputs, its view of the file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from couler_jobs.backends.local import files, private, volumes
from couler_jobs.backends.local.files import FileProblem
from couler_jobs.backends.local.private import Views
from couler_jobs.backends.local.step_folder import StepFolder
from couler_jobs.backends.local.values import Launch, Mount


def prepare(launch: Launch, folder: StepFolder) -> tuple[Path, Views]:
    """Make the step's folder anew, with its inputs; answers its working folder, and what it sees.

    `FileProblem`, `ConfigError` or `OSError` if that cannot be.
    """
    if folder.root.exists():  # an attempt for which there was no room
        shutil.rmtree(folder.root)
    folder.root.mkdir(parents=True)
    folder.work.mkdir()
    cwd = folder.work / (launch.working_dir or "")
    views = _views(launch, folder, cwd)
    if not views.locate(cwd).is_dir():
        _make_working_folder(views.writable(cwd))
    files.lay(launch.inputs, folder.run.artifacts, views.writable)
    views.furnish()
    return cwd, views


def _make_working_folder(cwd: Path) -> None:
    try:
        cwd.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(
            f"The working folder {cwd} could not be made: {error.strerror or error}."
        ) from error


def declared_paths(launch: Launch) -> list[Path]:
    """Every path that a step has declared as an input's or an output's."""
    outputs = (*launch.output_parameters, *launch.output_artifacts)
    inputs = [*(file.path for file in launch.inputs), *launch.left_out]
    return [Path(path) for path in (*inputs, *(file.path for file in outputs))]


def _views(launch: Launch, folder: StepFolder, cwd: Path) -> Views:
    paths = declared_paths(launch)
    outside = [path for path in paths if path.is_absolute()]
    wanted = [one for mount in launch.mounts for one in volumes.spread(mount, folder.run)]
    mounts = _mounts(wanted, folder)
    views = Views()
    if (outside or mounts) and private.possible():
        read_only = {Path(os.path.normpath(m.path)) for m in wanted if m.read_only}
        base = folder.root / "private"
        views = private.plan(outside, base, [folder.root], mounts, read_only)
    inside = {path: views.locate(cwd / path) for path in paths if not path.is_absolute()}
    views.places.update(inside)
    return views


def _mounts(wanted: Iterable[Mount], folder: StepFolder) -> dict[Path, Path]:
    """Where the step sees which folder; `FileProblem` if this machine cannot show it there."""
    found = {}
    for mount in wanted:
        path = Path(os.path.normpath(mount.path))
        if not path.is_absolute() or len(path.parts) < 2:
            raise FileProblem(f"No volume can be mounted at {mount.path!r}.")
        volume = volumes.source(mount, folder.run, folder.root)
        if volume is None:
            continue
        if mount.read_only or os.path.realpath(volume) != os.path.realpath(path):
            found[path] = volume
    if found and not private.possible():
        raise FileProblem(
            f"This machine does not let a step have mounts of its own, and it mounts a volume at "
            f"{next(iter(found))}: leave that out, or run on Argo."
        )
    return found
