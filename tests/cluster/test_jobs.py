"""Notebook jobs on a real Argo: their records are right however they end."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.errors import NotFound
from scheduler_plugin import labels, reconcile
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database, Patience
from scheduler_plugin.environments import Environments
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Job, Records
from scheduler_plugin.status import JobStatus
from tests.cluster.conftest import forget
from tests.cluster.manifests import IMAGE, LABEL, mounted
from tests.scheduler_plugin.conftest import notebook

pytestmark = pytest.mark.cluster

NOTEBOOK = "O'Brien's {{report}}.ipynb"
SLEEP = "open('here', 'w').close()\nimport time\ntime.sleep(300)"


@pytest.fixture
def settings(shared_folder: Path, session: str) -> Settings:
    """A home that JupyterLab and its pods share: notebooks, staging and the database."""
    from jupyter_scheduler.orm import create_tables

    url = f"sqlite:///{shared_folder}/scheduler.sqlite"
    create_tables(url)
    spec, container = mounted(shared_folder)
    root = shared_folder / "root"
    root.mkdir()
    return Settings(
        root=root,
        staging=shared_folder / "staging",
        downloads=root / "jobs",
        db_url=url,
        owner=f"tester-{secrets.token_hex(4)}",
        pod="template",
        pod_template={
            "image": IMAGE,
            "container": container,
            "template": spec,
            "labels": {LABEL: session},
        },
    )


@pytest.fixture
def jobs(settings: Settings, backend: ArgoServerBackend) -> Iterator[Jobs]:
    records = Records(Database(settings.db_url, Patience(attempt=2, total=10)))
    jobs = Jobs(settings, records, Environments({}), lambda: backend)
    yield jobs
    for run in list(backend.list({labels.OWNER: settings.owner})):
        forget(backend.terminate, run.name)
        forget(backend.delete, run.name)


Create = Callable[..., str]


@pytest.fixture
def create(jobs: Jobs) -> Create:
    def create(*cells: str, **asked: Any) -> str:
        path = jobs.settings.root / NOTEBOOK
        path.write_text(json.dumps(notebook(*cells)), encoding="utf-8")
        request = JobRequest(
            input_uri=NOTEBOOK, name="report", runtime_environment_name="server", **asked
        )
        return jobs.create(request)

    return create


def once(jobs: Jobs, job_id: str, true: Callable[[Job], bool], within: float = 90.0) -> Job:
    """The record as soon as that is true of it."""
    deadline = time.monotonic() + within
    while not true(jobs.get(job_id)):
        assert time.monotonic() < deadline, jobs.get(job_id)
        time.sleep(0.3)
    return jobs.get(job_id)


def ended(jobs: Jobs, job_id: str) -> Job:
    return once(jobs, job_id, lambda job: job.status.ended)


def runs(jobs: Jobs, job_id: str) -> None:
    """Wait until its notebook does."""
    once(jobs, job_id, lambda job: (jobs.folder(job_id).work / "here").exists())


def test_a_notebook_job_runs_and_the_cluster_writes_its_record(jobs: Jobs, create: Create) -> None:
    cells = ["# parameters\nx = 1", "print('x is', repr(x))"]
    job_id = create(*cells, parameters={"x": "{{workflow.name}} $(HOME)"}, output_formats=("html",))
    job = ended(jobs, job_id)
    folder = jobs.folder(job_id)

    assert (job.status, job.status_message) == (JobStatus.COMPLETED, None)
    assert "x is '{{workflow.name}} $(HOME)'" in folder.output("log").read_text()
    assert folder.output("html").exists()
    assert job.start_time is not None
    assert job.end_time is not None
    assert job.start_time < job.end_time


def test_a_notebook_that_fails_says_why(jobs: Jobs, create: Create) -> None:
    job = ended(jobs, create("raise ValueError('no such region')"))

    assert job.status is JobStatus.FAILED
    assert "no such region" in (job.status_message or "")


def test_a_stopped_job_is_stopped_and_stays_so(jobs: Jobs, create: Create) -> None:
    job_id = create(SLEEP)
    runs(jobs, job_id)
    started = jobs.get(job_id).start_time
    jobs.stop(job_id)
    job = ended(jobs, job_id)

    assert (job.status, job.start_time) == (JobStatus.STOPPED, started)
    jobs.reconcile()
    assert jobs.get(job_id).status is JobStatus.STOPPED


def test_a_terminated_job_is_healed(jobs: Jobs, create: Create, backend: ArgoServerBackend) -> None:
    job_id = create(SLEEP)
    runs(jobs, job_id)
    backend.terminate(labels.workflow_name(job_id))
    job = healed(jobs, job_id)

    assert job.status is JobStatus.STOPPED


def test_a_job_whose_workflow_is_deleted_is_failed_and_says_so(
    jobs: Jobs, create: Create, backend: ArgoServerBackend
) -> None:
    job_id = create(SLEEP)
    runs(jobs, job_id)
    backend.delete(labels.workflow_name(job_id))
    job = healed(jobs, job_id)

    assert job.status is JobStatus.FAILED
    assert "deleted before its result was known" in (job.status_message or "")


def test_a_retry_in_argos_own_interface_is_followed(
    jobs: Jobs, create: Create, backend: ArgoServerBackend
) -> None:
    job_id = create("import os\nif not os.path.exists('again'): open('again', 'w'); 1 / 0")
    assert ended(jobs, job_id).status is JobStatus.FAILED
    name = labels.workflow_name(job_id)
    *_, _ = backend.watch(name)
    backend.retry(name)
    *_, _ = backend.watch(name)
    jobs.reconcile()

    assert jobs.get(job_id).status is JobStatus.COMPLETED


def test_a_lost_record_is_made_anew(
    jobs: Jobs, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = create("print(1)")
    before = ended(jobs, job_id)
    jobs.records.remove(job_id)
    monkeypatch.setattr(reconcile, "SENDING_MILLISECONDS", 0)
    healed(jobs, job_id)

    assert (jobs.get(job_id).status, jobs.get(job_id).name) == (before.status, before.name)


def test_a_deleted_job_leaves_nothing_behind(
    jobs: Jobs, create: Create, backend: ArgoServerBackend
) -> None:
    job_id = create(SLEEP)
    jobs.delete(job_id)

    assert not jobs.folder(job_id).root.exists()
    with pytest.raises(NotFound):
        backend.get(labels.workflow_name(job_id))


def test_the_databases_url_comes_out_of_a_secret(
    jobs: Jobs, create: Create, backend: ArgoServerBackend
) -> None:
    """There is no such Secret here: the step that would record waits for it, and says so."""
    jobs.settings = replace(
        jobs.settings, db_url="postgresql://ada:s3cret@db/jobs", database_secret="no-such-secret"
    )
    job_id = create("print(1)")
    said = backend_says(backend, labels.workflow_name(job_id), "no-such-secret")

    assert "s3cret" not in said


def healed(jobs: Jobs, job_id: str) -> Job:
    """The record once reconciling has ended it."""

    def true() -> bool:
        jobs.reconcile()
        return job_id in jobs.records.endings([job_id]) and jobs.get(job_id).status.ended

    until(true)
    return jobs.get(job_id)


def backend_says(backend: ArgoServerBackend, name: str, word: str) -> str:
    """The workflow, as text, once the word is in it."""
    until(lambda: word in repr(backend.get(name)))
    return repr(backend.get(name))


def until(true: Callable[[], bool], within: float = 90.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.3)
