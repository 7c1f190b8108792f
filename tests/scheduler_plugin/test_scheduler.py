"""What jupyter_scheduler's handlers call, without a server around it."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler import models
from jupyter_scheduler.exceptions import IdempotencyTokenError, InputUriError, SchedulerError
from traitlets import TraitError

from couler_jobs.errors import Unavailable
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.execution import FEATURES, ArgoExecutionManager
from scheduler_plugin.scheduler import ArgoJobFiles, ArgoScheduler
from scheduler_plugin.status import JobStatus, Outcome
from scheduler_plugin.task_runner import ReconcilingTaskRunner

from .standin import StandIn

Write = Callable[..., Path]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def scheduler(settings: Settings, environments: Environments, backend: StandIn) -> ArgoScheduler:
    scheduler = ArgoScheduler(
        root_dir=str(settings.root),
        environments_manager=CondaEnvironments(environments),
        db_url=settings.db_url,
        image=settings.image,
    )
    scheduler.jobs.settings = replace(scheduler.settings(), staging=settings.staging)
    scheduler.jobs._choose_backend = lambda: backend
    return scheduler


@pytest.fixture
def asked(write_notebook: Write) -> models.CreateJob:
    write_notebook("nb.ipynb", "1")
    return models.CreateJob(
        input_uri="nb.ipynb",
        name="report",
        runtime_environment_name="server",
        output_formats=["ipynb", "html"],
        tags=["mine"],
        parameters={"a": "1"},
    )


@pytest.fixture
def job_id(scheduler: ArgoScheduler, asked: models.CreateJob) -> str:
    found: str = run(scheduler.create_job(asked))
    return found


def test_a_job_is_described_in_jupyter_schedulers_words(
    scheduler: ArgoScheduler, job_id: str
) -> None:
    job = run(scheduler.get_job(job_id))

    assert isinstance(job, models.DescribeJob)
    assert (job.status, job.tags, job.parameters) == (
        models.Status.IN_PROGRESS,
        ["mine"],
        {"a": "1"},
    )
    assert job.url == f"/jobs/{job_id}"
    assert job.downloaded is False


def test_a_running_job_says_how_far_it_is(scheduler: ArgoScheduler, job_id: str) -> None:
    before = run(scheduler.get_job(job_id)).status_message
    progress = scheduler.jobs.folder(job_id).progress
    progress.write_text('{"cell": 2, "cells": 5, "status": "running"}')

    (listed,) = run(scheduler.list_jobs(models.ListJobsQuery())).jobs
    found = run(scheduler.get_job(job_id)).status_message
    assert (before, found, listed.status_message) == (None, *["Running cell 2 of 5."] * 2)


def test_a_job_that_stalled_says_that_and_not_how_far_it_is(
    scheduler: ArgoScheduler, job_id: str
) -> None:
    scheduler.jobs.folder(job_id).progress.write_text(
        '{"cell": 2, "cells": 5, "status": "running"}'
    )
    scheduler.jobs.records.say(job_id, "Stalled.")

    assert run(scheduler.get_job(job_id)).status_message == "Stalled."


def test_the_log_is_one_of_the_jobs_files(scheduler: ArgoScheduler, job_id: str) -> None:
    files = run(scheduler.get_job(job_id)).job_files

    assert [(file.display_name, file.file_format) for file in files] == [
        ("Notebook", "ipynb"),
        ("HTML", "html"),
        ("Log", "log"),
        ("Input", "input"),
    ]
    assert all(file.file_path is None for file in files)


def test_without_files_a_job_is_described_without_a_look_at_the_disk(
    scheduler: ArgoScheduler, job_id: str
) -> None:
    assert run(scheduler.get_job(job_id, False)).job_files == []


def end(scheduler: ArgoScheduler, job_id: str) -> None:
    folder = scheduler.jobs.folder(job_id)
    for one in ("ipynb", "log"):
        folder.output(one).write_text(one)
    scheduler.jobs.records.finish(
        job_id, Outcome(status=JobStatus.COMPLETED, message=None, ended_at=1)
    )


@pytest.mark.parametrize("again", [False, "false", "true"])
def test_a_download_is_done_when_it_is_answered(
    scheduler: ArgoScheduler, job_id: str, again: bool | str
) -> None:
    end(scheduler, job_id)
    assert not run(scheduler.get_job(job_id)).downloaded
    run(ArgoJobFiles(scheduler).copy_from_staging(job_id, again))

    job = run(scheduler.get_job(job_id))
    paths = {file.file_format: file.file_path for file in job.job_files}
    assert job.downloaded
    assert paths["html"] is None  # it was never made, so it is not missed
    assert paths["input"] == f"jobs/nb-{job_id}/nb.ipynb"
    root = Path(scheduler.root_dir)
    assert (root / paths["log"]).read_text() == "log"
    assert paths["ipynb"].startswith(f"jobs/nb-{job_id}/nb-")


def test_a_download_that_fails_is_said(scheduler: ArgoScheduler, job_id: str) -> None:
    end(scheduler, job_id)
    (Path(scheduler.root_dir) / "jobs").write_text("in the way")

    with pytest.raises(SchedulerError, match="cannot be downloaded"):
        run(ArgoJobFiles(scheduler).copy_from_staging(job_id))


def test_another_scheduler_keeps_its_own_way_of_downloading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from jupyter_scheduler.job_files_manager import JobFilesManager

    called: list[tuple[str, bool]] = []

    async def upstream(_: object, job_id: str, redownload: bool) -> None:
        called.append((job_id, redownload))

    monkeypatch.setattr(JobFilesManager, "copy_from_staging", upstream)
    run(ArgoJobFiles(object()).copy_from_staging("1-2", True))
    assert called == [("1-2", True)]


def test_files_are_where_jupyter_scheduler_asks_for_them(
    scheduler: ArgoScheduler, job_id: str
) -> None:
    job = run(scheduler.get_job(job_id))
    staged = scheduler.get_staging_paths(job)

    assert set(staged) == {"ipynb", "html", "log", "input"}
    assert Path(staged["input"]).is_file()
    assert scheduler.get_job_filenames(job)["input"] == "nb.ipynb"
    assert scheduler.get_local_output_path(job, root_dir_relative=True) == f"jobs/nb-{job_id}"
    assert scheduler.get_local_output_path(job) == f"{scheduler.root_dir}/jobs/nb-{job_id}"
    assert scheduler.get_staging_paths(None) == {}


def test_packaged_files_are_listed_by_name(
    scheduler: ArgoScheduler, asked: models.CreateJob
) -> None:
    (Path(scheduler.root_dir) / "a.csv").write_text("1")
    job_id = run(scheduler.create_job(asked.copy(update={"package_input_folder": True})))
    job = run(scheduler.get_job(job_id))

    assert scheduler.get_job_filenames(job)["files"] == ["a.csv"]
    assert job.job_files[-1].file_format == "files"
    assert scheduler.get_staging_paths(job)["files"].endswith("/work")


def test_jobs_are_listed_by_page(scheduler: ArgoScheduler, asked: models.CreateJob) -> None:
    for number in range(3):
        run(scheduler.create_job(asked.copy(update={"name": f"n{number}"})))
    by_name = models.SortField(name="name", direction=models.SortDirection.asc)
    first = run(scheduler.list_jobs(models.ListJobsQuery(max_items=2, sort_by=[by_name])))
    rest = run(
        scheduler.list_jobs(
            models.ListJobsQuery(max_items=2, sort_by=[by_name], next_token=first.next_token)
        )
    )

    assert [job.name for job in first.jobs] == ["n0", "n1"]
    assert (first.total_count, [job.name for job in rest.jobs], rest.next_token) == (
        3,
        ["n2"],
        None,
    )


def test_a_list_can_ask_for_a_status(scheduler: ArgoScheduler, job_id: str) -> None:
    query = models.ListJobsQuery(status=models.Status.IN_PROGRESS)

    assert [job.job_id for job in run(scheduler.list_jobs(query)).jobs] == [job_id]
    assert run(scheduler.count_jobs(models.CountJobsQuery())) == 1


def test_a_page_that_is_no_number_is_refused(scheduler: ArgoScheduler) -> None:
    with pytest.raises(SchedulerError, match="next_token"):
        run(scheduler.list_jobs(models.ListJobsQuery(next_token="x")))


def test_a_job_is_renamed(scheduler: ArgoScheduler, job_id: str) -> None:
    run(scheduler.update_job(job_id, models.UpdateJob(name="better")))

    assert run(scheduler.get_job(job_id)).name == "better"


def test_a_job_is_stopped_either_way(
    scheduler: ArgoScheduler, job_id: str, backend: StandIn
) -> None:
    run(scheduler.update_job(job_id, models.UpdateJob(status=models.Status.STOPPED)))
    assert backend.runs[f"job-{job_id}"].shutdown == "Stop"

    run(scheduler.stop_job(job_id))
    assert run(scheduler.get_job(job_id)).status == models.Status.STOPPING


def test_a_job_is_deleted(scheduler: ArgoScheduler, job_id: str, backend: StandIn) -> None:
    run(scheduler.delete_job(job_id))

    with pytest.raises(SchedulerError, match="no job"):
        run(scheduler.get_job(job_id))
    assert backend.runs == {}


# --- errors


def test_a_missing_notebook_is_jupyter_schedulers_own_error(
    scheduler: ArgoScheduler, asked: models.CreateJob
) -> None:
    with pytest.raises(InputUriError, match=r"other\.ipynb"):
        run(scheduler.create_job(asked.copy(update={"input_uri": "other.ipynb"})))


def test_a_token_that_is_taken_is_jupyter_schedulers_own_error(
    scheduler: ArgoScheduler, asked: models.CreateJob
) -> None:
    once = asked.copy(update={"idempotency_token": "once"})
    run(scheduler.create_job(once))

    with pytest.raises(IdempotencyTokenError, match="once"):
        run(scheduler.create_job(once))


def test_every_other_error_is_a_sentence(
    scheduler: ArgoScheduler, asked: models.CreateJob, backend: StandIn
) -> None:
    backend.error = Unavailable("Argo Server did not answer.")

    with pytest.raises(SchedulerError, match="did not answer"):
        run(scheduler.create_job(asked))


# --- definitions


@pytest.fixture
def definition_id(scheduler: ArgoScheduler, asked: models.CreateJob) -> str:
    same = asked.dict(exclude={"idempotency_token", "job_definition_id"})
    wanted = models.CreateJobDefinition(**same, schedule="0 2 * * *", timezone="Asia/Tokyo")
    found: str = run(scheduler.create_job_definition(wanted))
    return found


def test_a_definition_is_described_in_jupyter_schedulers_words(
    scheduler: ArgoScheduler, definition_id: str
) -> None:
    found = run(scheduler.get_job_definition(definition_id))

    assert isinstance(found, models.DescribeJobDefinition)
    assert (found.active, found.schedule, found.timezone) == (True, "0 2 * * *", "Asia/Tokyo")
    assert (found.name, found.tags, found.parameters) == ("report", ["mine"], {"a": "1"})
    assert found.input_filename == "nb.ipynb"


@pytest.mark.parametrize(
    ("line", "fields", "zone"),
    [
        ("@daily", "0 0 * * *", "UTC"),
        ("TZ=Asia/Tokyo 0 2 * * *", "0 2 * * *", "Asia/Tokyo"),
        ("0 2 ? * MON", "0 2 ? * MON", "UTC"),
        ("@every 1h", None, "UTC"),
    ],
)
def test_a_schedule_that_jupyterlab_cannot_show_is_not_sent_to_it(
    scheduler: ArgoScheduler, definition_id: str, line: str, fields: str | None, zone: str
) -> None:
    changes = {"schedule": line, "timezone": "UTC"}
    scheduler.definitions.records.change(definition_id, changes)
    found = run(scheduler.get_job_definition(definition_id))

    assert (found.schedule, found.timezone) == (fields, zone)


def test_an_update_changes_only_what_was_sent(
    scheduler: ArgoScheduler, definition_id: str, backend: StandIn
) -> None:
    template = models.UpdateJobDefinition(output_filename_template="{{name}}")
    run(scheduler.update_job_definition(definition_id, template))
    run(scheduler.update_job_definition(definition_id, models.UpdateJobDefinition(active=False)))
    run(scheduler.update_job_definition(definition_id, models.UpdateJobDefinition(name="new")))

    found = run(scheduler.get_job_definition(definition_id))
    assert (found.name, found.active, found.parameters) == ("new", False, {"a": "1"})
    assert found.output_filename_template == "{{name}}"


def test_definitions_are_paged(scheduler: ArgoScheduler, definition_id: str) -> None:
    first = run(scheduler.list_job_definitions(models.ListJobDefinitionsQuery(max_items=0)))
    all_ = run(scheduler.list_job_definitions(models.ListJobDefinitionsQuery(max_items=None)))

    assert (first.total_count, first.next_token, first.job_definitions) == (1, "0", [])
    assert [one.job_definition_id for one in all_.job_definitions] == [definition_id]
    with pytest.raises(SchedulerError, match="next_token is a number"):
        run(scheduler.list_job_definitions(models.ListJobDefinitionsQuery(next_token="x")))


def test_a_definition_is_run_now_and_deleted_with_its_job(
    scheduler: ArgoScheduler, definition_id: str, backend: StandIn
) -> None:
    wanted = models.CreateJobFromDefinition(parameters={"a": "2"})
    job_id = run(scheduler.create_job_from_definition(definition_id, wanted))
    assert run(scheduler.get_job(job_id)).parameters == {"a": "2"}
    run(scheduler.delete_job_definition(definition_id))

    assert (backend.crons, backend.runs) == ({}, {})
    assert run(scheduler.list_job_definitions(models.ListJobDefinitionsQuery())).total_count == 0
    assert run(scheduler.list_jobs(models.ListJobsQuery())).total_count == 0
    with pytest.raises(SchedulerError, match="no job definition"):
        run(scheduler.get_job_definition(definition_id))


def test_the_operators_policies_are_taken(scheduler: ArgoScheduler) -> None:
    scheduler.concurrency_policy = "Replace"
    scheduler.retries = 2
    scheduler.upper_limits = {"retries": 5}

    settings = scheduler.settings()
    assert settings.defaults["concurrency_policy"] == "Replace"
    assert (settings.defaults["retries"], settings.upper_limits) == (2, {"retries": 5})


@pytest.mark.parametrize("limits", [{"retry": 1}, {"retries": "many"}, {"concurrency_policy": 1}])
def test_limits_that_are_none_are_the_operators_error(
    scheduler: ArgoScheduler, limits: dict[str, object]
) -> None:
    with pytest.raises(TraitError, match="upper_limits: The"):
        scheduler.upper_limits = limits


# --- the event loop


def test_the_event_loop_goes_on_while_a_backend_hangs(
    scheduler: ArgoScheduler, asked: models.CreateJob, backend: StandIn
) -> None:
    backend.after_submit = lambda: time.sleep(0.6)
    longest = 0.0

    async def beside() -> None:
        nonlocal longest
        creating = asyncio.create_task(scheduler.create_job(asked))
        while not creating.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        await creating

    run(beside())
    assert longest < 0.5


def test_a_scheduler_is_made_while_its_cluster_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_SERVER", "nowhere.invalid:2746")
    scheduler = ArgoScheduler(
        root_dir=str(settings.root),
        environments_manager=CondaEnvironments(),
        db_url=settings.db_url,
        backend_id="argo",
    )

    assert run(scheduler.list_jobs(models.ListJobsQuery())).jobs == []


# --- what replaces upstream's own running of jobs


def test_nothing_of_upstream_runs_a_job_or_a_definition(scheduler: ArgoScheduler) -> None:
    assert isinstance(scheduler.task_runner, ReconcilingTaskRunner)
    assert scheduler.execution_manager_class is ArgoExecutionManager


def test_features_and_validation_are_asked_of_the_class_by_hand(
    write_notebook: Write, tmp_path: Path
) -> None:
    by_hand = ArgoExecutionManager
    good, lost = write_notebook("a.ipynb"), write_notebook("b.ipynb", kernelspec={})

    assert by_hand.supported_features(by_hand) == FEATURES  # type: ignore[arg-type]
    assert by_hand.validate(by_hand, str(good))  # type: ignore[arg-type]
    assert not by_hand.validate(by_hand, str(lost))  # type: ignore[arg-type]
    assert not by_hand.validate(by_hand, str(tmp_path / "none"))  # type: ignore[arg-type]


def test_every_feature_of_jupyter_scheduler_is_answered() -> None:
    assert set(FEATURES) == set(models.JobFeature)


def test_no_job_is_run_inside_the_server(settings: Settings) -> None:
    manager = ArgoExecutionManager("1-2", str(settings.root), settings.db_url, {})

    with pytest.raises(NotImplementedError):
        manager.execute()


def test_nothing_forks_the_server(scheduler: ArgoScheduler, asked: models.CreateJob) -> None:
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(os.getpid()))

    job_id = run(scheduler.create_job(asked))
    run(scheduler.stop_job(job_id))
    end(scheduler, job_id)
    run(ArgoJobFiles(scheduler).copy_from_staging(job_id))
    run(scheduler.delete_job(job_id))

    assert forks == []


def rounds(scheduler: Any, number: int) -> None:
    runner = ReconcilingTaskRunner(scheduler=scheduler)
    runner.poll_interval = 0

    async def some() -> None:
        task = asyncio.create_task(runner.start())
        while scheduler.rounds < number:
            await asyncio.sleep(0.01)
        task.cancel()

    run(some())


class Rounds:
    """A scheduler whose reconciler fails each time."""

    def __init__(self) -> None:
        self.rounds = 0
        self.jobs = self

    def reconcile(self) -> int:
        self.rounds += 1
        raise RuntimeError("odd")

    async def in_thread(self, work: Callable[[], int]) -> int:
        return work()


def test_the_reconciler_goes_on_after_any_error() -> None:
    scheduler = Rounds()
    rounds(scheduler, 3)

    assert scheduler.rounds >= 3


def test_the_task_runner_takes_definitions_without_running_them(
    scheduler: ArgoScheduler,
) -> None:
    runner = scheduler.task_runner
    for call in (runner.add_job_definition, runner.delete_job_definition):
        assert call("1-2") is None
    assert runner.update_job_definition("1-2", None) is None
