"""Running a past job again, over a backend that only keeps what it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import JobRefused, NoSuchJob
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Records
from scheduler_plugin.reruns import rerun
from scheduler_plugin.status import JobStatus, Outcome

from .conftest import SHORT
from .standin import StandIn

Write = Callable[..., Path]
ENDED = Outcome(
    status=JobStatus.FAILED, message="x", ended_at=1, files=("data/in.csv", "data/out.csv")
)


@pytest.fixture
def definitions(settings: Settings, records: Records, environments: Environments) -> Definitions:
    backend = StandIn()
    jobs = Jobs(settings, records, environments, lambda: backend)
    return Definitions(DefinitionRecords(Database(settings.db_url, SHORT)), jobs)


@pytest.fixture
def request_(write_notebook: Write) -> JobRequest:
    path = write_notebook("mine/nb.ipynb", "# parameters\nx = 1")
    (path.parent / "data").mkdir()
    (path.parent / "data" / "in.csv").write_text("1")
    (path.parent / "link").symlink_to("data/in.csv")
    return JobRequest(
        input_uri="mine/nb.ipynb",
        name="report",
        runtime_environment_name="server",
        output_formats=("html",),
        parameters={"x": "5"},
        tags=("mine",),
        runtime_environment_parameters={"retries": 2},
        package_input_folder=True,
    )


@pytest.fixture
def past(definitions: Definitions, request_: JobRequest) -> str:
    """A job that has failed, and left a file."""
    job_id = definitions.jobs.create(request_)
    work = definitions.jobs.folder(job_id).work
    (work / "data" / "out.csv").write_text("left by the run")
    definitions.jobs.records.finish(job_id, ENDED)
    return job_id


def work(definitions: Definitions, job_id: str) -> Path:
    return definitions.jobs.folder(job_id).work


def test_it_is_the_same_job_but_for_its_id_and_its_times(
    definitions: Definitions, past: str
) -> None:
    first, second = (definitions.jobs.get(one) for one in (past, rerun(definitions, past)))

    same = ("name", "parameters", "tags", "output_formats", "runtime_environment_parameters")
    assert [getattr(first, name) for name in same] == [getattr(second, name) for name in same]
    assert first.job_id != second.job_id
    assert second.status is JobStatus.IN_PROGRESS


def test_it_is_given_the_past_runs_input_and_not_its_results(
    definitions: Definitions, past: str
) -> None:
    again = work(definitions, rerun(definitions, past))

    assert (again / "data" / "in.csv").read_text() == "1"
    assert (again / "link").readlink() == Path("data/in.csv")
    assert not (again / "data" / "out.csv").exists()


def test_a_notebook_edited_since_does_not_change_it(
    definitions: Definitions, past: str, write_notebook: Write
) -> None:
    write_notebook("mine/nb.ipynb", "edited")

    again = work(definitions, rerun(definitions, past))
    assert json.loads((again / "nb.ipynb").read_text())["cells"][0]["source"].endswith("x = 1")


def test_input_that_the_run_wrote_over_is_taken_from_where_it_came_from(
    definitions: Definitions, past: str
) -> None:
    (work(definitions, past) / "data" / "in.csv").write_text("written over")

    again = work(definitions, rerun(definitions, past))
    assert (again / "data" / "in.csv").read_text() == "1"


def test_input_that_is_lost_is_named(
    definitions: Definitions, past: str, settings: Settings
) -> None:
    (work(definitions, past) / "data" / "in.csv").write_text("written over")
    (settings.root / "mine" / "data" / "in.csv").write_text("edited")

    with pytest.raises(JobRefused, match=r"'data/in.csv' .* has been changed since"):
        rerun(definitions, past)
    assert not list(settings.staging.glob(".rerun-*"))


def test_a_job_that_runs_is_not_run_again(definitions: Definitions, request_: JobRequest) -> None:
    with pytest.raises(JobRefused, match="still runs"):
        rerun(definitions, definitions.jobs.create(request_))


def test_a_job_whose_files_are_gone_says_what_to_do(definitions: Definitions, past: str) -> None:
    definitions.jobs.folder(past).remove()

    with pytest.raises(JobRefused, match="create the job again"):
        rerun(definitions, past)


def test_a_job_that_there_is_not_is_not_run(definitions: Definitions) -> None:
    with pytest.raises(NoSuchJob):
        rerun(definitions, "1-2")


def test_a_run_of_a_definition_stays_one_and_is_named_by_its_own_time(
    definitions: Definitions, request_: JobRequest
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule=None))
    past = definitions.run_now(definition_id, {"x": "7"})
    definitions.jobs.records.finish(past, ENDED)

    again = definitions.jobs.get(rerun(definitions, past))
    assert again.job_definition_id == definition_id
    assert again.parameters == {"x": "7"}
    assert "{{" not in str(again.output_filename_template).replace("{{input_filename}}", "")


def test_a_run_of_a_deleted_definition_becomes_a_job_of_its_own(
    definitions: Definitions, request_: JobRequest
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule=None))
    past = definitions.run_now(definition_id, None)
    definitions.jobs.records.finish(past, ENDED)
    definitions.records.remove(definition_id)

    assert definitions.jobs.get(rerun(definitions, past)).job_definition_id is None
