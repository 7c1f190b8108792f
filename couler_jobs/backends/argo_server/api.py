"""Argo Server's REST calls as values: what to send, and what an answer means. Pure.

Every call is a function that gives a `Request`; a transport turns it into a `Response`; `check`
reads it or raises the error that Argo's sentence stands for. The paths are the same in Argo 3.4 to
4.1. What no documentation states was seen on real servers (`tests/samples/argo/*/README.md`).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import quote

from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)
from couler_jobs.spec.status import Manifest

JSON = "application/json"
EVENTS = "text/event-stream"
LARGEST = 1_572_864
"""Bytes that etcd takes in one request (its `--max-request-bytes`): a larger object is refused."""


class Conflict(Rejected):
    """The object was changed by somebody else since it was read."""


class Kind(enum.Enum):
    """What Argo Server keeps: its path, the key of its envelope, its name in a sentence."""

    WORKFLOW = ("workflows", "workflow", "workflow")
    CRON = ("cron-workflows", "cronWorkflow", "cron workflow")
    TEMPLATE = ("workflow-templates", "template", "workflow template")

    def __init__(self, path: str, envelope: str, words: str) -> None:
        self.path, self.envelope, self.words = path, envelope, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `what` says it in words, for an error; `idempotent`: sent twice it does no harm."""

    method: str
    path: str
    what: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, or the last of several when `attempts` were needed."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1


# --- calls for every kind


def create(kind: Kind, namespace: str, manifest: Manifest) -> Request:
    """Store an object. Not idempotent: see `client` for how an unclear end is settled."""
    what = f"create {_named(kind, manifest)}"
    body = {kind.envelope: manifest, "namespace": namespace}
    return _call("POST", what, kind.path, namespace, body=body, idempotent=False)


def dry_run(namespace: str, manifest: Manifest) -> Request:
    """Have the Kubernetes API server check a workflow as if it were created; nothing is stored."""
    body = {Kind.WORKFLOW.envelope: manifest, "namespace": namespace, "serverDryRun": True}
    what = f"check {_named(Kind.WORKFLOW, manifest)}"
    return _call("POST", what, Kind.WORKFLOW.path, namespace, body=body)


def lint(kind: Kind, namespace: str, manifest: Manifest) -> Request:
    """Have it checked; answers the manifest as the server understood it."""
    body = {kind.envelope: manifest, "namespace": namespace}
    return _call("POST", f"lint {_named(kind, manifest)}", kind.path, namespace, "lint", body=body)


def get(kind: Kind, namespace: str, name: str, *, fields: str = "") -> Request:
    """One object; `fields` is a comma list of paths, or of exclusions after one leading `-`."""
    return _call("GET", f"get {kind.words} {name}", kind.path, namespace, name, fields=fields)


def update(kind: Kind, namespace: str, manifest: Manifest) -> Request:
    """Replace an object; `metadata.resourceVersion` must be the one it has (else `Conflict`)."""
    name = str(manifest["metadata"]["name"])
    body = {kind.envelope: manifest, "namespace": namespace, "name": name}
    what = f"update {kind.words} {name}"
    return _call("PUT", what, kind.path, namespace, name, body=body, idempotent=False)


def delete(kind: Kind, namespace: str, name: str) -> Request:
    """Remove an object. What a cron workflow has started is left, by `Orphan`."""
    query = {"deleteOptions.propagationPolicy": "Orphan"} if kind is Kind.CRON else {}
    return _call("DELETE", f"delete {kind.words} {name}", kind.path, namespace, name, query=query)


def page(
    kind: Kind,
    namespace: str,
    *,
    labels: Mapping[str, str] | None = None,
    limit: int = 500,
    token: str = "",
    fields: str = "",
) -> Request:
    """One page of a listing, and `metadata.continue` for the next.

    Without `ext.showRemainingItemCount` a 4.x server leaves `continue` out and the first page looks
    like the whole. The servers know that selector for workflows only.
    """
    query = {
        "listOptions.labelSelector": selector(labels or {}),
        "listOptions.limit": str(limit),
        "listOptions.continue": token,
    }
    if kind is Kind.WORKFLOW:
        query["listOptions.fieldSelector"] = "ext.showRemainingItemCount=true"
    return _call("GET", f"list {kind.words}s", kind.path, namespace, query=query, fields=fields)


