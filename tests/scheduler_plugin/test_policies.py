"""Retries, as a job's workflow is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local.client import LocalBackend
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.pipelines import JobPlan, TickPlan, job_workflow, tick_workflow
from scheduler_plugin.policies import Retries
from scheduler_plugin.records import Job, Records
from scheduler_plugin.runtime_parameters import check

Write = Callable[..., Path]
PLACES: dict[str, Any] = {"name": "x", "labels": {}, "python": "python", "notebook_request": "/r"}
FLAKY = "import os; again = os.path.exists('tried'); open('tried', 'w').close(); assert again"


def of(**given: Any) -> Retries:
    return Retries.of(check(given, {}))


def retried(workflow: Any) -> dict[str, Any]:
    """The one template that is retried."""
    templates = cj.compile(workflow, target="3.5")["spec"]["templates"]
    (found,) = (one for one in templates if "retryStrategy" in one)
    return dict(found)


Plan = Callable[[Retries], Any]
PLANS: list[Plan] = [
    lambda retries: job_workflow(JobPlan(**PLACES, status_request="/s", retries=retries)),
    lambda retries: tick_workflow(TickPlan(**PLACES, tick_file="/t", retries=retries)),
]


@pytest.mark.parametrize("plan", PLANS, ids=["job", "tick"])
def test_only_the_notebook_is_retried_and_knows_its_attempt(plan: Plan) -> None:
    template = retried(plan(of(retries=3, retry_delay_seconds=10, retry_delay_factor=4)))

    assert template["name"] == "notebook"
    assert template["retryStrategy"]["limit"] == "3"
    assert template["retryStrategy"]["backoff"] == {"duration": "10s", "factor": "4"}
    command = template["container"]["command"]
    assert command[command.index("--attempt") :] == ["--attempt", "{{retries}}", "--attempts", "4"]


def test_a_job_without_retries_has_no_strategy() -> None:
    for plan in PLANS:
        with pytest.raises(ValueError, match="not enough values"):
            retried(plan(of()))


def test_retries_without_a_delay_follow_at_once() -> None:
    assert "backoff" not in retried(PLANS[0](of(retries=1)))["retryStrategy"]


def test_waits_without_an_end_are_refused() -> None:
    with pytest.raises(JobRefused, match="20 retries would wait 121 days in all: ask for fewer"):
        of(retries=20, retry_delay_seconds=10)


@pytest.fixture
def jobs(settings: Settings, records: Records, environments: Environments, tmp_path: Path) -> Jobs:
    backend = LocalBackend(tmp_path / "runs")
    return Jobs(settings, records, environments, lambda: backend)


def ended(jobs: Jobs, **asked: Any) -> Job:
    request = JobRequest(
        input_uri="nb.ipynb",
        name="x",
        runtime_environment_name="server",
        runtime_environment_parameters=asked,
    )
    job_id, deadline = jobs.create(request), time.monotonic() + 240
    while not jobs.get(job_id).status.ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return jobs.get(job_id)


def test_a_notebook_that_fails_once_is_completed_by_its_second_attempt(
    jobs: Jobs, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", FLAKY)
    job = ended(jobs, retries=2)

    assert (job.status.value, job.status_message) == ("COMPLETED", "Attempt 2 of 3 succeeded.")
    log = jobs.folder(job.job_id).output("log").read_text()
    assert log.index("AssertionError") < log.index("Attempt 2 of 3.")


def test_a_notebook_that_always_fails_is_failed_by_its_last_attempt(
    jobs: Jobs, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "raise ValueError('no')")
    job = ended(jobs, retries=1, timeout_seconds=200)

    message = "Attempt 2 of 2: Cell 1 of 1 failed: ValueError: no"
    said = (job.status_message or "").splitlines()
    assert (job.status.value, said[0], said[-1]) == ("FAILED", message, "ValueError: no")
