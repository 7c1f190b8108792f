from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couler_jobs.backends.argo_server import api
from couler_jobs.backends.argo_server.api import Kind, Request
from couler_jobs.errors import (
    Rejected,
)
from tests.backends.argo_server import recorded

WF, CRON, TEMPLATE = Kind.WORKFLOW, Kind.CRON, Kind.TEMPLATE


def sent(name: str) -> dict[str, Any]:
    """The object in the envelope of a recorded request."""
    body = recorded.load(name)["request"]["body"]
    found: dict[str, Any] = next(body[kind.envelope] for kind in Kind if kind.envelope in body)
    return found


CALLS: dict[str, Callable[[], Request]] = {
    "workflow-create": lambda: api.create(WF, "argo", sent("workflow-create")),
    "workflow-dry-run": lambda: api.dry_run("argo", sent("workflow-dry-run")),
    "workflow-lint": lambda: api.lint(WF, "argo", sent("workflow-lint")),
    "workflow-get": lambda: api.get(WF, "argo", "rec-hello"),
    "workflow-get-exclude": lambda: api.get(WF, "argo", "rec-hello", fields="-spec,status.nodes"),
    "workflow-list-remaining": lambda: api.page(WF, "argo", labels={"team": "lab"}, limit=1),
    "workflow-list-last-page": lambda: api.page(
        WF, "argo", labels={"team": "lab"}, limit=1, token="1"
    ),
    "workflow-delete": lambda: api.delete(WF, "argo", "rec-unknown"),
    "workflow-stop": lambda: api.stop("argo", "rec-life"),
    "workflow-terminate": lambda: api.terminate("argo", "rec-life"),
    "workflow-suspend": lambda: api.suspend("argo", "rec-life"),
    "workflow-resume": lambda: api.resume("argo", "rec-life"),
    "workflow-retry": lambda: api.retry("argo", "rec-life"),
    "workflow-resubmit": lambda: api.resubmit("argo", "rec-life"),
    "cron-create": lambda: api.create(CRON, "argo", sent("cron-create")),
    "cron-update": lambda: api.update(CRON, "argo", sent("cron-update")),
    "cron-lint": lambda: api.lint(CRON, "argo", sent("cron-lint")),
    "cron-get": lambda: api.get(CRON, "argo", "rec-cron"),
    "cron-suspend": lambda: api.pause_cron("argo", "rec-cron"),
    "cron-resume": lambda: api.resume_cron("argo", "rec-cron"),
    "template-create": lambda: api.create(TEMPLATE, "argo", sent("template-create")),
    "template-update": lambda: api.update(TEMPLATE, "argo", sent("template-update")),
    "template-get": lambda: api.get(TEMPLATE, "argo", "rec-template"),
    "template-delete": lambda: api.delete(TEMPLATE, "argo", "rec-template"),
    "watch-events-sse": lambda: api.watch(
        "argo",
        "rec-watch",
        fields="result.type,result.object.metadata.name,result.object.status.phase",
    ),
    "version": api.version,
    "info": api.info,
    "userinfo": api.userinfo,
}
"""Our request for each recorded one that a real server has taken."""


@pytest.mark.parametrize("name", CALLS)
def test_a_call_asks_what_a_real_server_has_answered(name: str) -> None:
    asked, ours = recorded.load(name)["request"], CALLS[name]()
    assert (ours.method, ours.path, dict(ours.query)) == (
        asked["method"],
        asked["path"],
        asked["query"],
    )


@pytest.mark.parametrize("name", [name for name in CALLS if CALLS[name]().body])
def test_a_body_says_what_a_real_server_has_taken(name: str) -> None:
    asked, ours = recorded.load(name)["request"]["body"], json.loads(CALLS[name]().body or b"")
    said = {key: value for key, value in asked.items() if key not in ("namespace", "message")}
    assert said.items() <= ours.items()


def test_a_run_from_a_cron_workflow_has_our_name_and_annotation() -> None:
    request = api.submit_from(
        "argo", "CronWorkflow", "tick", name="tick-1", annotations={"a": "b"}, parameters={"p": "1"}
    )
    asked = recorded.load("workflow-submit-from-cron")["request"]
    assert request.path == asked["path"]
    assert json.loads(request.body or b"")["submitOptions"] == {
        "name": "tick-1",
        "annotations": "a=b",
        "parameters": ["p=1"],
    }


def test_a_suspend_node_is_chosen_by_its_id() -> None:
    body = json.loads(api.resume("argo", "run", "run-1").body or b"")
    assert body["nodeFieldSelector"] == "id=run-1"


def test_answers_travel_as_json_text_and_let_the_node_go_on() -> None:
    request = api.answer("argo", "run", "run-1", {"ok": "yes"})
    body = json.loads(request.body or b"")
    assert request.path.endswith("/run/set")
    assert (json.loads(body["outputParameters"]), body["phase"]) == ({"ok": "yes"}, "Succeeded")


def test_logs_are_asked_of_the_main_container_with_times() -> None:
    request = api.logs("argo", "run", pod="run-a-1", follow=True)
    assert dict(request.query) == {
        "podName": "run-a-1",
        "logOptions.container": "main",
        "logOptions.timestamps": "true",
        "logOptions.follow": "true",
    }
    assert request.headers["Accept"] == "text/event-stream"


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert api.get(WF, "argo", "../../info?x#y").path.endswith("/argo/..%2F..%2Finfo%3Fx%23y")


def test_runs_of_a_deleted_cron_workflow_are_not_collected_with_it() -> None:
    assert api.delete(CRON, "argo", "x").query == {"deleteOptions.propagationPolicy": "Orphan"}


NOT_TWICE = ["workflow-create", "workflow-retry", "workflow-resubmit", "cron-update"]


@pytest.mark.parametrize("name", CALLS)
def test_calls_that_would_do_harm_when_sent_twice_say_so(name: str) -> None:
    creates = name in NOT_TWICE or name.endswith(("-create", "-update"))
    assert CALLS[name]().idempotent is not creates


# --- what is sent


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused_before_it_is_sent(value: Any) -> None:
    with pytest.raises(Rejected, match="cannot be written as JSON"):
        api.create(WF, "argo", {"spec": value})


@given(st.integers(api.LARGEST - 400, api.LARGEST + 400))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_cluster_cannot_store_is_refused_with_the_number(size: int) -> None:
    manifest = {"metadata": {"name": "big"}, "spec": "x" * size}
    whole = len(json.dumps({"workflow": manifest, "namespace": "argo"}, separators=(",", ":")))
    if whole > api.LARGEST:
        with pytest.raises(Rejected, match=f"{whole:,} bytes"):
            api.create(WF, "argo", manifest)
    else:
        assert len(api.create(WF, "argo", manifest).body or b"") == whole


def test_text_of_all_languages_travels_as_it_is() -> None:
    assert "zażółć".encode() in (api.lint(WF, "argo", {"x": "zażółć"}).body or b"")
