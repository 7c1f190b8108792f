import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from jupyter_scheduler import orm

from scheduler_plugin.errors import AlreadyRequested, JobRefused, NoSuchJob
from scheduler_plugin.records import COLUMNS, IN_JSON, Job, JobsQuery, NewJob, Records
from scheduler_plugin.status import JobStatus, Outcome

COMPLETED = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=9, started_at=2)
FAILED = Outcome(status=JobStatus.FAILED, message="why", ended_at=8, started_at=3)


def new(name: str = "report", **more: object) -> NewJob:
    plain = NewJob(
        name=name,
        input_filename="report.ipynb",
        runtime_environment_name="server",
        output_formats=("ipynb", "html"),
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # each test names what it is about


def names(page_of: Records, query: JobsQuery) -> list[str]:
    return [job.name for job in page_of.list(query).jobs]


# --- the tables


def test_our_columns_are_columns_of_jupyter_scheduler() -> None:
    theirs = {column.name for column in orm.Job.__table__.columns}

    assert set(COLUMNS) <= theirs


def test_what_we_store_as_json_is_what_jupyter_scheduler_does() -> None:
    theirs = {
        column.name for column in orm.Job.__table__.columns if isinstance(column.type, orm.JsonType)
    }

    assert theirs == IN_JSON


def test_jupyter_scheduler_reads_what_we_write(records: Records, db_url: str) -> None:
    job = records.add(new(parameters={"a": "1"}, tags=("x",)))

    with orm.create_session(db_url)() as session:
        row = session.query(orm.Job).one()
    assert (row.job_id, row.parameters, row.tags) == (job.job_id, {"a": "1"}, ["x"])
    assert (row.status, row.output_formats) == ("CREATED", ["ipynb", "html"])


def test_we_read_what_jupyter_scheduler_writes(records: Records, db_url: str) -> None:
    with orm.create_session(db_url)() as session:
        session.add(
            orm.Job(
                job_id="1-2", runtime_environment_name="e", input_filename="n.ipynb", tags=["t"]
            )
        )
        session.commit()

    job = records.get("1-2")
    assert (job.status, job.tags, job.output_formats) == (JobStatus.STOPPED, ("t",), ())


def test_a_database_of_an_older_jupyter_scheduler_opens(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.execute(
            "create table jobs (job_id varchar(36) primary key, runtime_environment_name varchar,"
            " input_filename varchar, name varchar, status varchar, create_time integer)"
        )
        old.execute("insert into jobs values ('1-2', 'base', 'n.ipynb', 'old', 'COMPLETED', 5)")
    old.close()
    from scheduler_plugin.database import Database

    orm.create_tables(f"sqlite:///{path}")  # what the server does when it starts

    records = Records(Database(f"sqlite:///{path}"))
    assert (records.get("1-2").name, records.get("1-2").packaged_files) == ("old", ())
    assert records.add(new()).status is JobStatus.CREATED


# --- adding and reading


def test_a_new_job_is_created_and_kept_as_it_was_asked_for(records: Records) -> None:
    job = records.add(new(parameters={"a b": '"x"'}, tags=("u", "v"), packaged_files=("d/f",)))

    assert records.get(job.job_id) == job
    assert (job.status, job.tags, job.start_time) == (JobStatus.CREATED, ("u", "v"), None)


def test_an_unknown_job_is_named(records: Records) -> None:
    with pytest.raises(NoSuchJob, match="1-2"):
        records.get("1-2")


def test_a_job_is_not_made_twice_for_one_idempotency_token(records: Records) -> None:
    records.add(new(idempotency_token="once"))

    with pytest.raises(AlreadyRequested, match="once"):
        records.add(new(idempotency_token="once"))
    assert records.list(JobsQuery()).total == 1


def test_a_job_is_made_once_when_it_is_asked_for_by_eight_at_once(records: Records) -> None:
    def ask(_: int) -> bool:
        try:
            records.add(new(idempotency_token="once"))
        except AlreadyRequested:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1


# --- listing


@pytest.fixture
def three(records: Records) -> Records:
    records.add(new("alpha", tags=("a", "b%"), job_definition_id="d"))
    records.start(records.add(new("beta", tags=("b",))).job_id, 5)
    records.add(new("al%ha", tags=('say "a"',)))
    return records


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (JobsQuery(), {"alpha", "beta", "al%ha"}),
        (JobsQuery(status=JobStatus.IN_PROGRESS), {"beta"}),
        (JobsQuery(job_definition_id="d"), {"alpha"}),
        (JobsQuery(name="al"), {"alpha", "al%ha"}),
        (JobsQuery(name="al%"), {"al%ha"}),
        (JobsQuery(started_after=5), {"beta"}),
        (JobsQuery(started_after=6), set()),
        (JobsQuery(tags=["b"]), {"beta"}),
        (JobsQuery(tags=["a"]), {"alpha"}),
        (JobsQuery(tags=["a", "b%"]), {"alpha"}),
        (JobsQuery(tags=['say "a"']), {"al%ha"}),
    ],
)
def test_a_query_finds(three: Records, query: JobsQuery, found: set[str]) -> None:
    assert set(names(three, query)) == found


