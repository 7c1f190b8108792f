"""An Argo Server in memory, as far as the client looks: the seam's other side.

`FakeArgo` is a transport: it can be handed to the client as it is, or be put behind a real socket
(`faulty.py`). What it answers has the shape of the recordings.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.errors import Unavailable

Answer = Callable[[Request], Response]


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class FakeArgo:
    """Keeps objects by kind and name; `faults` are used up, one a call, before it answers."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: deque[Callable[[Answer, Request], Response] | None] = field(default_factory=deque)
    streams: deque[Iterable[Any]] = field(default_factory=deque)
    unknown: tuple[str, ...] = ()  #: fields of a spec that this server drops in silence
    conflicts: int = 0  #: how many of the next updates are too late
    collector: bool = True  #: whether somebody takes the marks of an orphaning deletion off
    version: str = "v4.1.2"
    _count: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, request: Request) -> Response:
        """Answer a call, after the next fault."""
        self.requests.append(request)
        fault = self.faults.popleft() if self.faults else None
        return fault(self.answer, request) if fault else self.answer(request)

    def stream(self, request: Request) -> Generator[bytes, None, None]:
        """The next of `streams`: dicts become lines, exceptions are raised where they stand."""
        self.requests.append(request)
        for item in self.streams.popleft() if self.streams else ():
            if callable(item):
                item()
            elif isinstance(item, Exception):
                raise item
            else:
                yield item if isinstance(item, bytes) else json.dumps(item).encode()

    def answer(self, request: Request) -> Response:
        """What the server says, without a fault."""
        parts = request.path.removeprefix("/api/v1/").split("/")
        if parts[0] in ("version", "info", "userinfo"):
            return _ok({"version": self.version} if parts[0] == "version" else {})
        body = json.loads(request.body or b"{}")
        kind, rest = parts[0], parts[2:]
        verb = getattr(self, f"_{request.method.lower()}")
        answer: Response = verb(kind, rest, body, request)
        return answer

    def calls(self, method: str, ending: str = "") -> int:
        """How many calls of a method came for a path with that ending."""
        return sum(r.method == method and r.path.endswith(ending) for r in self.requests)

    def put(self, kind: str, name: str, **parts: Any) -> dict[str, Any]:
        """Lay an object into the server, as if it had always been there."""
        uid = f"uid-{next(iter(self._count))}"
        metadata = {"name": name, "namespace": "argo", "uid": uid, "resourceVersion": "1"}
        metadata |= parts.pop("metadata", {})
        found = {"metadata": metadata, "spec": {}, "status": {}, **parts}
        self.objects.setdefault(kind, {})[name] = found
        return found

    def _post(self, kind: str, rest: list[str], body: dict[str, Any], _: Request) -> Response:
        if rest == ["submit"]:
            return self._submit(body)
        envelope = next(key for key in body if key in ("workflow", "cronWorkflow", "template"))
        sent = body[envelope]
        spec = {k: v for k, v in sent["spec"].items() if k not in self.unknown}
        if rest == ["lint"]:
            return _ok({"metadata": sent["metadata"], "spec": spec})
        name = sent["metadata"]["name"]
        if name in self.objects.get(kind, {}):
            return _error(409, 6, f'{kind}.argoproj.io "{name}" already exists')
        return _ok(self.put(kind, name, metadata=sent["metadata"], spec=spec))

    def _submit(self, body: dict[str, Any]) -> Response:
        options = body["submitOptions"]
        pairs = dict(pair.split("=", 1) for pair in options["annotations"].split(","))
        source = self.objects["cron-workflows"][body["resourceName"]]
        metadata = {"annotations": pairs}
        if options["name"] in self.objects.get("workflows", {}):
            return _error(409, 6, f'workflows.argoproj.io "{options["name"]}" already exists')
        spec = source["spec"].get("workflowSpec", {})
        return _ok(self.put("workflows", options["name"], metadata=metadata, spec=spec))

    def _get(self, kind: str, rest: list[str], _: dict[str, Any], request: Request) -> Response:
        if rest:
            return self._found(kind, rest[0])
        items = list(self.objects.get(kind, {}).values())
        start = int(request.query.get("listOptions.continue", "0"))
        end = start + int(request.query["listOptions.limit"])
        more = {"continue": str(end)} if end < len(items) else {}
        return _ok({"metadata": more, "items": items[start:end] or None})

    def _put(self, kind: str, rest: list[str], body: dict[str, Any], _: Request) -> Response:
        name, verb = rest[0], rest[1] if len(rest) > 1 else ""
        answer = self._found(kind, name)
        if answer.status != 200:
            return answer
        there = self.objects[kind][name]
        if verb:
            return self._change(kind, there, verb)
        sent = body.get("cronWorkflow") or body["template"]
        if self.conflicts or sent["metadata"].get("resourceVersion") != _version(there):
            self.conflicts -= 1
            return _error(409, 6, f'Operation cannot be fulfilled on {kind} "{name}": modified')
        if "finalizers" in sent["metadata"] and not sent["metadata"]["finalizers"]:
            del self.objects[kind][name]
            return _ok(sent)
        there |= sent
        there["metadata"]["resourceVersion"] = str(int(_version(there)) + 1)
        return _ok(there)

    def _change(self, kind: str, there: dict[str, Any], verb: str) -> Response:
        phase = there["status"].get("phase")
        if kind == "workflows" and verb in ("stop", "terminate") and phase in ENDED:
            return _error(500, 13, "cannot shutdown a completed workflow: workflow")
        if verb in ("stop", "terminate"):
            there["spec"]["shutdown"] = verb.capitalize()
        if verb == "retry":
            there["status"].pop("phase", None)
        there["spec"]["suspend"] = verb == "suspend"
        return _ok(there)

    def _delete(self, kind: str, rest: list[str], _: dict[str, Any], request: Request) -> Response:
        answer = self._found(kind, rest[0])
        if answer.status == 200 and request.query and not self.collector:
            there = self.objects[kind][rest[0]]["metadata"]
            there["finalizers"] = ["orphan"]
        elif answer.status == 200:
            del self.objects[kind][rest[0]]
        return _ok({}) if answer.status == 200 else answer

    def _found(self, kind: str, name: str) -> Response:
        found = self.objects.get(kind, {}).get(name)
        if found is None:
            return _error(404, 5, f'{kind.replace("-", "")}.argoproj.io "{name}" not found')
        return _ok(found)


