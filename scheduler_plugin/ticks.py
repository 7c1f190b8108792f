"""One run of a definition: what its first step makes of the definition's files, and its record.

    <staging path>/<job definition id>/
        tick.json      what every tick is asked: replaced as a whole by an edit
        inputs/<id>/   the notebook, and its folder if wanted: a snapshot, never changed
        database       the URL of the database, where that holds a password

A tick copies all of it into the run's own folder, so that whatever becomes of the definition, its
runs stay what they were. Imported by steps: nothing here is slow to import.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from scheduler_plugin import inputs, output_names, staging
from scheduler_plugin.errors import StagingFailed
from scheduler_plugin.notifications import read_notice
from scheduler_plugin.records import NewJob, Records, milliseconds
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.step_requests import Asked, Store, request_files


@dataclass(frozen=True, slots=True)
class DefinitionFolder:
    """Where the files of one definition lie."""

    root: Path

    @classmethod
    def of(cls, staging_folder: Path, definition_id: str) -> DefinitionFolder:
        """The folder of a definition below the staging path."""
        return cls(staging_folder / definition_id)

    @property
    def tick(self) -> Path:
        """What a tick is asked."""
        return self.root / "tick.json"

    @property
    def db_url(self) -> Path:
        """The URL of the database, where that holds a password."""
        return self.root / "database"

    @property
    def inputs(self) -> Path:
        """The snapshots of the input."""
        return self.root / "inputs"

    def create(self) -> None:
        """Make the empty folders, for this user alone. Raises StagingFailed."""
        with staging.failing("The definition's files cannot be staged", self.root):
            self.root.mkdir(parents=True, mode=0o700)
            self.inputs.mkdir()

    def new_snapshot(self) -> Path:
        """An empty folder for another snapshot. Raises StagingFailed."""
        folder = self.inputs / uuid.uuid4().hex
        with staging.failing("The definition's files cannot be staged", folder):
            folder.mkdir(parents=True, mode=0o700)
        return folder

    def remove(self) -> None:
        """Delete all of it; nothing happens if it is gone. Raises StagingFailed."""
        with staging.failing("The definition's files cannot be deleted", self.root):
            if self.root.exists():
                shutil.rmtree(self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What a definition asks of each of its runs."""

    job: NewJob  #: the record that a run gets, but for its id
    asked: Asked
    snapshot: str  #: the folder with the notebook
    origin: str  #: where that came from: a path of the Jupyter API
    staging: str
    backend: str
    timezone: str = ""

    def as_json(self) -> str:
        """The text of a tick file."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Tick:
        """Read a tick file's text. Raises ValueError, KeyError or TypeError if it is none."""
        fields = json.loads(text)
        job, asked = fields.pop("job"), fields.pop("asked")
        for name in ("output_formats", "packaged_files"):
            job[name] = tuple(job[name])
        if job["tags"] is not None:
            job["tags"] = tuple(job["tags"])
        asked["output_formats"] = tuple(asked["output_formats"])
        store, notice = Store(**asked.pop("store")), read_notice(asked.pop("notice", None))
        return cls(job=NewJob(**job), asked=Asked(**asked, store=store, notice=notice), **fields)

    def folder(self, job_id: str) -> JobFolder:
        """Where a run's files lie."""
        return JobFolder(Path(self.staging) / job_id)

    def run(self, job_id: str, at: int) -> NewJob:
        """The record of one run, whose output names say the definition's own time."""
        template = output_names.at(self.job.output_filename_template, at, self.timezone)
        return replace(self.job, job_id=job_id, output_filename_template=template)


def read_tick(path: Path) -> Tick:
    """The tick file of a definition. Raises StagingFailed."""
    if not path.exists():
        raise StagingFailed(
            f"The job definition has no {path}: another scheduler made it, or its files were "
            "deleted. Delete it, and create it anew from its notebook."
        )
    try:
        with staging.failing("The definition's files cannot be read", path):
            return Tick.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise StagingFailed(
            f"The file {path} of the job definition is damaged ({error}): save the definition with "
            "its notebook again, or create it anew."
        ) from error


def prepare(tick: Tick, job_id: str, workflow: str) -> None:
    """Make a run's folder of the definition's files, at once or not at all. Raises StagingFailed.

    Nothing happens if it is there: the step may be run twice, even at the same time.
    """
    folder = tick.folder(job_id)
    part = JobFolder(folder.root.with_name(f".{job_id}-{uuid.uuid4().hex}.part"))
    if folder.root.exists():
        return
    try:
        part.create()
        with staging.failing("The run's files cannot be staged", part.root):
            shutil.copytree(tick.snapshot, part.work, symlinks=True, dirs_exist_ok=True)
            _write_requests(tick, job_id, workflow, part)
            _rename(part.root, folder.root)
    finally:
        part.remove()


def _write_requests(tick: Tick, job_id: str, workflow: str, part: JobFolder) -> None:
    final = tick.folder(job_id)
    sent = json.dumps({"backend": tick.backend, "workflow": workflow})
    files: dict[Path, str] = {
        **request_files(job_id, final, tick.asked),
        final.run: sent,
        final.inputs: inputs.note(part.work, Path(tick.snapshot)),
    }
    if tick.asked.store.outbox_only:
        files[final.unrecorded] = tick.run(job_id, milliseconds()).as_json()
    for path, text in files.items():
        (part.root / path.relative_to(final.root)).write_text(text, encoding="utf-8")


def _rename(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def record(tick: Tick, job_id: str, records: Records, at: int) -> bool:
    """Add the run's record, IN_PROGRESS. False if it was there, or was deleted since.

    Raises NoSuchDefinition when its definition is deleted: nobody wants the run.
    """
    mark = tick.folder(job_id).record / "recorded"
    if mark.exists():
        return False
    added = records.add_run(tick.run(job_id, at), at)
    with contextlib.suppress(OSError):  # the mark only spares a look later on
        mark.touch()
    return added