# --- workflows


def change(
    namespace: str,
    name: str,
    verb: str,
    body: Mapping[str, Any] | None = None,
    *,
    idempotent: bool = True,
) -> Request:
    """Change a workflow: stop, terminate, suspend, resume, set, retry or resubmit."""
    whole = {"namespace": namespace, "name": name, **(body or {})}
    what = f"{verb} workflow {name}"
    parts = (Kind.WORKFLOW.path, namespace, name, verb)
    return _call("PUT", what, *parts, body=whole, idempotent=idempotent)


def stop(namespace: str, name: str) -> Request:
    """End it; its exit handler runs."""
    return change(namespace, name, "stop")


def terminate(namespace: str, name: str) -> Request:
    """End it; no exit handler runs."""
    return change(namespace, name, "terminate")


def suspend(namespace: str, name: str) -> Request:
    """Start no further step."""
    return change(namespace, name, "suspend")


def resume(namespace: str, name: str, node_id: str = "") -> Request:
    """Go on; past one suspend node only, where its id is given."""
    return change(namespace, name, "resume", _node(node_id))


def set_outputs(
    namespace: str, name: str, node_id: str, parameters: Mapping[str, str], message: str = ""
) -> Request:
    """Give a waiting suspend node the output parameters that it is to be supplied with."""
    body = {**_node(node_id), "outputParameters": json.dumps(dict(parameters)), "message": message}
    return change(namespace, name, "set", body)


def retry(namespace: str, name: str) -> Request:
    """Run what failed again. Not idempotent: it may have failed again already."""
    return change(namespace, name, "retry", idempotent=False)


def resubmit(namespace: str, name: str) -> Request:
    """Run it again under a name that the server makes up."""
    return change(namespace, name, "resubmit", idempotent=False)