ENDED = ("Succeeded", "Failed", "Error")


def lost(answer: Answer, request: Request) -> Response:
    """The call is carried out and its answer never arrives."""
    answer(request)
    raise Unavailable(f"Argo Server could not {request.what}: it did not answer in time.")


def unreachable(_: Answer, request: Request) -> Response:
    """The call never arrives."""
    raise Unavailable(f"Argo Server could not {request.what}: no connection.")


def says(status: int, body: dict[str, Any]) -> Callable[[Answer, Request], Response]:
    """The call is answered with that, and not carried out."""
    return lambda _, __: Response(status=status, body=json.dumps(body).encode())


def event(item: dict[str, Any], kind: str = "MODIFIED") -> dict[str, Any]:
    """A line of a watch."""
    return {"result": {"type": kind, "object": item}}


def line(text: str, pod: str = "run", second: int = 0) -> dict[str, Any]:
    """A line of a log, with its time."""
    stamp = f"2026-11-22T19:00:{second:02d}.5Z"
    return {"result": {"content": f"{stamp} {text}", "podName": pod}}


def manifest(name: str = "run", **spec: Any) -> dict[str, Any]:
    """The smallest Workflow."""
    template = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "main", "templates": [template], **spec},
    }


def cron_manifest(name: str = "tick", **spec: Any) -> dict[str, Any]:
    """The smallest CronWorkflow of Argo 4."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": name},
        "spec": {"schedules": ["0 0 * * *"], "workflowSpec": manifest()["spec"], **spec},
    }


def _version(item: dict[str, Any]) -> str:
    version: str = item["metadata"]["resourceVersion"]
    assert re.fullmatch(r"\d+", version)
    return version


def _ok(body: Any) -> Response:
    return Response(status=200, body=json.dumps(body).encode())


def _error(status: int, code: int, message: str) -> Response:
    body = {"code": code, "message": message}
    return Response(status=status, body=json.dumps(body).encode())
