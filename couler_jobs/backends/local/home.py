"""The folder that holds everything the local engine knows: its database and a folder per run."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from couler_jobs.errors import ConfigError, Unavailable

VARIABLE = "COULER_JOBS_HOME"
MODE = 0o700
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Home:
    """Where things lie below the state folder. Making one touches nothing."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "runs.sqlite"

    @property
    def cron_lock(self) -> Path:
        """Held by the daemon that serves the cron workflows."""
        return self.root / "cron.lock"

    @property
    def cron_daemon(self) -> Path:
        """Who that daemon is (JSON of its `Identity`)."""
        return self.root / "cron.json"

    @property
    def cron_wake(self) -> Path:
        """Touched to make the daemon look at once."""
        return self.root / "cron.wake"

    @property
    def cron_log(self) -> Path:
        """What the daemon printed."""
        return self.root / "cron.log"

    @property
    def cache(self) -> Path:
        """Artifacts of what `memoize` remembers: a folder for each entry that has some."""
        return self.root / "cache"

    def run(self, uid: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.root / "runs" / uid)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where things lie below one run's folder."""

    root: Path

    @property
    def home(self) -> Path:
        """The state folder that it lies in."""
        return self.root.parent.parent

    @property
    def steps(self) -> Path:
        """One folder for each step that was started."""
        return self.root / "steps"

    @property
    def artifacts(self) -> Path:
        """What steps left as output artifacts: `<step's folder name>/<artifact name>`."""
        return self.root / "artifacts"

    @property
    def wake(self) -> Path:
        """A named pipe: a byte written to it wakes the run's supervisor."""
        return self.root / "wake"

    @property
    def log(self) -> Path:
        """What the supervisor itself printed: empty unless something went wrong."""
        return self.root / "supervisor.log"


def default_root() -> Path:
    """`COULER_JOBS_HOME`, or the folder that this platform gives a user's programs for state."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("couler-jobs", appauthor=False)).absolute()


def open_home(root: Path | None = None) -> Home:
    """Make the state folder if need be, closed to other users, and check that it can be written.

    `ConfigError` names the folder and what is wrong with it: no right to write, read-only, not a
    folder, somebody else's. `Unavailable` if its disk is full: SQLite cannot even read there, since
    the index of its log needs room.
    """
    home = Home((default_root() if root is None else root).absolute())
    try:
        (home.root / "runs").mkdir(mode=MODE, parents=True, exist_ok=True)
        _close_to_others(home.root)
        _try_writing(home.root)
    except OSError as error:
        if error.errno in FULL:
            raise Unavailable(full_disk(home.root)) from error
        raise ConfigError(sentence(error, home.root)) from error
    return home


def sentence(error: OSError, folder: Path) -> str:
    """What an error of the file system means for the state folder, and what to do."""
    remedy = f"Choose another folder with {VARIABLE}."
    if error.errno == errno.EROFS:
        return f"The state folder {folder} lies on a read-only file system. {remedy}"
    return f"The state folder {folder} cannot be used ({error.strerror or error}). {remedy}"


def full_disk(path: Path) -> str:
    """The sentence for a disk (or quota) with no room for `path`, which may not be there yet."""
    return f"The disk that holds {path} is full{_free(path)}: free some space and try again."


def _free(path: Path) -> str:
    with contextlib.suppress(OSError):
        there = next(place for place in (path, *path.parents) if place.exists())
        return f" ({shutil.disk_usage(there).free} bytes free)"
    return ""


def _close_to_others(root: Path) -> None:
    found = root.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", str(root))
    if stat.S_IMODE(found.st_mode) != MODE:
        root.chmod(MODE)


def _try_writing(root: Path) -> None:
    probe = root / f".probe-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        probe.write_bytes(b"x" * 4096)
    finally:
        probe.unlink(missing_ok=True)
