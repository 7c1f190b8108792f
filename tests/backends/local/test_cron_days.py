"""Thousands of days of schedules in a moment: daemons die, sleep and compete, clocks jump."""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from couler_jobs.backends.local.cron import ON_TIME, CronState, TickDecision, decide
from couler_jobs.spec.cron import next_times

DAYS = 1500
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULES = [
    ("0 2 * * *", "UTC"),
    ("30 2 * * *", "Europe/Paris"),  # skipped once a year, and twice there once a year
    ("15 */6 * * 1-5", "America/New_York"),
    ("30 1 1,15 * *", "Australia/Lord_Howe"),  # half an hour of daylight saving
]


@dataclass
class World:
    """What daemons share: the claim, a compare-and-swap as the store has it, and what ran."""

    ticks: list[datetime]
    state: CronState
    ran: list[datetime] = field(default_factory=list)
    seen: set[datetime] = field(default_factory=set)  #: ticks that somebody was awake for

    def between(self, after: datetime, until: datetime) -> Iterable[datetime]:
        low, high = bisect.bisect_right(self.ticks, after), bisect.bisect_right(self.ticks, until)
        return self.ticks[low:high]

    def look(self, now: datetime) -> tuple[CronState, TickDecision]:
        return self.state, decide(self.state, now, self.between)

    def claim(self, known: CronState, decision: TickDecision) -> None:
        if decision.tick is None or known.last_tick != self.state.last_tick:
            return
        self.state = replace(self.state, last_tick=decision.tick)
        if decision.run:
            self.ran.append(decision.tick)


def world(line: str, zone: str, deadline: int = 0) -> World:
    end = BEGAN + timedelta(days=DAYS + 60)
    ticks = list(takewhile(lambda tick: tick < end, next_times(line, BEGAN, zone)))
    spec = {"startingDeadlineSeconds": deadline}
    return World(ticks, CronState(spec=spec, watched_since=BEGAN))


def live(found: World, seed: int, jump: Callable[[random.Random], timedelta]) -> None:
    """Two daemons look around each tick; `jump` is what the clock does in between."""
    chance = random.Random(seed)
    now, latest = BEGAN, BEGAN
    while now < BEGAN + timedelta(days=DAYS):
        tick = found.ticks[bisect.bisect_right(found.ticks, now)]
        now = tick + timedelta(seconds=chance.uniform(0, 9)) + jump(chance)
        looks = []
        for _ in range(2):  # both read before either claims
            if chance.random() < 0.1:
                continue  # killed before it looked
            looks.append(found.look(now))
        chance.shuffle(looks)
        for known, decision in looks:
            if chance.random() < 0.1:
                continue  # killed between the look and the claim
            found.claim(known, decision)
            if timedelta() <= now - tick < ON_TIME and tick > latest:
                found.seen.add(tick)
        latest = max(latest, now)
        now += timedelta(seconds=1)


def steady(_chance: random.Random) -> timedelta:
    return timedelta()


def sleepy(chance: random.Random) -> timedelta:
    return timedelta(hours=8) if chance.random() < 0.2 else timedelta()


def wild(chance: random.Random) -> timedelta:
    """Forward and back, from a second to a month."""
    if chance.random() < 0.7:
        return timedelta()
    return timedelta(seconds=chance.choice((-1, 1, 1)) * 10 ** chance.uniform(0, 6.4))


@pytest.mark.parametrize(("line", "zone"), SCHEDULES)
@pytest.mark.parametrize("jump", [steady, sleepy, wild])
@pytest.mark.parametrize("deadline", [0, 36_000])
def test_no_tick_runs_twice_and_none_that_was_seen_is_lost(
    line: str, zone: str, jump: Callable[[random.Random], timedelta], deadline: int
) -> None:
    found = world(line, zone, deadline)
    live(found, seed=7, jump=jump)
    assert len(found.ran) > 50
    assert found.ran == sorted(set(found.ran)), "each once, in order"
    assert found.seen <= set(found.ran), "somebody was there and it did not run"


def test_a_daily_tick_runs_once_on_every_day_that_has_it() -> None:
    found = world("30 2 * * *", "Europe/Paris")
    now = BEGAN
    while now < BEGAN + timedelta(days=DAYS):
        found.claim(*found.look(now))
        now = next((t for t in found.between(now, now + timedelta(days=4))), now) + ON_TIME / 10
    days = Counter(tick.astimezone(ZoneInfo("Europe/Paris")).date() for tick in found.ran)
    every = [min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days)]
    odd = {day: days[day] for day in every if days[day] != 1}
    sundays = {(day.month, day.weekday(), count) for day, count in odd.items()}
    assert sundays == {(3, 6, 0), (10, 6, 2)}, "as on Argo: skipped in spring, twice in autumn"
    assert len(odd) == 8, "four years"
