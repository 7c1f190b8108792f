"""Job definitions on a real Argo: they tick by themselves, and each tick has its own record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.errors import NotFound
from scheduler_plugin import labels
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Job, JobsQuery
from scheduler_plugin.status import JobStatus
from tests.cluster.conftest import forget
from tests.cluster.test_jobs import NOTEBOOK, ended, jobs, settings, until
from tests.scheduler_plugin.conftest import notebook

__all__ = ["jobs", "settings"]

pytestmark = pytest.mark.cluster

MINUTE = 60.0


@pytest.fixture
def definitions(jobs: Jobs, backend: ArgoServerBackend) -> Iterator[Definitions]:
    yield Definitions(DefinitionRecords(Database(jobs.settings.db_url)), jobs)
    for cron in list(backend.list_crons(jobs.home)):
        forget(backend.delete_cron, cron.name)


@pytest.fixture
def define(definitions: Definitions) -> Callable[[str], str]:
    def define(schedule: str) -> str:
        path = definitions.jobs.settings.root / NOTEBOOK
        cells = ["# parameters\nx = 1", "print('x is', repr(x))"]
        path.write_text(json.dumps(notebook(*cells)), encoding="utf-8")
        asked = JobRequest(
            input_uri=NOTEBOOK,
            name="nightly",
            runtime_environment_name="server",
            parameters={"x": "{{workflow.uid}}"},
        )
        return definitions.create(
            DefinitionRequest(job=asked, schedule=schedule, timezone="Europe/Paris")
        )

    return define


def tick(definitions: Definitions, definition_id: str) -> Job:
    """The first job that the definition has, once there is one."""
    query = JobsQuery(job_definition_id=definition_id)
    until(lambda: bool(definitions.jobs.list(query).jobs), 2 * MINUTE)
    return definitions.jobs.list(query).jobs[-1]


def test_a_definition_ticks_pauses_and_goes_without_a_trace(
    definitions: Definitions, define: Callable[[str], str], backend: ArgoServerBackend
) -> None:
    definition_id = define("* * * * *")
    name = labels.cron_name(definition_id)
    job = ended(definitions.jobs, tick(definitions, definition_id).job_id)
    log = definitions.jobs.folder(job.job_id).output("log").read_text()

    assert (job.status, job.job_definition_id) == (JobStatus.COMPLETED, definition_id)
    assert "x is '{{workflow.uid}}'" in log
    assert job.job_id in {run.uid for run in backend.list(definitions.jobs.home)}

    definitions.update(definition_id, {"active": False})
    assert backend.get_cron(name).suspended
    assert definitions.reconcile() == 0

    backend.resume_cron(name)  # somebody did, in Argo's own interface
    assert definitions.reconcile() == 1
    assert definitions.get(definition_id).active

    definitions.delete(definition_id)
    with pytest.raises(NotFound):
        backend.get_cron(name)
    assert definitions.jobs.list(JobsQuery()).total == 0


def test_a_definition_runs_now_and_what_is_edited_is_all_that_changes(
    definitions: Definitions, define: Callable[[str], str], backend: ArgoServerBackend
) -> None:
    definition_id = define("0 0 1 1 *")
    job_id = definitions.run_now(definition_id, {"x": "5"})
    definitions.update(definition_id, {"timezone": "Asia/Tokyo"})
    cron = backend.get_cron(labels.cron_name(definition_id))

    assert (cron.schedules, cron.timezone) == (("0 0 1 1 *",), "Asia/Tokyo")
    assert definitions.get(definition_id).parameters == {"x": "{{workflow.uid}}"}
    assert ended(definitions.jobs, job_id).status is JobStatus.COMPLETED
    assert "x is 5" in definitions.jobs.folder(job_id).output("log").read_text()


def test_a_terminated_tick_is_healed_though_it_never_made_its_record(
    definitions: Definitions,
    define: Callable[[str], str],
    backend: ArgoServerBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    definition_id = define("0 0 1 1 *")
    run = backend.trigger_cron(labels.cron_name(definition_id))
    backend.terminate(run.name)
    monkeypatch.setattr("scheduler_plugin.reconcile.SENDING_MILLISECONDS", 0)

    def ended() -> bool:
        definitions.jobs.reconcile()
        return any(job.status.ended for job in definitions.jobs.list(JobsQuery()).jobs)

    until(ended)
    (job,) = definitions.jobs.list(JobsQuery()).jobs
    assert (job.job_id, job.status) == (run.uid, JobStatus.STOPPED)


def test_a_cron_workflow_that_lost_its_definition_is_deleted(
    definitions: Definitions, define: Callable[[str], str], backend: ArgoServerBackend
) -> None:
    definition_id = define("0 0 1 1 *")
    definitions.records.remove(definition_id)
    definitions.folder(definition_id).remove()
    definitions.jobs.reconcile()
    time.sleep(1)

    with pytest.raises(NotFound):
        backend.get_cron(labels.cron_name(definition_id))
