"""Argo Server's REST calls as values. Pure.

Every call is a function that gives a `Request`; a transport turns it into a `Response`, which
`answers.check` reads. The paths are the same in Argo 3.4 to
4.1. What no documentation states was seen on real servers (`tests/samples/argo/*/README.md`).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest

JSON = "application/json"
EVENTS = "text/event-stream"
LARGEST = 1_572_864
"""Bytes that etcd takes in one request (its `--max-request-bytes`): a larger object is refused."""


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


def answer(namespace: str, name: str, node_id: str, answers: Mapping[str, str]) -> Request:
    """Give a waiting suspend node the outputs that it is to be supplied with, and let it go on."""
    body = {"outputParameters": json.dumps(dict(answers)), "phase": "Succeeded"}
    return change(namespace, name, "set", _node(node_id) | body)


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
