"""Deleting many ended jobs: their workflows, their files, and then their records.

In this order, so that whatever is interrupted is found and deleted again. One listing of the
backend answers for all of them; what runs is never touched.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from couler_jobs.errors import BackendError, ConfigError, NotFound
from scheduler_plugin import retention, runtime_parameters
from scheduler_plugin.decisions import job_id_of
from scheduler_plugin.definitions import Definitions
from scheduler_plugin.ended_records import EndedRecords, Selection
from scheduler_plugin.errors import JobRefused, StagingFailed
from scheduler_plugin.records import AT_ONCE, milliseconds
from scheduler_plugin.retention import KEEP_ALL, Retention

SECONDS_BETWEEN = 300.0
"""How often the timer looks for jobs whose time is over."""

A_ROUND = 1_000
"""So many jobs are deleted by one round of the timer, which also has records to heal."""

log = logging.getLogger(__name__)
Tell = Callable[[int], None]


class Housekeeper:
    """Deletes ended jobs of one server's home. Every call may raise CoulerJobsError."""

    def __init__(self, records: EndedRecords, definitions: Definitions) -> None:
        self._records = records
        self._definitions = definitions
        self._jobs = definitions.jobs
        self._due = 0.0  #: by the monotonic clock

    def find(self, selection: Selection) -> tuple[str, ...]:
        """The ids of the ended jobs that a selection means."""
        return self._records.find(selection)

    def expired(self) -> tuple[str, ...]:
        """The ids of the ended jobs whose time is over, by what operator and definitions say."""
        settings = self._jobs.settings
        each = retention.of_options(self._options(None))
        selections = retention.expired(settings.keep, each, self._said(), milliseconds())
        found = (self._records.find(one) for one in selections)
        return tuple(dict.fromkeys(job_id for ids in found for job_id in ids))

    def delete(self, job_ids: Sequence[str], tell: Tell = lambda _: None) -> int:
        """Delete these jobs, but none that runs; how many that were. `tell` is told after each
        batch how many have been.

        Files that cannot be deleted are logged, and the job stays. Raises BackendError, and the
        rest stays, when the backend is away: a workflow without a record would be given one again.
        """
        runs = self._runs() if job_ids else {}
        deleted = 0
        for start in range(0, len(job_ids), AT_ONCE):
            batch = self._ended(job_ids[start : start + AT_ONCE])
            gone = [job_id for job_id in batch if self._clear(job_id, runs.get(job_id, ()))]
            deleted += self._records.remove(gone)
            tell(deleted)
        return deleted

    def round(self) -> int:
        """Delete some of the jobs whose time is over, if it is time to look; how many that were."""
        if time.monotonic() < self._due:
            return 0
        found = self.expired()
        try:
            deleted = self.delete(found[:A_ROUND])
        except (BackendError, ConfigError) as error:
            log.info("Jobs whose time is over are not deleted now: %s", error)
            deleted = 0
        more = 0 < deleted < len(found)
        self._due = 0.0 if more else time.monotonic() + SECONDS_BETWEEN
        return deleted

    def _said(self) -> Mapping[str, Retention]:
        """What definitions with options of their own say, by their ids."""
        found = {}
        for one in self._definitions.records.with_options():
            try:
                options = self._options(one.runtime_environment_parameters)
            except JobRefused as error:  # of another version; or the operator's limits are new
                log.warning("The jobs of definition %s are kept: %s", one.job_definition_id, error)
                found[one.job_definition_id] = KEEP_ALL
            else:
                found[one.job_definition_id] = retention.of_options(options)
        return found

    def _options(self, asked: Mapping[str, Any] | None) -> Mapping[str, Any]:
        settings = self._jobs.settings
        return runtime_parameters.check(asked, settings.defaults, settings.upper_limits)

    def _ended(self, job_ids: Sequence[str]) -> list[str]:
        endings = self._jobs.records.endings(job_ids)
        return [one for one in job_ids if one in endings and endings[one].status.ended]

    def _runs(self) -> Mapping[str, Iterable[str]]:
        """The names of the workflows that there are, by job."""
        found = defaultdict(list)
        for run in tuple(self._jobs.backend.list(self._jobs.home)):
            if job_id := job_id_of(run):
                found[job_id].append(run.name)
        return found

    def _clear(self, job_id: str, workflows: Iterable[str]) -> bool:
        """Delete what a job has besides its record; whether all of it is gone."""
        for name in workflows:
            self._delete_workflow(name)
        try:
            self._jobs.folder(job_id).remove()
        except StagingFailed as error:
            log.warning("Job %s is kept: %s", job_id, error)
            return False
        return True

    def _delete_workflow(self, name: str) -> None:
        try:
            self._jobs.backend.delete(name)
        except NotFound:
            log.debug("The workflow %s is gone already.", name)
