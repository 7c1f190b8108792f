"""Which ended jobs a selection means, in a real database, and their removal."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_plugin.database import Database
from scheduler_plugin.ended_records import EndedRecords, Selection
from scheduler_plugin.records import Records
from scheduler_plugin.status import JobStatus

from .many import add_jobs

MINUTE = 60_000


@pytest.fixture
def ended(db_url: str) -> EndedRecords:
    return EndedRecords(Database(db_url))


ROWS: list[dict[str, Any]] = [
    {"job_id": "a-0", "job_definition_id": "d-1"},
    {"job_id": "a-1", "job_definition_id": "d-1", "status": "FAILED"},
    {"job_id": "a-2", "job_definition_id": "d-1", "status": "IN_PROGRESS", "end_time": None},
    {"job_id": "a-3", "job_definition_id": "d-2", "status": "STOPPED", "end_time": None},
    {"job_id": "a-4", "job_definition_id": "d-2"},
    {"job_id": "a-5", "name": "50% done"},
    {"job_id": "a-6", "name": "50 done", "status": "CREATED"},
]
CASES = [
    (Selection(), ["a-0", "a-1", "a-3", "a-4", "a-5"]),
    (Selection(statuses=[JobStatus.FAILED]), ["a-1"]),
    (Selection(before=3 * MINUTE), ["a-0", "a-1"]),
    (Selection(before=3 * MINUTE + 1), ["a-0", "a-1", "a-3"]),
    (Selection(job_definition_id="d-2"), ["a-3", "a-4"]),
    (Selection(name="50%"), ["a-5"]),
    (Selection(beyond=2), ["a-0", "a-1", "a-3"]),
    (Selection(beyond=0, statuses=[JobStatus.STOPPED]), ["a-3"]),
    (Selection(beyond=1, of_each=True), ["a-0", "a-3"]),
    (Selection(beyond=1, of_each=True, not_of=["d-1"]), ["a-3"]),
    (Selection(before=MINUTE, not_of=["d-1"]), []),
    (Selection(beyond=1, job_definition_id="d-1"), ["a-0"]),
]


@pytest.mark.parametrize(("selection", "expected"), CASES)
def test_a_selection_means_ended_jobs_only_the_oldest_first(
    ended: EndedRecords, db_url: str, selection: Selection, expected: list[str]
) -> None:
    add_jobs(db_url, ROWS)

    assert list(ended.find(selection)) == expected


def test_what_runs_is_never_removed(ended: EndedRecords, db_url: str, records: Records) -> None:
    add_jobs(db_url, ROWS)

    assert ended.remove([row["job_id"] for row in ROWS]) == 5
    assert {job.job_id for job in records.active()} == {"a-2", "a-6"}


def test_more_jobs_than_one_statement_names_are_removed(ended: EndedRecords, db_url: str) -> None:
    add_jobs(db_url, ({"job_id": f"a-{number}"} for number in range(1234)))

    assert ended.remove(ended.find(Selection())) == 1234
    assert ended.find(Selection()) == ()
