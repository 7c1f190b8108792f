from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couler_jobs.backends.argo_server import api
from couler_jobs.backends.argo_server.api import Conflict, Kind, Request, Response
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
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


def test_supplied_outputs_travel_as_json_text() -> None:
    body = json.loads(api.set_outputs("argo", "run", "run-1", {"ok": "yes"}).body or b"")
    assert json.loads(body["outputParameters"]) == {"ok": "yes"}


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


# --- errors

OTHERS: dict[tuple[str, str], type[BackendError]] = {
    ("v4.1.2", "cron-update-stale"): Conflict,
    ("v4.1.2", "template-update-stale"): Conflict,
    ("v4.1.2", "workflow-get-uid"): NotFound,
    ("v3.7.18", "workflow-get-uid"): NotFound,
    ("v3.5.15", "watch-events-bad-version"): BackendError,  # "an error on the server (unknown)"
}
ERRORS: dict[str, type[BackendError]] = {
    "400": Rejected,
    "401": Unauthorized,
    "403": Forbidden,
    "404": NotFound,
    "409": AlreadyExists,
    "500": Rejected,  # these are the caller's mistakes
    "501": Rejected,
}
RECORDED_ERRORS = [
    (version, name)
    for version in recorded.VERSIONS
    for name in recorded.names(version)
    if recorded.load(name, version)["response"]["status"] >= 300
]


@pytest.mark.parametrize(("version", "name"), RECORDED_ERRORS)
def test_every_recorded_error_becomes_the_one_that_it_stands_for(version: str, name: str) -> None:
    response = recorded.response(name, version)
    expected = OTHERS.get((version, name), ERRORS[str(response.status)])
    assert type(api.failure(recorded.request(name, version), response)) is expected


@pytest.mark.parametrize(("version", "name"), RECORDED_ERRORS)
def test_every_recorded_error_keeps_argos_own_sentence(version: str, name: str) -> None:
    response = recorded.response(name, version)
    body = json.loads(response.body)
    sentence = body.get("error", body).get("message", "")  # `fields=` cuts it
    assert sentence in str(api.failure(recorded.request(name, version), response))


def test_every_grpc_code_stands_for_something() -> None:
    assert set(api.GRPC) == set(range(1, 17))


@pytest.mark.parametrize("code", sorted(api.GRPC))
def test_a_codes_error_is_raised(code: int) -> None:
    body = json.dumps({"code": code, "message": "so"}).encode()
    with pytest.raises(BackendError) as caught:
        api.check(api.version(), Response(status=500, body=body))
    assert type(caught.value) is api.GRPC[code]


@pytest.mark.parametrize("status", sorted(api.HTTP))
def test_the_status_counts_where_the_body_says_nothing(status: int) -> None:
    for body in (b"{}", b"", b"[]", b"<html>Bad</html>", b'{"error": "x"}'):
        error = api.failure(api.version(), Response(status=status, body=body))
        assert type(error) is api.HTTP[status]


def test_an_unknown_status_is_an_error_all_the_same() -> None:
    error = api.failure(api.version(), Response(status=418, body=b"I am a teapot"))
    assert type(error) is BackendError
    assert str(error) == (
        "Argo Server could not ask for the version: it answered with status 418. (I am a teapot)"
    )


def test_an_error_says_what_was_tried_and_on_what() -> None:
    request = api.get(WF, "argo", "rec-nosuch")
    error = api.failure(request, recorded.response("workflow-get-missing"))
    assert str(error) == (
        'Argo Server could not get workflow rec-nosuch: workflows.argoproj.io "rec-nosuch" '
        "not found"
    )


def test_a_refused_token_says_what_to_do() -> None:
    error = api.failure(api.version(), recorded.response("workflow-create-bad-token"))
    assert "ARGO_TOKEN_FILE" in str(error)


def test_a_page_that_is_no_json_names_the_settings_to_check() -> None:
    with pytest.raises(Unavailable, match="ARGO_BASE_HREF"):
        api.check(api.version(), Response(status=200, body=b"<!doctype html>"))


def test_an_empty_good_answer_is_an_empty_object() -> None:
    assert api.check(api.version(), Response(status=200)) == {}


def test_an_error_in_a_stream_has_its_status_and_sentence() -> None:
    item = recorded.body("watch-events-missing")["error"]
    assert type(api.stream_error(api.watch("argo", "x"), item)) is NotFound


def test_an_error_in_a_stream_without_a_code_is_an_error() -> None:
    assert type(api.stream_error(api.watch("argo", "x"), {})) is BackendError


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (b'{"result": {}}', {"result": {}}),
        (b'data: {"result": {}}', {"result": {}}),
        (b":", {}),
        (b"", {}),
        (b"event: x", {}),
    ],
)
def test_a_line_is_read_in_both_forms_of_a_stream(line: bytes, item: dict[str, Any]) -> None:
    assert api.stream_line(line) == item


@pytest.mark.parametrize("line", [b'{"result": {}} {}', b'{"result": '])
def test_a_line_that_is_not_one_object_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"more than one object|Expecting value"):
        api.stream_line(line)


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


# --- what came back

DROPPED: list[tuple[Any, Any, list[str]]] = [
    ({"a": 1}, {"a": 1, "b": 2}, []),
    ({"a": 1}, {}, ["a"]),
    ({"a": {"b": "x"}}, {"a": {}}, ["a.b"]),
    ({"a": [{"b": 1}, {"c": 2}]}, {"a": [{"b": 1}, {}]}, ["a[1].c"]),
    ({"a": [1, 2]}, {"a": [1]}, ["a[1]"]),
    ({"a": {"value": {"k": 1}}}, {"a": {"value": ""}}, ["a.value"]),
    ({"entryPoint": "main"}, {"entrypoint": "main"}, []),
    ({"a": False, "b": 0, "c": "", "d": [], "e": {"f": None}}, {}, []),
    ({"cpu": "0.5", "n": 5}, {"cpu": "500m", "n": "5"}, []),
    ({"a": [1]}, {"a": {"b": 1}}, ["a[0]"]),
    ({"a": {"b": 1}}, {"a": "text"}, ["a.b"]),
]


@pytest.mark.parametrize(("ours", "theirs", "paths"), DROPPED)
def test_what_did_not_come_back_is_named(ours: Any, theirs: Any, paths: list[str]) -> None:
    assert list(api.dropped(ours, theirs)) == paths


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_came_back_whole_lost_nothing(value: Any) -> None:
    assert list(api.dropped(value, value)) == []


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_real_servers_that_took_all_of_it_are_not_suspected(version: str) -> None:
    for name in recorded.names(version):
        recording = recorded.load(name, version)
        body, answer = recording["request"]["body"], recording["response"]
        if name.endswith(("unknown-field", "no-schedule", "singular")) or answer["status"] != 200:
            continue
        envelopes = [kind.envelope for kind in Kind if body and kind.envelope in body]
        manifest = body[envelopes[0]] if envelopes else {}
        spec = {"spec": manifest.get("spec")}
        assert list(api.dropped(spec, answer["body"])) == [], name


def test_fields_that_a_real_server_dropped_are_named() -> None:
    recording = recorded.load("workflow-create-unknown-field")
    spec = {"spec": recording["request"]["body"]["workflow"]["spec"]}
    assert list(api.dropped(spec, recording["response"]["body"])) == [
        "spec.bogusField",
        "spec.templates[0].bogus",
    ]
