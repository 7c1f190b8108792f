"""Calls the reconciler, in a thread, from jupyter_scheduler's own seam."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from jupyter_scheduler.task_runner import BaseTaskRunner

SOONEST = 5.0
"""Seconds between the end of a round and the next one, however often somebody asks."""

SHARE = 10
"""A round that took long is followed by a pause so many times as long: it is to be no burden."""


class ReconcilingTaskRunner(BaseTaskRunner):  # type: ignore[misc]  # upstream is untyped
    """Runs nothing: it replaces the runner that would run job definitions in the server."""

    def __init__(self, scheduler: Any = None, config: Any = None, **options: Any) -> None:
        super().__init__(config=config, **options)
        self.scheduler = scheduler
        self.soonest = SOONEST
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Let the next round come soon: somebody looks at the records. Returns at once."""
        self._asked.set()

    async def start(self) -> None:
        """Heal records now, every `poll_interval` seconds, and soon after somebody asks."""
        while True:
            begin = time.monotonic()
            await self._round()
            pause = SHARE * (time.monotonic() - begin)
            soonest = min(max(self.soonest, pause), max(self.poll_interval, pause))
            await asyncio.sleep(soonest)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self.poll_interval - soonest)
            self._asked.clear()

    async def _round(self) -> None:
        try:
            await self.scheduler.in_thread(self.scheduler.jobs.reconcile)
            await self.scheduler.in_thread(self.scheduler.definitions.reconcile)
            await self.scheduler.in_thread(self.scheduler.housekeeper.round)
        except Exception as error:  # whatever it is, the next round may do better
            self.log.warning("Job records could not be compared with their runs: %s", error)

    def add_job_definition(self, job_definition_id: str) -> None:
        """Nothing to do: a definition is a cron workflow."""

    def update_job_definition(self, job_definition_id: str, model: Any) -> None:
        """Nothing to do: a definition is a cron workflow."""

    def delete_job_definition(self, job_definition_id: str) -> None:
        """Nothing to do: a definition is a cron workflow."""
