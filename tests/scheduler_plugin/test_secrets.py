"""References to secrets: only their names are anywhere but in the step's environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.compiler.lint import lint
from couler_jobs.errors import CoulerJobsError
from scheduler_plugin.config import Settings
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.labels import cron_name, workflow_name
from scheduler_plugin.needs import Needs, needs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.pod import SecretKey
from scheduler_plugin.records import Records
from scheduler_plugin.runtime_parameters import check

from .standin import StandIn

Write = Callable[..., Path]
REFERENCE = '{"secret": "db", "key": "password"}'
VARIABLES = f'{{"REGION": "eu", "TOKEN": {REFERENCE}, "LEVEL": 3}}'
FROM_SECRET = {"valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
REQUEST = JobRequest(
    input_uri="nb.ipynb",
    name="x",
    runtime_environment_name="server",
    parameters={"password": REFERENCE, "day": "2026-01-01"},
    runtime_environment_parameters={"environment_variables": VARIABLES},
)


@pytest.fixture
def wanted(settings: Settings) -> Callable[..., Needs]:
    def wanted(parameters: Mapping[str, str], variables: str = "{}") -> Needs:
        options = check({"environment_variables": variables}, {})
        return needs(parameters, options, None, settings)

    return wanted


Wanted = Callable[..., Needs]


def test_references_and_plain_values_are_told_apart(wanted: Wanted) -> None:
    found = wanted({"password": REFERENCE, "map": '{"a": 1}'}, VARIABLES)
    secret = SecretKey(name="db", key="password")

    assert (found.parameters, found.variables) == (
        {"map": {"a": 1}},
        {"REGION": "eu", "LEVEL": "3"},
    )
    assert (found.secrets.parameters, found.secrets.variables) == (
        {"password": secret},
        {"TOKEN": secret},
    )


def test_a_secret_that_is_used_twice_is_one_variable_of_the_step(wanted: Wanted) -> None:
    found = wanted({"password": REFERENCE}, VARIABLES).secrets

    assert found.env() == [{"name": "COULER_JOBS_SECRET_0", **FROM_SECRET}]
    assert found.sources(found.parameters) == {"password": "COULER_JOBS_SECRET_0"}
    assert found.sources(found.variables) == {"TOKEN": "COULER_JOBS_SECRET_0"}


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ({"secret": "db"}, 'parameter p is to be a reference to a secret: write {"secret": "name"'),
        ({"secret": "db", "key": "k", "more": 1}, "is to be a reference"),
        ({"secret": "DB", "key": "k"}, "refers to a secret that cannot be one"),
        ({"secret": "a/../b", "key": "k"}, "cannot be one"),
        ({"secret": "..", "key": "k"}, "cannot be one"),
        ({"secret": "db", "key": ".."}, "cannot be one"),
        ({"secret": "db", "key": "a/b"}, "cannot be one"),
        ({"secret": "db", "key": 1}, "cannot be one"),
        ({"secret": "db", "key": "k" * 300}, "cannot be one"),
    ],
)
def test_a_reference_that_can_be_none_is_refused(
    wanted: Wanted, reference: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(JobRefused, match=sentence):
        wanted({"p": json.dumps(reference)})


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ("{", "environment_variables is to be JSON, as one text, such as"),
        ("[]", "environment_variables is to be JSON, as one text, such as"),
        ('{"A": [1]}', "environment_variables is to be JSON, as one text, such as"),
        ('{"A": {"secret": "db"}}', "environment variable A is to be a reference"),
        ('{"A-B": "1"}', "'A-B' cannot be an environment variable: use letters"),
        ('{"COULER_JOBS_X": "1"}', "another beginning than COULER_JOBS_"),
        ('{"": "1"}', "'' cannot be an environment variable"),
        ('{"A": "\\u0000"}', "whose value must be a text"),
    ],
)
def test_variables_that_cannot_be_set_are_refused_when_the_job_is_created(
    jobs: Jobs, write_notebook: Write, variables: str, sentence: str
) -> None:
    write_notebook()
    asked = {"environment_variables": variables}

    with pytest.raises(JobRefused, match=sentence):
        jobs.create(replace(REQUEST, runtime_environment_parameters=asked))


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def jobs(
    settings: Settings, records: Records, environments: Environments, backend: StandIn
) -> Jobs:
    return Jobs(settings, records, environments, lambda: backend)


def env_of(spec: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The variables of a workflow's steps that are secrets, by template."""
    return {
        one["name"]: [
            entry
            for entry in one["container"].get("env", ())
            if entry["name"].startswith("COULER_JOBS_SECRET")
        ]
        for one in spec["templates"]
        if "container" in one
    }


