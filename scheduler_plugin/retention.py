"""How long the records, files and workflows of ended jobs are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler_plugin.ended_records import Selection

DAY = 24 * 3600 * 1000
"""Milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many ended jobs are kept and for how many days; None: all of them, for ever."""

    jobs: int | None = None
    days: float | None = None


KEEP_ALL = Retention()


def of_options(options: Mapping[str, Any]) -> Retention:
    """What the values of `runtime_parameters.KEYS` say of a definition's jobs."""
    return Retention(jobs=options["jobs_kept"], days=options["days_kept"])


def expired(
    overall: Retention, each: Retention, said: Mapping[str, Retention], now: int
) -> Sequence[Selection]:
    """The ended jobs whose time is over, at `now` (milliseconds since the epoch).

    `overall` counts all jobs, `each` those of every definition that says nothing itself, and `said`
    holds what definitions say, by their ids.
    """
    apart = tuple(said)
    found = [
        *_selections(overall, now),
        *_selections(each, now, of_each=True, not_of=apart),
    ]
    for definition, retention in said.items():
        found += _selections(retention, now, job_definition_id=definition)
    return found


def _selections(retention: Retention, now: int, **whose: object) -> list[Selection]:
    found = []
    if retention.jobs is not None:
        found.append(Selection(beyond=retention.jobs, **whose))  # type: ignore[arg-type]
    if retention.days is not None:
        before = now - int(retention.days * DAY)
        found.append(Selection(before=before, **whose))  # type: ignore[arg-type]
    return found
