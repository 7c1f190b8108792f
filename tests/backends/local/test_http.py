"""`http` templates: the request as a program, the node that stands for it, and whole runs."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local import http_request
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.told import told
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.local.driving import RUN, Drive, dag, step, steps, workflow
from tests.backends.local.test_references import secret
from tests.backends.local.web_server import web_server
from tests.backends.workflows import finish, wait_until

Http = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    """`/echo` answers with the request, `/503` with that status, `/slow` never."""

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        told = {"method": self.command, "body": self.rfile.read(size).decode()}
        told |= {"way": self.headers.get("X-Way", ""), "host": self.headers["Host"]}
        told["login"] = self.headers.get("Authorization", "")
        if self.path == "/slow":
            time.sleep(5)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/echo")
        else:
            self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        self.send_header("x-kind", "first")
        self.send_header("x-kind", "second")
        self.end_headers()
        text = "x" * (http_request.LONGEST + 1) if self.path == "/long" else json.dumps(told)
        if self.path != "/204":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with web_server(Handler) as found:
        yield found


# --- the request


def sent(tmp_path: Path, url: str, **http: Any) -> dict[str, Any]:
    """What the program leaves of a request."""
    plan = tmp_path / "work.json"
    plan.write_text(json.dumps({"home": str(tmp_path), "http": {"url": url, **http}}))
    code = http_request.main([str(plan)])
    found = told(tmp_path)
    assert found is not None
    assert found["exit_code"] == code
    return found


def header(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


FROM_SECRET = {"name": "X-Way", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}}


@pytest.mark.parametrize(
    ("http", "seen"),
    [
        ({}, {"method": "GET", "body": ""}),
        ({"method": "PUT", "body": "dä"}, {"method": "PUT", "body": "dä"}),
        (
            {"method": "POST", "bodyFrom": {"bytes": base64.b64encode(b"b").decode()}},
            {"method": "POST", "body": "b"},
        ),
        ({"headers": [header("X-Way", "up")]}, {"way": "up"}),
        ({"headers": [header("X-Way", "up"), header("X-Way", "down")]}, {"way": "up, down"}),
        ({"headers": [header("X-Way", "up"), header("x-way", "down")]}, {"way": "up, down"}),
        ({"headers": [header("X-Way", " \tup ")]}, {"way": "up"}),
        ({"headers": [header("Host", "example.org")]}, {"host": "example.org"}),
        ({"headers": [FROM_SECRET]}, {"way": "hush"}),
    ],
)
def test_a_request_is_sent_as_its_template_says(
    address: str, tmp_path: Path, http: Http, seen: dict[str, str]
) -> None:
    secret(tmp_path)
    answer = json.loads(sent(tmp_path, f"{address}/echo", **http)["result"])
    assert seen.items() <= answer.items()


def test_a_secret_that_can_be_no_header_is_not_told(address: str, tmp_path: Path) -> None:
    secret(tmp_path, "hush\n")
    found = sent(tmp_path, f"{address}/echo", headers=[FROM_SECRET])
    assert found["error"].startswith('invalid header field value for "X-Way"')
    assert "hush" not in json.dumps(found)


def test_a_login_that_the_user_has_for_the_host_is_not_sent(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    said = {"headers": [header("Authorization", "Bearer x")]}
    assert json.loads(sent(tmp_path, f"{address}/echo", **said)["result"])["login"] == "Bearer x"


@pytest.mark.parametrize(
    ("path", "http", "message"),
    [
        ("/200", {}, ""),
        ("/204", {}, ""),
        ("/away", {}, ""),
        ("/404", {}, "received non-2xx response code: 404"),
        ("/503", {"successCondition": "response.statusCode == 503"}, ""),
        ("/echo", {"successCondition": 'response.body contains "GET"'}, ""),
        ("/echo", {"successCondition": 'response.headers["X-Kind"][1] == "second"'}, ""),
        ("/echo", {"method": "PUT", "successCondition": 'request.method == "PUT"'}, ""),
        ("/200", {"successCondition": "1 > 2"}, "successCondition '1 > 2' evaluated false"),
        ("/200", {"successCondition": "nothing"}, "unknown name nothing (1:1)"),
    ],
)
def test_a_reply_is_a_success_by_its_status_or_by_the_condition(
    address: str, tmp_path: Path, path: str, http: Http, message: str
) -> None:
    found = sent(tmp_path, address + path, **http)
    assert found["error"].splitlines()[:1] == ([message] if message else [])
    assert found["exit_code"] == (1 if message else 0)


def test_the_body_of_a_bad_reply_is_kept(address: str, tmp_path: Path) -> None:
    assert '"GET"' in sent(tmp_path, f"{address}/500")["result"]


@pytest.mark.parametrize(
    ("url", "http", "words"),
    [
        ("http://127.0.0.1:1/x", {}, 'Get "http://127.0.0.1:1/x": Connection refused'),
        ("http://127.0.0.1:1/x", {"method": "POST"}, 'Post "http://127.0.0.1:1/x": Conn'),
        ("nowhere", {}, 'Get "nowhere": Invalid URL'),
        ("{0}/slow", {"timeoutSeconds": 1}, '/slow": context deadline exceeded'),
        ("{0}/long", {}, "has more than 1048576 bytes"),
        ("{0}/echo", {"headers": [FROM_SECRET]}, "There is no secret s with the key token"),
        ("{0}/echo", {"headers": [header("a b", "")]}, 'invalid header field name "a b"'),
        ("{0}/echo", {"method": "P", "bodyFrom": {"bytes": "x"}}, "bodyFrom.bytes is not base64"),
        ("http://me:hush@127.0.0.1:1/x", {}, 'Get "http://me:***@127.0.0.1:1/x": Connection'),
        ("http://me:hush@[", {}, 'Get "http://me:***@[": Failed to parse'),
    ],
)
def test_a_request_that_is_not_answered_says_why(
    address: str, tmp_path: Path, url: str, http: Http, words: str
) -> None:
    found = sent(tmp_path, url.format(address), **http)
    assert words in found["error"]
    assert (found["exit_code"], found["result"]) == (1, None)


# --- its node

GET = {"name": "get", "http": {"url": "http://{{inputs.parameters.m}}"}}
GET["inputs"] = {"parameters": [{"name": "m"}]}


def test_a_request_is_a_node_of_its_own_type_with_its_tags_filled_in() -> None:
    drive = Drive(workflow(steps([step("a", "get", m="x")]), GET))
    (launch,) = drive.launched
    assert launch.work == {"http": {"url": "http://x"}}
    drive.end("[0].a", result="the body")
    node = drive.nodes[f"{RUN}[0].a"]
    assert (node.type, node.phase, node.outputs) == ("HTTP", "Succeeded", {"result": "the body"})


def test_a_result_of_a_request_goes_to_the_steps_after_it() -> None:
    last = step("b", "echo", m="{{steps.a.outputs.result}}")
    drive = Drive(workflow(steps([step("a", "get", m="x")], [last]), GET))
    drive.end("[0].a", result="the body")
    assert drive.inputs("[1].b") == {"m": "the body"}


def test_a_request_that_failed_has_the_agent_s_message_and_is_tried_again() -> None:
    again = {**GET, "retryStrategy": {"limit": 1}}
    drive = Drive(workflow(steps([step("a", "get", m="x")]), again))
    drive.end("[0].a(0)", 1, error="received non-2xx response code: 500", result="sorry")
    assert drive.message("[0].a(0)") == "received non-2xx response code: 500"
    drive.end("[0].a(1)", result="fine")
    assert drive.decision.phase is Phase.SUCCEEDED


def test_requests_do_not_count_as_pods() -> None:
    tasks = [step(name, "get", m=name) for name in "ab"]
    assert len(Drive(workflow(dag(*tasks), GET, parallelism=1)).launched) == 2


def test_the_timeout_of_a_template_ends_its_request() -> None:
    drive = Drive(workflow(steps([step("a", "get", m="x")]), {**GET, "timeout": "3s"}))
    drive.tick(at=3)
    assert drive.killed == [f"{RUN}[0].a"]
    drive.end("[0].a", 143)
    assert (drive.phase("[0].a"), drive.message("[0].a")) == (Phase.FAILED, "timeout")


def test_a_stop_ends_a_request() -> None:
    drive = Drive(workflow(steps([step("a", "get", m="x")]), GET))
    drive.ask("stop")
    drive.end("[0].a", 143)
    assert drive.message("[0].a") == "Stopped with strategy 'Stop'"


def test_a_field_that_no_request_has_is_refused() -> None:
    with pytest.raises(Rejected, match=r"spec\.templates\[3\]\.http\.cookies"):
        Drive(workflow(steps([step("a", "get", m="x")]), {"name": "get", "http": {"cookies": "x"}}))


# --- whole runs


def run_of(local: LocalBackend, **http: Any) -> RunInfo:
    return finish(local, local.submit(one(**http)).name)


def one(**http: Any) -> dict[str, Any]:
    templates = [{"name": "main", "http": http}]
    spec = {"entrypoint": "main", "templates": templates}
    return {"kind": "Workflow", "metadata": {"generateName": "http-"}, "spec": spec}


def test_a_run_sends_its_request(local: LocalBackend, address: str) -> None:
    run = run_of(local, url=f"{address}/echo", method="POST", body="hello")
    assert (run.phase, run.progress) == (Phase.SUCCEEDED, "1/1")
    assert json.loads(run.nodes[run.name].outputs["result"])["body"] == "hello"


def test_a_run_whose_request_fails_says_so(local: LocalBackend, address: str) -> None:
    run = run_of(local, url=f"{address}/500")
    assert (run.phase, run.message) == (Phase.FAILED, "received non-2xx response code: 500")


def test_a_secret_that_a_header_needs_is_asked_for_at_submit(local: LocalBackend) -> None:
    with pytest.raises(Rejected, match="secretKeyRef: There is no secret s"):
        local.submit(one(url="http://127.0.0.1:1", headers=[FROM_SECRET]))


def test_a_run_that_is_stopped_does_not_wait_for_its_request(
    local: LocalBackend, address: str
) -> None:
    name = local.submit(one(url=f"{address}/slow")).name
    wait_until(local, name, lambda run: bool(run.nodes))
    local.stop(name)
    run = finish(local, name, seconds=10)
    assert (run.phase, run.message) == (Phase.FAILED, "Stopped with strategy 'Stop'")