def test_only_the_notebooks_step_gets_a_secret_and_its_request_only_the_variable(
    jobs: Jobs, backend: StandIn, write_notebook: Write
) -> None:
    write_notebook()
    job_id = jobs.create(REQUEST)
    manifest = backend.manifests[workflow_name(job_id)]

    assert env_of(manifest["spec"]) == {
        "notebook": [{"name": "COULER_JOBS_SECRET_0", **FROM_SECRET}],
        "record-status": [],
    }
    assert not [one for one in lint(manifest) if one.severity == "error"]
    request = json.loads(jobs.folder(job_id).notebook_request.read_text())
    assert request["parameters"] == {"day": "2026-01-01"}
    assert request["secret_parameters"] == {"password": "COULER_JOBS_SECRET_0"}
    assert request["secret_variables"] == {"TOKEN": "COULER_JOBS_SECRET_0"}
    assert request["variables"] == {"REGION": "eu", "LEVEL": "3"}
    assert jobs.get(job_id).parameters == REQUEST.parameters


def test_an_edit_of_a_definitions_secrets_is_an_edit_of_its_cron_workflow(
    jobs: Jobs, db_url: str, backend: StandIn, write_notebook: Write
) -> None:
    from scheduler_plugin.database import Database

    write_notebook()
    definitions = Definitions(DefinitionRecords(Database(db_url)), jobs)
    plain = replace(REQUEST, parameters=None, runtime_environment_parameters=None)
    definition_id = definitions.create(DefinitionRequest(job=plain, schedule="0 2 * * *"))
    definitions.update(definition_id, {"parameters": {"password": REFERENCE}})

    spec = backend.crons[cron_name(definition_id)]["spec"]["workflowSpec"]
    assert env_of(spec)["notebook"] == [{"name": "COULER_JOBS_SECRET_0", **FROM_SECRET}]
    assert env_of(spec)["create"] == []


# --- on this machine, with real processes

CANARY = "canary-Pa55word/+"
PRINTS = "import os\nprint(password, os.environ['TOKEN'])\nopen('seen', 'w').write(password)\n1 / 0"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("COULER_JOBS_HOME", str(home))
    folder = home / "secrets" / "db"
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o700)
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(CANARY)
    return home


@pytest.fixture
def here(settings: Settings, records: Records, environments: Environments, home: Path) -> Jobs:
    backend = LocalBackend(home)
    return Jobs(settings, records, environments, lambda: backend)


def test_a_secret_reaches_the_notebook_and_no_file_of_job_or_run(
    here: Jobs, home: Path, tmp_path: Path, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", PRINTS)
    job_id = here.create(replace(REQUEST, output_formats=("ipynb", "html")))
    deadline = time.monotonic() + 240
    while not here.get(job_id).status.ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    folder, job = here.folder(job_id), here.get(job_id)
    seen = folder.work / "seen"

    said = (job.status_message or "").splitlines()
    assert said[0] == "Cell 1 of 1 failed: ZeroDivisionError: division by zero"
    assert seen.read_text() == CANARY
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert folder.output("html") in written
    holders = [path for path in written if CANARY.encode() in path.read_bytes()]
    assert sorted(holders) == sorted([home / "secrets" / "db" / "password", seen])


def test_a_secret_that_is_not_there_is_told_when_the_job_is_created(
    here: Jobs, write_notebook: Write
) -> None:
    write_notebook()
    other = {"password": '{"secret": "other", "key": "k"}'}

    with pytest.raises(CoulerJobsError, match="no secret other with the key k on this machine"):
        here.create(replace(REQUEST, parameters=other))