def submit_from(
    namespace: str,
    kind: str,
    source: str,
    *,
    name: str,
    annotations: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Request:
    """Start a run called `name` from a CronWorkflow or WorkflowTemplate called `source`."""
    options: dict[str, Any] = {"name": name, "annotations": selector(annotations or {})}
    if parameters:
        options["parameters"] = [f"{key}={value}" for key, value in parameters.items()]
    body = {"namespace": namespace, "resourceKind": kind, "resourceName": source}
    parts = (Kind.WORKFLOW.path, namespace, "submit")
    what = f"start workflow {name} from {kind} {source}"
    return _call("POST", what, *parts, body={**body, "submitOptions": options}, idempotent=False)


def watch(namespace: str, name: str, *, fields: str = "") -> Request:
    """The events of one workflow, without end; the first tells how it is now.

    As an event stream, because that one says `:` every 15 s: silence then means a dead peer.
    """
    query = {"listOptions.fieldSelector": f"metadata.name={name}"}
    what = f"watch workflow {name}"
    parts = ("workflow-events", namespace)
    return _call("GET", what, *parts, query=query, fields=fields, accept=EVENTS)


def logs(namespace: str, name: str, *, pod: str = "", follow: bool = False) -> Request:
    """The lines of its pods, each with its time before it.

    Without `container` the answer is empty. By the times a broken stream goes on where it stopped.
    """
    query = {
        "podName": pod,
        "logOptions.container": "main",
        "logOptions.timestamps": "true",
        "logOptions.follow": "true" if follow else "",
    }
    what = f"read the log of workflow {name}"
    parts = (Kind.WORKFLOW.path, namespace, name, "log")
    return _call("GET", what, *parts, query=query, accept=EVENTS if follow else JSON)


# --- cron workflows, the server


def pause_cron(namespace: str, name: str) -> Request:
    """Start no run of it."""
    what = f"suspend cron workflow {name}"
    body = {"namespace": namespace, "name": name}
    return _call("PUT", what, Kind.CRON.path, namespace, name, "suspend", body=body)


def resume_cron(namespace: str, name: str) -> Request:
    """Start runs of it again."""
    what = f"resume cron workflow {name}"
    body = {"namespace": namespace, "name": name}
    return _call("PUT", what, Kind.CRON.path, namespace, name, "resume", body=body)


def version() -> Request:
    """What the server is: `version` is "v4.1.2", "v0.0.0+unknown" if its build was not told."""
    return _call("GET", "ask for the version", "version")


def info() -> Request:
    """How the server is set up."""
    return _call("GET", "ask for the settings", "info")


def userinfo() -> Request:
    """Who the token is, where the server uses single sign-on; else empty."""
    return _call("GET", "ask who you are", "userinfo")


# --- answers

Codes = Mapping[int, type[BackendError]]

GRPC: Codes = {
    1: Unavailable,  # cancelled
    2: Rejected,  # unknown: what Argo's validation says outside of create
    3: Rejected,  # invalid argument
    4: Unavailable,  # deadline exceeded
    5: NotFound,
    6: AlreadyExists,  # or `Conflict`: the words tell
    7: Forbidden,
    8: Unavailable,  # resource exhausted; also the end of a watch
    9: Rejected,  # failed precondition
    10: Conflict,  # aborted
    11: Rejected,  # out of range
    12: Rejected,  # unimplemented: path or method
    13: BackendError,  # internal; `MISTAKES` are not the server's
    14: Unavailable,
    15: BackendError,  # data loss
    16: Unauthorized,
}
"""What each gRPC code of an error body stands for."""

HTTP: Codes = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Rejected,
    408: Unavailable,
    409: AlreadyExists,
    413: Rejected,
    422: Rejected,
    429: Unavailable,
    501: Rejected,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""What the status stands for where the body has no code: a proxy answered, or `fields=` cut it."""

MISTAKES: Mapping[str, type[BackendError]] = {
    "Operation cannot be fulfilled": Conflict,
    "cannot shutdown a completed workflow": Rejected,
    "cannot suspend completed workflows": Rejected,
    "set only targets suspend nodes": Rejected,
    "request is too large": Rejected,
    "trying to send message larger than max": Rejected,
    "Too many: ": Rejected,
    "strconv.ParseUint": Rejected,
    "nil pointer dereference": NotFound,  # get of a workflow with another uid
}
"""Sentences that mean something else than the code they come with."""


def check(request: Request, response: Response) -> Any:
    """The body of a good answer, read as JSON; else the error that it stands for, raised."""
    if response.status >= 300:
        raise failure(request, response)
    try:
        return json.loads(response.body or b"{}")
    except ValueError:
        raise Unavailable(
            f"What answers in Argo Server's place could not {request.what}: it sent no JSON but "
            f"{_excerpt(response.body)!r}. Check ARGO_SERVER and ARGO_BASE_HREF."
        ) from None


def failure(request: Request, response: Response) -> BackendError:
    """The error that an answer with a status of 300 or more stands for."""
    body = _error_body(response.body)
    code = body.get("code", body.get("grpc_code"))
    sentence = str(body.get("message") or "")
    kind = HTTP.get(response.status, BackendError)
    if isinstance(code, int):
        kind = GRPC.get(code, kind)
    kind = next((kind for words, kind in MISTAKES.items() if words in sentence), kind)
    sentence = (sentence or _without_sentence(response)) + _WHAT_TO_DO.get(kind, "")
    return kind(f"Argo Server could not {request.what}: {sentence}")


def stream_error(request: Request, item: Mapping[str, Any]) -> BackendError:
    """The error that a line of a stream stands for."""
    status = item.get("http_code")
    body = json.dumps(dict(item)).encode()
    return failure(request, Response(status=status if isinstance(status, int) else 500, body=body))


def stream_line(line: bytes) -> Mapping[str, Any]:
    """A line of a stream as a dict: of JSON, or of an event stream; {} for its keep-alives."""
    text = (line[6:] if line.startswith(b"data: ") else line).decode(errors="replace")
    if not text.startswith("{"):
        return {}
    # a third quicker than `json.loads`, which counts with a million lines
    item, end = _read_json(text)
    if text[end:].strip():
        raise ValueError("more than one object in a line")
    found: Mapping[str, Any] = item
    return found


_read_json = json.JSONDecoder().raw_decode


def selector(pairs: Mapping[str, str]) -> str:
    """Labels (or annotations) in the form of `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in pairs.items())


def encode(body: Mapping[str, Any], what: str) -> bytes:
    """A body's bytes; `Rejected` if it is no JSON or larger than a cluster can store."""
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        data = text.encode()
    except (TypeError, ValueError) as error:
        raise Rejected(f"Cannot {what}: it cannot be written as JSON ({error}).") from None
    if len(data) > LARGEST:
        raise Rejected(
            f"Cannot {what}: it has {len(data):,} bytes, and a cluster stores at most {LARGEST:,} "
            "in one object. Share templates, use loops, or move large values into artifacts."
        )
    return data


def _call(
    method: str,
    what: str,
    *path: str,
    query: Mapping[str, str] | None = None,
    fields: str = "",
    body: Mapping[str, Any] | None = None,
    accept: str = JSON,
    idempotent: bool = True,
) -> Request:
    asked = {"fields": fields, **(query or {})}
    headers = {"Accept": accept, **({"Content-Type": JSON} if body is not None else {})}
    return Request(
        method=method,
        path="/api/v1/" + "/".join(quote(part, safe="") for part in path),
        what=what,
        query={key: value for key, value in asked.items() if value},
        headers=headers,
        body=None if body is None else encode(body, what),
        idempotent=idempotent,
    )


def _node(node_id: str) -> dict[str, str]:
    return {"nodeFieldSelector": f"id={node_id}"} if node_id else {}


def _named(kind: Kind, manifest: Manifest) -> str:
    return f"{kind.words} {(manifest.get('metadata') or {}).get('name', '')}".rstrip()


def _error_body(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]  # a stream's
    return found if isinstance(found, dict) else {}


_STATUS_WORDS: Mapping[int, str] = {
    401: "the token was not accepted.",
    403: "you are not allowed to.",
    404: "there is no such thing.",
    409: "the name is taken.",
    429: "it is asked too much at the moment; try again later.",
}


_WHAT_TO_DO: Mapping[type[BackendError], str] = {
    Unauthorized: " Renew the token: ARGO_TOKEN, or the file that ARGO_TOKEN_FILE names.",
}


def _without_sentence(response: Response) -> str:
    words = _STATUS_WORDS.get(response.status, f"it answered with status {response.status}.")
    excerpt = _excerpt(response.body)
    return f"{words} ({excerpt})" if excerpt not in ("", "{}") else words


def _excerpt(body: bytes, length: int = 120) -> str:
    return " ".join(body[: 4 * length].decode(errors="replace").split())[:length]


def dropped(sent: Any, got: Any, path: str = "") -> Sequence[str]:
    """The paths of what was sent and did not come back: fields that the server does not know.

    What is empty (`false`, 0, "", [], {}, null) counts as come back, since servers leave it out.
    Lists are compared in order; a server may have added to them. Field names match in any case, as
    servers read them.
    """
    if _empty(sent):
        return []
    if got in (None, ""):
        return [path]
    if isinstance(sent, Mapping):
        its = {str(key).lower(): value for key, value in got.items()} if _is_map(got) else {}
        pairs = (
            (f"{path}.{key}".lstrip("."), ours, its.get(str(key).lower()))
            for key, ours in sent.items()
        )
    elif isinstance(sent, list):
        theirs = got if isinstance(got, list) else []
        pairs = ((f"{path}[{i}]", ours, _at(theirs, i)) for i, ours in enumerate(sent))
    else:
        return []
    return [lost for here, ours, their in pairs for lost in dropped(ours, their, here)]


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_empty(item) for item in value.values())
    if isinstance(value, list):
        return all(_empty(item) for item in value)
    return not value


def _is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else None
