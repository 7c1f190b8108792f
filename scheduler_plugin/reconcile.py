"""Records against what really runs: what is to be done (`decisions.py`), and its writes.

The exit handler is the quick way to a right record, this is the guarantee: `terminate`, a replaced
run, a lost pod, a killed supervisor and a database that stayed away all go round the handler.
One listing answers for all jobs; only what it does not settle is asked for by name.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from couler_jobs.backends.base import Backend
from couler_jobs.errors import BackendError, ConfigError, CoulerJobsError, NotFound
from couler_jobs.spec.status import CronInfo, RunInfo
from scheduler_plugin import labels, staging, stalls, ticks
from scheduler_plugin.config import Settings
from scheduler_plugin.decisions import (
    SENDING_MILLISECONDS,
    Sight,
    decide,
    decide_again,
    is_settled,
    is_stranger,
    job_id_of,
)
from scheduler_plugin.errors import NoSuchDefinition, StagingFailed
from scheduler_plugin.in_pod import read_report
from scheduler_plugin.records import Ending, Job, NewJob, Records, milliseconds
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.status import JobStatus, Outcome

FEW = 20
"""So many jobs that a listing does not show are asked for one by one; more by a second listing."""

LOCK = ".reconcile.lock"
"""A file in the staging folder: whoever holds its lock reconciles for all servers of that home."""

log = logging.getLogger(__name__)


def read_outbox(path: Path) -> Outcome | None:
    """What an exit handler wrote; None if it wrote nothing that can be read."""
    try:
        return Outcome.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        log.warning("How a job ended cannot be read from %s: %s", path, type(error).__name__)
        return None


def read_sent(folder: JobFolder) -> Mapping[str, Any]:
    """Where a job was sent: `backend`, and `workflow` and `uid` where they were noted."""
    try:
        sent: Any = json.loads(folder.run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return sent if isinstance(sent, dict) else {}


class Reconciler:
    """Brings the records of one server's home up to date. Safe beside other servers of it."""

    def __init__(
        self, settings: Callable[[], Settings], records: Records, backend: Callable[[], Backend]
    ) -> None:
        self._settings = settings
        self._records = records
        self._backend = backend
        self._settled: set[tuple[str, object]] = set()

    def round(self) -> int:
        """Heal every record that is not what it should be; how many that were.

        Nothing happens while another server does it. Raises DatabaseUnavailable.
        """
        with self._lease() as ours:
            return self._round() if ours else 0

    def heal(self, job: Job) -> bool:
        """Bring one active record up to date; whether it ended by that."""
        return self._heal(job, Sight.of([]))

    def _round(self) -> int:
        healed = self._take_in()
        jobs = self._records.active()
        sight = self._look(jobs)
        healed += sum(self._heal(job, sight) for job in jobs)
        if not sight.away:
            healed += self._follow(sight, {job.job_id for job in jobs})
            self._remove_orphans()
        return healed

    @contextlib.contextmanager
    def _lease(self) -> Iterator[bool]:
        from filelock import FileLock, Timeout

        folder = self._settings().staging
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        except (OSError, NotImplementedError):  # a file system that cannot lock: the UPDATEs can
            yield True
            return
        try:
            yield True
        finally:
            lock.release()

    def _look(self, jobs: Iterable[Job]) -> Sight:
        """All runs of this home."""
        try:
            sight = self._listing()
            if sum(sight.find(job) is None for job in jobs) <= FEW:
                return sight
            # what is deleted while it is listed can hide others: two listings hide none
            both = (*sight.by_uid.values(), *self._listing().by_uid.values())
            return Sight.of(both, complete=True)
        except (BackendError, ConfigError) as error:
            log.info("What became of the jobs is not known now: %s", error)
            return Sight({}, {}, away=True)

    def _listing(self) -> Sight:
        return Sight.of(self._backend().list(self._home))

    def _heal(self, job: Job, sight: Sight) -> bool:
        try:
            return self._brought_up_to_date(job, sight)
        except CoulerJobsError as error:  # not known now: the next round asks again
            log.info("What became of job %s is not known now: %s", job.job_id, error)
            return False
        except Exception:  # whatever is odd about one job does not keep the others
            log.exception("Job %s could not be brought up to date.", job.job_id)
            return False

    def _brought_up_to_date(self, job: Job, sight: Sight) -> bool:
        run = sight.find(job)
        if run is not None and is_settled(job, run):
            self._tell_stall(job, run)
            return False
        folder = self._folder(job.job_id)
        outbox = read_outbox(folder.outbox)
        if outbox is None:
            sent = {} if sight.away else read_sent(folder)
            if run is None and sent.get("backend") != self._backend().name:
                return False  # it was sent to another backend, or by another scheduler
            run = self._checked(job, run, sent, sight)
        outcome = decide(job, outbox, run, read_report(folder.result), now=milliseconds())
        if outcome is not None:
            return self._records.finish(job.job_id, outcome)
        if run is not None:
            self._carry_on(job, run)
        return False

    def _checked(
        self, job: Job, run: RunInfo | None, sent: Mapping[str, Any], sight: Sight
    ) -> RunInfo | None:
        """The job's own run. The backend answers by name from its archive too, if it has one."""
        if run is None and not sight.complete:
            try:
                run = self._backend().get(sent.get("workflow") or labels.workflow_name(job.job_id))
            except NotFound:
                return None
        return None if run is None or is_stranger(job, run, sent.get("uid")) else run

    def _carry_on(self, job: Job, run: RunInfo) -> None:
        """Finish what a server began before it was killed: the job runs, or is to be stopped."""
        if job.status is JobStatus.CREATED:
            self._records.start(job.job_id, milliseconds())
        elif job.status is JobStatus.STOPPING and not run.shutdown:
            self._backend().stop(run.name)
        elif job.status is JobStatus.IN_PROGRESS:
            self._tell_stall(job, run)

    def _tell_stall(self, job: Job, run: RunInfo) -> None:
        """Let the record of a job that runs say whether it stalled. Its status stays."""
        folder, now, sentence = self._folder(job.job_id), milliseconds(), None
        if now - (job.start_time or job.create_time) > stalls.GRACE_MILLISECONDS:
            request, report = read_report(folder.notebook_request), read_report(folder.result)
            sentence = stalls.stall(run, request, report, now=now)
        if sentence != job.status_message:
            self._records.say(job.job_id, sentence)

    # --- runs that left it to us to make their records

    def _take_in(self) -> int:
        """Make the records of runs that may not write the database."""
        waiting = self._settings().staging.glob(f"*/record/{staging.UNRECORDED}")
        return sum(self._make_record(path) for path in waiting)

    def _make_record(self, path: Path) -> bool:
        new, folder = _read_new_job(path), JobFolder(path.parent.parent)
        if new is None:
            log.warning("The record of %s cannot be made: %s cannot be read.", folder.root, path)
            return False
        try:
            made = self._records.add_run(new, int(path.stat().st_mtime * 1000))
        except NoSuchDefinition:  # nobody wants the run any more
            folder.remove()
            return False
        path.unlink(missing_ok=True)
        return made

    # --- runs whose records have ended, or are lost

    def _follow(self, sight: Sight, active: set[str]) -> int:
        runs = {job_id_of(run): run for run in sight.by_uid.values() if self._is_open(run)}
        known = {job_id: run for job_id, run in runs.items() if job_id and job_id not in active}
        endings = self._records.endings(tuple(known))
        return sum(self._follow_one(job_id, run, endings) for job_id, run in known.items())

    def _is_open(self, run: RunInfo) -> bool:
        return (run.uid, run.finished_at) not in self._settled

    def _follow_one(self, job_id: str, run: RunInfo, endings: Mapping[str, Ending]) -> bool:
        try:
            ending = endings.get(job_id)
            changed = self._restore(job_id, run) if ending is None else self._end(ending, run)
        except CoulerJobsError as error:
            log.warning("The record of the workflow %s could not be healed: %s", run.name, error)
            return False
        except Exception:  # whatever is odd about one run does not keep the others
            log.exception("The record of the workflow %s could not be healed.", run.name)
            return False
        if run.ended and (changed or ending is not None):
            self._settled.add((run.uid, run.finished_at))
        return changed

    def _end(self, ending: Ending, run: RunInfo) -> bool:
        outbox = read_outbox(self._folder(ending.job_id).outbox)
        outcome = decide_again(ending, outbox, run)
        return outcome is not None and self._records.follow(ending.job_id, outcome)

    def _restore(self, job_id: str, run: RunInfo) -> bool:
        """Make the lost record of a run anew, from the files that it was made with."""
        made = run.created_at
        if made is None or milliseconds() - made.timestamp() * 1000 < SENDING_MILLISECONDS:
            return False  # its first step makes it
        try:
            if self._backend().get(run.name).uid != run.uid:
                return False
        except NotFound:
            return False  # it was deleted while we looked, and its record with it
        at = int(made.timestamp() * 1000)
        if labels.JOB_ID in run.labels:
            new = _read_new_job(self._folder(job_id).job)
            return new is not None and self._records.restore(new, at)
        return self._restore_tick(job_id, run, at)

    def _restore_tick(self, job_id: str, run: RunInfo, at: int) -> bool:
        definition = run.labels[labels.JOB_DEFINITION_ID]
        file = ticks.DefinitionFolder.of(self._settings().staging, definition).tick
        if not file.is_file():
            return False
        try:
            tick = ticks.read_tick(file)
            ticks.prepare(tick, job_id, run.name)
            return self._records.restore(tick.run(job_id, at), at)
        except (NoSuchDefinition, StagingFailed) as error:
            log.warning("The run %s of a job definition has no record: %s", run.name, error)
            return False

    # --- cron workflows without a definition

    def _remove_orphans(self) -> None:
        """Delete cron workflows whose definition is gone with its files: they can run nothing."""
        try:
            for cron in tuple(self._backend().list_crons(self._home)):
                if self._is_orphan(cron):
                    log.warning("Deleting the cron workflow %s: it has no definition.", cron.name)
                    self._backend().delete_cron(cron.name)
        except BackendError as error:
            log.info("Cron workflows without a definition are not known now: %s", error)

    def _is_orphan(self, cron: CronInfo) -> bool:
        definition = cron.labels.get(labels.JOB_DEFINITION_ID, "")
        if not definition or cron.name != labels.cron_name(definition):
            return False
        folder = ticks.DefinitionFolder.of(self._settings().staging, definition)
        return not folder.root.exists() and not self._records.has_definition(definition)

    @property
    def _home(self) -> Mapping[str, str]:
        return labels.home_labels(self._settings().owner, self._settings().staging)

    def _folder(self, job_id: str) -> JobFolder:
        return JobFolder(self._settings().staging / job_id)


def _read_new_job(path: Path) -> NewJob | None:
    try:
        return NewJob.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_sent(folder: JobFolder, backend: str, uid: str | None = None) -> None:
    """Note where a job is sent, for `read_sent`. Raises StagingFailed."""
    noted = {"backend": backend} if uid is None else {"backend": backend, "uid": uid}
    with staging.failing("Where the job is sent cannot be noted", folder.run):
        folder.run.write_text(json.dumps(noted), encoding="utf-8")
