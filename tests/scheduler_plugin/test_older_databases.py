"""Databases of other versions of jupyter_scheduler: rows that they made, columns that they lack."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from jupyter_scheduler import models
from jupyter_scheduler.exceptions import SchedulerError

from couler_jobs.cli import main
from couler_jobs.cli.exits import Exit
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.scheduler import ArgoScheduler

from .standin import StandIn

COMMON = """
    runtime_environment_name VARCHAR(256) NOT NULL, runtime_environment_parameters VARCHAR(1024),
    compute_type VARCHAR(256), input_filename VARCHAR(256) NOT NULL, output_formats VARCHAR(512),
    name VARCHAR(256), tags VARCHAR(1024), parameters VARCHAR(1024),
    email_notifications VARCHAR(1024), timeout_seconds INTEGER, retry_on_timeout BOOLEAN,
    max_retries INTEGER, min_retry_interval_millis INTEGER, output_filename_template VARCHAR(256),
    update_time INTEGER, create_time INTEGER"""
VERSION_1 = f"""
CREATE TABLE jobs (
    job_id VARCHAR(36) NOT NULL, job_definition_id VARCHAR(36), status VARCHAR(64),
    status_message VARCHAR(1024), start_time INTEGER, end_time INTEGER, url VARCHAR(256),
    pid INTEGER, idempotency_token VARCHAR(256), {COMMON}, PRIMARY KEY (job_id));
CREATE TABLE job_definitions (
    job_definition_id VARCHAR(36) NOT NULL, schedule VARCHAR(256), timezone VARCHAR(36),
    url VARCHAR(256), active BOOLEAN, {COMMON}, PRIMARY KEY (job_definition_id));
INSERT INTO jobs (job_id, status, runtime_environment_name, input_filename, create_time)
    VALUES ('old-1', 'COMPLETED', 'base', 'old.ipynb', 1);
INSERT INTO job_definitions
    (job_definition_id, schedule, active, runtime_environment_name, input_filename, create_time)
    VALUES ('old-2', '* * * * *', 1, 'base', 'old.ipynb', 1);
"""  #: as jupyter_scheduler 1 and 2.0 to 2.4 make it: without the columns of packaged folders


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_1)
    return path


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def opened(path: Path, settings: Settings, environments: Environments) -> ArgoScheduler:
    """The scheduler as jupyter_scheduler starts it."""
    from jupyter_scheduler.orm import create_tables

    create_tables(f"sqlite:///{path}")
    scheduler = ArgoScheduler(
        root_dir=str(settings.root),
        environments_manager=CondaEnvironments(environments),
        db_url=f"sqlite:///{path}",
    )
    scheduler.jobs.settings = replace(scheduler.settings(), staging=settings.staging, image="x")
    backend = StandIn()
    scheduler.jobs._choose_backend = lambda: backend
    return scheduler


@pytest.fixture
def scheduler(old: Path, settings: Settings, environments: Environments) -> ArgoScheduler:
    return opened(old, settings, environments)


def test_jobs_and_definitions_of_an_older_database_are_listed_described_and_deleted(
    scheduler: ArgoScheduler,
) -> None:
    (job,) = run(scheduler.list_jobs(models.ListJobsQuery())).jobs
    (definition,) = run(
        scheduler.list_job_definitions(models.ListJobDefinitionsQuery())
    ).job_definitions
    assert (job.job_id, job.status, job.output_formats) == ("old-1", models.Status.COMPLETED, [])
    assert run(scheduler.get_job("old-1")).name == ""
    assert run(scheduler.get_job_definition("old-2")) == definition

    run(scheduler.delete_job("old-1"))
    run(scheduler.delete_job_definition("old-2"))
    assert run(scheduler.list_jobs(models.ListJobsQuery())).total_count == 0


def test_a_definition_that_another_scheduler_made_says_so_when_it_is_run(
    scheduler: ArgoScheduler,
) -> None:
    with pytest.raises(SchedulerError, match=r"another scheduler made it.*create it anew"):
        run(scheduler.create_job_from_definition("old-2", models.CreateJobFromDefinition()))
    with pytest.raises(SchedulerError, match=r"another scheduler made it.*create it anew"):
        run(scheduler.update_job_definition("old-2", models.UpdateJobDefinition(active=False)))


def test_a_database_with_columns_of_a_later_version_is_used(
    old: Path, settings: Settings, environments: Environments
) -> None:
    scheduler = opened(old, settings, environments)
    for table in ("jobs", "job_definitions"):
        add = sa.text(f"ALTER TABLE {table} ADD COLUMN backend_id VARCHAR(256)")
        scheduler.jobs.records._database.write(lambda on, add=add: on.execute(add))  # type: ignore[misc]
    (settings.root / "nb.ipynb").write_text(
        '{"cells": [], "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4}'
    )
    asked = models.CreateJob(
        input_uri="nb.ipynb", name="new", runtime_environment_name="server", output_formats=[]
    )
    run(scheduler.create_job(asked))

    jobs = run(scheduler.list_jobs(models.ListJobsQuery())).jobs
    assert {job.name for job in jobs} == {"", "new"}


def test_a_database_whose_tables_cannot_be_changed_is_said(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(old.parent))
    old.with_name("scheduler.sqlite").write_bytes(b"no database, but longer than a header")

    assert main(["jobs", "list"]) == Exit.USAGE
    assert "cannot be brought up to date" in capsys.readouterr().err


def test_the_command_line_opens_an_older_database(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(old.parent))
    old.rename(old.with_name("scheduler.sqlite"))

    assert main(["jobs", "list"]) == Exit.OK
    assert "old-1" in capsys.readouterr().out
