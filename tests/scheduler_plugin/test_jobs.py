import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.errors import CoulerJobsError, Forbidden, NotFound, Unavailable
from couler_jobs.spec.status import Phase
from scheduler_plugin import in_pod, staging
from scheduler_plugin.config import Settings
from scheduler_plugin.decisions import SENDING_MILLISECONDS
from scheduler_plugin.downloads import job_files, local_folder
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import (
    AlreadyRequested,
    DatabaseUnavailable,
    JobRefused,
    NoSuchJob,
    StagingFailed,
)
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.labels import workflow_name
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.pod import DB_URL_VARIABLE, RECORDING
from scheduler_plugin.records import JobsQuery, Records, milliseconds
from scheduler_plugin.status import JobStatus, Outcome
from scheduler_plugin.step_requests import RecordStatus

from .standin import StandIn

Write = Callable[..., Path]
HOSTILE = "O'Brien's \"report\" {{x}} $(id) ;é.ipynb"
WITH_PASSWORD = "postgresql://ada:s3cret@db/jobs"
AWAY = Unavailable("Argo Server did not answer.")


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def jobs(
    settings: Settings, records: Records, environments: Environments, backend: StandIn
) -> Jobs:
    return Jobs(settings, records, environments, lambda: backend)


@pytest.fixture
def request_(write_notebook: Write) -> JobRequest:
    write_notebook(HOSTILE, "print(1)")
    return JobRequest(
        input_uri=HOSTILE,
        name="report",
        runtime_environment_name="server",
        output_formats=("ipynb", "html"),
        parameters={"password": "{{workflow.name}} $(HOME) '\"; rm -rf /"},
        tags=("mine",),
    )


@pytest.fixture
def job_id(jobs: Jobs, request_: JobRequest) -> str:
    return jobs.create(request_)


def finish(jobs: Jobs, job_id: str, status: JobStatus = JobStatus.COMPLETED) -> None:
    jobs.records.finish(job_id, Outcome(status=status, message=None, ended_at=milliseconds()))


# --- creating


