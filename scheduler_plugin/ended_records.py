"""Records of jobs that have ended, many at once: which a selection means, and their removal.

The ids of a hundred thousand jobs are a few megabytes: they are read by one SELECT, and deleted in
batches, each a short transaction, so that nobody who writes a record waits for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from scheduler_plugin.database import Database
from scheduler_plugin.records import AT_ONCE, JOBS
from scheduler_plugin.status import ENDED, JobStatus

ENDED_AT = sa.func.coalesce(JOBS.c.end_time, JOBS.c.update_time, JOBS.c.create_time)
"""When a job ended: an older jupyter_scheduler did not always write it down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some of the jobs that have ended; None leaves a field out of the question."""

    statuses: Sequence[JobStatus] = ENDED
    before: int | None = None  #: it ended before that, in milliseconds since the epoch
    job_definition_id: str | None = None
    not_of: Sequence[str] = ()  #: job definitions whose jobs are left out
    name: str | None = None  #: how the name begins
    beyond: int | None = None  #: it is not among so many that were created last
    of_each: bool = False  #: `beyond` counts for each job definition, and one-off jobs are left out


class EndedRecords:
    """The ended jobs of one database. Every call raises DatabaseUnavailable if that stays away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, selection: Selection) -> tuple[str, ...]:
        """The ids of the jobs that a selection means, those that ended first in front."""
        rank = sa.func.row_number().over(
            partition_by=JOBS.c.job_definition_id if selection.of_each else None,
            order_by=(JOBS.c.create_time.desc(), JOBS.c.job_id),
        )
        columns = [JOBS.c.job_id, ENDED_AT.label("ended_at")]
        if selection.beyond is not None:
            columns.append(rank.label("rank"))
        found = sa.select(*columns).where(*_conditions(selection)).subquery()
        select = sa.select(found)
        if selection.beyond is not None:
            select = select.where(found.c.rank > selection.beyond)
        rows = self._database.read(select.order_by(found.c.ended_at, found.c.job_id))
        return tuple(row["job_id"] for row in rows)

    def remove(self, job_ids: Sequence[str]) -> int:
        """Forget these jobs, but none that runs; how many that were."""
        return sum(
            self._remove(job_ids[start : start + AT_ONCE])
            for start in range(0, len(job_ids), AT_ONCE)
        )

    def _remove(self, job_ids: Sequence[str]) -> int:
        ended = JOBS.c.status.in_([status.value for status in ENDED])
        statement = sa.delete(JOBS).where(JOBS.c.job_id.in_(job_ids), ended)
        return self._database.write(lambda on: int(on.execute(statement).rowcount))


def _conditions(selection: Selection) -> list[sa.ColumnElement[bool]]:
    definition = JOBS.c.job_definition_id
    wanted = [status.value for status in selection.statuses]
    conditions: list[sa.ColumnElement[bool]] = [JOBS.c.status.in_(wanted)]
    if selection.before is not None:
        conditions.append(selection.before > ENDED_AT)
    if selection.job_definition_id is not None:
        conditions.append(definition == selection.job_definition_id)
    if selection.not_of:
        conditions.append(sa.or_(definition.is_(None), definition.not_in(selection.not_of)))
    if selection.of_each:
        conditions.append(definition.is_not(None))
    if selection.name:
        name = sa.type_coerce(JOBS.c.name, sa.String())
        conditions.append(name.startswith(selection.name, autoescape=True))
    return conditions
