"""How the Kubernetes API is talked to, against a small server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.argo_server.answers import Conflict
from couler_jobs.backends.kubernetes import http as ours
from couler_jobs.backends.kubernetes.client import KubernetesBackend
from couler_jobs.backends.kubernetes.http import HttpObjects
from couler_jobs.backends.kubernetes.objects import Gone, Resource, failure
from couler_jobs.config import Settings
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    ConfigError,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)

TOKEN = "very-secret-token"
W, C, P = Resource.WORKFLOW, Resource.CRON, Resource.POD
MANIFEST = {"metadata": {"name": "run"}, "spec": {}}


class Server(http.server.ThreadingHTTPServer):
    """Answers each request with the next of `answers`: a status and a body, or chunks of one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        self.server.headers.append(self.headers)
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Connection", "close")
        if isinstance(answer, list):
            self._send_chunks(answer)
            return
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _send_chunks(self, chunks: list[str]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk.encode()))
        if chunks[-1] != "{cut":
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def kubeconfig(folder: Path, url: str, **context: str) -> str:
    """A kubeconfig for a server, in JSON, which is YAML too."""
    named = {"cluster": "c", "user": "u", **context}
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": named}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(text))
    return str(path)


@pytest.fixture
def objects(server: Server, tmp_path: Path) -> Iterator[HttpObjects]:
    path = kubeconfig(tmp_path, server.url, namespace="lab")
    found = HttpObjects.from_settings(Settings(kubeconfig=path))
    yield found
    found.close()


def status(code: int, reason: str = "", message: str = "") -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message}


Call = Callable[[HttpObjects], Any]
PATH = "/apis/argoproj.io/v1alpha1/namespaces/lab"
CALLS: list[tuple[Call, str, str, Any]] = [
    (lambda o: o.get(W, "run"), "GET", "/workflows/run", None),
    (lambda o: o.create(C, MANIFEST), "POST", "/cronworkflows?fieldValidation=Strict", MANIFEST),
    (
        lambda o: o.create(W, MANIFEST, dry=True),
        "POST",
        "/workflows?dryRun=All&fieldValidation=Strict",
        MANIFEST,
    ),
    (
        lambda o: o.replace(C, MANIFEST),
        "PUT",
        "/cronworkflows/run?fieldValidation=Strict",
        MANIFEST,
    ),
    (
        lambda o: o.patch(W, "run", {"spec": {"suspend": None}}),
        "PATCH",
        "/workflows/run",
        {"spec": {"suspend": None}},
    ),
    (
        lambda o: o.delete(W, "run"),
        "DELETE",
        "/workflows/run?propagationPolicy=Background",
        None,
    ),
    (
        lambda o: o.delete(C, "run", orphan=True),
        "DELETE",
        "/cronworkflows/run?propagationPolicy=Orphan",
        None,
    ),
    (
        lambda o: o.page(C, {"a": "b"}, "next"),
        "GET",
        "/cronworkflows?continue=next&labelSelector=a%3Db&limit=200",
        None,
    ),
]


@pytest.mark.parametrize(("call", "method", "path", "body"), CALLS)
def test_a_call_asks_for_what_it_means(
    objects: HttpObjects, server: Server, call: Call, method: str, path: str, body: Any
) -> None:
    server.answers = [(200, {"metadata": {"name": "run"}})]
    call(objects)
    assert server.asked == [(method, PATH + path, body)]
    assert server.headers[0]["Authorization"] == f"Bearer {TOKEN}"


def test_a_change_is_merged(objects: HttpObjects, server: Server) -> None:
    server.answers = [(200, {})]
    objects.patch(W, "run", {})
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


def test_pods_are_kubernetes_own(objects: HttpObjects, server: Server) -> None:
    server.answers = [(200, {"items": []})]
    assert objects.page(P, {}) == {"items": []}
    assert server.asked[0][1].startswith("/api/v1/namespaces/lab/pods?")


def test_a_log_is_read_line_by_line(objects: HttpObjects, server: Server) -> None:
    server.answers = [(200, ["one\ntw", "o\nthree"]), (200, "")]
    assert list(objects.log("p", None)) == ["one", "two", "three"]
    assert list(objects.log("p", 7)) == []
    first, second = (path for _, path, _ in server.asked)
    assert first.lower().startswith("/api/v1/namespaces/lab/pods/p/log?container=main&timestamps=t")
    assert "sinceSeconds=7" in second


def test_a_watch_gives_events_and_ends_with_the_stream(
    objects: HttpObjects, server: Server
) -> None:
    event = {"type": "ADDED", "object": {"metadata": {"name": "run"}}}
    server.answers = [(200, [json.dumps(event)[:9], json.dumps(event)[9:] + "\n"])]
    assert list(objects.watch("run", "7")) == [event]
    assert "fieldSelector=metadata.name%3Drun" in server.asked[0][1]
    assert "resourceVersion=7" in server.asked[0][1]


def test_a_watch_from_too_long_ago_is_gone(objects: HttpObjects, server: Server) -> None:
    error = {"type": "ERROR", "object": status(410, "Expired", "too old resource version")[1]}
    server.answers = [(200, [json.dumps(error) + "\n"])]
    with pytest.raises(Gone, match="too old resource version"):
        list(objects.watch("run", "1"))


