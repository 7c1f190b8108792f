"""The handle of a cron workflow, over a backend in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from couler_jobs.errors import NotFound
from couler_jobs.runs.schedule import Schedule
from couler_jobs.spec.status import CRON_LABEL, CronInfo
from tests.runs.fake import FakeBackend, info

NIGHTLY = CronInfo(
    name="nightly", uid="u", schedules=("0 2 * * *", "0 14 * * *"), timezone="Europe/Paris"
)


@pytest.fixture
def backend() -> FakeBackend:
    found = FakeBackend()
    found.crons["nightly"] = NIGHTLY
    return found


@pytest.fixture
def nightly(backend: FakeBackend) -> Schedule:
    return Schedule.of("nightly", backend)


def test_an_unknown_name_is_not_found(backend: FakeBackend) -> None:
    with pytest.raises(NotFound, match="nobody"):
        Schedule.of("nobody", backend)


def test_the_next_times_are_of_all_lines_in_order_in_its_zone(nightly: Schedule) -> None:
    times = nightly.next_times(4)
    assert times == sorted(times)
    assert {time.hour for time in times} == {2, 14}
    assert times[0] > datetime.now(UTC)
    assert {str(time.tzinfo) for time in times} == {"Europe/Paris"}


def test_two_lines_that_meet_run_once(nightly: Schedule) -> None:
    nightly.info = replace(NIGHTLY, schedules=("0 2 * * *", "0 2 * * *"), timezone="")
    first, second = nightly.next_times(2)
    assert (second - first).days == 1
    assert first.tzinfo == ZoneInfo("UTC")


def test_a_line_that_never_fires_has_no_next_time(nightly: Schedule) -> None:
    nightly.info = replace(NIGHTLY, schedules=("0 0 30 2 *",))
    assert nightly.next_times() == []
    assert "next never" in repr(nightly)


def test_pause_and_resume_are_asked_of_the_backend(nightly: Schedule, backend: FakeBackend) -> None:
    assert nightly.pause().suspended
    assert nightly.next_times() == []
    assert backend.crons["nightly"].suspended
    assert not nightly.resume().suspended


def test_refresh_asks_again(nightly: Schedule, backend: FakeBackend) -> None:
    backend.suspend_cron("nightly")
    assert not nightly.suspended
    assert nightly.refresh().suspended


def test_its_runs_are_those_that_carry_its_label(nightly: Schedule, backend: FakeBackend) -> None:
    backend.answers = [info("a", labels={CRON_LABEL: "nightly"}), info("b")]
    assert [run.name for run in nightly.runs] == ["a"]


def test_a_trigger_gives_the_run(nightly: Schedule) -> None:
    assert nightly.trigger().name == "nightly-now"


def test_a_deleted_schedule_is_not_found(nightly: Schedule) -> None:
    nightly.delete()
    with pytest.raises(NotFound):
        nightly.refresh()


def test_it_shows_its_lines_and_how_it_stands(nightly: Schedule) -> None:
    assert repr(nightly).startswith(
        "<Schedule nightly: '0 2 * * *' and '0 14 * * *' Europe/Paris, next 2"
    )
    assert repr(nightly.pause()).endswith(", paused>")
