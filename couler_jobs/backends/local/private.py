"""A view of the file system in which one step's declared paths are its own.

Steps of a cluster have a file system each, so two parallel steps may both write `/tmp/out`. Here
such a step gets a mount namespace in which the folder (`/tmp`) is a private one: everything that
was in the real folder is shown in it and stays shared, the declared paths are new, and what else
the step makes there is moved to the real folder when the step has ended.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from couler_jobs.backends.local import kernel
from couler_jobs.backends.local.files import FileProblem


@dataclass(slots=True)
class View:
    """One real folder, and the private one (`behind`) that the step sees in its place."""

    shown: Path
    behind: Path
    own: set[str] = field(default_factory=set)  #: names in it that are the step's
    shared: set[str] = field(default_factory=set)  #: names in it that were there, and are shown
    links: set[str] = field(default_factory=set)  #: those that were links, and are made again
    mounts: dict[Path, Path] = field(default_factory=dict)  #: place in it -> volume shown there
    read_only: list[Path] = field(default_factory=list)  #: those of these places

    def furnish(self) -> None:
        """Make a place for everything that is to be shown."""
        self.behind.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(self.shown):
            place = self.behind / entry.name
            if entry.name in self.own:
                continue
            if entry.is_symlink():
                self.links.add(entry.name)
                os.symlink(os.readlink(entry.path), place)
            elif entry.is_dir():
                self.shared.add(entry.name)
                place.mkdir()
            else:
                self.shared.add(entry.name)
                place.touch()

    def enter(self) -> None:
        """Show what is shared, then the private folder in place of the real one."""
        for name in self.shared:
            try:
                kernel.bind(f"{self.shown}/{name}", f"{self.behind}/{name}")
            except FileNotFoundError:  # it is gone since the folder was listed
                continue
        for place, volume in self.mounts.items():
            _make_like(volume, place)
            kernel.bind(str(volume), str(place))
        for place in self.read_only:  # now that all that is mounted in them has its place
            kernel.read_only(str(place))
        if self.shown == Path("/"):
            kernel.bind(str(self.behind), str(self.behind))
            os.chroot(self.behind)
        else:
            kernel.bind(str(self.behind), str(self.shown))

    def give_back(self) -> Iterator[str]:
        """Move what else the step made to the real folder; answers what could not be moved."""
        for entry in os.scandir(self.behind):
            target = self.shown / entry.name
            if entry.name in self.own | self.shared | self.links or os.path.lexists(target):
                continue
            try:
                shutil.move(entry.path, target)
            except OSError as error:
                yield f"{target} ({error.strerror or error})"


@dataclass(slots=True)
class Views:
    """All that a step sees otherwise than the rest of the machine: nothing, for most steps."""

    views: tuple[View, ...] = ()  #: a folder comes before those below it
    places: dict[Path, Path] = field(default_factory=dict)  #: declared path -> where it lies
    mounts: Mapping[Path, Path] = field(default_factory=dict)  #: path -> volume shown there
    read_only: Collection[Path] = ()  #: those of these paths at which nothing may be written

    def locate(self, path: Path) -> Path:
        """Where the file that the step sees at `path`, a declared one or in a volume, lies."""
        if path in self.places:
            return self.places[path]
        mount = _holder(path, self.mounts)
        return path if mount is None else self.mounts[mount] / path.relative_to(mount)

    def writable(self, path: Path) -> Path:
        """The same for a file that is to be made; `FileProblem` in a volume that is read-only."""
        mount = _holder(path, self.mounts)
        if mount in self.read_only:
            raise FileProblem(f"Nothing can be put at {path}: the volume at {mount} is read-only.")
        return self.locate(path)

    def furnish(self) -> None:
        """Make the private folders, before the step's process exists."""
        for view in self.views:
            view.furnish()

    def enter(self) -> None:
        """See the machine so from now on; called in the step's process before its program."""
        kernel.private_mounts()
        for view in self.views:
            view.enter()

    def leave(self) -> list[str]:
        """Give back what is not the step's own; answers the paths that could not be moved."""
        lost = [path for view in self.views for path in view.give_back()]
        for view in self.views:
            shutil.rmtree(view.behind, ignore_errors=True)
        return lost


def plan(
    paths: Iterable[Path],
    base: Path,
    needed: Iterable[Path],
    mounts: Mapping[Path, Path] | None = None,
    read_only: Collection[Path] = (),
) -> Views:
    """The views that make all of `paths` a step's own, and show volumes at the paths of `mounts`.

    Through those of the paths that are `read_only` the step can write nothing.
    `base` is where private folders may be made. Paths that lie in one of the `needed` folders, or
    hold one of them, stay what they are; nothing can be mounted there (`FileProblem`).
    """
    mounts = dict(sorted((mounts or {}).items()))  # one comes before those below it
    kept = [Path(os.path.realpath(folder)) for folder in needed]
    views: dict[Path, View] = {}
    places: dict[Path, Path] = {}
    for path in (*mounts, *paths):
        outer = _holder(path, mounts)
        if outer is not None and path not in mounts:
            continue  # it lies in a volume
        shown, rest = _split(path if outer is None else _outermost(path, mounts))
        real = shown / rest
        if any(real.is_relative_to(folder) or folder.is_relative_to(real) for folder in kept):
            if outer is not None:
                raise FileProblem(f"No volume can be mounted at {path}: what runs it lies there.")
            continue
        view = views.setdefault(shown, View(shown, base / str(len(views))))
        view.own.add(rest.parts[0])
        if outer is not None:
            place = view.behind / rest / path.relative_to(_outermost(path, mounts))
            view.mounts[place] = mounts[path]
            if path in read_only:
                view.read_only.append(place)
        else:
            places[path] = view.behind / rest
    ordered = sorted(views.values(), key=lambda view: len(view.shown.parts))
    return Views(tuple(ordered), places, mounts, read_only)


def _holder(path: Path, mounts: Mapping[Path, Path]) -> Path | None:
    """The deepest of the mounts that `path` is, or lies in."""
    holding = [mount for mount in mounts if path.is_relative_to(mount)]
    return max(holding, key=lambda mount: len(mount.parts), default=None)


def _outermost(path: Path, mounts: Mapping[Path, Path]) -> Path:
    """The mount that holds `path` and is held by no other."""
    return next(mount for mount in mounts if path.is_relative_to(mount))


def _make_like(volume: Path, place: Path) -> None:
    """A folder for a folder to be shown in, a file for anything else."""
    if volume.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


@cache
def possible() -> bool:
    """Whether this kernel lets this user have private mounts (tried once, in a child)."""
    child = os.fork()
    if child == 0:  # pragma: no cover  (it leaves without its measurements)
        answer = 1
        try:
            kernel.private_mounts()
            answer = 0
        finally:
            os._exit(answer)
    return os.waitpid(child, 0)[1] == 0


def _split(path: Path) -> tuple[Path, Path]:
    """The nearest folder above `path` that exists, links resolved, and the rest of the path."""
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    return Path(os.path.realpath(folder)), path.relative_to(folder)
