from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.argo_server.client import NEBARI_ROLES, ArgoServerBackend
from couler_jobs.backends.argo_server.creation import SETTLE, SUBMISSION
from couler_jobs.backends.argo_server.server import OVERLAP, PAGE
from couler_jobs.config import Settings
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    ConfigError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)
from tests.backends.argo_server.fake import (
    Clock,
    FakeArgo,
    cron_manifest,
    lost,
    manifest,
    says,
    unreachable,
)

BUSY = says(503, {"code": 14, "message": "starting"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def argo() -> FakeArgo:
    return FakeArgo()


@pytest.fixture
def backend(argo: FakeArgo, clock: Clock) -> ArgoServerBackend:
    return ArgoServerBackend(argo, namespace="argo", sleep=clock.sleep, clock=clock)


# --- submit


def test_a_submitted_workflow_is_there_and_has_our_mark(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    assert backend.submit(manifest()).name == "run"
    assert argo.objects["workflows"]["run"]["metadata"]["annotations"][SUBMISSION]


def test_the_callers_manifest_is_left_as_it_was(backend: ArgoServerBackend) -> None:
    ours = manifest()
    backend.submit(ours)
    assert ours == manifest()


def test_a_generated_name_is_chosen_before_it_is_sent(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    run = backend.submit({**manifest(), "metadata": {"generateName": "x" * 80}})
    sent = json.loads(argo.requests[0].body or b"")["workflow"]["metadata"]
    assert sent["name"] == run.name
    assert sent["generateName"] == run.generate_name == run.workflow == "x" * 80
    assert len(run.name) <= 63


def test_a_manifest_without_a_name_is_refused(backend: ArgoServerBackend) -> None:
    with pytest.raises(Rejected, match="neither"):
        backend.submit({**manifest(), "metadata": {}})


def test_a_manifest_for_another_namespace_is_refused(backend: ArgoServerBackend) -> None:
    with pytest.raises(Rejected, match="namespace other"):
        backend.submit({**manifest(), "metadata": {"name": "run", "namespace": "other"}})


@pytest.mark.parametrize("fault", [lost, unreachable, BUSY], ids=["lost", "unreachable", "busy"])
def test_a_create_that_ends_unclear_runs_once(
    fault: Any, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.append(fault)
    assert backend.submit(manifest()).name == "run"
    assert list(argo.objects["workflows"]) == ["run"]


def test_a_create_whose_answer_was_lost_is_not_sent_again(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.append(lost)
    backend.submit(manifest())
    assert (argo.calls("POST"), argo.calls("GET")) == (1, 1)


def test_a_create_that_is_carried_out_late_is_adopted_when_sent_again(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.extend([lost, says(404, {"code": 5, "message": "not yet"})])
    assert backend.submit(manifest()).name == "run"
    assert argo.calls("POST") == 2


def test_a_server_that_stays_away_is_given_up_within_the_time(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    argo.faults.extend([unreachable] * 100)
    with pytest.raises(Unavailable, match="There is no workflow run so far"):
        backend.submit(manifest())
    assert clock.now - 1000 <= SETTLE


def test_a_name_that_is_taken_is_not_adopted(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    argo.put("workflows", "run")
    with pytest.raises(AlreadyExists, match="already exists"):
        backend.submit(manifest())


def test_a_strangers_workflow_is_not_adopted_after_a_lost_answer(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", metadata={"annotations": {SUBMISSION: "theirs"}})
    argo.faults.append(unreachable)
    with pytest.raises(AlreadyExists):
        backend.submit(manifest())


def test_a_caller_that_comes_back_with_its_own_mark_finds_its_run(
    backend: ArgoServerBackend,
) -> None:
    ours = manifest()
    ours["metadata"]["annotations"] = {SUBMISSION: "mine"}
    assert backend.submit(ours).uid == backend.submit(ours).uid


def test_a_refusal_is_argos_sentence_and_is_not_repeated(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.append(says(400, {"code": 3, "message": "template name 'x' undefined"}))
    with pytest.raises(Rejected, match="create workflow run: template name 'x' undefined"):
        backend.submit(manifest())
    assert len(argo.requests) == 1


def test_a_workflow_of_which_the_server_drops_a_part_is_taken_back(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.unknown = ("priorityOfMine",)
    with pytest.raises(Rejected, match=r"workflow run: spec\.priorityOfMine did not come back"):
        backend.submit(manifest(priorityOfMine=1))
    assert argo.objects["workflows"] == {}


def test_many_dropped_fields_are_counted(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    fields: dict[str, Any] = {f"f{i}": 1 for i in range(8)}
    argo.unknown = tuple(fields)
    with pytest.raises(Rejected, match="and 3 more did not come back"):
        backend.submit(manifest("run", **fields))


# --- lint


def test_a_good_manifest_passes(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    backend.lint(manifest())
    assert argo.objects == {}


def test_lint_names_the_fields_that_the_server_does_not_know(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.unknown = ("schedules",)
    with pytest.raises(Rejected, match=r"cron workflow tick: spec\.schedules.*Nothing was created"):
        backend.lint(cron_manifest())


def test_a_dry_run_asks_the_cluster(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    backend.dry_run(manifest())
    assert json.loads(argo.requests[0].body or b"")["serverDryRun"] is True


# --- one workflow


def test_an_unknown_workflow_is_not_found(backend: ArgoServerBackend) -> None:
    with pytest.raises(NotFound, match="nosuch"):
        backend.get("nosuch")


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_a_running_workflow_is_shut_down(
    verb: str, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", status={"phase": "Running"})
    assert getattr(backend, verb)("run").shutdown == verb.capitalize()


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_a_suspended_workflow_is_resumed_to_be_shut_down(
    verb: str, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", status={"phase": "Running"})
    backend.suspend("run")
    run = getattr(backend, verb)("run")
    assert (run.shutdown, run.suspended) == (verb.capitalize(), False)


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_a_node_that_waits_is_not_passed_by_a_shutdown(
    verb: str, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    node = {"id": "run-1", "name": "run[0].ask", "type": "Suspend", "phase": "Running"}
    argo.put("workflows", "run", status={"phase": "Running", "nodes": {"run-1": node}})
    getattr(backend, verb)("run")
    assert not any(request.path.endswith("/resume") for request in argo.requests)


@pytest.mark.parametrize("verb", ["stop", "terminate"])
@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Error"])
def test_shutting_down_an_ended_workflow_answers_it_as_it_is(
    phase: str, verb: str, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", status={"phase": phase})
    assert getattr(backend, verb)("run").phase == phase


def test_a_stop_that_is_refused_for_another_reason_says_so(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", status={"phase": "Running"})
    argo.faults.append(says(400, {"code": 3, "message": "because"}))
    with pytest.raises(Rejected, match="because"):
        backend.stop("run")


def test_suspend_and_resume_go_to_and_fro(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    argo.put("workflows", "run", status={"phase": "Running"})
    assert backend.suspend("run").suspended
    assert not backend.resume("run").suspended


@pytest.mark.parametrize(("call", "word"), [("suspend", "suspended"), ("resume", "resumed")])
def test_what_has_ended_is_neither_suspended_nor_resumed(
    argo: FakeArgo, backend: ArgoServerBackend, call: str, word: str
) -> None:
    argo.put("workflows", "run", status={"phase": "Failed"})
    with pytest.raises(Rejected, match=f"run has ended as Failed, .*{word}: retry it, .* anew"):
        getattr(backend, call)("run")
    assert not any(request.method == "PUT" for request in argo.requests)


def test_a_suspend_node_is_resumed_by_its_id(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    node = {"id": "run-1", "name": "run[0].ask", "type": "Suspend", "phase": "Running"}
    argo.put("workflows", "run", status={"nodes": {"run-1": node}})
    backend.resume("run", "run[0].ask")
    assert json.loads(argo.requests[-1].body or b"")["nodeFieldSelector"] == "id=run-1"
    with pytest.raises(
        Rejected, match=r"run\[0\]\.ask does not ask for ok \(it asks for nothing\)"
    ):
        backend.resume("run", "run[0].ask", {"ok": "yes"})


def test_a_node_that_asks_is_told_its_defaults_too(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    asked = [
        {"name": "ok", "valueFrom": {"supplied": {}}},
        {"name": "who", "valueFrom": {"supplied": {}, "default": "nobody"}},
    ]
    node = {"id": "run-1", "name": "run.ask", "type": "Suspend", "phase": "Running"}
    node["outputs"] = {"parameters": asked}  # type: ignore[assignment]
    argo.put("workflows", "run", status={"nodes": {"run-1": node}})
    with pytest.raises(Rejected, match="asks for ok, which has no default"):
        backend.resume("run", "run.ask", {"who": "me"})
    with pytest.raises(Rejected, match="asks for ok, which has no default"):
        backend.resume("run")
    assert not any(request.path.endswith("/resume") for request in argo.requests)
    backend.resume("run", "run.ask", {"ok": "yes"})
    body = json.loads(argo.requests[-1].body or b"")
    assert json.loads(body["outputParameters"]) == {"ok": "yes", "who": "nobody"}


def test_a_node_that_is_not_there_cannot_be_resumed(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run")
    with pytest.raises(NotFound, match=r"no node run\.zzz"):
        backend.resume("run", "run.zzz")


def test_a_retry_whose_answer_was_lost_is_found_out(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("workflows", "run", status={"phase": "Failed"})
    argo.faults.append(lost)
    assert not backend.retry("run").ended
    assert argo.calls("PUT") == 1


def test_a_retry_that_never_arrived_is_an_error(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    argo.put("workflows", "run", status={"phase": "Failed"})
    argo.faults.append(unreachable)
    with pytest.raises(Unavailable):
        backend.retry("run")


def test_a_resubmitted_workflow_is_answered(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    argo.put("workflows", "run", status={"phase": "Failed"})
    backend.resubmit("run")
    assert argo.calls("PUT", "/run/resubmit") == 1


def test_a_deleted_workflow_is_gone(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    argo.put("workflows", "run")
    backend.delete("run")
    assert argo.objects["workflows"] == {}


def test_deleting_what_is_not_there_says_so(backend: ArgoServerBackend) -> None:
    with pytest.raises(NotFound):
        backend.delete("nosuch")


def test_a_second_attempt_that_finds_nothing_left_to_delete_has_deleted_it(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    from couler_jobs.backends.argo_server.api import Response

    argo.faults.append(lambda _, __: Response(status=404, body=b"{}", attempts=2))
    backend.delete("run")


# --- lists


def test_a_list_is_newest_first_whatever_runs(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    for name, day in (("b", 2), ("c", 3), ("a", 1)):
        metadata = {"creationTimestamp": f"2026-01-0{day}T00:00:00Z"}
        argo.put("workflows", name, metadata=metadata)
    assert [run.name for run in backend.list()] == ["c", "b", "a"]


def test_all_pages_of_a_list_are_read_and_nothing_twice(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    for number in range(2 * PAGE + 10):
        argo.put("workflows", f"run-{number}")
    names = [run.name for run in backend.list()]
    assert (len(names), len(set(names))) == (2 * PAGE + 10, 2 * PAGE + 10)
    assert argo.calls("GET") == 3


def test_pages_are_fetched_as_they_are_read(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    for number in range(2 * PAGE):
        argo.put("workflows", f"run-{number}")
    next(backend.list())
    assert argo.calls("GET") == 1


def test_a_workflow_that_is_deleted_while_listing_hides_no_other(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    for number in range(PAGE + OVERLAP):
        argo.put("workflows", f"run-{number}")
    runs = backend.list()
    first = {next(runs).name for _ in range(PAGE)}
    del argo.objects["workflows"]["run-0"]
    assert len(first | {run.name for run in runs}) == PAGE + OVERLAP


def test_a_list_asks_for_labels_and_few_fields(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    list(backend.list({"a": "b", "c": "d"}))
    query = argo.requests[0].query
    assert query["listOptions.labelSelector"] == "a=b,c=d"
    assert "items.status.phase" in query["fields"]
    assert "items.spec.activeDeadlineSeconds" in query["fields"]
    assert "nodes" not in query["fields"]


def test_the_sentence_that_fields_cut_is_asked_for(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    denied = {"code": 7, "message": "you are not allowed to list workflows"}
    argo.faults.extend([says(403, {}), says(403, denied)])
    with pytest.raises(Forbidden, match="not allowed to list workflows"):
        list(backend.list())
    assert "fields" not in argo.requests[1].query


# --- cron workflows


def test_a_cron_workflow_is_created_once_and_then_changed(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    first = backend.apply_cron(cron_manifest())
    second = backend.apply_cron(cron_manifest(schedules=["1 1 * * *"]))
    assert (first.uid, second.schedules) == (second.uid, ("1 1 * * *",))
    assert list(argo.objects["cron-workflows"]) == ["tick"]


def test_applying_keeps_what_argo_wrote_and_replaces_what_we_wrote(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    creator = {"workflows.argoproj.io/creator": "me", "ours": "old"}
    active = {"active": [{"name": "tick-1"}]}
    argo.put("cron-workflows", "tick", metadata={"labels": creator}, status=active)
    cron = backend.apply_cron(cron_manifest())
    assert cron.labels == {"workflows.argoproj.io/creator": "me"}
    assert cron.active == ("tick-1",)


def test_a_cron_workflow_that_changed_meanwhile_is_read_again_once(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick")
    argo.conflicts = 1
    assert backend.apply_cron(cron_manifest()).schedules == ("0 0 * * *",)


def test_a_cron_workflow_that_changes_all_the_time_is_an_error(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick")
    argo.conflicts = 9
    with pytest.raises(Rejected, match="modified"):
        backend.apply_cron(cron_manifest())


NO_UPDATE = says(400, {"code": 3, "message": 'admission webhook "site" denied the request: no'})


def test_a_cron_workflow_that_a_sites_rules_keep_from_changing_is_made_anew_and_that_is_said(
    argo: FakeArgo, backend: ArgoServerBackend, caplog: pytest.LogCaptureFixture
) -> None:
    argo.put("cron-workflows", "tick", spec={"schedules": ["1 1 * * *"]})
    argo.faults.extend([None, None, None, NO_UPDATE])  # lint, create, get, update
    assert backend.apply_cron(cron_manifest()).schedules == ("0 0 * * *",)
    assert list(argo.objects["cron-workflows"]) == ["tick"]
    assert "tick was deleted and made anew" in caplog.text


def test_a_cron_workflow_stays_where_a_sites_rules_refuse_the_new_one_too(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick", spec={"schedules": ["1 1 * * *"]})
    argo.faults.extend([None, None, None, NO_UPDATE, NO_UPDATE])
    with pytest.raises(Rejected, match="denied"):
        backend.apply_cron(cron_manifest())
    assert backend.get_cron("tick").schedules == ("1 1 * * *",)


def test_a_refused_change_for_another_reason_makes_nothing_anew(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick", spec={"schedules": ["1 1 * * *"]})
    argo.faults.extend([None, None, None, says(403, {"code": 7, "message": "no update"})])
    with pytest.raises(Forbidden, match="no update"):
        backend.apply_cron(cron_manifest())
    assert argo.calls("DELETE") == 0


def test_a_cron_workflow_of_which_a_part_would_be_dropped_is_not_created(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.unknown = ("schedules",)
    with pytest.raises(Rejected, match="schedules"):
        backend.apply_cron(cron_manifest())
    assert argo.objects == {}


def test_a_cron_create_whose_answer_was_lost_is_settled(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.extend([None, lost])
    assert backend.apply_cron(cron_manifest()).name == "tick"


def test_a_cron_create_that_never_arrived_is_unavailable(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.extend([None, unreachable])
    with pytest.raises(Unavailable):
        backend.apply_cron(cron_manifest())


def test_cron_workflows_are_paused_resumed_listed_and_read(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick", spec={"schedule": "@daily"})
    assert backend.suspend_cron("tick").suspended
    assert not backend.resume_cron("tick").suspended
    assert [cron.schedules for cron in backend.list_crons({"a": "b"})] == [("@daily",)]
    assert backend.get_cron("tick").name == "tick"


def test_a_cron_workflow_is_suspended_before_it_is_deleted(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick")
    backend.delete_cron("tick")
    assert [request.method for request in argo.requests] == ["GET", "PUT", "DELETE", "GET"]
    assert argo.objects["cron-workflows"] == {}


def test_a_cron_workflow_goes_also_where_nobody_collects_garbage(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.collector = False
    argo.put("cron-workflows", "tick")
    backend.delete_cron("tick")
    assert argo.objects["cron-workflows"] == {}


def test_a_cron_workflow_is_deleted_also_where_it_may_not_be_suspended(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick")
    argo.faults.extend([None, says(403, {"code": 7, "message": "no update"})])
    backend.delete_cron("tick")
    assert argo.objects["cron-workflows"] == {}


@pytest.mark.parametrize("suspended", [False, True])
def test_a_cron_workflow_that_cannot_be_deleted_goes_on_as_before(
    suspended: bool, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick", spec={"suspend": suspended})
    argo.faults.extend([None, None, says(403, {"code": 7, "message": "no delete"})])
    with pytest.raises(Forbidden, match="no delete"):
        backend.delete_cron("tick")
    assert backend.get_cron("tick").suspended is suspended


def test_deleting_a_cron_workflow_that_is_not_there_says_so(backend: ArgoServerBackend) -> None:
    with pytest.raises(NotFound):
        backend.delete_cron("nosuch")


@pytest.mark.parametrize("fault", [None, lost, unreachable], ids=["fine", "lost", "unreachable"])
def test_a_cron_workflow_is_triggered_once(
    fault: Any, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.put("cron-workflows", "tick", spec={"workflowSpec": {"entrypoint": "main"}})
    argo.faults.append(fault)
    run = backend.trigger_cron("tick")
    assert run.name.startswith("tick-")
    assert list(argo.objects["workflows"]) == [run.name]


# --- workflow templates


def test_a_template_is_applied_read_and_deleted(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    backend.apply_template({**manifest("lib"), "kind": "WorkflowTemplate"})
    backend.apply_template({**manifest("lib", entrypoint="other"), "kind": "WorkflowTemplate"})
    assert backend.get_template("lib")["spec"]["entrypoint"] == "other"
    backend.delete_template("lib")
    assert argo.objects["workflow-templates"] == {}


# --- the server


def test_the_version_is_asked_for_once(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    assert (backend.version(), backend.version(), backend.target()) == ("4.1.2", "4.1.2", "4.1")
    assert len(argo.requests) == 1


def test_a_server_that_does_not_know_its_version_is_found_out(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.version, argo.unknown = "v0.0.0+unknown", ("podPriority", "schedule")
    argo.faults.extend([None, lambda answer, request: without_timeout(answer(request))])
    assert backend.version() == backend.target() == "4.0"


def test_a_server_that_refuses_the_question_is_of_the_version_that_does(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.version = ""
    refused = says(400, {"code": 3, "message": "no"})
    argo.faults.extend([None, lambda answer, request: without_timeout(answer(request)), refused])
    assert backend.target() == "3.5"


def without_timeout(response: Any) -> Any:
    from couler_jobs.backends.argo_server.api import Response

    body = json.loads(response.body)
    body["spec"]["templates"][0].pop("pendingTimeout")
    return Response(status=200, body=json.dumps(body).encode())


def test_the_namespace_is_the_servers_own_where_none_is_given(argo: FakeArgo) -> None:
    argo.faults.append(says(200, {"managedNamespace": "team"}))
    assert ArgoServerBackend(argo).namespace == "team"
    assert ArgoServerBackend(FakeArgo()).namespace == "default"


def test_the_user_is_who_the_server_says(backend: ArgoServerBackend) -> None:
    assert backend.userinfo() == {}


DENIED: list[Callable[[ArgoServerBackend], object]] = [
    lambda backend: backend.submit(manifest()),
    lambda backend: backend.get("run"),
    lambda backend: backend.delete("run"),
    lambda backend: list(backend.list()),
    lambda backend: backend.apply_cron(cron_manifest()),
]


@pytest.mark.parametrize("call", DENIED)
def test_who_may_not_is_told_what_the_site_advises(
    call: Callable[[ArgoServerBackend], object], argo: FakeArgo
) -> None:
    argo.faults.append(says(403, {"code": 7, "message": "User weak cannot."}))
    backend = ArgoServerBackend(argo, namespace="argo", advice=NEBARI_ROLES)
    with pytest.raises(Forbidden, match=r"User weak cannot\. .*argo-developer .*argo-admin"):
        call(backend)


# --- from settings


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.load({"COULER_JOBS_CONFIG": str(config(tmp_path)), **environ})


def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch()
    return path


def test_a_backend_is_made_from_settings(tmp_path: Path) -> None:
    found = settings(tmp_path, ARGO_SERVER="argo.example:2746", ARGO_BASE_HREF="/argo/")
    assert repr(ArgoServerBackend.from_settings(found)) == (
        "ArgoServerBackend(HttpTransport('https://argo.example:2746/argo'))"
    )


def test_settings_without_a_server_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ARGO_SERVER"):
        ArgoServerBackend.from_settings(settings(tmp_path))


def test_every_error_of_the_protocol_is_a_backend_error(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    argo.faults.append(says(500, {"code": 13, "message": "failed calling webhook"}))
    with pytest.raises(BackendError, match="failed calling webhook"):
        backend.get("run")
