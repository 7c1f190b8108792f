"""A job's files: where each is staged, and where JupyterLab shows it once it is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from couler_jobs.in_pod.request import ending
from scheduler_plugin import output_names, staging, status
from scheduler_plugin.config import Settings
from scheduler_plugin.records import Job
from scheduler_plugin.staging import JobFolder

TITLES: Mapping[str, str] = {
    "ipynb": "Notebook",
    "html": "HTML",
    "html_without_code": "HTML without code",
    "log": "Log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file of a job, or with format "files" the folder of what is beside its notebook."""

    title: str  #: what the UI shows
    format: str  #: "input", "log", "files", or an output format
    staged: Path
    local: Path


def job_folder(settings: Settings, job_id: str) -> JobFolder:
    """Where a job's files are staged."""
    return JobFolder(settings.staging / job_id)


def local_folder(settings: Settings, job: Job) -> Path:
    """Where a job's files are downloaded to."""
    return settings.downloads / staging.local_folder(job.input_filename, job.job_id)


def job_files(settings: Settings, job: Job) -> tuple[JobFile, ...]:
    """The files that the UI shows: outputs, log, input, and what else the working folder holds."""
    folder, local = job_folder(settings, job.job_id), local_folder(settings, job)
    files = [
        JobFile(
            title=TITLES.get(one, one.capitalize()),
            format=one,
            staged=folder.output(one),
            local=local / _name(job, one),
        )
        for one in (*job.output_formats, "log")
    ]
    name = job.input_filename
    files.append(
        JobFile(title="Input", format="input", staged=folder.input(name), local=local / name)
    )
    if job.packaged_files:
        files.append(JobFile(title="Files", format="files", staged=folder.work, local=local))
    return tuple(files)


def progress(settings: Settings, job_id: str) -> str | None:
    """How far a running job is, in a sentence; None where that is not known."""
    try:
        text = job_folder(settings, job_id).progress.read_text(encoding="utf-8")
    except OSError:  # its notebook has not begun
        return None
    return status.progress(text)


def _name(job: Job, output_format: str) -> str:
    tags = ("input_filename", "name", "job_id", "job_definition_id", "runtime_environment_name")
    values = {tag: getattr(job, tag) for tag in tags}
    template, ends = job.output_filename_template, ending(output_format)
    return output_names.file_name(template, job.create_time, values, ends)


def is_downloaded(job: Job, files: tuple[JobFile, ...]) -> bool:
    """Whether there is nothing (more) to download: a file that was never made is not missed."""
    copied = (file for file in files if file.format != "files")
    return job.status.ended and all(staging.is_current(one.staged, one.local) for one in copied)


def to_copy(settings: Settings, job: Job) -> dict[Path, Path]:
    """Everything that a download copies: from (key) to (value)."""
    folder, local = job_folder(settings, job.job_id), local_folder(settings, job)
    files = [file for file in job_files(settings, job) if file.format != "files"]
    named = {file.staged: file.local for file in files}
    pairs = {path: local / path.relative_to(folder.out) for path in staging.files_below(folder.out)}
    return {**pairs, **staging.inside(folder.work, local, job.packaged_files), **named}
