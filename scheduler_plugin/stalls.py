"""Whether a job that is said to run has stalled: nobody ends it at its deadline. Pure.

Argo's controller ends a workflow at its `activeDeadlineSeconds`, and the notebook program an
attempt at its `timeout_seconds`. One that runs on long after that has lost what was to end it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from couler_jobs.spec.status import RunInfo
from scheduler_plugin.status import in_milliseconds

GRACE_MILLISECONDS = 900_000
"""How long after its deadline a run may still go on: its results are written, its pods end, and
its exit handler waits up to ten minutes for a locked database."""


def stall(
    run: RunInfo, request: Mapping[str, Any], report: Mapping[str, Any], *, now: int
) -> str | None:
    """The sentence on a run that has stalled; None for one that may go on.

    `request` and `report` are the notebook step's request and result files, empty where there are
    none. `now` is milliseconds since the epoch. The sentence is the same at every look.
    """
    passed = [end for end in _deadlines(run, request, report) if end + GRACE_MILLISECONDS < now]
    if run.ended or not passed:
        return None
    until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(passed))
    return (
        f"Stalled: its workflow {run.name} was to end by {until:%Y-%m-%d %H:%M} UTC and is still "
        f"{run.phase}, so its pod may be lost, or what watches over it away: stop it, and run it "
        "again."
    )


def _deadlines(
    run: RunInfo, request: Mapping[str, Any], report: Mapping[str, Any]
) -> Iterator[int]:
    began = run.started_at or run.created_at
    if began is not None and run.active_deadline is not None:
        yield int((began.timestamp() + run.active_deadline) * 1000)
    attempt, allowed = in_milliseconds(report.get("started_at")), request.get("timeout")
    running = report.get("status") == "running"  # between two attempts, nobody knows when it ends
    if running and attempt is not None and isinstance(allowed, int | float):
        yield attempt + int(allowed * 1000)
