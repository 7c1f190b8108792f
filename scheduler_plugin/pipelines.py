"""A job, or a tick of a definition, as a workflow: run the notebook, and keep the job's record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import couler_jobs as cj
import couler_jobs.argo as couler
from scheduler_plugin.pod import NOTEBOOK, RECORDING
from scheduler_plugin.policies import NO_RETRIES, Retries

UID = "{{workflow.uid}}"
"""The id of a tick's job, and the name of its folder."""

IMAGE = "python:3.12"
"""What a manifest has to name; `pod.dressed` puts the right one in where images are run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What a one-off job's workflow is made of: names and paths, nothing that a user typed."""

    name: str
    labels: Mapping[str, str]
    python: str
    notebook_request: str  #: a file, see `couler_jobs.in_pod.request.NotebookRequest`
    status_request: str  #: a file, see `scheduler_plugin.in_pod.RecordStatus`
    env: Mapping[str, str] = field(default_factory=dict)
    retries: Retries = NO_RETRIES


def job_workflow(plan: JobPlan) -> Any:
    """The workflow of a one-off job, for `couler_jobs.submit`."""

    def record_status() -> None:
        asked = ["record-status", "--request-file", plan.status_request, "--phase"]
        _program(plan, "record-status", [RECORDING, *asked], "{{workflow.status}}")

    @cj.workflow(name=plan.name, labels=plan.labels, on_exit=record_status)
    def job() -> None:
        _notebook(plan)

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class TickPlan:
    """What a definition's cron workflow is made of: names and paths, nothing that a user typed."""

    name: str
    labels: Mapping[str, str]
    python: str
    tick_file: str  #: see `scheduler_plugin.ticks.Tick`
    notebook_request: str  #: a file in the run's folder, whose name is the run's uid
    env: Mapping[str, str] = field(default_factory=dict)
    retries: Retries = NO_RETRIES


def tick_workflow(plan: TickPlan) -> Any:
    """The workflow of each tick of a definition: create the record, run the notebook, update it.

    The only tags in it are Argo's own, each an argument by itself or in a path of ours.
    """
    run = ["--tick-file", plan.tick_file, "--job-id", UID, "--workflow", "{{workflow.name}}"]

    def record_status() -> None:
        asked = ["finish-run", *run, "--phase"]
        _program(plan, "record-status", [RECORDING], *asked, "{{workflow.status}}")

    @cj.workflow(name="create-record")
    def create_record() -> None:
        _program(plan, "create", [RECORDING], "create-record", *run)

    @cj.workflow(name="run-notebook")
    def run_notebook() -> None:
        _notebook(plan)

    @cj.workflow(name=plan.name, labels=plan.labels, on_exit=record_status)
    def tick() -> None:
        run_notebook(after=create_record())  # type: ignore[call-arg]

    return tick


def _notebook(plan: JobPlan | TickPlan) -> None:
    program = [NOTEBOOK, *plan.retries.arguments()]
    _program(
        plan,
        "notebook",
        program,
        "--request-file",
        plan.notebook_request,
        **plan.retries.step(),
    )


def _program(
    plan: JobPlan | TickPlan,
    step_name: str,
    module: Sequence[str],
    *arguments: str,
    **policies: Any,
) -> None:
    couler.run_container(
        image=IMAGE,
        command=[plan.python, "-m", *module],
        args=list(arguments),
        step_name=step_name,
        env=plan.env,
        **policies,
    )
