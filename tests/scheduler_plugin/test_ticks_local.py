"""Definitions on the local engine: ticks are real processes, the clock is the test's."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

import pytest

from couler_jobs.backends.local import daemon
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.ticking import tick_all, upcoming
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Job, JobsQuery, Records
from scheduler_plugin.status import JobStatus

Write = Callable[..., Path]
PATIENCE = 120.0


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    backend = LocalBackend(tmp_path / "runs")
    yield backend
    daemon.stop(backend.home)


@pytest.fixture
def definitions(
    settings: Settings, records: Records, environments: Environments, backend: LocalBackend
) -> Definitions:
    jobs = Jobs(settings, records, environments, lambda: backend)
    return Definitions(DefinitionRecords(Database(settings.db_url)), jobs)


def asked(path: str, schedule: str | None = "0 2 29 2 *", **more: object) -> DefinitionRequest:
    zone = more.pop("timezone", None)
    assert zone is None or isinstance(zone, str)
    job = {"input_uri": path, "name": "nightly", "runtime_environment_name": "server", **more}
    return DefinitionRequest(job=JobRequest(**job), schedule=schedule, timezone=zone)  # type: ignore[arg-type]


def wait_for_job(definitions: Definitions, definition_id: str, count: int = 1) -> list[Job]:
    """The definition's jobs, oldest first, once there are so many and all have ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        query = JobsQuery(job_definition_id=definition_id, sort_by=(("create_time", False),))
        found = list(definitions.jobs.list(query).jobs)
        if len(found) >= count and all(job.status.ended for job in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def tick(backend: LocalBackend) -> float:
    """Let the next tick be due: the schedules of these tests are days that are far away."""
    cron = backend.crons.all()[0]
    moment = next(upcoming(cron, datetime.now(UTC))).timestamp()
    tick_all(backend, moment)
    return moment


def test_a_tick_creates_its_record_runs_the_notebook_and_completes_that_record(
    definitions: Definitions, backend: LocalBackend, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "# parameters\nday = 0", "print('day', day)")
    definition_id = definitions.create(
        asked("nb.ipynb", parameters={"day": "7"}, tags=("mine",), output_formats=("ipynb", "html"))
    )
    tick(backend)
    job = wait_for_job(definitions, definition_id)[0]

    run = next(backend.list())
    assert job.job_id == run.uid
    assert job.status is JobStatus.COMPLETED, job.status_message
    assert (job.name, job.tags, job.parameters) == ("nightly", ("mine",), {"day": "7"})
    folder = definitions.jobs.folder(job.job_id)
    assert "day 7" in folder.output("log").read_text(encoding="utf-8")
    assert folder.output("html").exists()


def test_two_servers_on_one_home_run_a_tick_once(
    definitions: Definitions, backend: LocalBackend, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "1")
    definition_id = definitions.create(asked("nb.ipynb"))
    cron = backend.crons.all()[0]
    moment = next(upcoming(cron, datetime.now(UTC))).timestamp()
    together = Barrier(2)

    def look() -> None:
        server = LocalBackend(backend.home.root)
        together.wait()
        tick_all(server, moment)

    servers = [Thread(target=look) for _ in range(2)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    tick_all(backend, moment + 1)

    assert len(wait_for_job(definitions, definition_id)) == 1
    assert len(list(backend.list())) == 1


def test_a_database_that_is_locked_at_the_tick_is_waited_for(
    definitions: Definitions, backend: LocalBackend, write_notebook: Write, settings: Settings
) -> None:
    write_notebook("nb.ipynb", "1")
    definition_id = definitions.create(asked("nb.ipynb"))
    lock = sqlite3.connect(settings.db_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    tick(backend)
    time.sleep(4)
    lock.execute("ROLLBACK")
    lock.close()

    assert wait_for_job(definitions, definition_id)[0].status is JobStatus.COMPLETED


def test_an_edit_while_a_run_goes_on_changes_the_next_one_only(
    definitions: Definitions, backend: LocalBackend, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "import time; time.sleep(3); print('first')")
    definition_id = definitions.create(asked("nb.ipynb"))
    moment = tick(backend)
    first = started(definitions, definition_id)
    write_notebook("nb.ipynb", "print('second')")
    definitions.update(definition_id, {"input_uri": "nb.ipynb", "name": "edited"})
    wait_for_job(definitions, definition_id)
    while any(not run.ended for run in backend.list()):  # Forbid: or the tick is left out
        time.sleep(0.1)
    after = datetime.fromtimestamp(moment, UTC)
    tick_all(backend, next(upcoming(backend.crons.all()[0], after)).timestamp())
    jobs = wait_for_job(definitions, definition_id, 2)

    logs = [definitions.jobs.folder(job.job_id).output("log") for job in jobs]
    assert [job.name for job in jobs] == ["nightly", "edited"]
    assert jobs[0].job_id == first.job_id
    assert ["first" in log.read_text("utf-8") for log in logs] == [True, False]
    assert ["second" in log.read_text("utf-8") for log in logs] == [False, True]


def test_deleting_a_definition_ends_its_run_and_leaves_no_files(
    definitions: Definitions, backend: LocalBackend, write_notebook: Write, settings: Settings
) -> None:
    write_notebook("nb.ipynb", "import time; time.sleep(600)")
    definition_id = definitions.create(asked("nb.ipynb"))
    tick(backend)
    started(definitions, definition_id)
    definitions.delete(definition_id)

    assert list(backend.list()) == []
    assert definitions.jobs.list(JobsQuery()).total == 0
    assert [path for path in settings.staging.iterdir() if path.is_dir()] == []


def started(definitions: Definitions, definition_id: str) -> Job:
    deadline = time.monotonic() + PATIENCE
    while not (found := definitions.jobs.list(JobsQuery(job_definition_id=definition_id)).jobs):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]
