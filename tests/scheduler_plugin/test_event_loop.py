"""The server's event loop, while Argo Server accepts connections and never answers."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from jupyter_scheduler import models
from jupyter_scheduler.exceptions import SchedulerError

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.backends.argo_server.transport import HttpTransport, Timeouts
from couler_jobs.errors import Unavailable
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.scheduler import THREADS, ArgoScheduler

IMPATIENT = Timeouts(connect=1.0, read=1.0, total=1.0)
HELD = 0.02
"""Seconds of work that the loop may do in one go."""


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    """What other tests have left is not looked through by a collection that falls into the loop."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections (the system does) and never reads."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def scheduler(settings: Settings, environments: Environments, silent: str) -> ArgoScheduler:
    scheduler = ArgoScheduler(
        root_dir=str(settings.root),
        environments_manager=CondaEnvironments(environments),
        db_url=settings.db_url,
        image="python:3.12",
    )
    transport = HttpTransport(silent, timeouts=IMPATIENT)
    backend = ArgoServerBackend(transport, namespace="argo")
    scheduler.jobs.settings = replace(scheduler.settings(), staging=settings.staging)
    scheduler.jobs._choose_backend = lambda: backend
    return scheduler


@dataclass
class Pulse:
    """The longest time between two beats of a loop: of the clock, and of its own work."""

    waited: float = 0.0
    worked: float = 0.0

    async def beside(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do the work, and beat until it is done."""
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        while not task.done():
            wall, own = time.monotonic(), time.thread_time()
            await asyncio.sleep(0.002)
            self.waited = max(self.waited, time.monotonic() - wall)
            self.worked = max(self.worked, time.thread_time() - own)
        return await task


@pytest.fixture
def asked(write_notebook: Callable[..., Path]) -> models.CreateJob:
    write_notebook("nb.ipynb", "1")
    return models.CreateJob(input_uri="nb.ipynb", name="report", runtime_environment_name="server")


def test_a_server_that_never_answers_holds_no_loop_and_fails_the_job(
    scheduler: ArgoScheduler, asked: models.CreateJob
) -> None:
    pulse = Pulse()
    with pytest.raises(SchedulerError, match="did not answer in time"):
        asyncio.run(pulse.beside(scheduler.create_job(asked)))
    (job,) = asyncio.run(scheduler.list_jobs(models.ListJobsQuery())).jobs

    assert pulse.worked < HELD
    assert pulse.waited < IMPATIENT.read  # by nothing but a machine that is busy
    assert job.status == models.Status.FAILED
    assert "did not answer in time" in job.status_message


def test_old_jobs_are_listed_while_every_other_call_waits_for_a_silent_server(
    scheduler: ArgoScheduler, asked: models.CreateJob, silent: str
) -> None:
    patient = HttpTransport(
        silent, timeouts=replace(IMPATIENT, read=60.0, total=60.0, unreached=0.1)
    )
    scheduler.jobs._choose_backend = lambda: ArgoServerBackend(patient, namespace="argo")

    async def all_of_it() -> int:
        calls = [asyncio.create_task(scheduler.create_job(asked)) for _ in range(2 * THREADS)]
        while (await scheduler.list_jobs(models.ListJobsQuery())).total_count < THREADS:
            await asyncio.sleep(0.05)
        count = await scheduler.count_jobs(models.CountJobsQuery(status=models.Status.CREATED))
        for call in calls:
            call.cancel()
        return count

    count = asyncio.run(all_of_it())
    patient.close()
    assert count == THREADS


def test_jobs_wait_for_a_silent_server_side_by_side(
    scheduler: ArgoScheduler, asked: models.CreateJob, silent: str
) -> None:
    """Each of them would else begin to wait when the one before it has given up."""
    reached = []

    class Counting(HttpTransport):
        def send(self, request: Request) -> Response:
            reached.append(request.what)
            together.wait()  # breaks where one has to wait for another
            raise Unavailable("away")

    together = Barrier(3, timeout=60)
    scheduler.jobs._choose_backend = lambda: ArgoServerBackend(Counting(silent), namespace="argo")

    async def three() -> list[BaseException | str]:
        calls = [scheduler.create_job(asked) for _ in range(3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(three())
    assert [str(one) for one in answers] == ["away"] * 3


def test_old_jobs_are_listed_while_the_reconciler_waits_for_a_silent_server(
    scheduler: ArgoScheduler, asked: models.CreateJob
) -> None:
    async def both() -> float:
        runner = asyncio.create_task(scheduler.task_runner.start())
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        await scheduler.list_jobs(models.ListJobsQuery())
        took = time.monotonic() - begin
        runner.cancel()
        return took

    pulse = Pulse()
    took: float = asyncio.run(pulse.beside(both()))

    assert took < IMPATIENT.total
    assert pulse.worked < HELD
