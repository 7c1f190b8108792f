"""What creating a notebook job costs beside the one call that sends it.

    python benchmarks/job_post.py [jobs]

The backend's answers come from memory at once. What is left is ours: checks, files, the record,
the manifest, its lint. The floor is the same number of rows written to the same database, one
transaction each, and a folder with as many files.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Generator
from pathlib import Path

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.backends.argo_server.client import ArgoServerBackend
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.records import NewJob, Records

GOAL = 0.025
"""Seconds at the 95th percentile."""


class Memory:
    """A transport that takes every workflow, and says its version."""

    def send(self, request: Request) -> Response:
        """What was sent, as created."""
        if request.path.endswith("/version"):
            return Response(status=200, body=b'{"version": "v4.1.2"}')
        assert isinstance(request.body, bytes)
        sent = json.loads(request.body)["workflow"]
        sent["metadata"]["uid"] = str(uuid.uuid4())
        return Response(status=200, body=json.dumps(sent).encode())

    def stream(self, request: Request) -> Generator[bytes, None, None]:
        """Nothing is streamed."""
        raise NotImplementedError


def notebook() -> str:
    """A notebook of one cell."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": "1"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {
            "cells": [{**cell, "execution_count": None}],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def percentiles(work: Callable[[], object], times: int) -> tuple[float, float, float]:
    """In seconds: the median, the 95th percentile, and the latter of the processor's time alone."""
    took, worked = [], []
    for _ in range(times):
        begin, own = time.perf_counter(), time.thread_time()
        work()
        took.append(time.perf_counter() - begin)
        worked.append(time.thread_time() - own)
    most = int(0.95 * times)
    return sorted(took)[times // 2], sorted(took)[most], sorted(worked)[most]


def main(jobs: int) -> int:
    """Print what a job costs; 1 when it is more than the goal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jupyter_scheduler.orm import create_tables

        from scheduler_plugin.environments import Environments
        from scheduler_plugin.jobs import Jobs
        from scheduler_plugin.orders import JobRequest
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/scheduler.sqlite"
        create_tables(url)
        settings = Settings(
            root=folder,
            staging=folder / "staging",
            downloads=folder / "jobs",
            db_url=url,
            owner="ada",
            image="python:3.12",
            pod="template",
        )
        (folder / "report.ipynb").write_text(notebook(), encoding="utf-8")
        backend = ArgoServerBackend(Memory(), namespace="argo")
        records = Records(Database(url))
        service = Jobs(settings, records, Environments({}), lambda: backend)
        asked = JobRequest(
            input_uri="report.ipynb", name="report", runtime_environment_name="server"
        )
        service.create(asked)  # imports, the version, the kernels
        median, slow, worked = percentiles(lambda: service.create(asked), jobs)
        floor = floor_of(records, folder / "floor", jobs)
    print(f"own cost of a job: median {1000 * median:.1f} ms, p95 {1000 * slow:.1f} ms")
    print(f"of that on the processor: p95 {1000 * worked:.1f} ms; the rest is the disk and others")
    print(f"floor (two writes, a folder with files): p95 {1000 * floor:.1f} ms")
    own = max(slow - floor, worked)  # what a busy disk adds to both is not ours
    print(f"goal 25 ms: whole {_verdict(slow)}, beyond the floor {_verdict(own)}")
    return int(own > GOAL)


def _verdict(seconds: float) -> str:
    return "reached" if seconds <= GOAL else "MISSED"


def floor_of(records: Records, folder: Path, times: int) -> float:
    """The 95th percentile of what nobody can do without: a row, its status, and the files."""

    def work() -> None:
        new = NewJob(
            name="report",
            input_filename="report.ipynb",
            runtime_environment_name="server",
            output_formats=("ipynb",),
        )
        place = folder / new.job_id
        place.mkdir(parents=True)
        for number in range(5):
            (place / str(number)).write_text("{}", encoding="utf-8")
        records.add(new)
        records.start(new.job_id, 1)

    return percentiles(work, times)[1]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
