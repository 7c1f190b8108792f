"""Which tick of a cron workflow is to run now: a pure decision, as Argo's controller takes it.

Rules of Argo's `workflow/cron/operator.go`: a tick that is reached while somebody watches runs; a
missed one is dropped unless `startingDeadlineSeconds` still allows it, and then only the latest one
runs, never right after the schedule was edited; `concurrencyPolicy` decides what active runs mean.
No tick at or before the last one that was claimed ever runs again, whatever the clock does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

ON_TIME = timedelta(seconds=30)
"""A tick found this late still counts as reached: a busy machine, a daemon started again."""

Ticks = Callable[[datetime, datetime], Iterable[datetime]]
"""The ticks t of the schedules with after < t <= until, in order, UTC."""

Reason = Literal["due", "caught up", "nothing due", "suspended", "stopped", "active", "missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CronState:
    """What is known of one cron workflow. Times are UTC.

    `watched_since` is when it was created or its schedule last changed: ticks up to then are not
    its own. `active` are the names of its runs that have not ended.
    """

    spec: Mapping[str, Any]
    watched_since: datetime
    last_tick: datetime | None = None
    active: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def begin(self) -> datetime:
        """No tick at or before this may run."""
        if self.last_tick is None:
            return self.watched_since
        return max(self.watched_since, self.last_tick)

    @property
    def deadline(self) -> timedelta:
        """How late a tick may still run."""
        seconds = self.spec.get("startingDeadlineSeconds") or 0
        return max(ON_TIME, timedelta(seconds=int(seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """What to do now: claim `tick` (if any), run it if `run`, and then end the runs in `replace`.

    Missed ticks are not claimed: a clock that is years wrong until the network is there must not
    use up the ticks of those years.
    """

    reason: Reason
    tick: datetime | None = None
    run: bool = False
    replace: tuple[str, ...] = ()
    missed: int = 0  #: ticks that nobody will run, counted up to MISSED_COUNTED


MISSED_COUNTED = 1000
"""Counting missed ticks stops here: a clock that was years wrong must not keep us counting."""


def decide(state: CronState, now: datetime, ticks: Ticks) -> TickDecision:
    """The one tick that is to run at `now`, if any."""
    oldest = max(state.begin, now - state.deadline)
    due = list(ticks(oldest, now)) if now > oldest else []
    missed = _count(ticks, state.begin, oldest) + max(len(due) - 1, 0)
    if not due:
        return TickDecision(reason="missed" if missed else "nothing due", missed=missed)
    return _by_policy(state, due[-1], now, missed)


def _by_policy(state: CronState, tick: datetime, now: datetime, missed: int) -> TickDecision:
    policy = state.spec.get("concurrencyPolicy") or "Allow"
    if state.spec.get("suspend"):
        return TickDecision(reason="suspended", tick=tick)
    if state.stopped:
        return TickDecision(reason="stopped", tick=tick)
    if policy == "Forbid" and state.active:
        return TickDecision(reason="active", tick=tick, missed=missed + 1)
    return TickDecision(
        reason="due" if now - tick <= ON_TIME else "caught up",
        tick=tick,
        run=True,
        replace=state.active if policy == "Replace" else (),
        missed=missed,
    )


def _count(ticks: Ticks, after: datetime, until: datetime) -> int:
    count = 0
    for _ in ticks(after, until) if until > after else ():
        count += 1
        if count == MISSED_COUNTED:
            break
    return count


def run_name(cron: str, tick: datetime) -> str:
    """The name of the run of a tick, as Argo's controller makes it: `<cron>-<unix seconds>`."""
    return f"{cron}-{int(tick.timestamp())}"
