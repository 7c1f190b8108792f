"""How long a round of the reconciler takes, with many active jobs that a listing of Argo shows.

    python benchmarks/reconcile.py [jobs]

The floor is to read the rows and the pages' JSON, which nobody can do without. The answers come
from memory, in Argo Server's own form, so the network is not in it.
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

import sqlalchemy as sa

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.backends.argo_server.client import ArgoServerBackend
from scheduler_plugin import labels
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.reconcile import Reconciler
from scheduler_plugin.records import Records

PAGE = 500
GOAL = 2.0
"""Seconds for 10,000 jobs."""


class Pages:
    """A transport that answers lists of workflows, page by page."""

    def __init__(self, workflows: list[dict[str, object]]) -> None:
        self.calls = 0
        self.bodies: dict[str, bytes] = {}
        for start in range(0, max(len(workflows), 1), PAGE - 20):
            more = {"continue": str(start + PAGE)} if start + PAGE < len(workflows) else {}
            page = {"metadata": more, "items": workflows[start : start + PAGE]}
            self.bodies[str(start) if start else ""] = json.dumps(page).encode()

    def send(self, request: Request) -> Response:
        """The page that is asked for."""
        self.calls += 1
        if "cron" in request.path:
            return Response(status=200, body=b'{"metadata": {}, "items": null}')
        token = request.query.get("listOptions.continue", "")
        return Response(status=200, body=self.bodies[token])

    def stream(self, request: Request) -> Generator[bytes, None, None]:
        """Nothing is streamed."""
        raise NotImplementedError


def workflow(job_id: str, carried: dict[str, str]) -> dict[str, object]:
    """A running workflow as a listing shows it."""
    metadata = {
        "name": labels.workflow_name(job_id),
        "namespace": "argo",
        "uid": str(uuid.uuid4()),
        "creationTimestamp": "2026-11-22T10:00:00Z",
        "labels": {**carried, labels.JOB_ID: job_id, "workflows.argoproj.io/phase": "Running"},
    }
    status = {"phase": "Running", "startedAt": "2026-11-22T10:00:00Z", "finishedAt": None}
    return {"metadata": metadata, "spec": {}, "status": {**status, "progress": "0/1"}}


def fill(url: str, job_ids: list[str]) -> None:
    """A row for each job, active."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jupyter_scheduler.orm import Job, create_tables
    create_tables(url)
    now = 1_795_341_600_000  # when the workflows were made
    same = {
        "name": "report",
        "input_filename": "report.ipynb",
        "runtime_environment_name": "server",
        "output_formats": '["ipynb", "html"]',
        "status": "IN_PROGRESS",
        "create_time": now,
        "start_time": now,
        "update_time": now,
        "url": "/jobs",
    }
    table = sa.table("jobs", *(sa.column(name) for name in ("job_id", *same)))
    with sa.create_engine(url).begin() as on:
        on.execute(sa.insert(table), [{**same, "job_id": job_id} for job_id in job_ids])
    assert Job.__tablename__ == "jobs"


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def main(jobs: int) -> int:
    """Print what a round costs; 1 when it is more than the goal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/scheduler.sqlite"
        job_ids = [str(uuid.uuid4()) for _ in range(jobs)]
        fill(url, job_ids)
        settings = Settings(
            root=folder, staging=folder / "s", downloads=folder, db_url=url, owner="ada"
        )
        carried = labels.home_labels(settings.owner, settings.staging)
        pages = Pages([workflow(job_id, carried) for job_id in job_ids])
        backend = ArgoServerBackend(pages, namespace="argo")
        records = Records(Database(url))
        reconciler = Reconciler(lambda: settings, records, lambda: backend)
        floor = seconds(
            lambda: (records.active(), [json.loads(body) for body in pages.bodies.values()])
        )
        pages.calls = 0
        took = seconds(reconciler.round)
        allowed = GOAL * jobs / 10_000
        print(f"{jobs} active jobs: {took:.2f} s a round, {pages.calls // 3} calls of Argo Server")
        print(f"floor (rows and JSON alone): {floor:.2f} s, ratio {took / floor:.1f}")
        print(f"goal: {allowed:.2f} s: {'reached' if took <= allowed else 'MISSED'}")
        return int(took > allowed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
