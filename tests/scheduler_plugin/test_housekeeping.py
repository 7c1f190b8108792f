"""Many ended jobs deleted at once: workflows, files, records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from couler_jobs.errors import Unavailable
from couler_jobs.spec.status import Phase
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import Definition, DefinitionRecords
from scheduler_plugin.definitions import Definitions
from scheduler_plugin.ended_records import EndedRecords, Selection
from scheduler_plugin.environments import Environments
from scheduler_plugin.housekeeping import A_ROUND, Housekeeper
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.labels import workflow_name
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Records
from scheduler_plugin.retention import Retention
from scheduler_plugin.status import JobStatus, Outcome

from .conftest import SHORT
from .many import add_jobs
from .standin import StandIn

ALL = Selection()


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def jobs(
    settings: Settings, records: Records, environments: Environments, backend: StandIn
) -> Jobs:
    return Jobs(settings, records, environments, lambda: backend)


@pytest.fixture
def keeper(jobs: Jobs) -> Housekeeper:
    database = Database(jobs.settings.db_url, SHORT)
    definitions = Definitions(DefinitionRecords(database), jobs)
    return Housekeeper(EndedRecords(database), definitions)


@pytest.fixture
def ended_job(jobs: Jobs, write_notebook: Callable[..., Path], backend: StandIn) -> str:
    write_notebook("nb.ipynb", "1")
    request = JobRequest(input_uri="nb.ipynb", name="x", runtime_environment_name="server")
    job_id = jobs.create(request)
    outcome = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=1000)
    assert jobs.records.finish(job_id, outcome)
    backend.end(workflow_name(job_id), Phase.SUCCEEDED)
    return job_id


def test_workflow_files_and_record_of_an_ended_job_are_deleted(
    keeper: Housekeeper, jobs: Jobs, backend: StandIn, ended_job: str
) -> None:
    assert keeper.delete(keeper.find(ALL)) == 1

    assert not backend.runs
    assert not jobs.folder(ended_job).root.exists()
    assert jobs.records.endings([ended_job]) == {}


def test_a_job_that_runs_keeps_everything(
    keeper: Housekeeper, jobs: Jobs, backend: StandIn, write_notebook: Callable[..., Path]
) -> None:
    write_notebook("nb.ipynb", "1")
    request = JobRequest(input_uri="nb.ipynb", name="x", runtime_environment_name="server")
    running = jobs.create(request)

    assert keeper.delete([running]) == 0
    assert backend.runs
    assert jobs.folder(running).root.exists()


def test_with_the_backend_away_nothing_is_deleted(
    keeper: Housekeeper, jobs: Jobs, backend: StandIn, ended_job: str
) -> None:
    backend.error = Unavailable("Argo Server did not answer.")

    with pytest.raises(Unavailable):
        keeper.delete([ended_job])
    assert jobs.folder(ended_job).root.exists()
    assert ended_job in jobs.records.endings([ended_job])


def test_a_job_whose_files_cannot_be_deleted_stays_and_the_others_go(
    keeper: Housekeeper, jobs: Jobs, db_url: str, ended_job: str
) -> None:
    add_jobs(db_url, [{"job_id": "a-1"}])
    jobs.settings.staging.joinpath("a-1").write_text("a file where a folder should be")

    assert keeper.delete(keeper.find(ALL)) == 1
    assert [*jobs.records.endings(["a-1", ended_job])] == ["a-1"]


def test_a_thousand_jobs_cost_one_listing_and_tell_their_progress(
    keeper: Housekeeper, db_url: str, backend: StandIn
) -> None:
    add_jobs(db_url, ({"job_id": f"a-{number}"} for number in range(1000)))
    told: list[int] = []

    assert keeper.delete(keeper.find(ALL), told.append) == 1000
    assert backend.listings == 1
    assert told == [500, 1000]


def test_the_timer_keeps_as_many_as_are_wanted(
    keeper: Housekeeper, jobs: Jobs, db_url: str
) -> None:
    jobs.settings = replace(jobs.settings, keep=Retention(jobs=3), defaults={"jobs_kept": 1})
    one_off = [{"job_id": f"a-{number}"} for number in range(4)]
    ticks = [{"job_id": f"b-{number}", "job_definition_id": "d"} for number in range(2)]
    add_jobs(db_url, one_off + ticks)

    assert keeper.round() == 4
    left = jobs.records.endings([row["job_id"] for row in one_off + ticks])
    assert {*left} == {"a-3", "b-1"}


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"jobs_kept": 1}, 1), ({"retries": 1}, 2), ({"of another version": 1}, 3), (None, 2)],
)
def test_a_definition_says_how_many_of_its_jobs_are_kept(
    keeper: Housekeeper, jobs: Jobs, db_url: str, options: dict[str, int] | None, kept: int
) -> None:
    jobs.settings = replace(jobs.settings, defaults={"jobs_kept": 2})
    DefinitionRecords(Database(db_url)).add(
        Definition(
            job_definition_id="d-1",
            name="nb",
            input_filename="nb.ipynb",
            runtime_environment_name="server",
            create_time=0,
            update_time=0,
            active=True,
            runtime_environment_parameters=options,
        )
    )
    add_jobs(db_url, ({"job_id": f"a-{n}", "job_definition_id": "d-1"} for n in range(3)))

    assert keeper.round() == 3 - kept


def test_the_timer_deletes_many_in_several_rounds(
    keeper: Housekeeper, jobs: Jobs, db_url: str
) -> None:
    jobs.settings = replace(jobs.settings, keep=Retention(jobs=0))
    add_jobs(db_url, ({"job_id": f"a-{number}"} for number in range(A_ROUND + 1)))

    assert [keeper.round() for _ in range(3)] == [A_ROUND, 1, 0]


def test_the_timer_waits_for_a_backend_that_is_away(
    keeper: Housekeeper, jobs: Jobs, backend: StandIn, ended_job: str
) -> None:
    jobs.settings = replace(jobs.settings, keep=Retention(jobs=0))
    backend.error = Unavailable("Argo Server did not answer.")

    assert keeper.round() == 0
    assert ended_job in jobs.records.endings([ended_job])
