from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from couler_jobs.spec.status import Phase, RunInfo
from scheduler_plugin import labels
from scheduler_plugin.decisions import (
    SENDING_MILLISECONDS,
    decide,
    decide_again,
    is_settled,
    is_stranger,
    job_id_of,
)
from scheduler_plugin.reconcile import read_outbox
from scheduler_plugin.records import Ending, Job
from scheduler_plugin.status import JobStatus, Outcome

NOW = 10_000_000
OUTBOX = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=5)


def job(status: JobStatus = JobStatus.IN_PROGRESS, *, age: int = 0) -> Job:
    return Job(
        job_id="1-2",
        name="n",
        input_filename="n.ipynb",
        runtime_environment_name="server",
        status=status,
        create_time=NOW - age,
        start_time=None if status is JobStatus.CREATED else NOW - age,
        update_time=NOW - age,
    )


def run(phase: Phase, message: str = "", shutdown: str = "") -> RunInfo:
    finished = datetime.fromtimestamp(7, UTC) if phase.ended else None
    return RunInfo(
        name="job-1-2",
        uid="u",
        phase=phase,
        finished_at=finished,
        message=message,
        shutdown=shutdown,
    )


def test_what_the_exit_handler_wrote_decides() -> None:
    assert decide(job(), OUTBOX, run(Phase.FAILED), {}, now=NOW) == OUTBOX


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING])
def test_a_job_whose_run_goes_on_is_left_alone(phase: Phase) -> None:
    assert decide(job(age=10**7), None, run(phase), {}, now=NOW) is None


def test_a_run_that_was_terminated_is_stopped_when_it_ended() -> None:
    found = decide(job(), None, run(Phase.FAILED, shutdown="Terminate"), {}, now=NOW)

    assert found is not None
    assert (found.status, found.ended_at) == (JobStatus.STOPPED, 7000)


def test_a_run_whose_supervisor_died_is_failed_and_says_why() -> None:
    found = decide(job(), None, run(Phase.ERROR, message="its supervisor died"), {}, now=NOW)

    assert found is not None
    assert found.status is JobStatus.FAILED
    assert "its supervisor died" in (found.message or "")


def test_a_run_without_an_end_time_ended_now() -> None:
    ended = RunInfo(name="job-1-2", uid="u", phase=Phase.SUCCEEDED)
    found = decide(job(), None, ended, {}, now=NOW)

    assert found is not None
    assert found.ended_at == NOW


@pytest.mark.parametrize(
    ("status", "word"), [(JobStatus.CREATED, "never started"), (JobStatus.IN_PROGRESS, "deleted")]
)
def test_an_old_job_without_a_workflow_is_failed(status: JobStatus, word: str) -> None:
    found = decide(job(status, age=SENDING_MILLISECONDS + 1), None, None, {}, now=NOW)

    assert found is not None
    assert found.status is JobStatus.FAILED
    assert word in (found.message or "")


def test_a_job_that_is_being_sent_is_left_alone() -> None:
    assert decide(job(JobStatus.CREATED, age=10), None, None, {}, now=NOW) is None


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"\xff"])
def test_an_outbox_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)

    assert read_outbox(path) is None


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("succeeded", JobStatus.COMPLETED),
        ("failed", JobStatus.FAILED),
        ("stopped", JobStatus.STOPPED),
        ("running", JobStatus.FAILED),
    ],
)
def test_what_the_notebook_reported_is_believed_once_its_workflow_is_gone(
    said: str, status: JobStatus
) -> None:
    found = decide(job(), None, None, {"status": said}, now=NOW)

    assert found is not None
    assert found.status is status
    assert ("deleted before its result was known" in (found.message or "")) is (said == "running")


# --- jobs whose record has ended


def ending(status: JobStatus, at: int = 6000) -> Ending:
    return Ending(job_id="1-2", status=status, ended_at=at)


def test_a_failed_job_that_was_retried_and_succeeded_is_completed() -> None:
    found = decide_again(ending(JobStatus.FAILED), None, run(Phase.SUCCEEDED))

    assert found is not None
    assert (found.status, found.ended_at) == (JobStatus.COMPLETED, 7000)


def test_a_later_outcome_of_the_exit_handler_is_taken() -> None:
    later = Outcome(status=JobStatus.FAILED, message="again", ended_at=6500)

    assert decide_again(ending(JobStatus.COMPLETED), later, run(Phase.FAILED)) == later


@pytest.mark.parametrize(
    ("ended", "found"),
    [
        (JobStatus.STOPPED, run(Phase.SUCCEEDED)),
        (JobStatus.COMPLETED, run(Phase.FAILED)),  # its exit handler failed
        (JobStatus.COMPLETED, run(Phase.SUCCEEDED)),
        (JobStatus.FAILED, run(Phase.FAILED)),
        (JobStatus.FAILED, run(Phase.RUNNING)),
    ],
)
def test_a_final_record_stays(ended: JobStatus, found: RunInfo) -> None:
    older = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=5000)

    assert decide_again(ending(ended), None, found) is None
    assert decide_again(ending(ended), older, replace(found, phase=Phase.FAILED)) is None


def test_a_stop_by_the_user_outlives_a_later_success() -> None:
    later = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=9000)

    assert decide_again(ending(JobStatus.STOPPED), later, run(Phase.SUCCEEDED)) is None


# --- which run a job is


@pytest.mark.parametrize(
    ("name", "uid", "noted", "stranger"),
    [
        ("job-1-2", "u", "u", False),
        ("job-1-2", "u", None, False),
        ("job-1-2", "other", "u", True),  # deleted, and made again by somebody
        ("def-5-1700000000", "1-2", None, False),  # a tick
        ("def-5-1700000000", "other", None, True),
    ],
)
def test_a_run_of_the_same_name_is_told_by_its_uid(
    name: str, uid: str, noted: str | None, stranger: bool
) -> None:
    assert is_stranger(job(), RunInfo(name=name, uid=uid), noted) is stranger


def test_a_run_that_was_made_long_after_its_job_is_looked_at_closely() -> None:
    made = datetime.fromtimestamp((NOW + SENDING_MILLISECONDS + 1) / 1000, UTC)

    assert is_settled(job(), run(Phase.RUNNING))
    assert not is_settled(job(), replace(run(Phase.RUNNING), created_at=made))


@pytest.mark.parametrize(
    ("name", "carried", "job_id"),
    [
        ("job-1-2", {labels.JOB_ID: "1-2"}, "1-2"),
        ("job-1-2-abcde", {labels.JOB_ID: "1-2"}, None),  # resubmitted in Argo's own UI
        ("def-5-1700000000", {labels.JOB_DEFINITION_ID: "5"}, "u"),
        ("other", {}, None),
    ],
)
def test_a_run_says_which_job_it_is(name: str, carried: dict[str, str], job_id: str | None) -> None:
    assert job_id_of(RunInfo(name=name, uid="u", labels=carried)) == job_id
