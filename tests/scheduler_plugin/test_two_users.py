"""Two users, each with a server and a database of their own, on one cluster."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_scheduler import models
from jupyter_scheduler.orm import create_tables

from couler_jobs.errors import CoulerJobsError
from scheduler_plugin import config, labels
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords, DefinitionsQuery
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import CondaEnvironments, Environments
from scheduler_plugin.errors import NoSuchDefinition, NoSuchJob
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import JobsQuery, Records
from scheduler_plugin.reruns import rerun
from scheduler_plugin.scheduler import ArgoScheduler

from .conftest import SHORT, notebook
from .standin import StandIn

LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
NAMES = ["o'brien", "_bob", "Ünal", "ada@example.org", "x" * 100, "a b", "{{workflow.name}}", "-"]


@dataclass
class User:
    """What one user's server has."""

    definitions: Definitions

    @property
    def jobs(self) -> Jobs:
        return self.definitions.jobs

    def start(self) -> str:
        return self.jobs.create(ASKED)

    def schedule(self) -> str:
        return self.definitions.create(
            DefinitionRequest(job=ASKED, schedule="0 2 * * *", timezone=None)
        )


ASKED = JobRequest(input_uri="nb.ipynb", name="x", runtime_environment_name="server")
Make = Callable[[str], User]


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def make(tmp_path: Path, environments: Environments, backend: StandIn) -> Make:
    def make(owner: str) -> User:
        home = tmp_path / f"home-{len(list(tmp_path.iterdir()))}"
        (home / "root").mkdir(parents=True)
        (home / "root" / "nb.ipynb").write_text(json.dumps(notebook("1")), encoding="utf-8")
        settings = config.Settings(
            root=home / "root",
            staging=home / "staging",
            downloads=home / "root" / "jobs",
            db_url=f"sqlite:///{home}/scheduler.sqlite",
            owner=owner,
            image="python:3.12",
        )
        create_tables(settings.db_url)
        database = Database(settings.db_url, SHORT)
        jobs = Jobs(settings, Records(database), environments, lambda: backend)
        return User(Definitions(DefinitionRecords(database), jobs))

    return make


@pytest.fixture
def ada(make: Make) -> User:
    return make("ada")


@pytest.fixture
def bob(make: Make) -> User:
    return make("bob")


def test_nobody_sees_anothers_jobs_and_definitions(ada: User, bob: User) -> None:
    ada.start()
    ada.schedule()
    bob.jobs.reconcile()
    bob.definitions.reconcile()

    assert bob.jobs.list(JobsQuery()).total == 0
    assert bob.definitions.list(DefinitionsQuery()).total == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda bob, job: bob.jobs.get(job),
        lambda bob, job: bob.jobs.stop(job),
        lambda bob, job: bob.jobs.delete(job),
        lambda bob, job: bob.jobs.rename(job, "mine"),
        lambda bob, job: bob.jobs.download(job, again=True),
        lambda bob, job: rerun(bob.definitions, job),
    ],
    ids=["see", "stop", "delete", "rename", "download", "run again"],
)
def test_whoever_knows_the_id_of_anothers_job_can_do_nothing_with_it(
    ada: User, bob: User, backend: StandIn, call: Callable[[User, str], Any]
) -> None:
    job_id = ada.start()
    before = dict(backend.runs), ada.jobs.get(job_id)
    with pytest.raises(NoSuchJob):
        call(bob, job_id)

    assert (dict(backend.runs), ada.jobs.get(job_id)) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda bob, one: bob.definitions.get(one),
        lambda bob, one: bob.definitions.update(one, {"active": False}),
        lambda bob, one: bob.definitions.delete(one),
        lambda bob, one: bob.definitions.run_now(one, None),
    ],
    ids=["see", "pause", "delete", "run now"],
)
def test_whoever_knows_the_id_of_anothers_definition_can_do_nothing_with_it(
    ada: User, bob: User, backend: StandIn, call: Callable[[User, str], Any]
) -> None:
    definition_id = ada.schedule()
    before = dict(backend.crons), ada.definitions.get(definition_id)
    with pytest.raises(NoSuchDefinition):
        call(bob, definition_id)

    assert (dict(backend.crons), ada.definitions.get(definition_id)) == before
    assert not backend.runs


def test_a_reconciler_neither_heals_nor_ends_what_is_anothers(
    ada: User, bob: User, backend: StandIn
) -> None:
    ada.start()
    ada.schedule()
    bob.start()
    bob.schedule()
    before = dict(backend.runs), dict(backend.crons)
    for user in (ada, bob):
        assert (user.jobs.reconcile(), user.definitions.reconcile()) == (0, 0)

    assert (dict(backend.runs), dict(backend.crons)) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_user_name_makes_labels_that_kubernetes_allows(
    make: Make, backend: StandIn, name: str
) -> None:
    user = make(name)
    user.start()
    user.schedule()

    (job,), (cron,) = backend.manifests.values(), backend.crons.values()
    ticks = cron["spec"].get("workflowMetadata", {}).get("labels", {})
    values = [*job["metadata"]["labels"].values(), *cron["metadata"]["labels"].values()]
    assert all(LABEL.fullmatch(value) for value in (*values, *ticks.values()))
    assert job["metadata"]["labels"][labels.OWNER] == labels.legal(name)


def test_users_whose_names_look_alike_are_told_apart(make: Make, backend: StandIn) -> None:
    names = ("o'brien", "o-brien", "_o-brien", "O-Brien", "o brien")
    for name in names:
        make(name).start()
    owners = {
        manifest["metadata"]["labels"][labels.OWNER] for manifest in backend.manifests.values()
    }

    assert len(owners) == len(names)


def test_a_client_cannot_say_who_it_is(
    ada: User, environments: Environments, backend: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    settings = ada.jobs.settings
    scheduler = ArgoScheduler(
        root_dir=str(settings.root),
        environments_manager=CondaEnvironments(environments),
        db_url=settings.db_url,
        image=settings.image,
    )
    scheduler.jobs.settings = replace(scheduler.settings(), staging=settings.staging)
    scheduler.jobs._choose_backend = lambda: backend
    claims = {labels.OWNER: "bob", "workflows.argoproj.io/creator": "bob"}
    body = {
        "input_uri": "nb.ipynb",
        "name": "bob",
        "runtime_environment_name": "server",
        "tags": [f"{name}={value}" for name, value in claims.items()],
        "parameters": {"owner": "bob", "user": "bob"},
        "owner": "bob",
        "labels": claims,
    }
    asyncio.run(scheduler.create_job(models.CreateJob(**body)))

    (manifest,) = backend.manifests.values()
    assert manifest["metadata"]["labels"][labels.OWNER] == "ada"
    assert "bob" not in json.dumps(manifest)


def test_a_client_cannot_ask_for_labels(ada: User, backend: StandIn) -> None:
    asked = replace(ASKED, runtime_environment_parameters={"labels": "owner=bob"})
    with pytest.raises(CoulerJobsError, match="no runtime environment parameter 'labels'"):
        ada.jobs.create(asked)

    assert not backend.manifests
