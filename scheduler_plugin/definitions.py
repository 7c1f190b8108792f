"""Job definitions: record, files and cron workflow, in an order that leaves none without the rest.

Synchronous, no Jupyter in it. What a tick is asked lies in a file, so an edit of anything but the
schedule and its policies is one file and one row, needs no backend, and leaves no parameters
behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from couler_jobs.errors import (
    BackendError,
    ConfigError,
    CoulerJobsError,
)
from couler_jobs.spec.status import CronInfo
from scheduler_plugin import (
    folders,
    labels,
    output_names,
    schedules,
    staging,
)
from scheduler_plugin.definition_crons import DefinitionCrons, moved
from scheduler_plugin.definition_records import (
    COLUMNS,
    Definition,
    DefinitionRecords,
    DefinitionsPage,
    DefinitionsQuery,
)
from scheduler_plugin.drift import drift
from scheduler_plugin.errors import JobRefused, StagingFailed
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest, Order, check, check_snapshot
from scheduler_plugin.records import milliseconds
from scheduler_plugin.ticks import DefinitionFolder, Tick, read_tick

log = logging.getLogger(__name__)

REQUEST = frozenset(one.name for one in dataclasses.fields(JobRequest))
SHARED = (REQUEST & {one.name for one in dataclasses.fields(Definition)}) - {"job_definition_id"}
"""What a definition says of its runs."""
EDITABLE = SHARED - {"input_filename", "package_input_folder"} | {"schedule", "timezone"}
"""What an edit may name, besides `active` and `input_uri`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionRequest:
    """What somebody asks for: runs like `job`, on a schedule (None: only by hand)."""

    job: JobRequest
    schedule: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an edit makes of a definition."""

    after: Definition
    tick: Tick
    touches_cron: bool


class Definitions:
    """The definitions of one server. Every call may raise CoulerJobsError, with a user's text."""

    def __init__(self, records: DefinitionRecords, jobs: Jobs) -> None:
        self.records = records
        self.jobs = jobs
        self._crons = DefinitionCrons(jobs)
        self._locks: dict[str, threading.Lock] = {}

    def create(self, request: DefinitionRequest) -> str:
        """Make a definition and answer its id; after an error nothing of it is left.

        Raises JobRefused for what cannot be one, BackendError when its cron workflow was refused.
        """
        request = replace(request, schedule=_schedule(request.schedule, request.timezone))
        order = check(request.job, self.jobs.settings, self.jobs.environments)
        definition = _definition(request, order)
        folder = self.folder(definition.job_definition_id)
        try:
            folder.create()
            snapshot = self._snapshot(order, folder)
            tick = self._tick(definition, order, snapshot, request.job.input_uri)
            self._write_tick(tick, folder)
            self.records.add(definition)
            self._begin(definition)
        except BaseException:
            self._undo(definition, folder)
            raise
        return definition.job_definition_id

    def get(self, definition_id: str) -> Definition:
        """One definition. Raises NoSuchDefinition."""
        return self.records.get(definition_id)

    def list(self, query: DefinitionsQuery) -> DefinitionsPage:
        """Definitions, as many as the query wants. No backend is asked."""
        return self.records.list(query)

    def update(self, definition_id: str, changes: Mapping[str, Any]) -> None:
        """Change what `changes` names, by its columns and `input_uri`, and nothing else.

        It counts from the next tick on. A paused one stays paused unless `active` is True. Raises
        NoSuchDefinition, JobRefused, or BackendError: everything is as it was then.
        """
        with self._changing(definition_id):
            before = self.records.get(definition_id)
            folder = self.folder(definition_id)
            tick = read_tick(folder.tick)
            edit = self._edit(before, tick, folder, changes)
            try:
                self._write_tick(edit.tick, folder)
                active = self._crons.reschedule(before, edit.after, changes.get("active"))
                after = replace(edit.after, active=active)
                self.records.change(definition_id, _differences(before, after))
            except BaseException:
                self._restore(before, tick, edit)
                raise
            self._prune(folder, {tick.snapshot, edit.tick.snapshot})

    def run_now(self, definition_id: str, parameters: Mapping[str, str] | None) -> str:
        """Start a job of the definition's notebook and answer its id. Raises as `Jobs.create`."""
        definition = self.records.get(definition_id)
        tick = read_tick(self.folder(definition_id).tick)
        request = replace(
            _request(definition, tick.origin),
            job_definition_id=definition_id,
            output_filename_template=self.output_template(definition_id),
        )
        if parameters is not None:
            request = replace(request, parameters=parameters)
        return self.jobs.start(self._check_again(request, tick))

    def output_template(self, definition_id: str) -> str:
        """How the outputs of a job that is made now are called: by the definition's own time."""
        definition = self.records.get(definition_id)
        template, zone = definition.output_filename_template, definition.timezone or ""
        return output_names.at(template, milliseconds(), zone)

    def delete(self, definition_id: str) -> None:
        """End its schedule and its runs, and delete its cron workflow, its jobs and its record.

        Raises NoSuchDefinition, or BackendError when the backend is away: it goes on as before.
        """
        with self._changing(definition_id):
            definition = self.records.get(definition_id)
            if definition.schedule is not None:
                self._refuse_elsewhere(definition_id)
                self._crons.delete(definition_id)
                self.records.change(definition_id, {"active": False})
            self.jobs.delete_all(definition_id)
            self.records.remove(definition_id)
            self.folder(definition_id).remove()

    def reconcile(self) -> int:
        """Show each definition as it really ticks, by one listing; how many that were not.

        One that somebody suspended, edited or deleted in Argo's own UI is shown so, and is left
        so. The listing also sees to it that this machine's daemon runs.
        """
        known = self.records.scheduled()
        if not known:
            return 0
        try:
            crons = {cron.name: cron for cron in self.jobs.backend.list_crons(self.jobs.home)}
        except (BackendError, ConfigError) as error:
            log.info("Which definitions tick is not known now: %s", error)
            return 0
        return sum(self._show(one, crons) for one in known)

    def _show(self, seen: Definition, crons: Mapping[str, CronInfo]) -> bool:
        definition_id = seen.job_definition_id
        cron = crons.get(labels.cron_name(definition_id))
        changes = drift(seen, cron)
        if not changes or (cron is None and self._elsewhere(definition_id)):
            return False
        with self._changing(definition_id):
            unchanged = seen in self.records.scheduled()  # an edit knows better than a listing
            if unchanged:
                log.warning("Definition %s was changed elsewhere: %s.", definition_id, changes)
                self._tell_ticks(definition_id, changes)
                self.records.change(definition_id, changes)
        return unchanged

    def _tell_ticks(self, definition_id: str, changes: Mapping[str, Any]) -> None:
        folder = self.folder(definition_id)
        if "timezone" in changes:
            with contextlib.suppress(StagingFailed):  # its files are lost: nothing ticks
                tick = replace(read_tick(folder.tick), timezone=changes["timezone"])
                self._write_tick(tick, folder)

    def folder(self, definition_id: str) -> DefinitionFolder:
        """Where a definition's files lie."""
        return DefinitionFolder.of(self.jobs.settings.staging, definition_id)

    def _changing(self, definition_id: str) -> threading.Lock:
        """One change of a definition at a time."""
        return self._locks.setdefault(definition_id, threading.Lock())

    def _elsewhere(self, definition_id: str) -> str:
        """The backend that ticks it, if that is not the one in use; else an empty text."""
        try:
            sent = read_tick(self.folder(definition_id).tick).backend
        except StagingFailed:  # its files are lost: it cannot tick anywhere
            return ""
        return "" if sent == self.jobs.backend.name else sent

    def _refuse_elsewhere(self, definition_id: str) -> None:
        if sent := self._elsewhere(definition_id):
            raise JobRefused(
                f"This definition ticks on the backend {sent}, and {self.jobs.backend.name} is in "
                f"use now: start JupyterLab with COULER_JOBS_BACKEND={sent} to change or delete it."
            )

    # --- files

    def _snapshot(self, order: Order, folder: DefinitionFolder) -> Path:
        snapshot = folder.new_snapshot()
        folders.stage_folder(order.folder, order.items, snapshot)
        with staging.failing("The notebook cannot be staged", snapshot):
            (snapshot / order.new.input_filename).write_bytes(order.notebook)
        return snapshot

    def _tick(self, definition: Definition, order: Order, snapshot: Path, origin: str) -> Tick:
        definition_id = definition.job_definition_id
        store = self.jobs.store(self.folder(definition_id).db_url)
        return Tick(
            job=replace(order.new, job_definition_id=definition_id, idempotency_token=None),
            asked=order.asked(store, here=self.jobs.here),
            snapshot=str(snapshot),
            origin=origin,
            staging=str(self.jobs.settings.staging),
            backend=self.jobs.backend.name,
            timezone=definition.timezone or "",
        )

    def _write_tick(self, tick: Tick, folder: DefinitionFolder) -> None:
        with staging.failing("The definition's files cannot be written", folder.tick):
            if tick.asked.store.db_url_file:
                staging.write_durably(folder.db_url, self.jobs.settings.db_url)
            staging.write_durably(folder.tick, tick.as_json())

    def _prune(self, folder: DefinitionFolder, kept: set[str]) -> None:
        """Delete old snapshots, but never the last one but one: a tick may be copying it."""
        for snapshot in folder.inputs.iterdir():
            if str(snapshot) not in kept:
                shutil.rmtree(snapshot, ignore_errors=True)

    # --- editing

    def _edit(
        self,
        before: Definition,
        tick: Tick,
        folder: DefinitionFolder,
        changes: Mapping[str, Any],
    ) -> Edit:
        after = replace(before, **_values(changes))
        if moves := moved(before, after):
            after = replace(after, schedule=_schedule(after.schedule, after.timezone))
        origin = self._new_input(before, tick, changes)
        touches = moves or "active" in changes
        if touches and before.schedule is not None:
            self._refuse_elsewhere(before.job_definition_id)
        if origin is None and not (EDITABLE & SHARED) & changes.keys():
            zone = after.timezone or ""
            return Edit(after=after, tick=replace(tick, timezone=zone), touches_cron=touches)
        order = self._order(after, tick, origin)
        shared = {name: getattr(order.new, name) for name in SHARED}
        after = replace(after, **shared, packaged_files=order.new.packaged_files)
        snapshot = Path(tick.snapshot) if origin is None else self._snapshot(order, folder)
        new = self._tick(after, order, snapshot, origin or tick.origin)
        return Edit(after=after, tick=replace(new, backend=tick.backend), touches_cron=touches)

    def _order(self, after: Definition, tick: Tick, origin: str | None) -> Order:
        request = _request(after, origin or tick.origin)
        if origin is None:
            return self._check_again(request, tick)
        request = replace(request, input_filename="")
        return check(request, self.jobs.settings, self.jobs.environments)

    def _check_again(self, request: JobRequest, tick: Tick) -> Order:
        snapshot = Path(tick.snapshot)
        return check_snapshot(request, snapshot, self.jobs.settings, self.jobs.environments)

    def _new_input(self, before: Definition, tick: Tick, changes: Mapping[str, Any]) -> str | None:
        """The notebook to take a new snapshot of, if any.

        The UI's form always sends one: the plain file name where nobody chose another. That is
        the notebook itself only where it lies in the top folder, and still does.
        """
        origin: str | None = changes.get("input_uri") or None
        from_form = {"schedule", "timezone"} <= changes.keys()
        if origin is None or not (from_form and origin == before.input_filename):
            return origin
        lies_there = staging.path_under(self.jobs.settings.root, origin).is_file()
        return origin if lies_there and tick.origin.strip("/") == origin else None

    def _restore(self, before: Definition, tick: Tick, edit: Edit) -> None:
        """Take an edit back that went wrong half-way; its own error is what is told."""
        folder = self.folder(before.job_definition_id)
        try:
            self._write_tick(tick, folder)
            self._prune(folder, {tick.snapshot})
            if edit.touches_cron:
                self._crons.put_back(before)
        except CoulerJobsError as error:
            log.warning("Definition %s is half edited: %s", before.job_definition_id, error)

    def _begin(self, definition: Definition) -> None:
        """Let it tick; only then its record says so."""
        if definition.schedule is None:
            return
        self._crons.apply(definition, suspend=False)
        self.records.change(definition.job_definition_id, {"active": True})

    def _undo(self, definition: Definition, folder: DefinitionFolder) -> None:
        """Leave nothing of a definition that could not be made; its own error is what is told."""
        definition_id = definition.job_definition_id
        try:
            if definition.schedule is not None:
                self._crons.delete(definition_id)  # it may have been made, and the answer was lost
        except CoulerJobsError as error:
            log.warning(
                "A cron workflow %s may be left: %s", labels.cron_name(definition_id), error
            )
        try:
            self.records.remove(definition_id)
        except CoulerJobsError as error:
            log.warning("The record of definition %s is left, paused: %s", definition_id, error)
        else:
            folder.remove()


def _values(changes: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: changes[name] for name in EDITABLE & changes.keys()}
    return {name: tuple(one) if isinstance(one, list) else one for name, one in named.items()}


def _differences(before: Definition, after: Definition) -> dict[str, Any]:
    values = {name: getattr(after, name) for name in COLUMNS}
    return {name: value for name, value in values.items() if value != getattr(before, name)}


def _schedule(line: str | None, zone: str | None) -> str | None:
    return None if line is None else schedules.checked(line, zone or "")


def _definition(request: DefinitionRequest, order: Order) -> Definition:
    now, definition_id = milliseconds(), str(uuid.uuid4())
    return Definition(
        **{name: getattr(order.new, name) for name in SHARED},
        job_definition_id=definition_id,
        packaged_files=order.new.packaged_files,
        create_time=now,
        update_time=now,
        active=request.schedule is None,  # a scheduled one as soon as it ticks
        schedule=request.schedule,
        timezone=request.timezone,
        url=f"/job_definitions/{definition_id}",
    )


def _request(definition: Definition, origin: str) -> JobRequest:
    return JobRequest(
        **{name: getattr(definition, name) for name in SHARED},
        input_uri=origin,
    )
