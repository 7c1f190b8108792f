"""What this backend needs of the Kubernetes API, and what its refusals mean. Pure.

`http.HttpObjects` does it over the network; a test hands in one that keeps objects in memory.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Generator, Mapping
from typing import Any, Protocol

from couler_jobs.backends.argo_server import answers
from couler_jobs.errors import AlreadyExists, BackendError, Unavailable

Object = dict[str, Any]


class Gone(Unavailable):
    """What was to be gone on from is too old by now: begin anew."""


class Resource(enum.Enum):
    """What is asked for: its path, its name in a sentence."""

    WORKFLOW = ("workflows", "workflow")
    CRON = ("cronworkflows", "cron workflow")
    TEMPLATE = ("workflowtemplates", "workflow template")
    POD = ("pods", "pod")
    SECRET = ("secrets", "secret")

    def __init__(self, plural: str, words: str) -> None:
        self.plural, self.words = plural, words


class Objects(Protocol):
    """The objects of one namespace. Every call is bounded in time and raises `BackendError`s."""

    namespace: str

    @property
    def address(self) -> str:
        """The URL of the cluster."""

    def get(self, resource: Resource, name: str) -> Object:
        """One object as it is now."""

    def page(self, resource: Resource, labels: Mapping[str, str], token: str = "") -> Object:
        """A part of a listing: `items`, and `metadata.continue` where there is more.

        `Gone` when the token has become too old.
        """

    def create(self, resource: Resource, manifest: Object, *, dry: bool = False) -> Object:
        """Store an object; unknown fields are refused. `dry`: have it checked only."""

    def replace(self, resource: Resource, manifest: Object) -> Object:
        """Replace an object; `answers.Conflict` if its `resourceVersion` is not the one it has."""

    def patch(self, resource: Resource, name: str, change: Object) -> Object:
        """Merge a change into an object (RFC 7386)."""

    def delete(self, resource: Resource, name: str, *, orphan: bool = False) -> None:
        """Remove an object and what it owns; `orphan`: leave what it owns."""

    def watch(self, name: str, version: str) -> Generator[Object, None, None]:
        """The events of a workflow since that version, for a while. `Gone` if it is too old."""

    def log(self, pod: str, since: int | None) -> Generator[str, None, None]:
        """The lines that a pod's main container wrote so far, in the last `since` seconds."""


_REASONS: Mapping[str, type[BackendError]] = {
    "AlreadyExists": AlreadyExists,
    "Conflict": answers.Conflict,
    "Expired": Gone,
    "Gone": Gone,
}
_UNINSTALLED = "it knows no such objects: Argo Workflows is not installed in this cluster."
_ADVICE = {
    401: " Log in again, or have the credentials of the kubeconfig renewed.",
    403: " Ask an administrator of the cluster for this right.",
}


def failure(what: str, status: int, body: str | bytes | None) -> BackendError:
    """The error that an answer with a status of 300 or more stands for."""
    said = _status_object(body)
    sentence = str(said.get("message") or "")
    kind = _kind(status, str(said.get("reason") or ""), sentence)
    if not sentence:
        sentence = _UNINSTALLED if status == 404 else f"it answered with status {status}."
    return kind(f"Kubernetes could not {what}: {sentence}{_ADVICE.get(status, '')}")


def _kind(status: int, reason: str, sentence: str) -> type[BackendError]:
    for words, kind in answers.MISTAKES.items():
        if words in sentence:
            return kind
    if status == 410:
        return Gone
    by_status = Unavailable if status >= 500 else BackendError
    return _REASONS.get(reason, answers.HTTP.get(status, by_status))


def _status_object(body: str | bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object's metadata; empty if it has none."""
    found = item.get("metadata")
    return found if isinstance(found, dict) else {}
