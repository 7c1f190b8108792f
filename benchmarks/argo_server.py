"""How fast and how large logs and lists of Argo Server are read, against `requests` alone.

    python benchmarks/argo_server.py [megabytes] [workflows]

A server in another process sends a log; the floor is `requests`' own `iter_lines` with a JSON
reader over it, which is the least that anybody must do to get at the lines.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any

POD = "run-say-1506446837"
ROUNDS = 5
NODE = {"id": "run-1506446837", "name": "run[0].say", "type": "Pod", "templateName": "say"}
WORKFLOW = {
    "metadata": {"name": "run", "uid": "u"},
    "status": {"phase": "Succeeded", "nodes": {"run-1506446837": NODE}},
}


def log_line(number: int) -> bytes:
    """A line as Argo Server sends it."""
    content = f"2026-11-22T19:01:{number % 60:02d}.363958958Z epoch {number}: loss = 0.1234, ok"
    return json.dumps({"result": {"content": content, "podName": POD}}).encode() + b"\n"


class Handler(BaseHTTPRequestHandler):
    """Answers a log, a workflow, or pages of many."""

    protocol_version = "HTTP/1.1"
    block = b"".join(log_line(number) for number in range(500))
    blocks = 0
    workflows = 0

    def do_GET(self) -> None:
        """Answer whatever is asked for."""
        if self.path.partition("?")[0].endswith("/log"):
            self._log()
        elif "/workflows/argo/" in self.path:
            self._json(WORKFLOW)
        else:
            self._page()

    def _log(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        framed = b"%x\r\n%s\r\n" % (len(self.block), self.block)
        for _ in range(self.blocks):
            self.wfile.write(framed)
        self.wfile.write(b"0\r\n\r\n")

    def _page(self) -> None:
        query = dict(pair.split("=", 1) for pair in self.path.partition("?")[2].split("&"))
        start = int(query.get("listOptions.continue", "0"))
        end = min(start + int(query["listOptions.limit"]), self.workflows)
        items = [
            {"metadata": {"name": f"run-{i}", "uid": f"uid-{i}"}, "status": {"phase": "Running"}}
            for i in range(start, end)
        ]
        more = {"continue": str(end)} if end < self.workflows else {}
        self._json({"metadata": more, "items": items})

    def _json(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serve(megabytes: int, workflows: int, port: Any) -> None:
    """The server's process."""
    Handler.blocks = megabytes * 1_000_000 // len(Handler.block)
    Handler.workflows = workflows
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port.send(server.server_port)
        server.serve_forever()


def by_requests(url: str) -> int:
    """The floor."""
    import requests

    lines = 0
    with requests.get(f"{url}/api/v1/workflows/argo/run/log", stream=True, timeout=60) as answer:
        for line in answer.iter_lines():
            json.loads(line)
            lines += 1
    return lines


def by_us(url: str) -> int:
    """The backend's own way."""
    from couler_jobs.backends.argo_server.client import ArgoServerBackend
    from couler_jobs.backends.argo_server.transport import HttpTransport

    backend = ArgoServerBackend(HttpTransport(url), namespace="argo")
    return sum(1 for _ in backend.logs("run"))


def listed(url: str) -> int:
    """A listing of all workflows."""
    from couler_jobs.backends.argo_server.client import ArgoServerBackend
    from couler_jobs.backends.argo_server.transport import HttpTransport

    backend = ArgoServerBackend(HttpTransport(url), namespace="argo")
    return sum(1 for _ in backend.list())


def measured(call: Callable[[str], int], url: str, answer: Any) -> None:
    """In a process of its own: seconds, lines, and growth of memory in MiB."""
    call(url) if call is listed else None  # warms nothing that counts but the imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    lines = call(url)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((seconds, lines, (after - before) / 1024))


def in_process(target: Callable[..., None], *args: Any) -> Any:
    """What a fresh process answers."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    return here.recv(), process


def main(megabytes: int = 50, workflows: int = 100_000) -> None:
    """Print the figures."""
    port, server = in_process(serve, megabytes, workflows)
    url = f"http://127.0.0.1:{port}"
    figures: dict[str, list[tuple[float, int, float]]] = {"requests": [], "ours": []}
    for _ in range(ROUNDS):
        figures["requests"].append(in_process(measured, by_requests, url)[0])
        figures["ours"].append(in_process(measured, by_us, url)[0])
    rate = {
        name: median(lines / seconds for seconds, lines, _ in found)
        for name, found in figures.items()
    }
    grown = max(mib for _, _, mib in figures["ours"])
    print(f"log of {megabytes} MB: requests {rate['requests']:,.0f} lines/s")
    print(f"  ours {rate['ours']:,.0f} lines/s = {rate['ours'] / rate['requests']:.2f} x")
    print(f"  memory grew by {grown:.1f} MiB, imports included")
    (seconds, count, mib), _ = in_process(measured, listed, url)
    print(
        f"list of {count:,} workflows: {seconds:.1f} s, memory grew by {mib:.1f} MiB after a first"
    )
    server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
