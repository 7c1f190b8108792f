"""What reconciling makes of records, with a backend that only keeps what it is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from couler_jobs.errors import Forbidden, Unavailable
from couler_jobs.spec.status import CronInfo, Phase, RunInfo
from scheduler_plugin import decisions, labels, reconcile, staging
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Records
from scheduler_plugin.status import ENDED, JobStatus, Outcome

from .standin import StandIn

LATER = timedelta(seconds=decisions.SENDING_MILLISECONDS / 1000 + 1)


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def jobs(
    settings: Settings, records: Records, environments: Environments, backend: StandIn
) -> Jobs:
    return Jobs(settings, records, environments, lambda: backend)


@pytest.fixture
def create(jobs: Jobs, write_notebook: Callable[..., Path]) -> Callable[[], str]:
    write_notebook("nb.ipynb", "1")

    def create() -> str:
        asked = JobRequest(
            input_uri="nb.ipynb", name="report", runtime_environment_name="server", tags=("mine",)
        )
        return jobs.create(asked)

    return create


@pytest.fixture
def job_id(create: Callable[[], str]) -> str:
    return create()


def name(job_id: str) -> str:
    return labels.workflow_name(job_id)


def end(backend: StandIn, job_id: str, phase: Phase, **more: Any) -> None:
    backend.end(name(job_id), phase, finished_at=datetime.now(UTC) + LATER, **more)


def outcome(status: JobStatus, at: datetime) -> Outcome:
    return Outcome(status=status, message=None, ended_at=int(at.timestamp() * 1000))


def test_one_listing_answers_for_all_jobs(
    jobs: Jobs, create: Callable[[], str], backend: StandIn
) -> None:
    for _ in range(3):
        end(backend, create(), Phase.FAILED, shutdown="Terminate")
    backend.get = None  # type: ignore[method-assign, assignment]  # nobody is to ask for one

    assert (jobs.reconcile(), backend.listings) == (3, 1)


def test_what_a_listing_misses_is_asked_for_by_name(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    end(backend, job_id, Phase.SUCCEEDED)
    backend.runs[name(job_id)] = replace(backend.runs[name(job_id)], labels={})

    assert jobs.reconcile() == 1
    assert jobs.get(job_id).status is JobStatus.COMPLETED


def test_many_deleted_workflows_are_settled_by_a_second_listing(
    jobs: Jobs, create: Callable[[], str], backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "FEW", 1)
    for _ in range(2):
        create()
    backend.runs.clear()
    backend.get = None  # type: ignore[method-assign, assignment]

    assert (jobs.reconcile(), backend.listings) == (2, 2)


def test_a_stranger_of_the_same_name_is_not_the_job(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    there = backend.runs[name(job_id)]
    made = datetime.now(UTC) + LATER
    backend.runs[name(job_id)] = replace(there, uid="another", created_at=made)
    jobs.reconcile()

    assert jobs.get(job_id).status is JobStatus.FAILED
    assert "deleted" in (jobs.get(job_id).status_message or "")


def test_a_job_that_is_to_be_stopped_is_stopped_when_its_workflow_is_gone(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    jobs.stop(job_id)
    backend.runs.clear()
    jobs.reconcile()

    assert jobs.get(job_id).status is JobStatus.STOPPED


def test_a_retry_that_succeeded_is_followed_and_a_stop_is_not(
    jobs: Jobs, create: Callable[[], str], backend: StandIn
) -> None:
    failed, stopped = create(), create()
    now = datetime.now(UTC)
    jobs.records.finish(failed, outcome(JobStatus.FAILED, now))
    jobs.records.finish(stopped, outcome(JobStatus.STOPPED, now))
    for one in (failed, stopped):
        end(backend, one, Phase.SUCCEEDED)
    jobs.reconcile()

    assert jobs.get(failed).status is JobStatus.COMPLETED
    assert jobs.get(stopped).status is JobStatus.STOPPED


def test_a_record_that_is_right_is_looked_at_once(
    jobs: Jobs, job_id: str, backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.records.finish(job_id, outcome(JobStatus.COMPLETED, datetime.now(UTC)))
    end(backend, job_id, Phase.SUCCEEDED)
    jobs.reconcile()
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(jobs.records, "endings", lambda ids: asked.append(ids))
    jobs.reconcile()

    assert asked == [()]


def test_an_older_end_never_replaces_a_later_one(jobs: Jobs, job_id: str) -> None:
    now = datetime.now(UTC)
    jobs.records.finish(job_id, outcome(JobStatus.FAILED, now))

    assert not jobs.records.follow(job_id, outcome(JobStatus.COMPLETED, now - LATER))
    assert jobs.get(job_id).status is JobStatus.FAILED


# --- jobs that have stalled


@pytest.fixture
def stalled(jobs: Jobs, job_id: str, backend: StandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job whose workflow is still running a day after it was to end."""
    backend.runs[name(job_id)] = replace(backend.runs[name(job_id)], active_deadline=60)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr("scheduler_plugin.records.time.time", lambda: tomorrow)
    jobs.reconcile()
    return job_id


