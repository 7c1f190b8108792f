from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.backends.local.cron import (
    MISSED_COUNTED,
    CronState,
    TickDecision,
    decide,
    run_name,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def hourly(after: datetime, until: datetime) -> Iterable[datetime]:
    tick = after.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while tick <= until:
        yield tick
        tick += timedelta(hours=1)


def state(last: datetime | None = NOON, **fields: Any) -> CronState:
    active = fields.pop("active", ())
    stopped = fields.pop("stopped", False)
    since = fields.pop("watched_since", at(-600))
    return CronState(
        spec=fields, watched_since=since, last_tick=last, active=active, stopped=stopped
    )


def test_a_tick_that_is_reached_runs() -> None:
    assert decide(state(), at(60), hourly) == TickDecision(reason="due", tick=at(60), run=True)


def test_a_tick_found_a_few_seconds_late_runs() -> None:
    assert decide(state(), at(60.4), hourly).run


def test_nothing_runs_between_ticks() -> None:
    assert decide(state(), at(59), hourly) == TickDecision(reason="nothing due")


def test_a_tick_that_was_claimed_never_runs_again() -> None:
    assert not decide(state(last=at(60)), at(60.1), hourly).run


def test_a_clock_set_back_repeats_no_tick() -> None:
    assert decide(state(last=at(120)), at(60), hourly) == TickDecision(reason="nothing due")


def test_a_missed_tick_is_dropped_without_a_starting_deadline() -> None:
    decision = decide(state(), at(75), hourly)
    assert decision == TickDecision(reason="missed", missed=1)


def test_a_clock_that_was_years_ahead_for_a_while_uses_up_no_tick() -> None:
    assert decide(state(), at(60 * 24 * 3650 + 30), hourly).tick is None
    assert decide(state(), at(60), hourly).run


def test_a_missed_tick_is_caught_up_within_the_starting_deadline() -> None:
    decision = decide(state(startingDeadlineSeconds=1800), at(75), hourly)
    assert decision == TickDecision(reason="caught up", tick=at(60), run=True)


def test_only_the_latest_of_several_missed_ticks_is_caught_up() -> None:
    decision = decide(state(startingDeadlineSeconds=100_000), at(255), hourly)
    assert (decision.tick, decision.missed) == (at(240), 3)


def test_a_tick_before_the_definition_existed_is_not_its_own() -> None:
    fresh = state(last=None, watched_since=at(61), startingDeadlineSeconds=7200)
    assert decide(fresh, at(75), hourly) == TickDecision(reason="nothing due")


def test_an_edited_schedule_catches_nothing_up() -> None:
    edited = state(watched_since=at(70), startingDeadlineSeconds=7200)
    assert not decide(edited, at(75), hourly).run


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"suspend": True}, TickDecision(reason="suspended", tick=at(60))),
        ({"stopped": True}, TickDecision(reason="stopped", tick=at(60))),
        (
            {"concurrencyPolicy": "Forbid", "active": ("a",)},
            TickDecision(reason="active", tick=at(60), missed=1),
        ),
        (
            {"concurrencyPolicy": "Forbid"},
            TickDecision(reason="due", tick=at(60), run=True),
        ),
        (
            {"concurrencyPolicy": "Replace", "active": ("a", "b")},
            TickDecision(reason="due", tick=at(60), run=True, replace=("a", "b")),
        ),
        (
            {"concurrencyPolicy": "Allow", "active": ("a",)},
            TickDecision(reason="due", tick=at(60), run=True),
        ),
        ({"active": ("a",)}, TickDecision(reason="due", tick=at(60), run=True)),
    ],
)
def test_the_policy_decides(fields: dict[str, Any], expected: TickDecision) -> None:
    assert decide(state(**fields), at(60), hourly) == expected


def test_counting_missed_ticks_is_bounded() -> None:
    decision = decide(state(), at(60 * 24 * 365 * 10), hourly)
    assert decision.missed <= MISSED_COUNTED + 1


@given(st.lists(st.floats(min_value=0, max_value=6000), max_size=60), st.integers(0, 20_000))
def test_no_tick_runs_twice_whatever_the_clock_does(looks: list[float], deadline: int) -> None:
    last, ran = None, []
    for minutes in looks:
        decision = decide(state(last=last, startingDeadlineSeconds=deadline), at(minutes), hourly)
        if decision.tick:
            last = decision.tick
        if decision.run:
            ran.append(decision.tick)
    assert len(ran) == len(set(ran))


def test_a_run_is_named_as_argo_names_it() -> None:
    assert run_name("nightly", datetime(2026, 11, 22, 12, tzinfo=UTC)) == "nightly-1795348800"
