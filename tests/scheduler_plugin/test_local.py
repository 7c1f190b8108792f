"""A job on the local engine, without a server around it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from couler_jobs.backends.local.client import LocalBackend
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.labels import workflow_name
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Records
from scheduler_plugin.status import JobStatus

Write = Callable[..., Path]


@pytest.fixture
def jobs(settings: Settings, records: Records, environments: Environments, tmp_path: Path) -> Jobs:
    backend = LocalBackend(tmp_path / "runs")
    return Jobs(settings, records, environments, lambda: backend)


def test_a_run_that_is_terminated_skips_its_handler_and_is_healed(
    jobs: Jobs, write_notebook: Write
) -> None:
    write_notebook("slow.ipynb", "open('started', 'w').close(); import time; time.sleep(600)")
    asked = JobRequest(input_uri="slow.ipynb", name="x", runtime_environment_name="server")
    job_id = jobs.create(asked)
    deadline = time.monotonic() + 120
    while not (jobs.folder(job_id).work / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    before = jobs.get(job_id)
    jobs.backend.terminate(workflow_name(job_id))
    while not jobs.backend.get(workflow_name(job_id)).ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    jobs.reconcile()

    job = jobs.get(job_id)
    assert (before.status, job.status) == (JobStatus.IN_PROGRESS, JobStatus.STOPPED)
    assert (job.start_time, bool(job.end_time)) == (before.start_time, True)
    jobs.delete(job_id)