def test_a_job_that_stalled_says_so_and_can_be_stopped(
    jobs: Jobs, stalled: str, backend: StandIn
) -> None:
    job = jobs.get(stalled)
    assert job.status is JobStatus.IN_PROGRESS
    assert "Stalled" in (job.status_message or "")

    jobs.stop(stalled)
    assert backend.runs[name(stalled)].shutdown == "Stop"
    assert jobs.get(stalled).status_message is None


def test_a_notebook_that_outlives_its_own_timeout_has_stalled(
    jobs: Jobs, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, began = jobs.folder(job_id), datetime.now(UTC).isoformat()
    folder.notebook_request.write_text('{"timeout": 60}')
    folder.result.write_text(json.dumps({"status": "running", "started_at": began}))
    jobs.reconcile()
    before = jobs.get(job_id).status_message
    tomorrow = time.time() + 86_400
    monkeypatch.setattr("scheduler_plugin.records.time.time", lambda: tomorrow)
    jobs.reconcile()

    assert before is None
    assert "Stalled" in (jobs.get(job_id).status_message or "")


def test_a_stalled_job_is_written_once(jobs: Jobs, stalled: str) -> None:
    before = jobs.get(stalled)
    jobs.records.say = None  # type: ignore[method-assign, assignment]  # nobody is to write it
    jobs.reconcile()

    assert jobs.get(stalled) == before


def test_a_stalled_job_that_goes_on_says_nothing_any_more(
    jobs: Jobs, stalled: str, backend: StandIn
) -> None:
    backend.runs[name(stalled)] = replace(backend.runs[name(stalled)], active_deadline=10**6)
    jobs.reconcile()

    assert jobs.get(stalled).status_message is None


def test_a_stalled_job_that_ends_says_how_it_ended(
    jobs: Jobs, stalled: str, backend: StandIn
) -> None:
    end(backend, stalled, Phase.SUCCEEDED)
    jobs.reconcile()

    job = jobs.get(stalled)
    assert (job.status, job.status_message) == (JobStatus.COMPLETED, None)


@pytest.mark.parametrize("status", [*ENDED, JobStatus.STOPPING])
def test_a_stall_is_written_over_nothing_but_a_running_job(
    status: JobStatus, jobs: Jobs, job_id: str
) -> None:
    if status is JobStatus.STOPPING:
        jobs.records.ask_stop(job_id)
    else:
        jobs.records.finish(job_id, outcome(status, datetime.now(UTC)))
    before = jobs.get(job_id)

    assert not jobs.records.say(job_id, "Stalled.")
    assert jobs.get(job_id) == before


# --- lost records


def lose(jobs: Jobs, backend: StandIn, job_id: str) -> None:
    jobs.records.remove(job_id)
    there = backend.runs[name(job_id)]
    backend.runs[name(job_id)] = replace(there, created_at=datetime.now(UTC) - LATER)


def test_a_lost_record_is_made_anew_and_then_brought_up_to_date(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    before = jobs.get(job_id)
    lose(jobs, backend, job_id)
    end(backend, job_id, Phase.SUCCEEDED)

    assert (jobs.reconcile(), jobs.reconcile()) == (1, 1)
    job = jobs.get(job_id)
    assert job.status is JobStatus.COMPLETED
    assert (job.name, job.tags, job.input_filename) == (
        before.name,
        before.tags,
        before.input_filename,
    )


def test_a_run_whose_record_may_still_come_is_left_alone(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    jobs.records.remove(job_id)

    assert jobs.reconcile() == 0


def test_a_deleted_job_does_not_come_back(jobs: Jobs, job_id: str, backend: StandIn) -> None:
    lose(jobs, backend, job_id)
    jobs.folder(job_id).remove()

    assert jobs.reconcile() == 0


def test_a_job_that_is_deleted_while_it_is_looked_at_does_not_come_back(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    lose(jobs, backend, job_id)
    found = dict(backend.runs)
    backend.runs.clear()
    backend.list = lambda labels=None: iter(found.values())  # type: ignore[method-assign]

    assert jobs.reconcile() == 0


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_a_record_without_what_it_was_made_of_stays_lost(
    text: str, jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    lose(jobs, backend, job_id)
    jobs.folder(job_id).job.write_text(text)

    assert jobs.reconcile() == 0


def test_runs_of_another_home_are_left_alone(
    jobs: Jobs, job_id: str, backend: StandIn, settings: Settings
) -> None:
    other = labels.home_labels(settings.owner, settings.staging / "other")
    carried = {**labels.job_labels(job_id="1-2", owner=settings.owner), **other}
    theirs = RunInfo(
        name="job-1-2",
        uid="u",
        labels=carried,
        created_at=datetime.now(UTC) - LATER,
    )
    backend.runs[theirs.name] = theirs

    assert jobs.reconcile() == 0
    assert backend.runs[theirs.name] == theirs


# --- several servers, and faults


def test_only_one_server_of_a_home_reconciles_at_a_time(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    end(backend, job_id, Phase.SUCCEEDED)
    with FileLock(jobs.settings.staging / reconcile.LOCK):
        assert jobs.reconcile() == 0
    assert jobs.reconcile() == 1


def test_a_home_that_cannot_lock_is_reconciled_all_the_same(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    (jobs.settings.staging / reconcile.LOCK).unlink(missing_ok=True)
    (jobs.settings.staging / reconcile.LOCK).mkdir()
    end(backend, job_id, Phase.SUCCEEDED)

    assert jobs.reconcile() == 1


def test_while_the_backend_is_away_it_is_asked_once(
    jobs: Jobs, create: Callable[[], str], backend: StandIn
) -> None:
    for _ in range(3):
        create()
    asked: list[str] = []

    def away(what: str) -> Any:
        asked.append(what)
        raise Unavailable("Argo Server did not answer.")

    backend.list = lambda labels=None: away("list")  # type: ignore[method-assign]
    backend.get = lambda name: away("get")  # type: ignore[method-assign]

    assert (jobs.reconcile(), asked) == (0, ["list"])


def test_one_record_that_cannot_be_healed_does_not_keep_the_others(
    jobs: Jobs, create: Callable[[], str], backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(), create()
    for one in (first, second):
        end(backend, one, Phase.SUCCEEDED)
    write = jobs.records.finish

    def finish(job_id: str, outcome: Outcome) -> bool:
        if job_id == first:
            raise DatabaseUnavailable("locked")
        return write(job_id, outcome)

    monkeypatch.setattr(jobs.records, "finish", finish)

    assert jobs.reconcile() == 1
    assert jobs.get(second).status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "FAILED", "message": null, "ended_at": Infinity}',
        '{"status": "FAILED", "message": null, "ended_at": null}',
        "[" * 100_000,
        "[1]",
        "",
    ],
)
def test_an_outbox_that_cannot_be_read_counts_as_none(
    jobs: Jobs, job_id: str, backend: StandIn, text: str
) -> None:
    jobs.folder(job_id).outbox.write_text(text)
    end(backend, job_id, Phase.SUCCEEDED)

    assert jobs.reconcile() == 1
    assert jobs.get(job_id).status is JobStatus.COMPLETED


@pytest.mark.parametrize("ended", [True, False])
def test_one_odd_run_does_not_keep_the_others(
    jobs: Jobs, create: Callable[[], str], backend: StandIn, ended: bool
) -> None:
    odd, good = create(), create()
    for one in (odd, good):
        end(backend, one, Phase.SUCCEEDED)
    if ended:
        jobs.records.finish(odd, outcome(JobStatus.FAILED, datetime.now(UTC)))
    there = backend.runs[name(odd)]
    backend.runs[name(odd)] = replace(there, finished_at="yesterday")  # type: ignore[arg-type]  # odd

    assert jobs.reconcile() == 1
    assert jobs.get(good).status is JobStatus.COMPLETED


def test_where_a_job_was_sent_is_noted_with_its_uid(jobs: Jobs, job_id: str) -> None:
    noted = json.loads(jobs.folder(job_id).run.read_text())

    assert noted == {"backend": "stand-in", "uid": f"uid-job-{job_id}"}


def test_an_outbox_of_a_job_whose_folder_is_gone_is_no_error(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    staging.JobFolder(jobs.folder(job_id).root).remove()

    assert jobs.reconcile() == 0


# --- cron workflows


def cron(settings: Settings, definition: str, **more: Any) -> CronInfo:
    carried = labels.home_labels(settings.owner, settings.staging)
    carried |= labels.definition_labels(job_definition_id=definition, owner=settings.owner)
    return CronInfo(name=labels.cron_name(definition), uid="u", labels=carried, **more)


def test_a_cron_workflow_without_definition_and_files_is_deleted_and_no_other_is(
    jobs: Jobs, settings: Settings, backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.staging / "with-files").mkdir(parents=True)
    monkeypatch.setattr(jobs.records, "has_definition", lambda name: name == "with-row")
    strange = replace(cron(settings, "gone"), name="made-by-hand")
    found = [cron(settings, name) for name in ("gone", "with-files", "with-row")]
    backend.list_crons = lambda labels=None: iter([*found, strange])  # type: ignore[method-assign]
    deleted: list[str] = []
    monkeypatch.setattr(backend, "delete_cron", deleted.append)
    jobs.reconcile()

    assert deleted == ["def-gone"]


def test_definitions_are_known_by_their_rows(jobs: Jobs) -> None:
    assert not jobs.records.has_definition("1-2")


def test_jobs_are_healed_while_cron_workflows_cannot_be_listed(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    def forbidden(labels: Any = None) -> Any:
        raise Forbidden("You may not list cron workflows.")

    backend.list_crons = forbidden  # type: ignore[method-assign]
    end(backend, job_id, Phase.SUCCEEDED)

    assert jobs.reconcile() == 1


# --- ticks whose first step never made their record


def ticked(jobs: Jobs, backend: StandIn, definition_id: str, age: timedelta = LATER) -> RunInfo:
    carried = labels.definition_labels(job_definition_id=definition_id, owner="ada") | jobs.home
    made = datetime.now(UTC) - age
    run = RunInfo(
        name=f"{labels.cron_name(definition_id)}-1",
        uid="5-6",
        labels=carried,
        phase=Phase.FAILED,
        shutdown="Terminate",
        created_at=made,
        finished_at=made,
    )
    backend.runs[run.name] = run
    return run


@pytest.fixture
def definition_id(jobs: Jobs, db_url: str, write_notebook: Callable[..., Path]) -> str:
    write_notebook("nb.ipynb", "1")
    asked = JobRequest(input_uri="nb.ipynb", name="nightly", runtime_environment_name="server")
    definitions = Definitions(DefinitionRecords(Database(db_url)), jobs)
    return definitions.create(DefinitionRequest(job=asked, schedule="0 0 1 1 *"))


def test_a_terminated_tick_gets_the_record_that_its_first_step_never_made(
    jobs: Jobs, definition_id: str, backend: StandIn
) -> None:
    ticked(jobs, backend, definition_id)

    assert (jobs.reconcile(), jobs.reconcile()) == (1, 1)
    job = jobs.get("5-6")
    assert (job.status, job.job_definition_id) == (JobStatus.STOPPED, definition_id)


def test_a_tick_that_is_about_to_make_its_record_is_left_to_it(
    jobs: Jobs, definition_id: str, backend: StandIn
) -> None:
    ticked(jobs, backend, definition_id, timedelta())

    assert jobs.reconcile() == 0


@pytest.mark.parametrize("text", [None, "{"])
def test_a_tick_whose_definition_cannot_be_read_has_no_record(
    text: str | None, jobs: Jobs, definition_id: str, backend: StandIn
) -> None:
    file = jobs.settings.staging / definition_id / "tick.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    ticked(jobs, backend, definition_id)

    assert jobs.reconcile() == 0
