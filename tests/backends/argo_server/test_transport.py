from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
import responses

from couler_jobs.backends.argo_server import answers, api
from couler_jobs.backends.argo_server.api import Kind, Request, Response
from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.backends.argo_server.transport import HttpTransport, Timeouts
from couler_jobs.config import Settings
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    ConfigError,
    Rejected,
    Unauthorized,
    Unavailable,
)
from tests.backends.argo_server import faulty
from tests.backends.argo_server.fake import Clock, manifest

QUICK = Timeouts(connect=0.5, read=0.3, total=1.0, idle=0.3, pause=0.01, longest_pause=0.05)
GET = api.get(Kind.WORKFLOW, "argo", "run")
VERSION = api.version()
CREATE = api.create(Kind.WORKFLOW, "argo", manifest())
CANARY = "canary-7f3a-token"


@pytest.fixture
def server() -> Iterator[faulty.FaultyServer]:
    with faulty.running() as found:
        yield found


@pytest.fixture
def transport(server: faulty.FaultyServer) -> Iterator[HttpTransport]:
    found = HttpTransport(server.url, timeouts=QUICK)
    yield found
    found.close()


def backend_of(transport: HttpTransport) -> ArgoServerBackend:
    return ArgoServerBackend(transport, namespace="argo")


# --- answers


def test_an_answer_has_its_status_headers_and_body(transport: HttpTransport) -> None:
    response = transport.send(VERSION)
    assert (response.status, response.attempts) == (200, 1)
    assert response.body == b'{"version": "v4.1.2"}'
    assert response.headers["content-length"] == "21"


