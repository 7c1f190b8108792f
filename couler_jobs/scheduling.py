"""What you declared, on a schedule: a cron workflow is made or changed, a `Schedule` comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couler_jobs.backends.base import Backend
from couler_jobs.backends.choose import choose
from couler_jobs.compiler.cron import Concurrency, CronOptions, changed, cron_manifest
from couler_jobs.errors import CompileError
from couler_jobs.inputs import read_placed
from couler_jobs.manifests import Manifest
from couler_jobs.runs.schedule import Schedule
from couler_jobs.submission import apply, taken, target_of


def schedule(
    what: object = None,
    lines: str | Sequence[str] = (),
    *,
    timezone: str | None = None,
    name: str | None = None,
    concurrency: Concurrency | None = None,
    starting_deadline: int | None = None,
    suspend: bool | None = None,
    keep_succeeded: int | None = None,
    keep_failed: int | None = None,
    backend: Backend | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more_parameters: Any,
) -> Schedule:
    """Run a workflow on a schedule, and give the schedule's handle back.

    `what` is anything that `submit` takes. Where it has a schedule of its own (a CronWorkflow
    manifest, `@workflow(schedule=...)`), that is what counts, but for the arguments that are given
    here. `lines` is one cron line or several, read in `timezone` (UTC). `concurrency` says what a
    tick does while a run goes on: "Forbid" (nothing, the default), "Replace" (it ends the run) or
    "Allow". `starting_deadline`: for how many seconds a missed tick may still be run.
    `keep_succeeded` (3) and `keep_failed` (1): how many ended runs are kept. `suspend`: whether it
    is paused; None leaves that as it is, and a new schedule is not.

    Doing it again with the same name changes that schedule; it never makes a second one. Nothing is
    sent when anything is wrong before (DeclarationError, CompileError, LintError).
    """
    what = taken(what)
    place = choose(backend)
    target = target_of(place)
    options = CronOptions(
        timezone=timezone,
        concurrency=concurrency,
        starting_deadline=starting_deadline,
        suspend=suspend,
        keep_succeeded=keep_succeeded,
        keep_failed=keep_failed,
    )
    manifest, origin = read_placed(what, target, {**(parameters or {}), **more_parameters})
    listed = [lines] if isinstance(lines, str) else list(lines)
    found = _on_schedule(_renamed(manifest, name), listed, target, options)
    return apply(found, place, target, origin=origin)


def _on_schedule(
    manifest: Manifest, lines: Sequence[str], target: str, options: CronOptions
) -> Manifest:
    if manifest.get("kind") == "CronWorkflow":
        return changed(manifest, lines, target=target, options=options)
    return cron_manifest(manifest, lines, target=target, options=options)


def _renamed(manifest: Manifest, name: str | None) -> Manifest:
    from couler_jobs.dsl.couler.recording import DEFAULT_NAME

    if name is None:
        metadata = manifest.get("metadata") or {}
        if metadata.get("generateName") == f"{DEFAULT_NAME}-":
            # every program that names nothing would change one and the same schedule
            raise CompileError("A schedule of what was recorded needs a name: say name=.")
        return manifest
    return {**manifest, "metadata": {**(manifest.get("metadata") or {}), "name": name}}
