"""One look at every cron workflow: start what is due, end what is replaced, forget old runs."""

from __future__ import annotations

import contextlib
import heapq
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice, takewhile
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.local import launching
from couler_jobs.backends.local.cron import (
    MISSED_COUNTED,
    CronState,
    TickDecision,
    decide,
    run_name,
)
from couler_jobs.backends.local.cron_store import StoredCron
from couler_jobs.backends.local.engine.driver import Engine
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.errors import NotFound
from couler_jobs.spec.cron import next_times
from couler_jobs.spec.status import CRON_LABEL, Phase, RunInfo

if TYPE_CHECKING:
    from couler_jobs.backends.local.client import LocalBackend

SCHEDULED_TIME = "workflows.argoproj.io/scheduled-time"

_logger = logging.getLogger("couler_jobs.cron")


Told = dict[str, tuple[float, float | None]]
"""What was said of missed ticks: by a cron workflow's uid, from where on they were counted."""


def tick_all(backend: LocalBackend, now: float, told: Told | None = None) -> float | None:
    """Serve every cron workflow; seconds until the next tick, None when there is none to serve.

    Who looks again and again hands in the same `told`, so that missed ticks are logged once.
    """
    told = {} if told is None else told
    waits = [_wait_after(backend, cron, now, told) for cron in backend.crons.all()]
    return min(waits, default=None)


def _wait_after(backend: LocalBackend, cron: StoredCron, now: float, told: Told) -> float:
    try:
        _tell(cron, _serve(backend, cron, now), told)
        return _until_next(cron, now)
    except Exception as error:  # one bad cron workflow must not keep the others from ticking
        _logger.error("%s: %s: %s", cron.name, type(error).__name__, error)
        return float("inf")


def _tell(cron: StoredCron, decision: TickDecision, told: Told) -> None:
    since = (cron.watched_since, cron.last_tick)
    if decision.missed and told.get(cron.uid) != since:
        told[cron.uid] = since
        _logger.info("%s: missed ticks: %d.", cron.name, decision.missed)


def _serve(backend: LocalBackend, cron: StoredCron, now: float) -> TickDecision:
    runs = list(backend.list({CRON_LABEL: cron.name}))
    _end_replaced(backend, cron, runs)
    decision = _decide(_state(cron, runs), cron, now)
    if decision.tick is not None:
        _obey(backend, cron, decision, now)
    _forget_old(backend, cron, runs)
    return decision


def _state(cron: StoredCron, runs: Iterable[RunInfo] = ()) -> CronState:
    return CronState(
        spec=cron.spec,
        watched_since=_moment(cron.watched_since),
        last_tick=None if cron.last_tick is None else _moment(cron.last_tick),
        active=tuple(run.name for run in runs if not run.ended),
    )


def _decide(state: CronState, cron: StoredCron, now: float) -> TickDecision:
    return decide(state, _moment(now), lambda after, until: ticks(cron, after, until))


def complaints(cron: StoredCron, now: float) -> tuple[str, ...]:
    """Sentences for `CronInfo.conditions`: ticks since its last one that nobody was there to run.

    They are told until the next tick; none was missed while it was suspended.
    """
    state = _state(cron)
    missed = 0 if cron.spec.get("suspend") else _decide(state, cron, now).missed
    if not missed:
        return ()
    number = f"{missed} tick{'s' if missed > 1 else ''}"
    if missed >= MISSED_COUNTED:
        number = f"At least {MISSED_COUNTED} ticks"
    return (f"{number} since {state.begin:%Y-%m-%d %H:%M} UTC did not run: no daemon served them.",)


def _obey(backend: LocalBackend, cron: StoredCron, decision: TickDecision, now: float) -> None:
    """Claim first: who does not get the tick was looking at what is no longer so."""
    assert decision.tick is not None, "only ticks are obeyed"  # noqa: S101
    run = run_of(backend, cron, decision.tick, now) if decision.run else None
    if not backend.crons.claim(cron, decision.tick.timestamp(), run) or run is None:
        return
    _logger.info("%s: %s starts (%s).", cron.name, run.name, decision.reason)
    for name in decision.replace:
        backend.terminate(name)
    launching.start_supervisor(backend.home, run.uid)


def _end_replaced(backend: LocalBackend, cron: StoredCron, runs: Sequence[RunInfo]) -> None:
    """End what a tick replaces, also where its daemon was killed before it could."""
    if cron.spec.get("concurrencyPolicy") != "Replace" or cron.last_run is None:
        return
    newest = run_name(cron.name, _moment(cron.last_run))
    position = next((i for i, run in enumerate(runs) if run.name == newest), len(runs))
    for run in runs[position + 1 :]:
        if not run.ended and not run.shutdown:
            backend.terminate(run.name)


def run_of(backend: LocalBackend, cron: StoredCron, tick: datetime, now: float) -> StoredRun:
    """The run of a tick, not yet stored; `Rejected` if a template or a config map is missing."""
    uid, name = str(uuid.uuid4()), run_name(cron.name, tick)
    manifest = backend.complete(run_manifest(cron, {"name": name}, tick))
    if "workflowMetadata" in manifest["spec"]:
        engine = Engine(manifest, name=name, uid=uid, created_at=now)
        manifest["spec"]["workflowMetadata"] = engine.metadata
    return StoredRun(
        uid=uid,
        name=name,
        created_at=now,
        manifest=manifest,
        asked_at=now,
    )


def run_manifest(cron: StoredCron, naming: dict[str, str], tick: datetime) -> dict[str, Any]:
    """The Workflow that a cron workflow starts, as Argo's controller makes it of one."""
    extra = cron.spec.get("workflowMetadata") or {}
    labels = {**(extra.get("labels") or {}), CRON_LABEL: cron.name}
    scheduled = tick.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    annotations = {**(extra.get("annotations") or {}), SCHEDULED_TIME: scheduled}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {**naming, "labels": labels, "annotations": annotations},
        "spec": cron.spec["workflowSpec"],
    }


def ticks(cron: StoredCron, after: datetime, until: datetime) -> Iterator[datetime]:
    """The ticks of all its lines with after < tick <= until, in order, each once."""
    return takewhile(lambda tick: tick <= until, upcoming(cron, after))


def upcoming(cron: StoredCron, after: datetime) -> Iterator[datetime]:
    """The ticks of all its lines after that moment, without end, in order, each once."""
    anchor = _moment(cron.watched_since)
    lines = [next_times(line, after, cron.timezone, anchor=anchor) for line in cron.schedules]
    return (tick for tick, _ in groupby(heapq.merge(*lines)))


def _until_next(cron: StoredCron, now: float) -> float:
    tick = next(upcoming(cron, _moment(now)), None)
    return float("inf") if tick is None else max(tick.timestamp() - now, 0.01)


def _forget_old(backend: LocalBackend, cron: StoredCron, runs: Iterable[RunInfo]) -> None:
    """Keep the newest `successfulJobsHistoryLimit` (3) and `failedJobsHistoryLimit` (1) runs."""
    ended = [run for run in runs if run.ended]
    good = [run for run in ended if run.phase is Phase.SUCCEEDED]
    bad = [run for run in ended if run.phase is not Phase.SUCCEEDED]
    for kept, limit in ((good, "successfulJobsHistoryLimit"), (bad, "failedJobsHistoryLimit")):
        default = 3 if kept is good else 1
        number = cron.spec.get(limit)
        for run in islice(kept, default if number is None else int(number), None):
            with contextlib.suppress(NotFound):  # its time to live was over meanwhile
                backend.delete(run.name)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
