"""The seams of jupyter_scheduler 3, against a stand-in with its signatures (it is not released)."""

from __future__ import annotations

import asyncio
import configparser
import importlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler import models

from scheduler_plugin.backend import ArgoBackend, inward, outward
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.execution import ArgoExecutionManager
from scheduler_plugin.labels import workflow_name
from scheduler_plugin.scheduler import ArgoJobFiles, ArgoScheduler
from scheduler_plugin.status import JobStatus, Outcome

from .standin import StandIn

Write = Callable[..., Path]
GROUP = "jupyter_scheduler.backends"


class CreateJob(models.CreateJob):  # type: ignore[misc]  # upstream is untyped
    """Version 3 says which backend is meant."""

    backend_id: str | None = None


class Registry:
    """What version 3 does with the description of a backend."""

    def __init__(self, described: type[ArgoBackend]) -> None:
        self.described = described
        self.scheduler: Any = None

    def initialize(self, root_dir: str, environments_manager: Any, db_url: str) -> None:
        self.scheduler = _imported(self.described.scheduler_class)(
            root_dir=root_dir,
            environments_manager=environments_manager,
            db_url=db_url,
            config=None,
            backend_id=self.described.id,
        )
        manager = _imported(self.described.execution_manager_class)
        self.scheduler.execution_manager_class = manager

    def resolve(self, job_id: str) -> Any:
        backend_id, _, _ = job_id.partition(":")
        assert backend_id == self.described.id
        return self.scheduler


class JobFiles(ArgoJobFiles):
    """The files manager as version 3 makes it."""

    def __init__(self, backend_registry: Registry) -> None:
        self._get_scheduler = backend_registry.resolve


def _imported(path: str) -> Any:
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def registry(settings: Settings, environments: Environments, backend: StandIn) -> Registry:
    registry = Registry(ArgoBackend)
    registry.initialize(str(settings.root), CondaEnvironments(environments), settings.db_url)
    jobs = registry.scheduler.jobs
    jobs.settings = replace(registry.scheduler.settings(), staging=settings.staging, image="x")
    jobs._choose_backend = lambda: backend
    return registry


@pytest.fixture
def job_id(registry: Registry, write_notebook: Write) -> str:
    write_notebook("nb.ipynb", "1")
    asked = CreateJob(
        backend_id="argo", input_uri="nb.ipynb", name="x", runtime_environment_name="server"
    )
    started: str = run(registry.scheduler.create_job(asked))
    return started


def test_the_entry_point_names_the_backend_that_is_described() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    (line,) = setup["options.entry_points"][GROUP].split("\n")[1:]
    module, _, name = line.partition("=")[2].strip().partition(":")

    assert getattr(importlib.import_module(module), name) is ArgoBackend


def test_a_backend_says_what_version_3_asks_of_it() -> None:
    assert ArgoBackend.id == "argo"
    assert ArgoBackend.file_extensions == ["ipynb"]
    assert [one["id"] for one in ArgoBackend.output_formats] == ["ipynb", "html"]
    assert ArgoBackend.database_manager_class is None
    assert _imported(ArgoBackend.scheduler_class) is ArgoScheduler
    assert _imported(ArgoBackend.execution_manager_class) is ArgoExecutionManager


def test_a_job_is_known_by_its_backend_outside_and_by_its_uuid_inside(
    registry: Registry, job_id: str, backend: StandIn
) -> None:
    assert job_id.startswith("argo:")
    assert list(backend.runs) == [workflow_name(inward(job_id))]
    assert registry.scheduler.jobs.get(inward(job_id)).job_id == inward(job_id)
    assert run(registry.scheduler.get_job(job_id)).job_id == job_id
    (listed,) = run(registry.scheduler.list_jobs(models.ListJobsQuery())).jobs
    assert listed.job_id == job_id


def test_a_job_is_renamed_stopped_and_deleted_by_its_composite_id(
    registry: Registry, job_id: str, backend: StandIn
) -> None:
    scheduler = registry.scheduler
    run(scheduler.update_job(job_id, models.UpdateJob(name="other")))
    run(scheduler.stop_job(job_id))
    stopping = run(scheduler.get_job(job_id))
    run(scheduler.delete_job(job_id))

    assert (stopping.name, stopping.status) == ("other", models.Status.STOPPING)
    assert not backend.runs


def test_files_of_a_job_are_downloaded_by_its_composite_id(registry: Registry, job_id: str) -> None:
    scheduler = registry.scheduler
    scheduler.jobs.folder(inward(job_id)).output("ipynb").write_text("out")
    scheduler.jobs.records.finish(
        inward(job_id), Outcome(status=JobStatus.COMPLETED, message=None, ended_at=1)
    )
    run(JobFiles(registry).copy_from_staging(job_id))

    shown = run(scheduler.get_job(job_id))
    paths = [file.file_path for file in shown.job_files if file.file_format == "ipynb"]
    assert shown.downloaded
    assert (scheduler.jobs.settings.root / paths[0]).read_text() == "out"
    assert ":" not in scheduler.get_local_output_path(shown, root_dir_relative=True)
    assert (
        str(scheduler.jobs.folder(inward(job_id)).root)
        in scheduler.get_staging_paths(shown)["ipynb"]
    )


@pytest.mark.parametrize(
    ("stored", "backend_id", "shown"),
    [
        ("1-2", "argo", "argo:1-2"),
        ("1-2", None, "1-2"),  # jupyter_scheduler 2
        ("jupyter_server_py:1-2", "argo", "jupyter_server_py:1-2"),
    ],
)
def test_a_row_is_shown_by_the_backend_that_it_is_of(
    stored: str, backend_id: str | None, shown: str
) -> None:
    assert outward(stored, backend_id) == shown
    assert inward(shown) == "1-2"
