"""Notebook jobs: record, stage, build, submit, and undo on error. Synchronous, no Jupyter in it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import couler_jobs as cj
from couler_jobs.backends.base import Backend
from couler_jobs.errors import BackendError, CoulerJobsError, NotFound
from couler_jobs.once import once
from couler_jobs.submission import target_of
from scheduler_plugin import downloads, folders, inputs, labels, looks, staging, status
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import DatabaseUnavailable, NoSuchJob, StagingFailed
from scheduler_plugin.needs import Needs
from scheduler_plugin.orders import JobRequest, Order, check
from scheduler_plugin.pipelines import JobPlan, job_workflow
from scheduler_plugin.pod import DB_URL_VARIABLE, PodLook, SecretKey, dressed
from scheduler_plugin.reconcile import Reconciler, read_sent, write_sent
from scheduler_plugin.records import Job, JobsQuery, Page, Records, milliseconds
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.status import JobStatus, Outcome
from scheduler_plugin.step_requests import Store, request_files

PASSED_ON = ("JUPYTER_DATA_DIR", "JUPYTER_PATH", "IPYTHONDIR")
"""Variables that say where a user's kernels lie, and are no secrets."""

log = logging.getLogger(__name__)


class Jobs:
    """The jobs of one server. Every call may raise CoulerJobsError, whose text is for the user."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        environments: Environments,
        backend: Callable[[], Backend],
    ) -> None:
        self.settings = settings
        self.records = records
        self.environments = environments
        self._choose_backend = backend
        self.reconciler = Reconciler(lambda: self.settings, records, lambda: self.backend)

    @once
    def backend(self) -> Backend:
        """Where jobs are sent. Chosen when it is needed: a server starts without its cluster."""
        return self._choose_backend()

    @once
    def look(self) -> PodLook:
        """What a job's pods look like there. Found out when the first job is sent."""
        return looks.look_for(self.settings, self.backend.name, os.environ)

    def create(self, request: JobRequest) -> str:
        """Start a job and answer its id.

        Raises JobRefused, and nothing is left behind, for what cannot be a job. What goes wrong
        once the record exists is raised too, and the record is FAILED and says so.
        """
        return self.start(check(request, self.settings, self.environments))

    def start(self, order: Order) -> str:
        """Start what has been checked. Raises as `create`, but JobRefused for a token alone."""
        folder = self.folder(order.new.job_id)
        try:
            self._stage(order, folder)
            job = self.records.add(order.new)
        except BaseException:
            folder.remove()
            raise
        self._submit(job, order, folder)
        return job.job_id

    def get(self, job_id: str) -> Job:
        """One job. Raises NoSuchJob."""
        return self.records.get(job_id)

    def list(self, query: JobsQuery) -> Page:
        """Jobs, as many as the query wants."""
        return self.records.list(query)

    def count(self, wanted: JobStatus) -> int:
        """How many jobs have a status."""
        return self.records.count(wanted)

    def rename(self, job_id: str, name: str) -> None:
        """Give a job another name. Raises NoSuchJob."""
        self.records.rename(job_id, name)

    def stop(self, job_id: str) -> None:
        """End a job that runs; nothing happens to one that has ended. Raises NoSuchJob.

        JupyterLab offers no download of a stopped job, so its files are brought when it has ended,
        by a later `reconcile`. Raises BackendError when the backend could not be told; the job is
        as it was then.
        """
        job = self.records.get(job_id)
        if not self.records.ask_stop(job_id):
            return
        self._note_to_bring(job_id)
        try:
            self._stop_run(job_id)
        except CoulerJobsError:
            self.records.unask_stop(job_id, job.status)
            raise

    def delete(self, job_id: str) -> None:
        """End a job if it runs, and delete its workflow, its files and its record.

        What was downloaded stays. Raises NoSuchJob, or BackendError for a running job whose
        backend is away: nothing has happened then.
        """
        job = self.records.get(job_id)
        try:
            self._delete_run(job_id)
        except BackendError:
            if not job.status.ended:
                raise
            log.warning("The workflow of the ended job %s could not be deleted.", job_id)
        self.folder(job_id).remove()
        self.records.remove(job_id)

    def delete_all(self, job_definition_id: str) -> None:
        """Delete the jobs of a definition, ending those that run.

        Raises BackendError when the backend is away: some may be gone already.
        """
        mine = self.home | {labels.JOB_DEFINITION_ID: labels.legal(job_definition_id)}
        for run in tuple(self.backend.list(mine)):
            self._delete_workflow(run.name)
        for job in self.records.of_definition(job_definition_id):
            self.folder(job).remove()
            self.records.remove(job)

    def download(self, job_id: str, *, again: bool) -> None:
        """Copy a job's files to where JupyterLab shows them. Raises StagingFailed."""
        job = self.records.get(job_id)
        staging.publish(downloads.to_copy(self.settings, job), again=again)

    def reconcile(self) -> int:
        """Heal the records that are not what they should be; how many that were."""
        healed = self.reconciler.round()
        for note in self.settings.staging.glob(f"*/record/{staging.TO_BRING}"):
            self._bring(note)
        return healed

    @property
    def here(self) -> bool:
        """Whether jobs run on this machine."""
        return self.backend.name == looks.ON_THIS_MACHINE

    @property
    def home(self) -> dict[str, str]:
        """The labels that everything of this home carries."""
        return labels.home_labels(self.settings.owner, self.settings.staging)

    def folder(self, job_id: str) -> JobFolder:
        """Where a job's files are staged."""
        return downloads.job_folder(self.settings, job_id)

    def store(self, db_url_file: Path) -> Store:
        """How steps find the records. Raises JobRefused where a Secret is needed and not named."""
        if self.settings.outbox_only:
            return Store(outbox_only=True)
        if not looks.holds_password(self.settings.db_url):
            return Store(db_url=self.settings.db_url)
        if self._secret is not None:
            return Store(db_url_variable=DB_URL_VARIABLE)
        return Store(db_url_file=str(db_url_file))

    @property
    def _secret(self) -> SecretKey | None:
        if self.settings.outbox_only:
            return None
        return looks.database_secret(self.settings, self.backend.name)

    @property
    def _secrets(self) -> Mapping[str, SecretKey]:
        """What the steps that write records are given by Kubernetes, by variable."""
        database = {} if self._secret is None else {DB_URL_VARIABLE: self._secret}
        return database | looks.notification_secret(self.settings, self.backend.name)

    # --- starting

    def _stage(self, order: Order, folder: JobFolder) -> None:
        folder.create()
        folders.stage_folder(order.folder, order.items, folder.work)
        with staging.failing("The job's files cannot be staged", folder.root):
            folder.input(order.new.input_filename).write_bytes(order.notebook)
            folder.inputs.write_text(inputs.note(folder.work, order.folder), encoding="utf-8")
            for path, text in self._requests(order, folder).items():
                path.write_text(text, encoding="utf-8")

    def _requests(self, order: Order, folder: JobFolder) -> Mapping[Path, str]:
        store = self.store(folder.db_url)
        asked = order.asked(store, here=self.here)
        secret = {folder.db_url: self.settings.db_url} if store.db_url_file else {}
        requests = request_files(order.new.job_id, folder, asked)
        return {**requests, folder.job: order.new.as_json(), **secret}

    def _submit(self, job: Job, order: Order, folder: JobFolder) -> None:
        try:
            write_sent(folder, self.backend.name)
            plan = self._plan(job, order, folder)
            manifest = self._dressed(job_workflow(plan), order.needs)
            run = cj.submit(manifest, backend=self.backend, name=plan.name)
        except Exception as error:
            sentence = _sentence(error)
            self._failed(job.job_id, sentence)
            raise CoulerJobsError(sentence) from error
        with contextlib.suppress(StagingFailed):  # it was deleted meanwhile
            write_sent(folder, self.backend.name, run.uid)
        try:
            if not self.records.start(job.job_id, milliseconds()):
                self._overtaken(job.job_id)
        except DatabaseUnavailable as error:  # it runs: told of an error, its user makes another
            log.warning(
                "Job %s runs, and its record says so after the next reconciling: %s",
                *(job.job_id, error),
            )

    def _dressed(self, workflow: Any, needs: Needs) -> Mapping[str, Any]:
        return self.dressed(cj.compile(workflow, target=target_of(self.backend)), needs)

    def dressed(self, manifest: Mapping[str, Any], needs: Needs) -> dict[str, Any]:
        """A manifest whose pods look as they should where jobs are sent."""
        return dressed(manifest, self.look, self._secrets, needs.look())

    def _plan(self, job: Job, order: Order, folder: JobFolder) -> JobPlan:
        return JobPlan(
            name=labels.workflow_name(job.job_id),
            labels=self.home
            | labels.job_labels(
                job_id=job.job_id,
                owner=self.settings.owner,
                job_definition_id=job.job_definition_id,
            ),
            python=self.settings.python,
            notebook_request=str(folder.notebook_request),
            status_request=str(folder.status_request),
            env=passed_on(),
            retries=order.needs.retries,
        )

    def _failed(self, job_id: str, sentence: str) -> None:
        message = status.shortened_message(sentence)
        outcome = Outcome(status=JobStatus.FAILED, message=message, ended_at=milliseconds())
        try:
            self._settle(job_id, outcome)
        except CoulerJobsError as error:  # the caller hears of the first error, not of this one
            log.error("That job %s failed could not be recorded: %s", job_id, error)

    def _overtaken(self, job_id: str) -> None:
        """While it was being sent, the job was stopped or deleted, or has already ended.

        Or the reconciler saw its workflow first, and all is well.
        """
        try:
            job = self.records.get(job_id)
        except NoSuchJob:
            self._delete_run(job_id)
            self.folder(job_id).remove()
            return
        if job.status is not JobStatus.IN_PROGRESS:
            self._stop_run(job_id)

    # --- ending

    def _stop_run(self, job_id: str) -> None:
        try:
            run = self.backend.stop(self._workflow(job_id))
        except NotFound:
            message = "Stopped before it was started."
            gone = Outcome(status=JobStatus.STOPPED, message=message, ended_at=milliseconds())
            self._settle(job_id, gone)
        else:
            if run.ended:
                self.reconciler.heal(self.records.get(job_id))

    def _note_to_bring(self, job_id: str) -> None:
        try:
            self.folder(job_id).to_bring.touch()
        except OSError as error:  # a full disk is no reason to let it run on
            log.warning("The files of the stopped job %s stay where they are: %s", job_id, error)

    def _bring(self, note: Path) -> None:
        """Download the files of a job that was to be stopped, once it is."""
        job_id = note.parent.parent.name
        try:
            job = self.records.get(job_id)
            if not job.status.ended:
                return
            if job.status is JobStatus.STOPPED:
                self.download(job_id, again=False)
        except (NoSuchJob, StagingFailed) as error:
            log.warning("The files of a stopped job stay where they are: %s", error)
        note.unlink(missing_ok=True)

    def _delete_run(self, job_id: str) -> None:
        self._delete_workflow(self._workflow(job_id))

    def _delete_workflow(self, name: str) -> None:
        try:
            self.backend.delete(name)
        except NotFound:
            log.debug("The workflow %s is gone already.", name)

    def _workflow(self, job_id: str) -> str:
        """The name of a job's workflow: a tick's is noted in its folder."""
        noted: str | None = read_sent(self.folder(job_id)).get("workflow")
        return noted or labels.workflow_name(job_id)

    def _settle(self, job_id: str, outcome: Outcome) -> bool:
        """Write an outcome as the exit handler does: on disk first, then into the record."""
        folder = self.folder(job_id)
        if folder.record.is_dir():
            with staging.failing("How the job ended cannot be written", folder.outbox):
                staging.write_durably(folder.outbox, outcome.to_json())
        return self.records.finish(job_id, outcome)


def passed_on() -> dict[str, str]:
    """The variables of this server that the steps get."""
    return {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}


def _sentence(error: Exception) -> str:
    if isinstance(error, CoulerJobsError):
        return str(error)
    return f"The job could not be started ({type(error).__name__}: {error})."