def test_a_stream_that_breaks_is_away(objects: HttpObjects, server: Server) -> None:
    server.answers = [(200, ["one\n", "{cut"])]
    lines = objects.log("p", None)
    assert next(lines) == "one"
    with pytest.raises(Unavailable, match="read the log of pod p"):
        list(lines)


@pytest.mark.parametrize(
    ("code", "reason", "message", "kind"),
    [
        (400, "BadRequest", 'strict decoding error: unknown field "spec.x"', Rejected),
        (401, "Unauthorized", "Unauthorized", Unauthorized),
        (403, "Forbidden", "workflows is forbidden", Forbidden),
        (404, "NotFound", 'workflows "run" not found', NotFound),
        (409, "AlreadyExists", "already exists", AlreadyExists),
        (409, "Conflict", "the object has been modified", Conflict),
        (410, "Expired", "The provided continue parameter is too old", Gone),
        (410, "", "", Gone),
        (418, "", "", BackendError),
        (422, "Invalid", "Too many: 201: must have at most 200 items", Rejected),
        (429, "TooManyRequests", "slow down", Unavailable),
        (500, "InternalError", "etcdserver: request is too large", Rejected),
        (500, "InternalError", "etcdserver: leader changed", Unavailable),
        (504, "Timeout", "", Unavailable),
    ],
)
def test_a_refusal_is_an_error_with_kubernetes_own_sentence(
    objects: HttpObjects,
    server: Server,
    code: int,
    reason: str,
    message: str,
    kind: type[BackendError],
) -> None:
    server.answers = [status(code, reason, message)]
    with pytest.raises(BackendError) as caught:
        objects.create(W, MANIFEST)
    assert type(caught.value) is kind
    assert f"could not create workflow run: {message}" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_cluster_without_argo_says_so() -> None:
    for body in ("404 page not found\n", "[]", None):
        assert "Argo Workflows is not installed" in str(failure("get it", 404, body))


def test_an_answer_that_is_no_json_is_away(objects: HttpObjects, server: Server) -> None:
    server.answers = [(200, "<html>log in</html>"), (200, "[]")]
    for _ in range(2):
        with pytest.raises(Unavailable, match="sent no JSON"):
            objects.get(W, "run")


def test_a_create_that_is_not_answered_is_sent_once(
    objects: HttpObjects, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "READ", 0.3)
    released = threading.Event()
    server.answers = []

    def silent(handler: Handler) -> None:
        server.asked.append((handler.command, handler.path, None))
        handler.close_connection = True
        released.wait(10)

    monkeypatch.setattr(Handler, "do_POST", silent)
    with pytest.raises(Unavailable, match="did not answer in time"):
        objects.create(W, MANIFEST)
    released.set()
    assert len(server.asked) == 1


def test_a_body_that_is_no_json_or_too_large_is_not_sent(
    objects: HttpObjects, server: Server
) -> None:
    for spec in ({"x": {1, 2}}, {"x": "y" * 1_600_000}):
        with pytest.raises(Rejected):
            objects.create(W, {"metadata": {}, "spec": spec})
    assert server.asked == []


def test_nobody_there_is_away(tmp_path: Path) -> None:
    objects = HttpObjects.from_settings(Settings(kubeconfig=kubeconfig(tmp_path, "http://[::1]:1")))
    with pytest.raises(Unavailable, match="the connection could not be made"):
        objects.create(W, MANIFEST)


def test_a_peer_without_tls_is_away(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http:", "https:")
    objects = HttpObjects.from_settings(Settings(kubeconfig=kubeconfig(tmp_path, url)))
    with pytest.raises(Unavailable):
        objects.create(W, MANIFEST)
    objects.close()


@pytest.mark.parametrize(
    ("context", "given", "namespace"),
    [
        ({}, "", "default"),
        ({"namespace": "its"}, "", "its"),
        ({"namespace": "its"}, "ours", "ours"),
    ],
)
def test_the_namespace_is_the_settings_then_the_contexts(
    tmp_path: Path, context: dict[str, str], given: str, namespace: str
) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", **context)
    backend = KubernetesBackend.from_settings(Settings(kubeconfig=path, namespace=given))
    assert backend.namespace == namespace
    assert TOKEN not in repr(backend)


@pytest.mark.parametrize("text", ["", "[1", "just words", "contexts: [{name: very-secret}]"])
def test_a_kubeconfig_that_is_none_is_a_sentence_that_does_not_quote_it(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        HttpObjects.from_settings(Settings(kubeconfig=str(path)))
    assert "kubeconfig" in str(caught.value).lower()
    assert "secret" not in str(caught.value)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As in a pod: an account, an address, and no kubeconfig."""
    monkeypatch.setattr(ours, "ACCOUNT", tmp_path)
    monkeypatch.setattr(ours, "USER_CONFIG", tmp_path / "none")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "ca.crt").write_text("no certificate yet")
    return tmp_path


def test_a_pod_uses_its_own_account(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes import client

    made: list[Any] = []
    monkeypatch.setattr(client, "ApiClient", lambda configuration: made.append(configuration))
    assert ours._connected("")[1] == ""
    (pod / "namespace").write_text("team\n")
    assert ours._connected("")[1] == "team"
    assert made[0].host == "https://10.0.0.1:443"


def test_no_way_to_a_cluster_says_what_to_set(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(ConfigError, match="Set KUBECONFIG"):
        HttpObjects.from_settings(Settings())
