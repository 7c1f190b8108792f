"""What jupyter_scheduler's REST API lacks, beside its own routes and with its authentication.

GET  scheduler/jobs/ID/log      the log, as text
         ?offset=N              from this byte on, at most a megabyte
         ?tail=N                its last lines
         ?follow=true           and what comes, until the job ends
     answers Log-Next-Offset (unless it follows) and Job-Status
POST scheduler/jobs/ID/rerun    the same once more: {"job_id": "..."}
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from jupyter_scheduler.exceptions import SchedulerError
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated

from couler_jobs.errors import CoulerJobsError
from scheduler_plugin import logs
from scheduler_plugin.answers import code_of, with_right_status
from scheduler_plugin.backend import inward
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.malformed import renewed
from scheduler_plugin.records import Job
from scheduler_plugin.reruns import rerun
from scheduler_plugin.scheduler import ArgoScheduler

PLAIN = "text/plain; charset=utf-8"

ANY_JOB_ID = r"(?P<job_id>[^/]+)"
"""Also one that no job can have: the answer is in JSON then, and no page."""

PAUSE = 0.5
"""Seconds between two looks at a log that is followed."""


class JobHandler(APIHandler):  # type: ignore[misc]  # upstream is untyped
    """A request about one job."""

    @property
    def scheduler(self) -> ArgoScheduler:
        """The scheduler of this server, if it is ours."""
        found = self.settings.get("scheduler")
        if not isinstance(found, ArgoScheduler):
            raise HTTPError(404, "Another scheduler than ArgoScheduler is configured here.")
        return found

    async def asked(self, work: Any, *arguments: Any) -> Any:
        """Do blocking work beside the event loop. Raises HTTPError with its sentence."""
        try:
            return await self.scheduler.in_thread(work, *arguments)
        except SchedulerError as error:
            refused = isinstance(error.__cause__, JobRefused)  # by the state that the job is in
            raise HTTPError(409 if refused else code_of(error), str(error)) from error


class LogHandler(JobHandler):
    """A job's log."""

    _left = False

    def on_connection_close(self) -> None:
        """Nobody reads any more."""
        self._left = True
        super().on_connection_close()

    @authenticated
    async def get(self, job_id: str) -> None:
        """Answer what is wanted of it."""
        follow = self.get_query_argument("follow", "false").lower() in ("true", "1", "")
        job_id = inward(job_id)
        job = await self.asked(self.scheduler.jobs.get, job_id)
        path = self.scheduler.jobs.folder(job_id).output("log")
        tail = self._number("tail")
        if tail is None:
            offset = self._number("offset") or 0
        else:
            offset = await self.asked(logs.offset_of_last, path, tail)
        self.set_header("Content-Type", PLAIN)
        self.set_header("Job-Status", job.status.value)
        try:
            if follow:
                await self._follow(job, path, offset)
            else:
                await self._answer(path, offset)
        except StreamClosedError:  # nobody reads any more
            return

    def _number(self, name: str) -> int | None:
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()):
            raise HTTPError(400, f"{name} is to be a number that is not negative.")
        return int(text)

    async def _answer(self, path: Path, offset: int) -> None:
        piece = await self.asked(logs.read, path, offset)
        self.set_header("Log-Next-Offset", str(piece.next_offset))
        self.finish(piece.data, set_content_type=PLAIN)

    async def _follow(self, job: Job, path: Path, offset: int) -> None:
        await self.flush()
        while not self._left:
            ended = job.status.ended
            piece = await self.asked(logs.read, path, offset)
            offset = piece.next_offset
            if piece.data:
                self.write(piece.data)
                await self.flush()
            elif ended:
                break
            else:
                await asyncio.sleep(PAUSE)
                job = await self.asked(self.scheduler.jobs.get, job.job_id)
        self.finish(set_content_type=PLAIN)


class RerunHandler(JobHandler):
    """Running a job again."""

    @authenticated
    async def post(self, job_id: str) -> None:
        """Start it and answer the new job's id."""
        started = await self.asked(rerun, self.scheduler.definitions, inward(job_id))
        self.finish(json.dumps({"job_id": self.scheduler.outward(started)}))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """What jupyter_server asks a module that its configuration names."""
    return [{"module": __name__}]


def _link_jupyter_server_extension(server: Any) -> None:
    """Let errors have their status, and make room for a new database where it is malformed.

    jupyter_server links all extensions, by name, before it loads any, and jupyter_scheduler cannot
    be loaded with such a file.
    """
    point = server.extension_manager.extension_points.get("jupyter_scheduler")
    if point is None or not point.linked or not _is_ours(point.app.scheduler_class):
        return
    point.app.handlers = with_right_status(point.app.handlers)
    try:
        sentence = renewed(point.app.db_url)
    except CoulerJobsError as error:
        sentence = str(error)
    if sentence is not None:
        server.log.error(sentence)


def _is_ours(scheduler: Any) -> bool:
    return isinstance(scheduler, type) and issubclass(scheduler, ArgoScheduler)


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the routes. jupyter_scheduler makes the scheduler, before or after this."""
    job = url_path_join(server.web_app.settings["base_url"], "scheduler/jobs", ANY_JOB_ID)
    routes = [(rf"{job}/log", LogHandler), (rf"{job}/rerun", RerunHandler)]
    server.web_app.add_handlers(".*$", routes)