def test_a_created_job_runs_under_its_own_name_and_labels(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    job = jobs.get(job_id)
    manifest = backend.manifests[f"job-{job_id}"]

    assert job.status is JobStatus.IN_PROGRESS
    assert job.start_time is not None
    assert manifest["metadata"]["labels"]["argo-workflows-executor/job-id"] == job_id
    assert manifest["metadata"]["labels"]["argo-workflows-executor/owner"] == "ada"


def test_the_owner_is_who_the_server_knows_and_no_label_of_argos_own_is_claimed(
    job_id: str, backend: StandIn
) -> None:
    manifest = backend.manifests[f"job-{job_id}"]
    labels = manifest["metadata"]["labels"]

    assert {name.partition("/")[0] for name in labels} == {"argo-workflows-executor"}
    assert "workflowMetadata" not in manifest["spec"]


def test_a_parameter_is_no_variable_of_a_container(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    job_id = jobs.create(replace(request_, parameters={"PATH": "x", "HOME": "y"}))
    templates = backend.manifests[f"job-{job_id}"]["spec"]["templates"]
    containers = [one.get("container") or one.get("script") or {} for one in templates]
    variables = {item["name"] for one in containers for item in one.get("env", ())}

    assert any(containers)
    assert variables.isdisjoint({"PATH", "HOME"})


def test_the_users_tags_and_parameters_are_kept_as_typed(
    jobs: Jobs, job_id: str, request_: JobRequest
) -> None:
    job = jobs.get(job_id)

    assert (job.tags, job.parameters) == (("mine",), request_.parameters)


def test_nothing_that_a_user_typed_is_in_the_manifest(job_id: str, backend: StandIn) -> None:
    text = json.dumps(backend.manifests[f"job-{job_id}"])

    assert "{{workflow.status}}" in text
    for typed in ("O'Brien", "password", "rm -rf", "{{x}}", "$("):
        assert typed not in text


def test_nothing_of_the_servers_environment_is_in_the_manifest(
    jobs: Jobs, request_: JobRequest, backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "s3cret-1")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "s3cret-2")
    monkeypatch.setenv("JUPYTER_PATH", "/opt/kernels")
    text = json.dumps(backend.manifests[f"job-{jobs.create(request_)}"])

    assert "s3cret" not in text
    assert "/opt/kernels" in text


def test_the_notebook_program_is_asked_for_all_of_the_job(jobs: Jobs, job_id: str) -> None:
    folder = jobs.folder(job_id)
    asked = json.loads(folder.notebook_request.read_text())

    assert asked["input"] == str(folder.work / HOSTILE)
    assert asked["parameters"] == {"password": "{{workflow.name}} $(HOME) '\"; rm -rf /"}
    assert asked["formats"] == {"html": str(folder.output("html"))}
    assert asked["kernel"] == "python3"


def test_the_notebook_as_it_was_checked_is_the_one_that_runs(
    jobs: Jobs, job_id: str, settings: Settings
) -> None:
    before = (settings.root / HOSTILE).read_bytes()
    (settings.root / HOSTILE).write_text("changed meanwhile")

    assert jobs.folder(job_id).input(HOSTILE).read_bytes() == before


def test_a_folder_goes_along(jobs: Jobs, request_: JobRequest, settings: Settings) -> None:
    (settings.root / "data").mkdir()
    (settings.root / "data" / "a.csv").write_text("1")
    job_id = jobs.create(replace(request_, package_input_folder=True))

    assert (jobs.folder(job_id).work / "data" / "a.csv").read_text() == "1"
    assert jobs.get(job_id).packaged_files == ("data/a.csv",)


def left_behind(jobs: Jobs) -> list[str]:
    staged = [path.name for path in jobs.settings.staging.glob("*")]
    return staged + [job.job_id for job in jobs.list(JobsQuery()).jobs]


@pytest.mark.parametrize(
    "changes",
    [
        {"input_uri": "missing.ipynb"},
        {"input_uri": "../x.ipynb"},
        {"runtime_environment_name": "nowhere"},
        {"output_formats": ("exe",)},
        {"parameters": {"a b": "1"}},
    ],
)
def test_what_cannot_be_a_job_leaves_nothing_behind(
    jobs: Jobs, request_: JobRequest, changes: dict[str, Any]
) -> None:
    with pytest.raises(JobRefused):
        jobs.create(replace(request_, **changes))
    assert left_behind(jobs) == []


def test_a_second_job_for_one_idempotency_token_leaves_nothing_behind(
    jobs: Jobs, request_: JobRequest
) -> None:
    once = replace(request_, idempotency_token="once")
    first = jobs.create(once)

    with pytest.raises(AlreadyRequested):
        jobs.create(once)
    assert set(left_behind(jobs)) == {first}


def test_staging_that_fails_leaves_nothing_behind(jobs: Jobs, request_: JobRequest) -> None:
    jobs.settings.staging.write_text("a file where the folder should be")

    with pytest.raises(StagingFailed, match="cannot be staged"):
        jobs.create(request_)
    jobs.settings.staging.unlink()
    assert left_behind(jobs) == []


def test_a_locked_database_leaves_nothing_behind(
    jobs: Jobs, request_: JobRequest, tmp_path: Path
) -> None:
    lock = sqlite3.connect(tmp_path / "scheduler.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable):
        jobs.create(request_)
    lock.execute("ROLLBACK")
    lock.close()

    assert left_behind(jobs) == []


def test_a_job_that_is_not_accepted_is_failed_with_the_backends_sentence(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    backend.error = Forbidden("You may not submit workflows: ask for the role argo-developer.")

    with pytest.raises(CoulerJobsError, match="argo-developer"):
        jobs.create(request_)
    (job,) = jobs.list(JobsQuery()).jobs
    assert job.status is JobStatus.FAILED
    assert "argo-developer" in (job.status_message or "")
    assert job.end_time is not None


def test_an_unexpected_error_is_in_the_record_too(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    backend.error = RuntimeError("odd")

    with pytest.raises(CoulerJobsError, match="RuntimeError: odd"):
        jobs.create(request_)
    assert jobs.list(JobsQuery()).jobs[0].status is JobStatus.FAILED


def test_the_first_error_is_told_when_its_record_cannot_be_written(
    jobs: Jobs, request_: JobRequest, backend: StandIn, tmp_path: Path
) -> None:
    lock = sqlite3.connect(tmp_path / "scheduler.sqlite", isolation_level=None)

    def locked_then_refused(_: object) -> None:
        lock.execute("BEGIN IMMEDIATE")
        raise AWAY

    backend.lint = backend.submit = locked_then_refused  # type: ignore[method-assign, assignment]
    with pytest.raises(CoulerJobsError, match="did not answer"):
        jobs.create(request_)
    lock.execute("ROLLBACK")
    lock.close()

    jobs.reconcile()
    assert jobs.list(JobsQuery()).jobs[0].status is JobStatus.FAILED


def test_a_job_that_ended_before_its_submit_returned_keeps_its_end(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    def end_at_once() -> None:
        (name,) = backend.runs
        backend.end(name, Phase.SUCCEEDED)
        finish(jobs, name.removeprefix("job-"))

    backend.after_submit = end_at_once

    assert jobs.get(jobs.create(request_)).status is JobStatus.COMPLETED


def test_a_job_that_is_stopped_while_it_is_sent_is_stopped(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    def stop() -> None:
        (name,) = backend.runs
        jobs.records.ask_stop(name.removeprefix("job-"))

    backend.after_submit = stop
    job_id = jobs.create(request_)

    assert backend.runs[workflow_name(job_id)].shutdown == "Stop"
    assert jobs.get(job_id).status is JobStatus.STOPPING


def test_a_job_that_the_reconciler_sees_while_it_is_sent_goes_on(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    def reconcile() -> None:
        jobs.reconcile()

    backend.after_submit = reconcile
    job_id = jobs.create(request_)

    assert not backend.runs[workflow_name(job_id)].shutdown
    assert jobs.get(job_id).status is JobStatus.IN_PROGRESS


def test_a_database_that_is_locked_once_the_job_runs_is_left_to_the_reconciler(
    jobs: Jobs, request_: JobRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: str, __: int) -> bool:
        raise DatabaseUnavailable("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(jobs.records, "start", locked)
        job_id = jobs.create(request_)
    jobs.reconcile()

    assert jobs.get(job_id).status is JobStatus.IN_PROGRESS


def test_a_job_that_is_deleted_while_it_is_sent_is_gone(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    def delete() -> None:
        (name,) = backend.runs
        jobs.records.remove(name.removeprefix("job-"))

    backend.after_submit = delete
    jobs.create(request_)

    assert backend.runs == {}
    assert left_behind(jobs) == []


def test_a_password_of_the_database_is_in_a_file_for_its_owner_alone(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    backend.name = "local"
    jobs.settings = replace(jobs.settings, db_url=WITH_PASSWORD)
    job_id = jobs.create(request_)
    folder = jobs.folder(job_id)

    assert "s3cret" in folder.db_url.read_text()
    assert folder.root.stat().st_mode & 0o077 == 0
    assert "s3cret" not in folder.status_request.read_text()
    assert "s3cret" not in json.dumps(backend.manifests[f"job-{job_id}"])


def test_on_a_cluster_a_password_of_the_database_comes_from_a_secret_alone(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    jobs.settings = replace(jobs.settings, db_url=WITH_PASSWORD, database_secret="jobs-db/url")
    job_id = jobs.create(request_)
    record, notebook = _containers(backend.manifests[f"job-{job_id}"])

    assert record["env"][-1] == {
        "name": DB_URL_VARIABLE,
        "valueFrom": {"secretKeyRef": {"name": "jobs-db", "key": "url"}},
    }
    assert DB_URL_VARIABLE not in json.dumps(notebook)
    written = [path.read_text() for path in jobs.folder(job_id).record.iterdir()]
    assert "s3cret" not in json.dumps([written, backend.manifests])


def test_a_password_without_a_secret_is_refused_and_leaves_nothing(
    jobs: Jobs, request_: JobRequest
) -> None:
    jobs.settings = replace(jobs.settings, db_url=WITH_PASSWORD)

    with pytest.raises(JobRefused, match=r"ArgoScheduler\.database_secret"):
        jobs.create(request_)
    assert left_behind(jobs) == []


def test_where_only_the_server_writes_the_database_no_step_is_told_of_it(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    url = f"{jobs.settings.db_url}?secret=s3cret"
    jobs.settings = replace(jobs.settings, db_url=url, outbox_only=True)
    folder = jobs.folder(jobs.create(request_))

    written = [path.read_text() for path in folder.record.iterdir()]
    assert "s3cret" not in json.dumps([written, backend.manifests])


def test_where_only_the_server_writes_the_database_its_password_needs_no_secret(
    jobs: Jobs, request_: JobRequest
) -> None:
    jobs.settings = replace(jobs.settings, db_url=WITH_PASSWORD, outbox_only=True)
    assert jobs.get(jobs.create(request_)).status is JobStatus.IN_PROGRESS


def _containers(manifest: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the step that records, and of the notebook's."""
    found = [one["container"] for one in manifest["spec"]["templates"] if "container" in one]
    first, second = sorted(found, key=lambda one: RECORDING not in one["command"])
    return first, second


# --- stopping


def test_stopping_asks_the_backend_and_the_record_waits_for_the_end(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    jobs.stop(job_id)

    assert backend.runs[f"job-{job_id}"].shutdown == "Stop"
    assert jobs.get(job_id).status is JobStatus.STOPPING


def test_a_server_stops_a_job_that_another_one_started(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    later = Jobs(jobs.settings, jobs.records, jobs.environments, lambda: backend)
    later.stop(job_id)

    assert backend.runs[f"job-{job_id}"].shutdown == "Stop"


def test_a_stop_keeps_the_start_time(jobs: Jobs, job_id: str) -> None:
    before = jobs.get(job_id).start_time
    jobs.stop(job_id)
    finish(jobs, job_id, JobStatus.FAILED)

    after = jobs.get(job_id)
    assert (after.status, after.start_time) == (JobStatus.STOPPED, before)


def test_stopping_a_job_whose_run_is_gone_ends_it(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.runs.clear()
    jobs.stop(job_id)

    assert jobs.get(job_id).status is JobStatus.STOPPED


def test_stopping_a_job_whose_run_ended_unnoticed_ends_it(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.end(f"job-{job_id}", Phase.FAILED)
    jobs.stop(job_id)

    assert jobs.get(job_id).status is JobStatus.STOPPED


@pytest.mark.parametrize(
    ("ends", "brought"), [(JobStatus.STOPPED, True), (JobStatus.COMPLETED, False)]
)
def test_what_a_stopped_job_has_written_is_brought_once_it_has_ended(
    jobs: Jobs, job_id: str, ends: JobStatus, brought: bool
) -> None:
    log = jobs.folder(job_id).output("log")
    log.write_text("so far")
    if ends is JobStatus.STOPPED:
        jobs.stop(job_id)
    jobs.reconcile()
    assert not jobs.settings.downloads.exists()
    finish(jobs, job_id, ends)
    jobs.reconcile()

    assert bool(list(jobs.settings.downloads.glob("*/*.log"))) is brought


def test_files_of_a_stopped_job_that_were_deleted_do_not_come_back(jobs: Jobs, job_id: str) -> None:
    jobs.folder(job_id).output("log").write_text("so far")
    jobs.stop(job_id)
    finish(jobs, job_id, JobStatus.STOPPED)
    jobs.reconcile()
    shutil.rmtree(jobs.settings.downloads)
    jobs.reconcile()

    assert not jobs.settings.downloads.exists()


def test_a_stop_that_cannot_be_told_leaves_the_job_as_it_was(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.error = AWAY

    with pytest.raises(Unavailable):
        jobs.stop(job_id)
    assert jobs.get(job_id).status is JobStatus.IN_PROGRESS


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED])
def test_stopping_an_ended_job_does_nothing(
    jobs: Jobs, job_id: str, backend: StandIn, status: JobStatus
) -> None:
    finish(jobs, job_id, status)
    backend.error = AWAY

    jobs.stop(job_id)
    assert jobs.get(job_id).status is status


def test_an_unknown_job_is_not_stopped(jobs: Jobs) -> None:
    with pytest.raises(NoSuchJob):
        jobs.stop("1-2")


# --- deleting


def test_deleting_a_job_deletes_workflow_files_and_record(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    jobs.delete(job_id)

    assert backend.runs == {}
    assert left_behind(jobs) == []


def test_deleting_one_job_touches_no_other(
    jobs: Jobs, job_id: str, request_: JobRequest, settings: Settings
) -> None:
    other = jobs.create(request_)
    jobs.delete(job_id)

    assert left_behind(jobs) == [other, other]
    assert (settings.root / HOSTILE).is_file()


def test_a_running_job_is_not_forgotten_while_its_backend_is_away(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.error = AWAY

    with pytest.raises(Unavailable):
        jobs.delete(job_id)
    assert left_behind(jobs) == [job_id, job_id]


def test_an_ended_job_is_deleted_while_its_backend_is_away(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    finish(jobs, job_id)
    backend.error = AWAY
    jobs.delete(job_id)

    assert left_behind(jobs) == []


def test_a_job_whose_workflow_is_gone_is_deleted(jobs: Jobs, job_id: str, backend: StandIn) -> None:
    backend.runs.clear()
    jobs.delete(job_id)

    assert left_behind(jobs) == []


# --- files


@pytest.fixture
def ended(jobs: Jobs, job_id: str) -> str:
    folder = jobs.folder(job_id)
    for output_format in ("ipynb", "html", "log"):
        folder.output(output_format).write_text(output_format)
    finish(jobs, job_id)
    return job_id


def downloaded(jobs: Jobs, job_id: str) -> set[str]:
    local = local_folder(jobs.settings, jobs.get(job_id))
    return {str(path.relative_to(local)) for path in local.rglob("*") if path.is_file()}


def test_outputs_log_and_input_are_downloaded_under_readable_names(jobs: Jobs, ended: str) -> None:
    jobs.download(ended, again=False)

    job = jobs.get(ended)
    files = job_files(jobs.settings, job)
    named = {file.local.name for file in files if file.format in ("ipynb", "html", "log")}
    assert len(named) == 3
    assert downloaded(jobs, ended) == named | {HOSTILE}


def test_a_reports_images_are_downloaded_beside_it(jobs: Jobs, ended: str) -> None:
    images = jobs.folder(ended).out / "output_files"
    images.mkdir()
    (images / "1.png").write_text("")
    jobs.download(ended, again=False)

    assert "output_files/1.png" in downloaded(jobs, ended)


@pytest.mark.parametrize("with_folder", [True, False])
def test_files_that_the_notebook_made_are_downloaded(
    jobs: Jobs, request_: JobRequest, settings: Settings, with_folder: bool
) -> None:
    (settings.root / "a.csv").write_text("1")
    job_id = jobs.create(replace(request_, package_input_folder=with_folder))
    folder = jobs.folder(job_id)
    (folder.work / "made").mkdir()
    (folder.work / "made" / "b.csv").write_text("2")
    asked = RecordStatus.from_json(folder.status_request.read_text())
    in_pod.record_status(asked, Phase.SUCCEEDED)
    jobs.download(job_id, again=False)

    there = {path for path in downloaded(jobs, job_id) if path.endswith(".csv")}
    assert there == {"made/b.csv"} | ({"a.csv"} if with_folder else set())
    assert "files" in {file.format for file in job_files(settings, jobs.get(job_id))}


@pytest.mark.parametrize(
    "moment",
    [
        1795391999999,  # 2026-11-22 23:59:59.999 UTC
        1792889999999,  # 2026-10-25 00:59:59.999 UTC, as Paris sets its clocks back
        1774745999999,  # 2026-03-29 00:59:59.999 UTC, as Paris sets them forward
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Paris", "Pacific/Apia"])
def test_a_job_that_is_made_just_before_the_clocks_change_is_downloaded_under_one_name(
    jobs: Jobs,
    request_: JobRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    moment: int,
    zone: str,
) -> None:
    monkeypatch.setattr("scheduler_plugin.records.milliseconds", lambda: moment)
    job_id = jobs.create(request_)
    jobs.folder(job_id).output("ipynb").write_text("{}")
    before = job_files(settings, jobs.get(job_id))
    monkeypatch.setattr("scheduler_plugin.records.milliseconds", lambda: moment + 86_400_000)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        jobs.records.start(job_id, moment + 1)
        jobs.records.finish(
            job_id, Outcome(status=JobStatus.COMPLETED, message=None, ended_at=moment + 3_600_000)
        )
        jobs.download(job_id, again=False)
        assert job_files(settings, jobs.get(job_id)) == before
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert before[0].local.name in downloaded(jobs, job_id)


def test_a_download_of_an_unknown_job_is_refused(jobs: Jobs) -> None:
    with pytest.raises(NoSuchJob):
        jobs.download("1-2", again=False)


# --- healing


def test_a_terminated_run_is_healed(jobs: Jobs, job_id: str, backend: StandIn) -> None:
    backend.end(f"job-{job_id}", Phase.FAILED, shutdown="Terminate")

    assert jobs.reconcile() == 1
    assert jobs.get(job_id).status is JobStatus.STOPPED


def test_a_run_that_ended_without_its_handler_is_healed_with_the_notebooks_own_words(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    said = {"status": "failed", "message": "Cell 1 of 1 failed: ValueError: no"}
    jobs.folder(job_id).result.write_text(json.dumps(said))
    backend.end(f"job-{job_id}", Phase.ERROR, message="its supervisor died")
    jobs.reconcile()

    job = jobs.get(job_id)
    assert (job.status, job.status_message) == (JobStatus.FAILED, said["message"])


def test_an_outcome_that_reached_only_the_outbox_is_taken_in_without_the_backend(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.error = AWAY
    outcome = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=5)
    staging.write_durably(jobs.folder(job_id).outbox, outcome.to_json())

    assert jobs.reconcile() == 1
    assert (jobs.get(job_id).status, jobs.get(job_id).end_time) == (JobStatus.COMPLETED, 5)


def test_a_running_job_is_left_alone(jobs: Jobs, job_id: str) -> None:
    assert jobs.reconcile() == 0
    assert jobs.get(job_id).status is JobStatus.IN_PROGRESS


def test_nothing_changes_while_the_backend_is_away(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.error = AWAY

    assert jobs.reconcile() == 0
    assert jobs.get(job_id).status is JobStatus.IN_PROGRESS


def test_a_job_of_another_backend_is_left_alone(jobs: Jobs, job_id: str, backend: StandIn) -> None:
    backend.runs.clear()
    jobs.folder(job_id).run.write_text('{"backend": "argo-server"}')

    assert jobs.reconcile() == 0


def test_a_job_of_another_scheduler_is_left_alone(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    backend.runs.clear()
    jobs.folder(job_id).remove()

    assert jobs.reconcile() == 0


def test_a_job_whose_workflow_was_deleted_is_failed(
    jobs: Jobs, job_id: str, backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.runs.clear()
    later = time.time() + SENDING_MILLISECONDS / 1000 + 1
    monkeypatch.setattr("scheduler_plugin.records.time.time", lambda: later)

    assert jobs.reconcile() == 1
    assert jobs.get(job_id).status is JobStatus.FAILED


def crashed_after_submit(jobs: Jobs, request: JobRequest, backend: StandIn) -> str:
    """What a server leaves that is killed between sending a job and saying so."""

    def die() -> None:
        raise KeyboardInterrupt

    backend.after_submit = die
    with pytest.raises(KeyboardInterrupt):
        jobs.create(request)
    (job,) = jobs.list(JobsQuery()).jobs
    assert job.status is JobStatus.CREATED
    return job.job_id


def test_a_job_whose_server_died_after_sending_it_is_in_progress(
    jobs: Jobs, request_: JobRequest, backend: StandIn
) -> None:
    job_id = crashed_after_submit(jobs, request_, backend)
    jobs.reconcile()

    job = jobs.get(job_id)
    assert job.status is JobStatus.IN_PROGRESS
    assert job.start_time is not None


def test_a_stop_whose_server_died_before_telling_the_backend_is_told(
    jobs: Jobs, job_id: str, backend: StandIn
) -> None:
    jobs.records.ask_stop(job_id)
    jobs.reconcile()

    assert backend.runs[f"job-{job_id}"].shutdown == "Stop"


def test_the_backend_is_chosen_when_it_is_needed(
    settings: Settings, records: Records, environments: Environments
) -> None:
    def none() -> StandIn:
        raise NotFound("there is no backend yet")

    jobs = Jobs(settings, records, environments, none)
    assert jobs.list(JobsQuery()).total == 0
    with pytest.raises(NotFound):
        _ = jobs.backend


def test_a_job_is_renamed_and_counted(jobs: Jobs, job_id: str) -> None:
    jobs.rename(job_id, "better")

    assert jobs.get(job_id).name == "better"
    assert jobs.count(JobStatus.IN_PROGRESS) == 1
