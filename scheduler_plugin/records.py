"""Job records: the only SQL. The tables are jupyter_scheduler's own (its `orm.py`).

Written against column names, not its ORM classes: importing those takes seconds, and a step that
records a status has to be quick. A test holds both against each other. Every change of a status is
one narrow UPDATE whose WHERE says which statuses it may replace, so the order in which the server,
a step and the reconciler come does not matter.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from scheduler_plugin.database import Database
from scheduler_plugin.errors import AlreadyRequested, JobRefused, NoSuchDefinition, NoSuchJob
from scheduler_plugin.status import ACTIVE, ENDED, JobStatus, Outcome

STOPPED_MESSAGE = "Stopped by the user."


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of `jobs`. Times are milliseconds since the epoch, UTC."""

    job_id: str
    name: str
    input_filename: str
    runtime_environment_name: str
    status: JobStatus
    create_time: int
    update_time: int
    url: str = ""
    job_definition_id: str | None = None
    runtime_environment_parameters: Mapping[str, Any] | None = None
    compute_type: str | None = None
    output_formats: tuple[str, ...] = ()
    idempotency_token: str | None = None
    parameters: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    output_filename_template: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    status_message: str | None = None
    package_input_folder: bool | None = None
    packaged_files: tuple[str, ...] = ()


COLUMNS = tuple(column.name for column in fields(Job))
IN_JSON = frozenset(
    {
        "runtime_environment_parameters",
        "output_formats",
        "parameters",
        "tags",
        "packaged_files",
    }
)
JOBS = sa.table("jobs", *(sa.column(name) for name in COLUMNS))
DEFINITION_IDS = sa.table("job_definitions", sa.column("job_definition_id"))
AT_ONCE = 500
"""Ids that one SELECT names."""
_ENDED = [status.value for status in ENDED]
_ACTIVE = [status.value for status in ACTIVE]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsQuery:
    """Which jobs to list; None leaves a field out of the question."""

    status: JobStatus | None = None
    job_definition_id: str | None = None
    name: str | None = None  #: how the name begins
    started_after: int | None = None
    tags: Sequence[str] = ()  #: all of them
    sort_by: Sequence[tuple[str, bool]] = (("create_time", True),)  #: column, descending
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the jobs that a query is about, and how many there are in all."""

    jobs: tuple[Job, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a job is asked to be, checked."""

    name: str
    input_filename: str
    runtime_environment_name: str
    output_formats: tuple[str, ...]
    job_definition_id: str | None = None
    runtime_environment_parameters: Mapping[str, Any] | None = None
    compute_type: str | None = None
    idempotency_token: str | None = None
    parameters: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    output_filename_template: str | None = None
    package_input_folder: bool | None = None
    packaged_files: tuple[str, ...] = ()
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def as_json(self) -> str:
        """The text of a file from which the record can be made again."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> NewJob:
        """Read such a file. Raises ValueError, KeyError or TypeError if it is none."""
        values = json.loads(text)
        for name in ("output_formats", "packaged_files"):
            values[name] = tuple(values[name])
        values["tags"] = None if values["tags"] is None else tuple(values["tags"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the record of a job says of its end; `ended_at` is 0 while it has not ended."""

    job_id: str
    status: JobStatus
    ended_at: int


