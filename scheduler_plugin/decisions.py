"""How a job ended, judged by its workflow and by what its steps left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.spec.status import Phase, RunInfo
from scheduler_plugin import labels, status
from scheduler_plugin.records import Ending, Job
from scheduler_plugin.status import JobStatus, Outcome

SENDING_MILLISECONDS = 120_000
"""How long a job may be without a workflow: longer than any call that sends one."""


def decide(
    job: Job, outbox: Outcome | None, run: RunInfo | None, report: Mapping[str, Any], *, now: int
) -> Outcome | None:
    """How an active job ended; None while that is not known.

    `outbox` is what its exit handler wrote, `run` its workflow (None: its backend has none),
    `report` the notebook step's result file. Times are milliseconds since the epoch.
    """
    if outbox is not None:
        return outbox
    if run is None:
        return None if _is_being_sent(job, now) else _without_run(job, report, now)
    if not run.ended:
        return None
    ended_at = _finished(run) or now
    return status.outcome(
        run.phase, report, ended_at=ended_at, message=run.message, shutdown=run.shutdown
    )


def decide_again(ending: Ending, outbox: Outcome | None, run: RunInfo) -> Outcome | None:
    """What an ended job's record should say after all; None where it is right.

    A failed workflow can be retried in Argo's own UI: the later end counts. A user's stop stays.
    """
    if ending.status is JobStatus.STOPPED or not run.ended:
        return None
    if outbox is not None and outbox.ended_at > ending.ended_at:
        return outbox
    finished = _finished(run)
    if ending.status is not JobStatus.FAILED or run.phase is not Phase.SUCCEEDED or not finished:
        return None
    return status.outcome(run.phase, {}, ended_at=max(finished, ending.ended_at + 1))


def is_settled(job: Job, run: RunInfo) -> bool:
    """Whether nothing is to be done about an active job: it runs, and its record says so."""
    return not run.ended and job.status is JobStatus.IN_PROGRESS and not _is_later(job, run)


def is_stranger(job: Job, run: RunInfo, uid: str | None) -> bool:
    """Whether a run only has the name of the job's workflow. `uid` is that one's, if noted."""
    if run.name != labels.workflow_name(job.job_id):
        return run.uid != job.job_id  # a tick's job is its workflow's uid
    return uid is not None and run.uid != uid


def _is_later(job: Job, run: RunInfo) -> bool:
    """Whether the run was made long after the job was: then it may be a stranger's."""
    made = run.created_at
    return made is not None and made.timestamp() * 1000 > job.create_time + SENDING_MILLISECONDS


def _is_being_sent(job: Job, now: int) -> bool:
    return job.start_time is None and now - job.create_time <= SENDING_MILLISECONDS


def _without_run(job: Job, report: Mapping[str, Any], now: int) -> Outcome:
    if report.get("status") == "succeeded":
        return status.outcome(Phase.SUCCEEDED, report, ended_at=now)
    if report.get("status") not in (None, "running"):
        return status.outcome(Phase.FAILED, report, ended_at=now)
    happened = "was never started"
    if job.start_time is not None:
        happened = "was deleted before its result was known"
    return Outcome(
        status=JobStatus.FAILED,
        message=f"The workflow of this job {happened}: create the job again.",
        ended_at=now,
        started_at=job.start_time,
    )


def _finished(run: RunInfo) -> int | None:
    return None if run.finished_at is None else int(run.finished_at.timestamp() * 1000)


def job_id_of(run: RunInfo) -> str | None:
    """The job that a run of ours is; None for one that only carries its labels (a resubmit)."""
    named = run.labels.get(labels.JOB_ID)
    if named is not None:
        return named if run.name == labels.workflow_name(named) else None
    return run.uid if labels.JOB_DEFINITION_ID in run.labels else None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a listing showed."""

    by_uid: Mapping[str, RunInfo]
    by_name: Mapping[str, RunInfo]
    complete: bool = False  #: whether two listings made it, so that what it lacks is gone
    away: bool = False  #: whether nothing could be seen

    @classmethod
    def of(cls, runs: Iterable[RunInfo], *, complete: bool = False) -> Sight:
        """The sight of these runs."""
        by_uid = {run.uid: run for run in runs}
        return cls(by_uid, {run.name: run for run in by_uid.values()}, complete)

    def find(self, job: Job) -> RunInfo | None:
        """The run of a job: by its own id, or by the name that it was given."""
        return self.by_uid.get(job.job_id) or self.by_name.get(labels.workflow_name(job.job_id))
