"""The cron workflow of each definition, kept in line with what its record says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import couler_jobs as cj
from couler_jobs.errors import Forbidden, NotFound, Rejected
from couler_jobs.submission import target_of
from scheduler_plugin import labels, runtime_parameters, schedules, secrets
from scheduler_plugin.definition_records import Definition
from scheduler_plugin.jobs import Jobs, passed_on
from scheduler_plugin.needs import Needs, needs
from scheduler_plugin.parameters import typed
from scheduler_plugin.pipelines import UID, TickPlan
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.ticks import DefinitionFolder

log = logging.getLogger(__name__)


class DefinitionCrons:
    """The cron workflows on the backend of `jobs`. Calls may raise BackendError, JobRefused."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def reschedule(self, before: Definition, after: Definition, active: bool | None) -> bool:
        """Bring the cron workflow in line; whether it ticks now."""
        if after.schedule is None:
            return before.active if active is None else active
        if moved(before, after):
            # one that somebody suspended in Argo's own UI is left suspended by None
            paused = None if before.active and before.schedule else bool(before.schedule)
            return self.apply(after, suspend=paused if active is None else not active)
        if active is None:
            return before.active
        return self._resume(after) if active else self._pause(after)

    def _pause(self, definition: Definition) -> bool:
        try:
            self._jobs.backend.suspend_cron(labels.cron_name(definition.job_definition_id))
        except NotFound:
            log.debug("What is not there does not tick: %s.", definition.job_definition_id)
        except (Rejected, Forbidden):  # where none may be changed, another takes its place
            return self.apply(definition, suspend=True)
        return False

    def _resume(self, definition: Definition) -> bool:
        try:
            self._jobs.backend.resume_cron(labels.cron_name(definition.job_definition_id))
        except (NotFound, Rejected, Forbidden):  # likewise
            return self.apply(definition, suspend=False)
        return True

    def put_back(self, before: Definition) -> None:
        """Make it as it was before an edit."""
        if before.schedule is None:
            self.delete(before.job_definition_id)
        else:
            self.apply(before, suspend=not before.active)

    def apply(self, definition: Definition, suspend: bool | None) -> bool:
        """Make its cron workflow as it should be; whether it ticks now."""
        place = self._jobs.backend
        options = self._options(definition)
        wanted = self._needs(definition, options)
        manifest = schedules.manifest(
            self._plan(definition.job_definition_id, wanted),
            definition.schedule or "",
            definition.timezone or "",
            options,
            target_of(place),
            suspend,
        )
        applied = cj.schedule(self._jobs.dressed(manifest, wanted), backend=place)
        return not applied.suspended

    def _options(self, definition: Definition) -> Mapping[str, Any]:
        settings, asked = self._jobs.settings, definition.runtime_environment_parameters
        return runtime_parameters.check(asked, settings.defaults, settings.upper_limits)

    def _needs(self, definition: Definition, options: Mapping[str, Any]) -> Needs:
        settings = self._jobs.settings
        return needs(definition.parameters, options, definition.compute_type, settings)

    def _plan(self, definition_id: str, wanted: Needs) -> TickPlan:
        settings = self._jobs.settings
        run = JobFolder(settings.staging / UID)
        return TickPlan(
            name=labels.cron_name(definition_id),
            labels=labels.definition_labels(job_definition_id=definition_id, owner=settings.owner)
            | self._jobs.home,
            python=settings.python,
            tick_file=str(DefinitionFolder.of(settings.staging, definition_id).tick),
            notebook_request=str(run.notebook_request),
            env=passed_on(),
            retries=wanted.retries,
        )

    def delete(self, definition_id: str) -> None:
        """Let there be none."""
        try:
            self._jobs.backend.delete_cron(labels.cron_name(definition_id))
        except NotFound:
            log.debug("The cron workflow of definition %s is gone already.", definition_id)


def moved(before: Definition, after: Definition) -> bool:
    """Whether its cron workflow has to say something else."""
    return _in_cron(before) != _in_cron(after)


def _in_cron(definition: Definition) -> tuple[object, ...]:
    """What of a definition its cron workflow says."""
    asked = definition.runtime_environment_parameters or {}
    policies = {name: asked[name] for name in schedules.IN_MANIFEST & asked.keys()}
    typed_ones = {name: typed(text) for name, text in (definition.parameters or {}).items()}
    references = secrets.references_in(typed_ones)
    return definition.schedule, definition.timezone, policies, references, definition.compute_type
