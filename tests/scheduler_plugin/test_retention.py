"""How long ended jobs are kept, by what operator and definitions say."""

from __future__ import annotations

from scheduler_plugin.ended_records import Selection
from scheduler_plugin.retention import DAY, Retention, expired

NOW = 100 * DAY


def test_nothing_expires_where_nobody_says_so() -> None:
    assert not expired(Retention(), Retention(), {}, NOW)


def test_all_jobs_are_counted_and_grow_old() -> None:
    assert expired(Retention(jobs=10, days=2), Retention(), {}, NOW) == [
        Selection(beyond=10),
        Selection(before=98 * DAY),
    ]


def test_a_definition_that_says_it_is_apart_from_the_others() -> None:
    assert expired(Retention(), Retention(jobs=5), {"d-1": Retention(jobs=50)}, NOW) == [
        Selection(beyond=5, of_each=True, not_of=("d-1",)),
        Selection(beyond=50, job_definition_id="d-1"),
    ]
