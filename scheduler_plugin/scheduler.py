"""The class that jupyter_scheduler is configured with: one thin method for each of its calls.

Each method hands the call to `Jobs` in a thread of its own and is awaited by jupyter_scheduler's
handlers (`ensure_async`), so a slow disk, database or cluster never holds the server's event loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from jupyter_scheduler import models
from jupyter_scheduler.exceptions import IdempotencyTokenError, InputUriError, SchedulerError
from jupyter_scheduler.job_files_manager import JobFilesManager
from jupyter_scheduler.scheduler import Scheduler
from traitlets import Type, Unicode

from couler_jobs.backends.choose import choose
from couler_jobs.errors import CoulerJobsError
from scheduler_plugin import compute, config, downloads, schedules
from scheduler_plugin.backend import describes, inward, outward
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import COLUMNS as DEFINITION_COLUMNS
from scheduler_plugin.definition_records import Definition, DefinitionRecords, DefinitionsQuery
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.ended_records import EndedRecords
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.errors import AlreadyRequested, InputMissing, JobRefused
from scheduler_plugin.folders import Limits
from scheduler_plugin.housekeeping import Housekeeper
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import COLUMNS, Job, JobsQuery, Records
from scheduler_plugin.retention import Retention
from scheduler_plugin.status import JobStatus
from scheduler_plugin.task_runner import ReconcilingTaskRunner

P = ParamSpec("P")
Answer = TypeVar("Answer")

REQUESTED = {one.name for one in fields(JobRequest)}
"""What of a `CreateJob` is looked at: versions of jupyter_scheduler add fields to it."""
THREADS = 8
"""For what may have to wait for a backend. Reading records has as many of its own, so that old jobs
are shown however many calls hang."""


class ArgoScheduler(config.Options, Scheduler):  # type: ignore[misc]  # upstream is untyped
    """Notebook jobs as workflows, on this machine or on Argo."""

    execution_manager_class = Type(
        "scheduler_plugin.execution.ArgoExecutionManager",
        klass="jupyter_scheduler.executors.ExecutionManager",
        config=True,
        help="Says which fields of a job mean something here.",
    )
    task_runner_class = Type(
        "scheduler_plugin.task_runner.ReconcilingTaskRunner",
        klass="jupyter_scheduler.task_runner.BaseTaskRunner",
        allow_none=True,
        config=True,
        help="Heals records; it replaces upstream's, which would run definitions a second time.",
    )

    backend_id = Unicode(
        None, allow_none=True, help="What jupyter_scheduler 3 calls this scheduler by."
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scheduler")
        self._readers = ThreadPoolExecutor(THREADS, thread_name_prefix="records")
        super().__init__(*arguments, **options)
        environments = getattr(self.environments_manager, "environments", None) or Environments()
        database = Database(self.db_url)
        self.jobs = Jobs(self.settings(), Records(database), environments, choose)
        if isinstance(self.environments_manager, CondaEnvironments):
            types = self.jobs.settings.compute_types
            self.environments_manager.compute_types = tuple(one.name for one in types)
        self.definitions = Definitions(DefinitionRecords(database), self.jobs)
        self.housekeeper = Housekeeper(EndedRecords(database), self.definitions)

    def settings(self) -> config.Settings:
        """What is configured, as plain values."""
        root = Path(self.root_dir).expanduser().absolute()
        return config.Settings(
            root=root,
            staging=Path(self.staging_path).expanduser().absolute(),
            downloads=root / self.output_directory,
            db_url=self.db_url,
            owner=config.owner(os.environ),
            image=self.image,
            pod=self.pod,
            pod_template=self.pod_template,
            database_secret=self.database_secret,
            outbox_only=self.outbox_only,
            notification_file=_path(self.notification_file),
            notification_secret=self.notification_secret,
            python=self.python,
            defaults=self.runtime_defaults(),
            upper_limits=self.upper_limits,
            compute_types=compute.read(self.compute_types),
            keep=Retention(jobs=self.all_jobs_kept, days=self.all_days_kept),
            limits=Limits(
                size=self.folder_size_limit,
                files=self.folder_files_limit,
                exclude=tuple(self.folder_exclude),
            ),
        )

    async def in_thread(
        self, work: Callable[P, Answer], *arguments: P.args, **options: P.kwargs
    ) -> Answer:
        """Do blocking work beside the event loop, its errors in jupyter_scheduler's own classes."""
        return await _beside(self._threads, functools.partial(work, *arguments, **options))

    async def read(
        self, work: Callable[P, Answer], *arguments: P.args, **options: P.kwargs
    ) -> Answer:
        """The same for what asks no backend."""
        return await _beside(self._readers, functools.partial(work, *arguments, **options))

    def outward(self, job_id: str) -> str:
        """The id that jupyter_scheduler knows a job of this backend by."""
        return outward(job_id, self.backend_id)

    # --- jobs

    async def create_job(self, model: models.CreateJob) -> str:
        """Start a job."""
        return self.outward(await self.in_thread(self.jobs.create, _request(model)))

    async def update_job(self, job_id: str, model: models.UpdateJob) -> None:
        """Rename a job, or stop it."""
        if model.status == models.Status.STOPPED:
            await self.stop_job(job_id)
        if model.name:
            await self.in_thread(self.jobs.rename, inward(job_id), model.name)

    async def list_jobs(self, query: models.ListJobsQuery) -> models.ListJobsResponse:
        """A page of jobs, with their files."""
        answer: models.ListJobsResponse = await self.read(self._list, query)
        self._ask_for_a_round()
        return answer

    async def count_jobs(self, query: models.CountJobsQuery) -> int:
        """How many jobs have a status."""
        return await self.read(self.jobs.count, JobStatus(query.status.value))

    async def get_job(self, job_id: str, job_files: bool | None = True) -> models.DescribeJob:
        """One job, with its files unless they are not wanted."""
        return await self.read(self._get, inward(job_id), bool(job_files))

    async def stop_job(self, job_id: str) -> None:
        """End a job that runs."""
        await self.in_thread(self.jobs.stop, inward(job_id))
        self._ask_for_a_round()

    async def delete_job(self, job_id: str) -> None:
        """End a job and forget it."""
        await self.in_thread(self.jobs.delete, inward(job_id))

    async def download(self, job_id: str, again: bool) -> None:
        """Copy a job's files to where JupyterLab shows them."""
        await self.in_thread(self.jobs.download, inward(job_id), again=again)

    # --- job definitions

    async def create_job_definition(self, model: models.CreateJobDefinition) -> str:
        """Begin a schedule."""
        return await self.in_thread(self.definitions.create, _definition_request(model))

    async def list_job_definitions(
        self, query: models.ListJobDefinitionsQuery
    ) -> models.ListJobDefinitionsResponse:
        """A page of definitions."""
        return await self.read(self._list_definitions, query)

    async def get_job_definition(self, job_definition_id: str) -> models.DescribeJobDefinition:
        """One definition."""
        found = await self.read(self.definitions.get, job_definition_id)
        return _described_definition(found)

    async def update_job_definition(
        self, job_definition_id: str, model: models.UpdateJobDefinition
    ) -> None:
        """Change what was sent, and nothing else."""
        changes = model.dict(exclude_unset=True, exclude_none=True)
        await self.in_thread(self.definitions.update, job_definition_id, changes)

    async def delete_job_definition(self, job_definition_id: str) -> None:
        """End a schedule and forget it and its jobs."""
        await self.in_thread(self.definitions.delete, job_definition_id)

    async def create_job_from_definition(
        self, job_definition_id: str, model: models.CreateJobFromDefinition
    ) -> str:
        """Run a definition's notebook now."""
        parameters = model.parameters
        started = await self.in_thread(self.definitions.run_now, job_definition_id, parameters)
        return self.outward(started)

    # --- files

    def get_staging_paths(self, model: Any) -> dict[str, str]:
        """Where a job's files are staged, by format."""
        if not isinstance(model, models.DescribeJob):
            return {}
        return {file.format: str(file.staged) for file in self._files(model)}

    def get_job_filenames(self, model: models.DescribeJob) -> dict[str, Any]:
        """How a job's files are called once downloaded, by format."""
        named = [file for file in self._files(model) if file.format != "files"]
        names: dict[str, Any] = {file.format: file.local.name for file in named}
        if model.packaged_files:
            names["files"] = list(model.packaged_files)
        return names

    def get_local_output_path(
        self, model: models.DescribeJob, root_dir_relative: bool | None = False
    ) -> str:
        """The folder that a job's files are downloaded to."""
        settings = self.jobs.settings
        folder = downloads.local_folder(settings, _job(model))
        return os.path.relpath(folder, settings.root) if root_dir_relative else str(folder)

    def _ask_for_a_round(self) -> None:
        if isinstance(self.task_runner, ReconcilingTaskRunner):
            self.task_runner.ask()

    def _files(self, model: models.DescribeJob) -> tuple[downloads.JobFile, ...]:
        return downloads.job_files(self.jobs.settings, _job(model))

    def _get(self, job_id: str, with_files: bool) -> models.DescribeJob:
        return self._described(self.jobs.get(job_id), with_files)

    def _list(self, query: models.ListJobsQuery) -> models.ListJobsResponse:
        wanted = _query(query)
        page = self.jobs.list(wanted)
        seen = wanted.offset + len(page.jobs)
        return models.ListJobsResponse(
            jobs=[self._described(job, True) for job in page.jobs],
            total_count=page.total,
            next_token=str(seen) if seen < page.total else None,
        )

    def _list_definitions(
        self, query: models.ListJobDefinitionsQuery
    ) -> models.ListJobDefinitionsResponse:
        wanted = _definitions_query(query)
        page = self.definitions.list(wanted)
        seen = wanted.offset + len(page.definitions)
        return models.ListJobDefinitionsResponse(
            job_definitions=[_described_definition(one) for one in page.definitions],
            total_count=page.total,
            next_token=str(seen) if seen < page.total else None,
        )

    def _described(self, job: Job, with_files: bool) -> models.DescribeJob:
        values = {name: getattr(job, name) for name in COLUMNS}
        values["status"] = models.Status(job.status.value)
        values |= {"job_id": self.outward(job.job_id), **describes(self.backend_id)}
        running = job.status is JobStatus.IN_PROGRESS
        if running and with_files and not job.status_message:  # one that stalled says that
            values["status_message"] = downloads.progress(self.jobs.settings, job.job_id)
        for name in ("tags", "output_formats", "packaged_files"):
            values[name] = None if values[name] is None else list(values[name])
        described = models.DescribeJob(**values)
        if with_files:
            files = downloads.job_files(self.jobs.settings, job)
            described.job_files = [self._shown(file) for file in files]
            described.downloaded = downloads.is_downloaded(job, files)
            if job.status is JobStatus.STOPPED and described.downloaded:  # the UI links none
                where = self.get_local_output_path(described, root_dir_relative=True)
                described.status_message = f"{job.status_message or 'Stopped.'} Its files: {where}"
        return described

    def _shown(self, file: downloads.JobFile) -> models.JobFile:
        there = file.local.exists()
        path = file.local.relative_to(self.jobs.settings.root).as_posix() if there else None
        return models.JobFile(display_name=file.title, file_format=file.format, file_path=path)


