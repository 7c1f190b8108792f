"""Argo Server behind a real socket that can be made to misbehave.

A handler of a fault is given the connection as it is after the request was read, and the answer
that `FakeArgo` would give; what it writes (or does not) is all that the client sees.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from couler_jobs.backends.argo_server.api import Request, Response
from tests.backends.argo_server.fake import FakeArgo

Fault = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 with keep-alive, as Argo Server has it."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def handle_one_call(self) -> None:
        """Read the request, then answer it, after the next fault if there is one."""
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        self.request_value = Request(
            method=self.command,
            path=url.path,
            what="",
            query=dict(parse_qsl(url.query)),
            headers=dict(self.headers.items()),
            body=self.rfile.read(length) if length else None,
        )
        self.server.tokens.append(self.headers.get("Authorization", ""))
        self.server.times.append(time.monotonic())
        self.server.connections.add(self.client_address)
        faults = self.server.faults
        fault = faults.popleft() if faults else self.server.always
        if fault is not None:
            fault(self)
        else:
            self.reply(self.answer())

    def answer(self) -> Response:
        """Carry the call out."""
        with self.server.lock:
            return self.server.argo.send(self.request_value)

    def reply(self, response: Response) -> None:
        """Write a whole answer."""
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def begin_stream(self) -> None:
        """Write the head of an answer that comes in pieces."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, data: bytes) -> None:
        """Write a piece of it; an empty one is its end."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def reset(self) -> None:
        """Break the connection off with a RST."""
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection."""
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = handle_one_call  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class FaultyServer(ThreadingHTTPServer):
    """What went in, and the faults that are still to come."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.argo = FakeArgo()
        self.lock = threading.Lock()
        self.faults: deque[Fault | None] = deque()
        self.always: Fault | None = None
        self.tokens: list[str] = []
        self.times: list[float] = []
        self.connections: set[Any] = set()
        self.released = threading.Event()  #: set at the end, so that no handler hangs on

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextmanager
def running() -> Iterator[FaultyServer]:
    """The server in a thread, and its end."""
    with FaultyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def never_answer(handler: Handler) -> None:
    """Accept, read, and say nothing."""
    handler.server.released.wait(30)
    handler.hang_up()


def execute_and_never_answer(handler: Handler) -> None:
    """Carry it out and say nothing."""
    handler.answer()
    never_answer(handler)


def half_a_body_then_reset(handler: Handler) -> None:
    """Carry it out, begin to say so, break off."""
    response = handler.answer()
    handler.send_response(response.status)
    handler.send_header("Content-Length", str(len(response.body)))
    handler.end_headers()
    handler.wfile.write(response.body[: len(response.body) // 2])
    handler.reset()


def trickle(handler: Handler) -> None:
    """Answer a byte at a time, for ever."""
    handler.begin_stream()
    while not handler.server.released.wait(0.02):
        handler.piece(b" ")


def answers(status: int, body: bytes = b"{}", **headers: str) -> Fault:
    """Say that."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.reply(Response(status=status, headers=named, body=body))


def stream(*pieces: bytes, end: Callable[[Handler], None] | None = None) -> Fault:
    """A stream of these pieces and then its clean end, or another one."""

    def play(handler: Handler) -> None:
        handler.begin_stream()
        for piece in pieces:
            handler.piece(piece)
        (end or (lambda handler: handler.piece(b"")))(handler)

    return play
