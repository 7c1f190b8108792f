"""A definition's record against the cron workflow that really ticks. Pure.

Somebody may suspend, resume, edit or delete it in Argo's own UI. The record then says what ticks;
nothing is taken back.
"""

from __future__ import annotations

from typing import Any

from couler_jobs.spec.status import CronInfo
from scheduler_plugin.definition_records import Definition


def drift(definition: Definition, cron: CronInfo | None) -> dict[str, Any]:
    """The columns of a definition's record that are to be changed, with their values.

    `cron` None: there is none. Several lines in one cron workflow have no place in a record, which
    keeps its own then.
    """
    if cron is None:
        return {"active": False} if definition.active else {}
    found: dict[str, Any] = {"active": not cron.suspended}
    if len(cron.schedules) == 1:
        found["schedule"] = cron.schedules[0]
    if (cron.timezone or "UTC") != (definition.timezone or "UTC"):
        found["timezone"] = cron.timezone or "UTC"
    return {name: value for name, value in found.items() if value != getattr(definition, name)}