class Records:
    """The jobs of one database. Every call raises DatabaseUnavailable if that stays away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewJob) -> Job:
        """Add a row with status CREATED. Raises AlreadyRequested for a token that is taken."""
        now = milliseconds()
        asked = {one.name: getattr(new, one.name) for one in fields(NewJob)}
        job = Job(
            **asked,
            status=JobStatus.CREATED,
            create_time=now,
            update_time=now,
            url=f"/jobs/{new.job_id}",
        )

        def insert(on: sa.Connection) -> None:
            if new.idempotency_token and _token_taken(on, new.idempotency_token):
                raise AlreadyRequested(new.idempotency_token)
            on.execute(sa.insert(JOBS).values(_as_row(job)))

        self._database.write(insert)
        return job

    def add_run(self, new: NewJob, at: int) -> bool:
        """Add the row of a definition's run, IN_PROGRESS; False if it is there.

        Raises NoSuchDefinition when the definition is deleted.
        """
        job = Job(
            **{one.name: getattr(new, one.name) for one in fields(NewJob)},
            status=JobStatus.IN_PROGRESS,
            create_time=at,
            update_time=at,
            start_time=at,
            url=f"/jobs/{new.job_id}",
        )

        def insert(on: sa.Connection) -> bool:
            if on.execute(sa.select(JOBS.c.job_id).where(JOBS.c.job_id == new.job_id)).first():
                return False
            definition = DEFINITION_IDS.c.job_definition_id
            if not on.execute(
                sa.select(definition).where(definition == new.job_definition_id)
            ).first():
                raise NoSuchDefinition(new.job_definition_id or "")
            on.execute(sa.insert(JOBS).values(_as_row(job)))
            return True

        return self._database.write(insert)

    def get(self, job_id: str) -> Job:
        """One job. Raises NoSuchJob."""
        rows = self._database.read(sa.select(JOBS).where(JOBS.c.job_id == job_id))
        if not rows:
            raise NoSuchJob(job_id)
        return _as_job(rows[0])

    def list(self, query: JobsQuery) -> Page:
        """The jobs of a query. Raises JobRefused for a sort field that is no column."""
        matching = _conditions(query)
        order = [_order(name, descending) for name, descending in query.sort_by]
        select = sa.select(JOBS).where(*matching).order_by(*order, JOBS.c.job_id)
        rows = self._database.read(select.limit(query.limit).offset(query.offset))
        return Page(jobs=tuple(map(_as_job, rows)), total=self._count(matching))

    def count(self, status: JobStatus) -> int:
        """How many jobs have a status."""
        return self._count([JOBS.c.status == status.value])

    def active(self) -> tuple[Job, ...]:
        """All jobs that have not ended, oldest first."""
        select = sa.select(JOBS).where(JOBS.c.status.in_(_ACTIVE))
        return tuple(map(_as_job, self._database.read(select.order_by(JOBS.c.create_time))))

    def of_definition(self, job_definition_id: str) -> tuple[str, ...]:
        """The ids of a definition's jobs."""
        select = sa.select(JOBS.c.job_id).where(JOBS.c.job_definition_id == job_definition_id)
        return tuple(row["job_id"] for row in self._database.read(select))

    def has_definition(self, job_definition_id: str) -> bool:
        """Whether there is a job definition of that id."""
        same = DEFINITION_IDS.c.job_definition_id == job_definition_id
        return bool(self._database.read(sa.select(DEFINITION_IDS).where(same)))

    def start(self, job_id: str, at: int) -> bool:
        """CREATED becomes IN_PROGRESS; False if the job is not CREATED any more."""
        return self._change(
            job_id,
            [JobStatus.CREATED],
            status=JobStatus.IN_PROGRESS.value,
            start_time=sa.func.coalesce(JOBS.c.start_time, at),
        )

    def ask_stop(self, job_id: str) -> bool:
        """An active job becomes STOPPING; False if it has ended or does not exist."""
        status = JobStatus.STOPPING.value
        return self._change(job_id, ACTIVE, status=status, status_message=None)

    def unask_stop(self, job_id: str, status: JobStatus) -> bool:
        """STOPPING becomes again what it was, since the backend could not be told."""
        return self._change(job_id, [JobStatus.STOPPING], status=status.value)

    def say(self, job_id: str, message: str | None) -> bool:
        """Let a job that runs say something, or nothing again; False if it does not run."""
        return self._change(job_id, [JobStatus.IN_PROGRESS], status_message=message)

    def finish(self, job_id: str, outcome: Outcome) -> bool:
        """Write how a job ended; False if it has ended already or does not exist.

        A job that somebody asked to stop is STOPPED, however its notebook ended.
        """
        stopping = JOBS.c.status == JobStatus.STOPPING.value
        message = outcome.message if outcome.status is JobStatus.STOPPED else None
        values = {
            "status": sa.case(
                (stopping, JobStatus.STOPPED.value), else_=sa.literal(outcome.status.value)
            ),
            "status_message": sa.case(
                (stopping, message or STOPPED_MESSAGE), else_=sa.literal(outcome.message)
            ),
            "start_time": sa.func.coalesce(JOBS.c.start_time, outcome.started_at),
            "end_time": outcome.ended_at,
        }
        if outcome.files is not None:
            values["packaged_files"] = json.dumps(outcome.files)
        return self._change(job_id, ACTIVE, **values)

    def follow(self, job_id: str, outcome: Outcome) -> bool:
        """Write a later end of a job that was run again; False if it has not ended before that.

        What a user stopped stays stopped.
        """
        values = {"status_message": outcome.message, "end_time": outcome.ended_at}
        return self._change(
            job_id,
            [JobStatus.COMPLETED, JobStatus.FAILED],
            sa.func.coalesce(JOBS.c.end_time, 0) < outcome.ended_at,
            status=outcome.status.value,
            **values,
        )

    def endings(self, job_ids: Sequence[str]) -> Mapping[str, Ending]:
        """What the records of these jobs say of their ends, by job; without those that are lost."""
        columns = (JOBS.c.job_id, JOBS.c.status, JOBS.c.end_time)
        found: dict[str, Ending] = {}
        for start in range(0, len(job_ids), AT_ONCE):
            wanted = job_ids[start : start + AT_ONCE]
            for row in self._database.read(sa.select(*columns).where(JOBS.c.job_id.in_(wanted))):
                found[row["job_id"]] = Ending(
                    job_id=row["job_id"],
                    status=JobStatus(row["status"]),
                    ended_at=row["end_time"] or 0,
                )
        return found

    def restore(self, new: NewJob, at: int) -> bool:
        """Make the lost record of a job that was sent at `at`; False if it is there."""
        asked = {one.name: getattr(new, one.name) for one in fields(NewJob)}
        job = Job(
            **asked,
            status=JobStatus.IN_PROGRESS,
            create_time=at,
            update_time=at,
            start_time=at,
            url=f"/jobs/{new.job_id}",
        )

        def insert(on: sa.Connection) -> bool:
            if on.execute(sa.select(JOBS.c.job_id).where(JOBS.c.job_id == new.job_id)).first():
                return False
            on.execute(sa.insert(JOBS).values(_as_row(job)))
            return True

        return self._database.write(insert)

    def rename(self, job_id: str, name: str) -> None:
        """Give a job another name. Raises NoSuchJob."""
        same = sa.update(JOBS).where(JOBS.c.job_id == job_id)
        statement = same.values(name=name, update_time=milliseconds())
        if not self._database.write(lambda on: on.execute(statement).rowcount):
            raise NoSuchJob(job_id)

    def remove(self, job_id: str) -> bool:
        """Forget a job; False if there was none."""
        statement = sa.delete(JOBS).where(JOBS.c.job_id == job_id)
        return self._database.write(lambda on: on.execute(statement).rowcount) > 0

    def _count(self, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
        select = sa.select(sa.func.count().label("jobs")).select_from(JOBS).where(*conditions)
        return int(self._database.read(select)[0]["jobs"])

    def _change(
        self,
        job_id: str,
        allowed: Sequence[JobStatus],
        *conditions: sa.ColumnElement[bool],
        **values: Any,
    ) -> bool:
        statement = (
            sa.update(JOBS)
            .where(JOBS.c.job_id == job_id, *conditions)
            .where(JOBS.c.status.in_([status.value for status in allowed]))
            .values(**values, update_time=milliseconds())
        )
        return self._database.write(lambda on: on.execute(statement).rowcount) > 0


def milliseconds() -> int:
    """Now, as jupyter_scheduler counts time."""
    return int(time.time() * 1000)


def _token_taken(on: sa.Connection, token: str) -> bool:
    same = sa.select(JOBS.c.job_id).where(JOBS.c.idempotency_token == token)
    return on.execute(same.limit(1)).first() is not None


def _as_row(job: Job) -> dict[str, Any]:
    row = {name: getattr(job, name) for name in COLUMNS}
    for name in IN_JSON:
        if row[name] is not None:
            row[name] = json.dumps(row[name])
    return row | {"status": job.status.value}


def _as_job(row: sa.RowMapping) -> Job:
    values = {name: _from_json(row[name]) if name in IN_JSON else row[name] for name in COLUMNS}
    tags = values["tags"]
    return Job(
        **values
        | {
            "status": JobStatus(values["status"]),
            "tags": None if tags is None else tuple(tags),
            "output_formats": tuple(values["output_formats"] or ()),
            "packaged_files": tuple(values["packaged_files"] or ()),
            "name": values["name"] or "",
            "url": values["url"] or "",
            "update_time": values["update_time"] or values["create_time"],
        }
    )


def _from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _order(name: str, descending: bool) -> sa.ColumnElement[Any]:
    if name not in COLUMNS:
        raise JobRefused(f"Jobs cannot be sorted by {name!r}: choose from {', '.join(COLUMNS)}.")
    return JOBS.c[name].desc() if descending else JOBS.c[name].asc()


def _conditions(query: JobsQuery) -> list[sa.ColumnElement[bool]]:
    equal = {"status": query.status, "job_definition_id": query.job_definition_id}
    conditions = [JOBS.c[name] == str(value) for name, value in equal.items() if value]
    if query.started_after is not None:
        conditions.append(JOBS.c.start_time >= query.started_after)
    if query.name:
        conditions.append(_text("name").startswith(query.name, autoescape=True))
    # Tags are stored as the JSON text of a list: a tag is in it as its own JSON text.
    conditions += [_text("tags").contains(json.dumps(tag), autoescape=True) for tag in query.tags]
    return conditions


def _text(name: str) -> sa.ColumnElement[str]:
    return sa.type_coerce(JOBS.c[name], sa.String())
