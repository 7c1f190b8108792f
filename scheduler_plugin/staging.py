"""A job's files: the only file copying.

    <staging path>/<job id>/
        work/      the notebook and, if wanted, its folder: where the notebook runs
        out/       the output notebook, the other formats, the log
        record/    what the steps are asked and what they report: never downloaded

File names are data: nothing here builds a shell text, a pattern or a URL from one.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from couler_jobs.in_pod.request import ending
from scheduler_plugin.errors import JobRefused, StagingFailed
from scheduler_plugin.output_names import LONGEST_NAME, shortened

MOST_FILES = 10_000
"""Files of a working folder that a record lists."""


UNRECORDED = "unrecorded.json"
TO_BRING = "to-bring"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Where the files of one job lie. Its paths are made of ids and fixed names, except `input`."""

    root: Path

    @property
    def work(self) -> Path:
        """The notebook's working folder."""
        return self.root / "work"

    @property
    def record(self) -> Path:
        """What is not the user's."""
        return self.root / "record"

    def input(self, filename: str) -> Path:
        """The staged notebook."""
        return self.work / filename

    @property
    def out(self) -> Path:
        """What the notebook step writes for the user."""
        return self.root / "out"

    def output(self, output_format: str) -> Path:
        """The file of one output format; "log" is one."""
        return self.out / f"output{ending(output_format)}"

    @property
    def result(self) -> Path:
        """What the notebook step reports."""
        return self.record / "result.json"

    @property
    def progress(self) -> Path:
        """How far the notebook step is."""
        return self.record / "progress.json"

    @property
    def outbox(self) -> Path:
        """How the job ended, written before the database is told."""
        return self.record / "status.json"

    @property
    def notebook_request(self) -> Path:
        """What the notebook step is asked."""
        return self.record / "notebook.json"

    @property
    def status_request(self) -> Path:
        """What the exit handler is asked."""
        return self.record / "record-status.json"

    @property
    def db_url(self) -> Path:
        """The URL of the database, where that holds a password."""
        return self.record / "database"

    @property
    def job(self) -> Path:
        """What the record is made of, should the database be lost."""
        return self.record / "job.json"

    @property
    def unrecorded(self) -> Path:
        """What a record is to be made of, for whom only the server may make it."""
        return self.record / UNRECORDED

    @property
    def to_bring(self) -> Path:
        """There as long as a job is being stopped whose files are to be brought to its user."""
        return self.record / TO_BRING

    @property
    def inputs(self) -> Path:
        """What the run was given, see `scheduler_plugin.inputs`."""
        return self.record / "inputs.json"

    @property
    def run(self) -> Path:
        """Where the workflow was sent."""
        return self.record / "run.json"

    def create(self) -> None:
        """Make the empty folders, for this user alone. Raises StagingFailed."""
        with failing("The job's files cannot be staged", self.root):
            self.root.mkdir(parents=True, mode=0o700)
            for folder in (self.work, self.out, self.record):
                folder.mkdir()

    def remove(self) -> None:
        """Delete all of it; nothing happens if it is gone. Raises StagingFailed."""
        with failing("The job's files cannot be deleted", self.root):
            if self.root.exists():
                shutil.rmtree(self.root)


# --- names


def local_folder(input_filename: str, job_id: str) -> str:
    """The name of the folder that a job's files are downloaded to."""
    stem = os.path.splitext(input_filename)[0]
    return f"{shortened(stem, LONGEST_NAME - len(job_id) - 1)}-{job_id}"


def path_under(root: Path, path: str) -> Path:
    """The file that a path of the Jupyter API means. Raises JobRefused if that is outside `root`.

    Such a path is relative to `root` and has forward slashes, also with a leading one.
    """
    if "\0" in path or not _encodable(path):
        raise JobRefused("The path of the notebook has characters that no file name can have.")
    if "://" in path:
        raise JobRefused(
            f"{path!r} is a URL: a job's notebook is a file under the folder that JupyterLab shows."
        )
    inside = Path(os.path.normpath(root / path.lstrip("/")))
    if not inside.is_relative_to(os.path.normpath(root)):
        raise JobRefused(
            f"{path!r} leads out of the folder that JupyterLab shows: move the notebook into it."
        )
    return inside


def is_file_name(name: str) -> bool:
    """Whether a text can be the name of a file in a folder."""
    plain = name not in ("", ".", "..") and "/" not in name and "\0" not in name
    return plain and _encodable(name) and len(name.encode()) <= LONGEST_NAME


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which JSON can carry and UTF-8 cannot
        return False
    return True


# --- a working folder


def packaged_files(work: Path, input_filename: str) -> tuple[str, ...]:
    """The files in a working folder besides the notebook, as relative paths, at most MOST_FILES."""
    found = (str(path.relative_to(work)) for path in files_below(work))
    # a checkpoint of an editor is no result
    kept = (path for path in found if path != input_filename and ".ipynb_checkpoints" not in path)
    return tuple(sorted(itertools.islice(kept, MOST_FILES)))


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder; links to folders are not followed."""
    for below, _, names in os.walk(folder):
        yield from (Path(below, name) for name in names)


def inside(source: Path, target: Path, paths: Iterable[str]) -> dict[Path, Path]:
    """The same relative paths below two folders; one that leads out of either is left out."""
    plain = [path for path in paths if not path.startswith("/") and ".." not in path.split("/")]
    top = source.resolve()
    within = [path for path in plain if (source / path).resolve().is_relative_to(top)]
    return {source / path: target / path for path in within}


# --- copying


def publish(pairs: Mapping[Path, Path], *, again: bool) -> None:
    """Copy staged files (key) to where JupyterLab shows them (value); what is not there is skipped.

    A file that is there already stays, unless it is older or `again`. Raises StagingFailed.
    """
    for source, target in pairs.items():
        if not source.is_file() or (is_current(source, target) and not again):
            continue
        with failing(f"{target.name!r} cannot be downloaded", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{uuid.uuid4()}.part")
            try:
                copy_file(source, part, follow=True)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)


def is_current(source: Path, target: Path) -> bool:
    """Whether a copy is there that is not older than its source, or there is nothing to copy.

    Somebody may have downloaded the files of a job that was still running.
    """
    if not source.exists():
        return True
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime


def copy_file(source: Path, target: Path, *, follow: bool = False) -> None:
    """Copy a regular file and its permissions. Never waits on a FIFO that took the file's place."""
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    with open(os.open(source, flags), "rb") as reader:
        mode = os.fstat(reader.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        # closed to others until it has the permissions of its source
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            os.fchmod(writer.fileno(), stat.S_IMODE(mode) | stat.S_IWUSR)


def write_durably(path: Path, text: str) -> None:
    """Replace a small file so that after a crash it is the old one or the new one, never a part."""
    part = path.with_name(f".{path.name}.{uuid.uuid4()}.part")
    try:
        with part.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def failing(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a sentence that says what could not be done, why and where."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "")
        raise StagingFailed(f"{what}: {error.strerror or error} ({path}).{advice}") from error


_ADVICE = {
    errno.ENOSPC: " Free some space, then try again.",
    errno.EDQUOT: " Your disk quota is used up: delete something, then try again.",
    errno.EACCES: " Make the place writable, or ask whoever set c.ArgoScheduler.staging_path.",
    errno.EROFS: " The place is read-only: have c.ArgoScheduler.staging_path changed.",
}