def test_jobs_are_listed_by_page_in_the_order_asked_for(three: Records) -> None:
    by_name = JobsQuery(sort_by=[("name", True)], limit=2)
    page = three.list(by_name)

    assert ([job.name for job in page.jobs], page.total) == (["beta", "alpha"], 3)
    assert names(three, replace(by_name, offset=2)) == ["al%ha"]


def test_a_field_that_is_no_column_cannot_be_sorted_by(records: Records) -> None:
    with pytest.raises(JobRefused, match="status; drop"):
        records.list(JobsQuery(sort_by=[("status; drop", False)]))


def test_jobs_are_counted_by_status(three: Records) -> None:
    assert three.count(JobStatus.CREATED) == 2


def test_only_jobs_that_have_not_ended_are_active(three: Records) -> None:
    first = three.active()[0]
    three.finish(first.job_id, COMPLETED)

    assert first.job_id not in [job.job_id for job in three.active()]
    assert len(three.active()) == 2


# --- changing


@pytest.fixture
def job(records: Records) -> Job:
    return records.add(new())


def test_a_job_starts_once(records: Records, job: Job) -> None:
    assert records.start(job.job_id, 5)
    assert not records.start(job.job_id, 6)

    assert records.get(job.job_id).start_time == 5


@pytest.mark.parametrize("outcome", [COMPLETED, FAILED])
def test_an_outcome_is_written_with_its_times(records: Records, job: Job, outcome: Outcome) -> None:
    assert records.finish(job.job_id, outcome)

    after = records.get(job.job_id)
    assert (after.status, after.status_message) == (outcome.status, outcome.message)
    assert (after.start_time, after.end_time) == (outcome.started_at, outcome.ended_at)


def test_the_start_time_never_changes(records: Records, job: Job) -> None:
    records.start(job.job_id, 1)
    records.ask_stop(job.job_id)
    records.finish(job.job_id, COMPLETED)

    assert records.get(job.job_id).start_time == 1


def test_the_first_outcome_stays_whatever_comes_late(records: Records, job: Job) -> None:
    records.finish(job.job_id, FAILED)

    assert not records.finish(job.job_id, COMPLETED)
    assert not records.start(job.job_id, 99)
    assert not records.ask_stop(job.job_id)
    assert records.get(job.job_id).status is JobStatus.FAILED


def test_a_late_success_leaves_a_stopped_job_stopped(records: Records, job: Job) -> None:
    records.ask_stop(job.job_id)
    records.finish(job.job_id, replace(FAILED, status=JobStatus.STOPPED))

    assert not records.finish(job.job_id, COMPLETED)
    assert records.get(job.job_id).status is JobStatus.STOPPED


def test_a_job_that_was_asked_to_stop_is_stopped_even_if_it_finished(
    records: Records, job: Job
) -> None:
    records.ask_stop(job.job_id)
    records.finish(job.job_id, COMPLETED)

    after = records.get(job.job_id)
    assert (after.status, after.end_time) == (JobStatus.STOPPED, COMPLETED.ended_at)
    assert "Stopped" in (after.status_message or "")


def test_a_stop_that_could_not_be_told_is_taken_back(records: Records, job: Job) -> None:
    records.start(job.job_id, 1)
    records.ask_stop(job.job_id)

    assert records.unask_stop(job.job_id, JobStatus.IN_PROGRESS)
    assert records.get(job.job_id).status is JobStatus.IN_PROGRESS


def test_an_ended_job_is_not_taken_back(records: Records, job: Job) -> None:
    records.ask_stop(job.job_id)
    records.finish(job.job_id, COMPLETED)

    assert not records.unask_stop(job.job_id, JobStatus.IN_PROGRESS)


def test_results_are_listed_with_the_outcome(records: Records, job: Job) -> None:
    records.finish(job.job_id, replace(COMPLETED, files=("a.csv",)))

    assert records.get(job.job_id).packaged_files == ("a.csv",)


def test_writing_to_a_deleted_job_is_no_error(records: Records, job: Job) -> None:
    assert records.remove(job.job_id)

    assert not records.finish(job.job_id, COMPLETED)
    assert not records.remove(job.job_id)


def test_a_job_is_renamed_and_nothing_else(records: Records, job: Job) -> None:
    records.rename(job.job_id, "new name")

    after = records.get(job.job_id)
    assert after == replace(job, name="new name", update_time=after.update_time)


def test_an_unknown_job_is_not_renamed(records: Records) -> None:
    with pytest.raises(NoSuchJob):
        records.rename("1-2", "x")


def test_of_eight_concurrent_outcomes_one_is_written(records: Records, job: Job) -> None:
    outcomes = [replace(COMPLETED, ended_at=number) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda one: records.finish(job.job_id, one), outcomes))
    assert sum(written) == 1
    assert records.get(job.job_id).end_time == written.index(True)


def test_no_parameter_becomes_sql(records: Records) -> None:
    hostile = "'; drop table jobs; --"
    job = records.add(new(hostile, tags=(hostile,), parameters={hostile: hostile}))

    assert names(records, JobsQuery(name=hostile, tags=[hostile])) == [hostile]
    assert json.dumps(dict(records.get(job.job_id).parameters or {})).count("drop") == 2
