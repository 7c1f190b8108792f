"""A definition's schedule: whether it can be one, and the cron workflow that keeps it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import couler_jobs as cj
from couler_jobs.compiler.cron import CronOptions, cron_manifest
from couler_jobs.spec.cron import CronError, in_five_fields, is_zone, next_times, parse
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.pipelines import TickPlan, tick_workflow

LONGEST_LINE = 256
LONGEST_ZONE = 36
"""Characters of `job_definitions.schedule` and `.timezone` (jupyter_scheduler/orm.py)."""
IN_MANIFEST = frozenset(
    {
        "concurrency_policy",
        "starting_deadline_seconds",
        "successful_runs_kept",
        "failed_runs_kept",
        "retries",
        "retry_delay_seconds",
        "retry_delay_factor",
        "environment_variables",
    }
)
"""Keys of `runtime_parameters.KEYS` that a cron workflow says (of variables the secret ones)."""
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def checked(line: str, zone: str) -> str:
    """A cron line in five fields, the one form that JupyterLab's pages can show.

    Raises JobRefused for a line or a time zone that could not be kept.
    """
    if not is_zone(zone) or len(zone) > LONGEST_ZONE:
        raise JobRefused(f"There is no time zone {zone!r}: use a name such as Europe/Paris.")
    if len(line) > LONGEST_LINE:
        raise JobRefused(f"The schedule is longer than {LONGEST_LINE} characters: shorten it.")
    try:
        if parse(line).zone:
            raise JobRefused(
                f"The schedule {line!r} names a time zone: give it as `timezone`, beside the line."
            )
        fields = in_five_fields(line)
        never = next(next_times(fields, ANY_TIME, "" if zone == "Local" else zone), None) is None
    except CronError as error:
        raise JobRefused(f"{error} A schedule is a cron line such as '0 2 * * *'.") from error
    if never:
        raise JobRefused(f"The schedule {line!r} names a day that no month has: it never runs.")
    return fields


def shown(line: str | None, zone: str | None) -> tuple[str | None, str | None]:
    """A record's line and zone, as JupyterLab's pages can show them; None for a line they cannot.

    A record of before, or one that follows an edit in Argo's own UI, may hold any line of Argo's,
    and one line that cronstrue does not know breaks the whole page.
    """
    if line is None:
        return None, zone
    try:
        return in_five_fields(line), parse(line).zone or zone
    except CronError:
        return None, zone


def manifest(
    plan: TickPlan,
    line: str,
    zone: str,
    policies: Mapping[str, Any],
    target: str,
    suspend: bool | None,
) -> dict[str, Any]:
    """The cron workflow of a definition. `suspend` None leaves a paused one paused.

    `policies` are the values of `runtime_parameters.KEYS`.
    """
    options = CronOptions(
        timezone=zone or "UTC",
        concurrency=policies["concurrency_policy"],
        starting_deadline=policies["starting_deadline_seconds"],
        suspend=suspend,
        keep_succeeded=policies["successful_runs_kept"],
        keep_failed=policies["failed_runs_kept"],
    )
    workflow = cj.compile(tick_workflow(plan), target=target)
    return cron_manifest(workflow, [line], target=target, options=options)
