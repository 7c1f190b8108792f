from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.backends.argo_server import answers, api
from couler_jobs.backends.argo_server.answers import Conflict
from couler_jobs.backends.argo_server.api import Kind, Response
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
    assert type(answers.failure(recorded.request(name, version), response)) is expected


@pytest.mark.parametrize(("version", "name"), RECORDED_ERRORS)
def test_every_recorded_error_keeps_argos_own_sentence(version: str, name: str) -> None:
    response = recorded.response(name, version)
    body = json.loads(response.body)
    sentence = body.get("error", body).get("message", "")  # `fields=` cuts it
    assert sentence in str(answers.failure(recorded.request(name, version), response))


def test_every_grpc_code_stands_for_something() -> None:
    assert set(answers.GRPC) == set(range(1, 17))


@pytest.mark.parametrize("code", sorted(answers.GRPC))
def test_a_codes_error_is_raised(code: int) -> None:
    body = json.dumps({"code": code, "message": "so"}).encode()
    with pytest.raises(BackendError) as caught:
        answers.check(api.version(), Response(status=500, body=body))
    assert type(caught.value) is answers.GRPC[code]


@pytest.mark.parametrize("status", sorted(answers.HTTP))
def test_the_status_counts_where_the_body_says_nothing(status: int) -> None:
    for body in (b"{}", b"", b"[]", b"<html>Bad</html>", b'{"error": "x"}'):
        error = answers.failure(api.version(), Response(status=status, body=body))
        assert type(error) is answers.HTTP[status]


def test_an_unknown_status_is_an_error_all_the_same() -> None:
    error = answers.failure(api.version(), Response(status=418, body=b"I am a teapot"))
    assert type(error) is BackendError
    assert str(error) == (
        "Argo Server could not ask for the version: it answered with status 418. (I am a teapot)"
    )


def test_an_error_says_what_was_tried_and_on_what() -> None:
    request = api.get(Kind.WORKFLOW, "argo", "rec-nosuch")
    error = answers.failure(request, recorded.response("workflow-get-missing"))
    assert str(error) == (
        'Argo Server could not get workflow rec-nosuch: workflows.argoproj.io "rec-nosuch" '
        "not found"
    )


def test_a_refused_token_says_what_to_do() -> None:
    error = answers.failure(api.version(), recorded.response("workflow-create-bad-token"))
    assert "ARGO_TOKEN_FILE" in str(error)


def test_a_page_that_is_no_json_names_the_settings_to_check() -> None:
    with pytest.raises(Unavailable, match="ARGO_BASE_HREF"):
        answers.check(api.version(), Response(status=200, body=b"<!doctype html>"))


def test_an_empty_good_answer_is_an_empty_object() -> None:
    assert answers.check(api.version(), Response(status=200)) == {}


def test_an_error_in_a_stream_has_its_status_and_sentence() -> None:
    item = recorded.body("watch-events-missing")["error"]
    assert type(answers.stream_error(api.watch("argo", "x"), item)) is NotFound


def test_an_error_in_a_stream_without_a_code_is_an_error() -> None:
    assert type(answers.stream_error(api.watch("argo", "x"), {})) is BackendError


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
    assert answers.stream_line(line) == item


@pytest.mark.parametrize("line", [b'{"result": {}} {}', b'{"result": '])
def test_a_line_that_is_not_one_object_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"more than one object|Expecting value"):
        answers.stream_line(line)


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
    assert list(answers.dropped(ours, theirs)) == paths


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_came_back_whole_lost_nothing(value: Any) -> None:
    assert list(answers.dropped(value, value)) == []


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
        assert list(answers.dropped(spec, answer["body"])) == [], name


def test_fields_that_a_real_server_dropped_are_named() -> None:
    recording = recorded.load("workflow-create-unknown-field")
    spec = {"spec": recording["request"]["body"]["workflow"]["spec"]}
    assert list(answers.dropped(spec, recording["response"]["body"])) == [
        "spec.bogusField",
        "spec.templates[0].bogus",
    ]