def test_the_query_and_the_body_arrive(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    transport.send(api.page(Kind.WORKFLOW, "argo", labels={"a": "b", "c": "d"}))
    transport.send(CREATE)
    listed, created = server.argo.requests
    assert listed.query["listOptions.labelSelector"] == "a=b,c=d"
    assert created.body == CREATE.body


def test_connections_are_used_again(server: faulty.FaultyServer, transport: HttpTransport) -> None:
    for _ in range(5):
        transport.send(VERSION)
    assert len(server.connections) == 1


def test_a_closed_transport_opens_again(transport: HttpTransport) -> None:
    transport.close()
    transport.send(VERSION)
    transport.close()
    assert transport.send(VERSION).status == 200


# --- nothing hangs


def test_a_server_that_is_not_there_is_named_and_given_up_soon() -> None:
    with socket.socket() as taken:  # bound, and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        waits = Timeouts(unreached=0.2, pause=0.02)
        with pytest.raises(Unavailable) as away:
            HttpTransport(f"http://127.0.0.1:{port}", timeouts=waits).send(VERSION)
    assert re.fullmatch(
        rf"Argo Server at 127\.0\.0\.1:{port} did not answer \(connection refused\) after \d+ "
        r"attempts in 0 s\. Is ARGO_SERVER right, and is it up\?",
        str(away.value),
    )


def test_an_unknown_host_is_said_to_be_unknown() -> None:
    waits = Timeouts(unreached=0.01)
    with pytest.raises(Unavailable, match="host name is not known"):
        HttpTransport("https://no-such-host.invalid", timeouts=waits).send(VERSION)


def test_a_server_that_accepts_and_never_answers_is_given_up(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.never_answer
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"get workflow run.*did not answer in time"):
        transport.send(GET)
    assert time.monotonic() - begun < 1.5


def test_a_server_that_answers_without_end_is_given_up(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.trickle
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="too slowly"):
        transport.send(GET)
    assert time.monotonic() - begun < 2.5


def test_a_stream_that_falls_silent_is_given_up(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.stream(b"data: {}\n\n", end=faulty.never_answer)
    lines = transport.stream(api.watch("argo", "run"))
    assert next(lines) == b"data: {}"
    with pytest.raises(Unavailable, match="did not"):
        list(lines)


# --- what is sent again


def test_a_call_that_does_no_harm_is_sent_again_after_a_break(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.faults.extend([faulty.Handler.reset, faulty.half_a_body_then_reset])
    assert transport.send(VERSION).attempts == 3


@pytest.mark.parametrize("fault", [faulty.Handler.reset, faulty.answers(503), faulty.answers(502)])
def test_a_create_is_not_sent_again_by_the_transport(
    fault: faulty.Fault, server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.faults.append(fault)
    with pytest.raises(Unavailable):
        answers.check(CREATE, transport.send(CREATE))
    assert len(server.times) == 1


def test_a_create_that_the_server_did_not_look_at_is_sent_again(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.faults.extend([faulty.answers(429)] * 3)
    assert transport.send(CREATE).status == 200


def test_a_refusal_is_not_repeated(server: faulty.FaultyServer, transport: HttpTransport) -> None:
    assert transport.send(GET).status == 404
    assert len(server.times) == 1


def test_a_server_that_stays_busy_is_given_up_within_the_time(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.answers(503, b'{"code": 14, "message": "starting"}')
    begun = time.monotonic()
    assert transport.send(GET).status == 503
    assert time.monotonic() - begun < 1.5
    assert len(server.times) > 5


def paced(timeouts: Timeouts) -> tuple[HttpTransport, Clock]:
    clock = Clock()
    transport = HttpTransport(
        "http://127.0.0.1:1", timeouts=timeouts, sleep=clock.sleep, clock=clock
    )
    return transport, clock


@responses.activate
def test_pauses_grow_and_are_random_up_to_a_bound() -> None:
    transport, clock = paced(Timeouts(total=1e6, pause=1.0, longest_pause=8.0))
    for _ in range(40):
        responses.get("http://127.0.0.1:1/api/v1/version", status=503)
    responses.get("http://127.0.0.1:1/api/v1/version", json={})
    assert transport.send(VERSION).attempts == 41
    bounds = [1, 2, 4] + [8] * 37
    assert all(0 <= slept <= bound for slept, bound in zip(clock.slept, bounds, strict=True))
    assert len(set(clock.slept)) > 30
    assert max(clock.slept) > 4


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("dated", [False, True])
@responses.activate
def test_the_time_that_a_server_asks_for_is_waited(status: int, dated: bool) -> None:
    transport, clock = paced(Timeouts(total=100.0))
    when = formatdate(time.time() + 8, usegmt=True) if dated else "7"
    url = "http://127.0.0.1:1/api/v1/version"
    responses.get(url, status=status, headers={"Retry-After": when})
    responses.get(url, json={})
    assert transport.send(VERSION).status == 200
    assert 6 <= clock.slept[0] <= 8


@responses.activate
def test_a_server_that_asks_for_more_time_than_there_is_gets_its_answer_reported() -> None:
    transport, clock = paced(Timeouts(total=100.0))
    url = "http://127.0.0.1:1/api/v1/version"
    responses.get(url, status=429, headers={"Retry-After": "3600"})
    assert transport.send(VERSION).status == 429
    assert clock.slept == []


@responses.activate
def test_a_time_to_wait_that_cannot_be_read_is_as_none() -> None:
    transport, clock = paced(Timeouts(total=100.0))
    url = "http://127.0.0.1:1/api/v1/version"
    responses.get(url, status=429, headers={"Retry-After": "soon"})
    responses.get(url, json={})
    assert transport.send(VERSION).status == 200
    assert clock.slept[0] <= 0.5


# --- submit over a bad line


@pytest.mark.parametrize(
    "fault",
    [faulty.execute_and_never_answer, faulty.half_a_body_then_reset, faulty.Handler.reset],
)
def test_a_submit_over_a_bad_line_runs_once(
    fault: faulty.Fault, server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.faults.append(fault)
    assert backend_of(transport).submit(manifest()).name == "run"
    assert list(server.argo.objects["workflows"]) == ["run"]


def test_a_delete_whose_answer_was_lost_is_no_error(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.argo.put("workflows", "run")
    server.faults.append(faulty.half_a_body_then_reset)
    backend_of(transport).delete("run")
    assert server.argo.objects["workflows"] == {}


def test_a_name_that_is_taken_stays_with_its_owner(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.argo.put("workflows", "run")
    with pytest.raises(AlreadyExists):
        backend_of(transport).submit(manifest())


# --- streams


def test_lines_come_as_soon_as_they_are_whole(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    arrived = threading.Event()

    def slowly(handler: faulty.Handler) -> None:
        handler.begin_stream()
        handler.piece(b'{"a"')
        handler.piece(b': 1}\n{"b": 2}\n{"c"')
        arrived.wait(5)
        handler.piece(b": 3}")
        handler.piece(b"")

    server.always = slowly
    lines = transport.stream(api.watch("argo", "run"))
    assert [next(lines), next(lines)] == [b'{"a": 1}', b'{"b": 2}']
    arrived.set()
    assert list(lines) == [b'{"c": 3}']


def test_a_stream_of_known_length_is_read_too(transport: HttpTransport) -> None:
    assert list(transport.stream(VERSION)) == [b'{"version": "v4.1.2"}']


def test_a_stream_that_breaks_gives_what_came_and_then_the_error(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.stream(b"a\nb\nhal", end=faulty.Handler.reset)
    lines = transport.stream(api.watch("argo", "run"))
    assert [next(lines), next(lines)] == [b"a", b"b"]
    with pytest.raises(Unavailable, match="watch workflow run"):
        next(lines)


def test_a_stream_of_nothing_is_refused_with_argos_sentence(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    server.always = faulty.answers(404, b'{"error": {"grpc_code": 5, "message": "not found"}}')
    with pytest.raises(BackendError, match="watch workflow run: not found"):
        next(transport.stream(api.watch("argo", "run")))


def test_nobody_to_stream_from_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    transport = HttpTransport(f"http://127.0.0.1:{port}", timeouts=QUICK)
    with pytest.raises(Unavailable, match="watch workflow run"):
        next(transport.stream(api.watch("argo", "run")))


def test_a_stream_that_is_left_closes_its_connection(
    server: faulty.FaultyServer, transport: HttpTransport
) -> None:
    gone = threading.Event()

    def endless(handler: faulty.Handler) -> None:
        handler.begin_stream()
        try:
            while not handler.server.released.is_set():
                handler.piece(b"line\n" * 1000)
        except OSError:
            gone.set()

    server.always = endless
    lines = transport.stream(api.watch("argo", "run"))
    next(lines)
    lines.close()
    assert gone.wait(5)


# --- the token


def with_token(url: str, token: str = CANARY) -> HttpTransport:
    return HttpTransport(url, token=lambda: token, timeouts=QUICK)


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("abc", "Bearer abc"),
        ("Bearer abc", "Bearer abc"),
        ("Basic dXNlcg==", "Basic dXNlcg=="),
        ("", ""),
    ],
)
def test_a_token_is_sent_with_its_scheme(
    token: str, header: str, server: faulty.FaultyServer
) -> None:
    with_token(server.url, token).send(VERSION)
    assert server.tokens == [header]


def test_a_login_of_the_home_folder_is_not_sent(
    tmp_path: Path, server: faulty.FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with_token(server.url, "").send(VERSION)
    assert server.tokens == [""]


def test_a_token_that_is_renewed_in_its_file_is_used_after_a_refusal(
    tmp_path: Path, server: faulty.FaultyServer
) -> None:
    file = tmp_path / "token"
    file.write_text("old\n", encoding="utf-8")

    def expired(handler: faulty.Handler) -> None:
        file.write_text("new\n", encoding="utf-8")
        handler.reply(Response(status=401, body=b'{"code": 16, "message": "expired"}'))

    at, where = server.url.removeprefix("http://"), {"COULER_JOBS_CONFIG": os.devnull}
    settings = Settings.load(where, server=at, token_file=file, secure=False)
    server.faults.append(expired)
    assert ArgoServerBackend.from_settings(settings).version() == "4.1.2"
    assert server.tokens == ["Bearer old", "Bearer new"]


def test_a_token_that_is_not_renewed_is_refused_at_once(server: faulty.FaultyServer) -> None:
    server.always = faulty.answers(401, b'{"code": 16, "message": "Unauthorized"}')
    with pytest.raises(Unauthorized, match="Renew the token"):
        backend_of(with_token(server.url)).get("run")
    assert len(server.times) == 1


@pytest.mark.parametrize("call", ["send", "stream"])
def test_a_token_does_not_travel_unencrypted_to_another_machine(call: str) -> None:
    transport = with_token("http://argo.example:2746")
    with pytest.raises(ConfigError, match="ARGO_SECURE"):
        list(getattr(transport, call)(VERSION))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
@responses.activate
def test_a_token_may_travel_unencrypted_within_this_machine(host: str) -> None:
    responses.get(f"http://{host}:2746/api/v1/version", json={})
    assert with_token(f"http://{host}:2746").send(VERSION).status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_the_token_goes_nowhere(
    status: int, server: faulty.FaultyServer
) -> None:
    with faulty.running() as other:
        server.always = faulty.answers(status, Location=f"{other.url}/login?state=secret")
        with pytest.raises(Rejected, match=r"sent us on to http://127\.0\.0\.1, where") as caught:
            with_token(server.url).send(VERSION)
        assert (other.tokens, len(server.tokens)) == ([], 1)
        assert "state" not in str(caught.value)


def test_a_proxy_is_not_asked_for_this_machine(
    server: faulty.FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert with_token(server.url).send(VERSION).status == 200


ECHO = f'{{"code": 3, "message": "Bearer {CANARY} is bad"}}'.encode()
FAULTS = [
    faulty.answers(400, ECHO),
    faulty.answers(401, ECHO),
    faulty.answers(500, ECHO),
    faulty.answers(200, f"<html>Authorization: Bearer {CANARY}".encode()),
    faulty.answers(302, Location="http://other.example/"),
    faulty.never_answer,
    faulty.Handler.reset,
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("streamed", [False, True])
def test_no_error_nor_log_tells_the_token(
    streamed: bool,
    fault: faulty.Fault,
    server: faulty.FaultyServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server.always = fault
    transport = HttpTransport(server.url, token=lambda: CANARY, timeouts=QUICK)
    caplog.set_level(0)
    with pytest.raises(BackendError) as caught:
        read_all(transport, streamed=streamed)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    told = "".join([*(repr(one) for one in chain), repr(backend_of(transport)), caplog.text])
    assert CANARY not in told + "".join(capfd.readouterr())


def read_all(transport: HttpTransport, *, streamed: bool) -> None:
    """An answer, or a stream, to its end."""
    if not streamed:
        answers.check(GET, transport.send(GET))
    for line in transport.stream(GET):
        answers.check(GET, Response(status=200, body=line))


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody has signed, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def secure(server: faulty.FaultyServer, certificate: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://localhost:{server.server_port}"


def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: str, server: faulty.FaultyServer
) -> None:
    transport = HttpTransport(secure, token=lambda: CANARY, timeouts=QUICK)
    with pytest.raises(Unavailable, match=r"certificate could not be verified \(self.signed"):
        transport.send(VERSION)
    assert server.tokens == []


def test_a_certificate_for_another_host_is_refused(
    secure: str,
    server: faulty.FaultyServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusts(monkeypatch, certificate)
    transport = HttpTransport(secure.replace("localhost", "127.0.0.1"), timeouts=QUICK)
    with pytest.raises(Unavailable, match="certificate could not be verified"):
        transport.send(VERSION)
    assert server.tokens == []


def test_a_certificate_of_a_trusted_authority_is_taken(
    secure: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusts(monkeypatch, certificate)
    assert HttpTransport(secure, timeouts=QUICK).send(VERSION).status == 200


def test_a_certificate_goes_unchecked_only_where_it_was_asked_for(
    secure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    transport = HttpTransport(secure, verify=False, timeouts=QUICK)
    assert transport.send(VERSION).status == 200


def trusts(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_suffix(".crt")))


def test_requests_say_what_they_are_and_hide_their_body() -> None:
    assert re.search(r"what='create workflow run'", repr(CREATE))
    assert "busybox" not in repr(CREATE)
    assert isinstance(CREATE, Request)