class ArgoJobFiles(JobFilesManager):  # type: ignore[misc]  # upstream is untyped
    """Downloads are done when they are answered, and what goes wrong is said.

    (Upstream forks the server for each, answers at once and drops every error.)
    """

    async def copy_from_staging(self, job_id: str, redownload: Any = False) -> None:
        """Copy a job's files to where JupyterLab shows them."""
        # jupyter_scheduler 3 has a scheduler for each backend
        find = getattr(self, "_get_scheduler", None)
        scheduler = find(job_id) if find else self.scheduler
        if isinstance(scheduler, ArgoScheduler):
            again = str(redownload).lower() not in ("", "0", "false", "none")
            await scheduler.download(job_id, again)
        else:  # an operator chose another scheduler
            await super().copy_from_staging(job_id, redownload)


async def _beside(threads: ThreadPoolExecutor, call: Callable[[], Answer]) -> Answer:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, call)
    except AlreadyRequested as error:
        raise IdempotencyTokenError(error.token) from error
    except InputMissing as error:
        raise InputUriError(error.path) from error
    except CoulerJobsError as error:
        raise SchedulerError(str(error)) from error


def _path(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _request(model: models.CreateJob) -> JobRequest:
    tags = None if model.tags is None else tuple(model.tags)
    formats = None if model.output_formats is None else tuple(model.output_formats)
    same = model.dict(include=REQUESTED - {"tags", "output_formats", "input_filename"})
    given = model.input_filename or ""
    return JobRequest(**same, tags=tags, output_formats=formats, input_filename=given)


def _definition_request(model: models.CreateJobDefinition) -> DefinitionRequest:
    same = model.dict(exclude={"schedule", "timezone"})
    job = _request(models.CreateJob(**same))
    return DefinitionRequest(job=job, schedule=model.schedule, timezone=model.timezone)


def _described_definition(definition: Definition) -> models.DescribeJobDefinition:
    values = {name: getattr(definition, name) for name in DEFINITION_COLUMNS}
    for name in ("tags", "output_formats", "packaged_files"):
        values[name] = None if values[name] is None else list(values[name])
    line, zone = schedules.shown(definition.schedule, definition.timezone)
    return models.DescribeJobDefinition(**values | {"schedule": line, "timezone": zone})


def _definitions_query(query: models.ListJobDefinitionsQuery) -> DefinitionsQuery:
    return DefinitionsQuery(
        name=query.name,
        created_after=query.create_time,
        tags=tuple(query.tags or ()),
        sort_by=_sorted_by(query.sort_by),
        limit=_limit(query.max_items),
        offset=_offset(query.next_token),
    )


def _sorted_by(fields: Iterable[models.SortField]) -> tuple[tuple[str, bool], ...]:
    return tuple((one.name, one.direction == models.SortDirection.desc) for one in fields)


def _limit(max_items: int | None) -> int:
    return max(0, models.DEFAULT_MAX_ITEMS if max_items is None else max_items)


def _offset(next_token: str | None) -> int:
    try:
        return max(0, int(next_token or 0))
    except ValueError:
        raise JobRefused("The list's next_token is a number: reload the list.") from None


def _query(query: models.ListJobsQuery) -> JobsQuery:
    return JobsQuery(
        status=None if query.status is None else JobStatus(query.status.value),
        job_definition_id=query.job_definition_id,
        name=query.name,
        started_after=query.start_time,
        tags=tuple(query.tags or ()),
        sort_by=_sorted_by(query.sort_by),
        limit=_limit(query.max_items),
        offset=_offset(query.next_token),
    )


def _job(model: models.DescribeJob) -> Job:
    values = {name: getattr(model, name) for name in COLUMNS if hasattr(model, name)}
    values |= {"status": JobStatus(model.status.value), "job_id": inward(model.job_id)}
    for name in ("output_formats", "packaged_files"):
        values[name] = tuple(values[name] or ())
    return Job(**values)
