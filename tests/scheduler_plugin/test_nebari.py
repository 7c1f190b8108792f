"""Jobs and definitions on Nebari: an Argo Server behind Nebari's workflow controller.

The controller is a stand-in that applies the rules of nebari-workflow-controller to what it is
sent: it reads the label on the object itself, wants the user's pod to be there, and puts that pod's
own fields into every container.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.backends.argo_server.client import NEBARI_ROLES, ArgoServerBackend
from couler_jobs.errors import CoulerJobsError, Forbidden
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import JobsQuery, Records
from scheduler_plugin.status import JobStatus
from tests.backends.argo_server.fake import Clock, FakeArgo, says

from .conftest import SHORT

LABEL = "jupyterflow-override"
CONTAINER = {
    "image": "quay.io/nebari/lab:1",
    "workingDir": "/home/ada",
    "env": [{"name": "ARGO_TOKEN", "value": "hush-hush"}],
    "volumeMounts": [{"name": "home", "mountPath": "/home/ada"}],
}
POD = {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "share"}}]}


class Nebari(FakeArgo):
    """An Argo Server whose objects pass the controller; `lab_runs`: whether the user's pod does."""

    lab_runs = True

    def answer(self, request: Request) -> Response:
        body = json.loads(request.body or b"{}")
        envelope = next((key for key in body if key in ("workflow", "cronWorkflow")), "")
        stores = request.method in ("POST", "PUT") and not request.path.endswith("/lint")
        if not envelope or not stores or not _is_ours(body[envelope]):
            return super().answer(request)
        if request.method == "PUT":
            return _denied("an update has no creator")
        if not self.lab_runs:
            return _denied("there is no running pod of the user ada")
        body[envelope] = _mutated(body[envelope])
        return super().answer(replace(request, body=json.dumps(body).encode()))


def _is_ours(sent: dict[str, Any]) -> bool:
    found: str = (sent["metadata"].get("labels") or {}).get(LABEL, "false")
    return found != "false"


def _denied(why: str) -> Response:
    message = f'admission webhook "nebari" denied the request: {why}'
    return Response(status=400, body=json.dumps({"code": 3, "message": message}).encode())


def _mutated(sent: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(sent)
    spec = found["spec"].get("workflowSpec", found["spec"])
    for template in (one for one in spec["templates"] if "container" in one):
        container = template["container"]
        for name, value in CONTAINER.items():
            ours = container.get(name)
            container[name] = [*(ours or []), *value] if isinstance(value, list) else value
        template["volumes"] = [*template.get("volumes", []), *POD["volumes"]]
    return found


@pytest.fixture
def argo() -> Nebari:
    return Nebari()


@pytest.fixture
def jobs(
    argo: Nebari,
    settings: Settings,
    records: Records,
    environments: Environments,
    monkeypatch: pytest.MonkeyPatch,
) -> Jobs:
    monkeypatch.setenv("PREFERRED_USERNAME", "ada")
    monkeypatch.setenv("CONDA_STORE_SERVICE", "conda-store:5000")
    clock = Clock()
    place = ArgoServerBackend(
        argo, namespace="dev", advice=NEBARI_ROLES, sleep=clock.sleep, clock=clock
    )
    return Jobs(settings, records, environments, lambda: place)


@pytest.fixture
def definitions(jobs: Jobs) -> Definitions:
    return Definitions(DefinitionRecords(Database(jobs.settings.db_url, SHORT)), jobs)


@pytest.fixture
def request_(write_notebook: Callable[..., Path]) -> JobRequest:
    write_notebook("nb.ipynb", "1")
    return JobRequest(input_uri="nb.ipynb", name="nightly", runtime_environment_name="server")


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"].get("workflowSpec", manifest["spec"])
    found: dict[str, Any] = next(one for one in spec["templates"] if "container" in one)
    return found


def test_a_jobs_pods_are_made_by_the_controller(
    argo: Nebari, jobs: Jobs, request_: JobRequest
) -> None:
    job_id = jobs.create(request_)
    made = container(argo.objects["workflows"][f"job-{job_id}"])
    assert made["container"]["image"] == CONTAINER["image"]
    assert made["volumes"] == POD["volumes"]


def test_the_controllers_label_is_on_the_cron_workflow_and_not_on_its_runs(
    argo: Nebari, definitions: Definitions, request_: JobRequest
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule="0 2 * * *"))
    made = argo.objects["cron-workflows"][f"def-{definition_id}"]
    assert made["metadata"]["labels"][LABEL] == "true"
    assert LABEL not in made["spec"]["workflowMetadata"]["labels"]
    assert container(made)["container"]["image"] == CONTAINER["image"]


@pytest.mark.parametrize(
    ("changes", "schedule", "paused"),
    [
        ({"schedule": "0 3 * * *"}, "0 3 * * *", False),
        ({"active": False}, "0 2 * * *", True),
    ],
)
def test_a_definition_that_may_not_be_changed_is_made_anew(
    argo: Nebari,
    definitions: Definitions,
    request_: JobRequest,
    changes: dict[str, Any],
    schedule: str,
    paused: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule="0 2 * * *"))
    if "active" in changes:  # suspend and resume change it too
        argo.faults.append(lambda *_: _denied("an update has no creator"))
    definitions.update(definition_id, changes)
    (name, made), *others = argo.objects["cron-workflows"].items()
    assert (name, others) == (f"def-{definition_id}", [])
    assert made["spec"]["schedules"] == [schedule]
    assert bool(made["spec"].get("suspend")) is paused
    assert definitions.get(definition_id).active is not paused
    assert "made anew" in caplog.text
    assert "hush-hush" not in caplog.text


def test_without_the_users_pod_the_controllers_sentence_is_told_and_the_old_one_stays(
    argo: Nebari, definitions: Definitions, request_: JobRequest
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule="0 2 * * *"))
    argo.lab_runs = False
    with pytest.raises(CoulerJobsError, match="no running pod of the user ada"):
        definitions.update(definition_id, {"schedule": "0 3 * * *"})
    made = argo.objects["cron-workflows"][f"def-{definition_id}"]
    assert made["spec"]["schedules"] == ["0 2 * * *"]
    assert definitions.get(definition_id).schedule == "0 2 * * *"


def test_a_user_without_a_role_is_told_which_one_to_ask_for(
    argo: Nebari, jobs: Jobs, records: Records, request_: JobRequest
) -> None:
    forbidden = says(403, {"code": 7, "message": "permission denied"})
    argo.faults.extend([None, forbidden, forbidden])  # the version is asked for first
    with pytest.raises(CoulerJobsError, match="argo-developer"):
        jobs.create(request_)
    (job,) = records.list(JobsQuery()).jobs
    assert job.status is JobStatus.FAILED
    assert "argo-developer" in (job.status_message or "")


def test_who_may_not_delete_is_told_so_too(
    argo: Nebari, definitions: Definitions, request_: JobRequest
) -> None:
    definition_id = definitions.create(DefinitionRequest(job=request_, schedule="0 2 * * *"))
    argo.faults.extend([None, None, says(403, {"code": 7, "message": "no delete"})])
    with pytest.raises(Forbidden, match=r"no delete.*argo-developer"):
        definitions.delete(definition_id)
    assert definitions.get(definition_id).active
    assert not argo.objects["cron-workflows"][f"def-{definition_id}"]["spec"].get("suspend")
