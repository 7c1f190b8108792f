"""A workflow that runs on a schedule: its next times, its runs, and what may be asked of it."""

from __future__ import annotations

from datetime import UTC, datetime
from heapq import merge
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from couler_jobs.backends.base import Backend
from couler_jobs.backends.choose import choose
from couler_jobs.config import Settings
from couler_jobs.runs.run import Run
from couler_jobs.spec.status import CRON_LABEL, CronInfo


class Schedule:
    """The handle of one cron workflow. `info` is as it was last asked for; `refresh()` asks."""

    def __init__(self, info: CronInfo, backend: Backend) -> None:
        self.info = info
        self.backend = backend

    @classmethod
    def of(
        cls, name: str, backend: Backend | str | None = None, settings: Settings | None = None
    ) -> Schedule:
        """The handle of a schedule that exists already, by its name. Raises NotFound."""
        place = choose(backend, settings)
        return cls(place.get_cron(name), place)

    @property
    def name(self) -> str:
        """The cron workflow's name."""
        return self.info.name

    @property
    def suspended(self) -> bool:
        """Whether it starts no run until it is resumed."""
        return self.info.suspended

    @property
    def runs(self) -> list[Run]:
        """The runs it has started that still exist, newest first."""
        found = self.backend.list({CRON_LABEL: self.name})
        return [Run(info, self.backend) for info in found]

    def next_times(self, count: int = 5) -> list[datetime]:
        """When it runs next, in its own time zone; empty while it is suspended."""
        if self.suspended:
            return []
        from couler_jobs.spec.cron import next_times

        now, zone = datetime.now(UTC), ZoneInfo(self.info.timezone or "UTC")
        times = merge(*(next_times(line, now, zone.key) for line in self.info.schedules))
        return [time.astimezone(zone) for time, _ in islice(groupby(times), count)]

    def refresh(self) -> Schedule:
        """Ask the backend how it stands now; gives itself back."""
        return self._learn(self.backend.get_cron(self.name))

    def pause(self) -> Schedule:
        """Start no run until `resume`; runs under way go on."""
        return self._learn(self.backend.suspend_cron(self.name))

    def resume(self) -> Schedule:
        """Start runs again from the next tick on."""
        return self._learn(self.backend.resume_cron(self.name))

    def trigger(self) -> Run:
        """Start one run now, also while it is paused."""
        return Run(self.backend.trigger_cron(self.name), self.backend)

    def delete(self) -> None:
        """Remove the schedule; its runs stay."""
        self.backend.delete_cron(self.name)

    def _learn(self, info: CronInfo) -> Schedule:
        self.info = info
        return self

    def __repr__(self) -> str:
        lines = " and ".join(repr(line) for line in self.info.schedules)
        state = "paused" if self.suspended else f"next {self._next()}"
        return f"<Schedule {self.name}: {lines} {self.info.timezone or 'UTC'}, {state}>"

    def _next(self) -> str:
        times = self.next_times(1)
        return f"{times[0]:%Y-%m-%d %H:%M %Z}" if times else "never"
