"""Compute types from the operator's list to the picker, the pod and this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler import models
from traitlets.config import Config

from couler_jobs.backends.base import Backend
from couler_jobs.backends.local.client import LocalBackend
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.scheduler import ArgoScheduler

from .standin import StandIn

Write = Callable[..., Path]
TYPES: list[dict[str, Any]] = [
    {"name": "small", "cpu": "1", "memory": "2Gi"},
    {
        "name": "gpu",
        "gpu": 1,
        "image": "gpu:1",
        "node_selector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    },
]
Make = Callable[[Backend], ArgoScheduler]


@pytest.fixture
def make(settings: Settings, environments: Environments, write_notebook: Write) -> Make:
    def make(backend: Backend) -> ArgoScheduler:
        write_notebook("nb.ipynb", "import os; print('processors:', len(os.sched_getaffinity(0)))")
        scheduler = ArgoScheduler(
            root_dir=str(settings.root),
            environments_manager=CondaEnvironments(environments),
            db_url=settings.db_url,
            config=Config({"ArgoScheduler": {"compute_types": TYPES, "image": "plain:1"}}),
        )
        scheduler.jobs.settings = replace(scheduler.settings(), staging=settings.staging)
        scheduler.jobs._choose_backend = lambda: backend
        return scheduler

    return make


def asked(compute_type: str | None, **more: Any) -> dict[str, Any]:
    same = {"input_uri": "nb.ipynb", "name": "x", "runtime_environment_name": "server"}
    return {**same, "compute_type": compute_type, **more}


def templates(spec: dict[str, Any]) -> dict[str, Any]:
    """Those that run something, by name."""
    return {one["name"]: one for one in spec["templates"] if "container" in one}


def test_the_picker_shows_the_operators_list(make: Make) -> None:
    for shown in asyncio.run(make(StandIn()).environments_manager.list_environments()):
        assert (shown.compute_types, shown.default_compute_type) == (["small", "gpu"], "small")


def test_the_notebooks_pod_is_of_the_chosen_type_and_no_other_step_is(make: Make) -> None:
    backend = StandIn()
    asyncio.run(make(backend).create_job(models.CreateJob(**asked("gpu"))))

    (manifest,) = backend.manifests.values()
    found = templates(manifest["spec"])
    notebook, others = found.pop("notebook"), found.values()
    assert notebook["container"]["image"] == "gpu:1"
    assert notebook["container"]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert notebook["nodeSelector"] == {"pool": "gpu"}
    assert notebook["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert {one["container"]["image"] for one in others} == {"plain:1"}
    assert not any("nodeSelector" in one for one in others)


def test_every_tick_of_a_definition_is_of_its_type(make: Make) -> None:
    backend = StandIn()
    wanted = models.CreateJobDefinition(**asked("gpu", schedule="0 2 * * *"))
    asyncio.run(make(backend).create_job_definition(wanted))

    (cron,) = backend.crons.values()
    notebook = templates(cron["spec"]["workflowSpec"])["notebook"]
    assert notebook["nodeSelector"] == {"pool": "gpu"}


def test_a_job_that_says_nothing_is_of_the_first_type(make: Make) -> None:
    backend = StandIn()
    asyncio.run(make(backend).create_job(models.CreateJob(**asked(None))))

    (manifest,) = backend.manifests.values()
    notebook = templates(manifest["spec"])["notebook"]
    assert notebook["container"]["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}


@pytest.mark.parametrize(
    ("compute_type", "sentences"),
    [
        ("small", ["may have 2048 MiB of memory", "processors: 1\n"]),
        ("gpu", ["Of the compute type gpu, node_selector, tolerations, image means nothing here"]),
    ],
)
def test_on_this_machine_a_type_is_a_limit_or_said_to_be_none(
    make: Make, tmp_path: Path, compute_type: str, sentences: list[str]
) -> None:
    scheduler = make(LocalBackend(tmp_path / "runs"))
    job_id = asyncio.run(scheduler.create_job(models.CreateJob(**asked(compute_type))))
    deadline = time.monotonic() + 240
    while not scheduler.jobs.get(job_id).status.ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    log = scheduler.jobs.folder(job_id).output("log").read_text()

    assert scheduler.jobs.get(job_id).status.value == "COMPLETED"
    assert all(sentence in log for sentence in sentences)
