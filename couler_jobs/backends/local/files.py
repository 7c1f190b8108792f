"""What a step needs laid before it starts, and what it leaves: parameters, artifacts."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from couler_jobs.backends.local.values import InputFile, Launch, OutputFile

PARAMETER_LIMIT = 256 * 1024
"""Bytes in one output parameter: more is an artifact."""

Locate = Callable[[Path], Path]


class FileProblem(Exception):  # noqa: N818  a sentence on its way to a node's message
    """A file that was to be laid or collected is not what it should be; the text is a sentence."""


@dataclass(slots=True)
class Collected:
    """What a step left behind."""

    parameters: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)  #: name -> key in the run's artifacts
    missing: list[str] = field(default_factory=list)


def lay(inputs: Iterable[InputFile], artifacts: Path, locate: Locate) -> None:
    """Put every input artifact where the step will look for it. `FileProblem` if one cannot be."""
    for file in inputs:
        target = locate(Path(file.path))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _lay_one(file, target, artifacts)
        except OSError as error:
            raise FileProblem(
                f"The input artifact {file.name} could not be laid at {file.path}: "
                f"{error.strerror or error}."
            ) from error


def _lay_one(file: InputFile, target: Path, artifacts: Path) -> None:
    if file.remote is not None:
        return  # it is fetched in the step's own process
    if file.source is not None:
        source = _there(artifacts, file)
        if source is None:
            return
        copy(source, target)
    else:
        target.write_text(file.text or "", encoding="utf-8")
    if file.mode is not None:
        for path in [target, *(target.rglob("*") if file.recursive else ())]:
            path.chmod(file.mode)


def _there(artifacts: Path, file: InputFile) -> Path | None:
    """What an input artifact is copied from; None where it is optional and not there."""
    assert file.source is not None, "only what was stored is copied"  # noqa: S101
    try:
        return stored(artifacts, file.source)
    except FileProblem:
        if file.optional:
            return None
        raise


def collect(launch: Launch, artifacts: Path, folder: str, locate: Locate) -> Collected:
    """Read the declared output parameters, store the declared output artifacts.

    An artifact's key is `<folder>/<its name>`, below the run's artifacts. `FileProblem` if one is
    there and cannot be taken.
    """
    found = Collected()
    for file in launch.output_parameters:
        _take_parameter(file, locate(Path(file.path)), found)
    for file in launch.output_artifacts:
        _take_artifact(file, locate(Path(file.path)), artifacts, folder, found)
    return found


def stored(artifacts: Path, key: str) -> Path:
    """The file or folder of a stored artifact; `FileProblem` if the key leads anywhere else."""
    path = artifacts / key
    if _leads_out(artifacts, path) or not path.exists():
        raise FileProblem(f"There is no stored artifact with the key {key!r}.")
    return path


def _leads_out(artifacts: Path, path: Path) -> bool:
    return ".." in path.parts or not path.is_relative_to(artifacts)


def _take_parameter(file: OutputFile, path: Path, found: Collected) -> None:
    try:
        found.parameters[file.name] = _read_text(file, path)
    except (FileNotFoundError, NotADirectoryError):
        if file.default is None:
            found.missing.append(file.name)
        else:
            found.parameters[file.name] = file.default
    except OSError as error:
        raise FileProblem(
            f"The output parameter {file.name} could not be read from {file.path}: "
            f"{error.strerror or error}."
        ) from error


def _read_text(file: OutputFile, path: Path) -> str:
    # a named pipe must not hold the supervisor up
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FileProblem(
                f"The output parameter {file.name} is read from {file.path}, which is not a file."
            )
        content = opened.read(PARAMETER_LIMIT + 2)
    if len(content.removesuffix(b"\n")) > PARAMETER_LIMIT:
        raise FileProblem(
            f"The output parameter {file.name} ({file.path}) has {found.st_size} bytes; at most "
            f"{PARAMETER_LIMIT} can be carried: declare it as an artifact."
        )
    return content.removesuffix(b"\n").decode("utf-8", "replace")


def _take_artifact(
    file: OutputFile, path: Path, artifacts: Path, folder: str, found: Collected
) -> None:
    if file.name in (".", "..") or "/" in file.name:
        raise FileProblem(f"{file.name!r} cannot be the name of an artifact.")
    if not os.path.lexists(path):
        if not file.optional:
            found.missing.append(file.name)
        return
    key = file.key or f"{folder}/{file.name}"
    target = artifacts / key
    if _leads_out(artifacts, target):
        raise FileProblem(f"{key!r} cannot be the key of an artifact.")
    if artifacts.resolve().is_relative_to(path.resolve()):
        raise FileProblem(
            f"The output artifact {file.name} cannot be stored from {file.path}: that holds the "
            "folder in which artifacts are kept. Declare a folder of the step's own."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(target)  # another step may have stored something at this key
        copy(path, target)
        if file.key:
            _mark(artifacts, key, packed=file.packed and path.is_dir())
    except OSError as error:
        raise FileProblem(
            f"The output artifact {file.name} could not be stored from {file.path}: "
            f"{error.strerror or error}."
        ) from error
    found.artifacts[file.name] = key


def is_packed(artifacts: Path, key: str) -> bool:
    """Whether the folder that was stored at this key is one object on a cluster: an archive."""
    return _marker(artifacts, key).exists()


def _mark(artifacts: Path, key: str, *, packed: bool) -> None:
    marker = _marker(artifacts, key)
    if packed:
        marker.parent.mkdir(exist_ok=True)
        marker.touch()
    else:
        marker.unlink(missing_ok=True)


def _marker(artifacts: Path, key: str) -> Path:
    return artifacts / ".packed" / quote(key, safe="")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder; links in a folder stay links, special files are an `OSError`."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file, dirs_exist_ok=True)
    else:
        _copy_file(source, target)


def _copy_file(source: str | Path, target: str | Path) -> None:
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise OSError(f"{source} is neither a file nor a folder")
    shutil.copy2(source, target)
