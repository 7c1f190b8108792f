"""Creating and replacing on Argo Server, so that an unclear end does no harm."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from couler_jobs.backends import submissions
from couler_jobs.backends.argo_server import answers, api
from couler_jobs.backends.argo_server.api import Kind, Request
from couler_jobs.backends.argo_server.server import Server
from couler_jobs.backends.submissions import SETTLE, SUBMISSION
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)
from couler_jobs.spec.status import Manifest

__all__ = ["SETTLE", "SUBMISSION"]

WHERE = "Argo Server"

WEBHOOK = "admission webhook"
"""How Kubernetes begins what a site's own rules refuse (`ToStatusErr` in its apiserver)."""

_logger = logging.getLogger("couler_jobs.argo_server")


def start(server: Server, manifest: Manifest) -> dict[str, Any]:
    """Create a workflow, once. Taken back and `Rejected` if the server did not take all of it."""
    ours = submissions.named(manifest, server.namespace, WHERE)
    name, submission = ours["metadata"]["name"], ours["metadata"]["annotations"][SUBMISSION]
    request = api.create(Kind.WORKFLOW, server.namespace, ours)
    created = _settle(server, request, name, submission)
    if lost := _lost(ours, created):
        with contextlib.suppress(NotFound):
            server.delete(Kind.WORKFLOW, name)
        raise _cut(f"workflow {name}", lost, "It was deleted again.")
    return created


def start_from_cron(server: Server, cron: str) -> dict[str, Any]:
    """Create a run of a cron workflow, once."""
    submission, name = secrets.token_hex(16), f"{cron}-{submissions.suffix()}"
    request = api.submit_from(
        server.namespace, "CronWorkflow", cron, name=name, annotations={SUBMISSION: submission}
    )
    return _settle(server, request, name, submission)


def lint(server: Server, kind: Kind, manifest: Manifest) -> None:
    """`Rejected` with Argo's sentence, or with the fields that the server does not know."""
    ours = in_namespace(manifest, server.namespace)
    understood = server.ask(api.lint(kind, server.namespace, ours))
    if lost := _lost(manifest, understood):
        name = ours["metadata"].get("name", "")
        raise _cut(f"{kind.words} {name}".rstrip(), lost, "Nothing was created.")


def apply(server: Server, kind: Kind, manifest: Manifest) -> dict[str, Any]:
    """Create the object, or make the one that is there like the manifest."""
    ours = in_namespace(manifest, server.namespace)
    lint(server, kind, ours)
    try:
        created: dict[str, Any] = server.ask(api.create(kind, server.namespace, ours))
        return created
    except (AlreadyExists, Unavailable) as error:
        return _make_alike(server, kind, ours, error)


def remove_cron(server: Server, name: str, wait: float = 5.0) -> None:
    """Remove a cron workflow and leave its runs.

    It goes only once the cluster's garbage collector has let go of the runs, and would fire until
    then, so it is suspended first: and resumed, if it then cannot be removed. Where no collector
    runs, its mark is taken off by hand.
    """
    ticked = not server.get(Kind.CRON, name).get("spec", {}).get("suspend")
    try:
        with contextlib.suppress(Rejected, Unavailable, Forbidden):
            server.ask(api.pause_cron(server.namespace, name))
        server.delete(Kind.CRON, name)
    except BackendError:
        if ticked:
            with contextlib.suppress(BackendError):
                server.ask(api.resume_cron(server.namespace, name))
        raise
    deadline = server.clock() + wait
    while (there := _still(server, name)) is not None:
        if server.clock() > deadline:
            metadata = {**there["metadata"], "finalizers": []}
            with contextlib.suppress(NotFound):
                released = {**there, "metadata": metadata}
                server.ask(api.update(Kind.CRON, server.namespace, released))
            return
        server.sleep(0.25)


def in_namespace(manifest: Manifest, namespace: str) -> dict[str, Any]:
    """The manifest with its namespace set; `Rejected` if it is for another one."""
    return submissions.in_namespace(manifest, namespace, WHERE)


def _settle(server: Server, request: Request, name: str, submission: str) -> dict[str, Any]:
    """Send a create until it is known what became of it: ours, somebody else's, or refused."""
    return submissions.Submission(
        where=WHERE,
        name=name,
        mark=submission,
        create=lambda: server.ask(request),
        get=lambda: server.get(Kind.WORKFLOW, name),
        sleep=server.sleep,
        clock=server.clock,
    ).settle()


def _make_alike(
    server: Server, kind: Kind, manifest: Mapping[str, Any], error: BackendError
) -> dict[str, Any]:
    try:
        return _replace(server, kind, manifest)
    except NotFound:
        raise error from None  # the create did nothing, so its own end is the news
    except answers.Conflict:
        return _replace(server, kind, manifest)  # its controller was quicker: once more
    except (Rejected, Forbidden) as refusal:
        if kind is not Kind.CRON or WEBHOOK not in str(refusal):
            raise
        return _anew(server, manifest, refusal)


def _anew(server: Server, manifest: Mapping[str, Any], refusal: BackendError) -> dict[str, Any]:
    """Put a new cron workflow in the place of one that the site's rules do not let us change.

    Only once those rules have let a suspended twin of the new one in, which goes again.
    """
    name = manifest["metadata"]["name"]
    twin = f"{name[: _LONGEST_CRON - 6]}-{submissions.suffix()}"
    server.ask(api.create(Kind.CRON, server.namespace, _suspended(manifest, twin)))
    server.delete(Kind.CRON, twin)
    remove_cron(server, name)
    created: dict[str, Any] = server.ask(api.create(Kind.CRON, server.namespace, manifest))
    _logger.warning(
        "The cron workflow %s was deleted and made anew, since it may not be changed: %s",
        *(name, refusal),
    )
    return created


_LONGEST_CRON = 52  # characters of a cron workflow's name


def _suspended(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    metadata = {**manifest["metadata"], "name": name}
    return {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "suspend": True}}


def _replace(server: Server, kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
    merged = submissions.merged(server.get(kind, manifest["metadata"]["name"]), manifest)
    updated: dict[str, Any] = server.ask(api.update(kind, server.namespace, merged))
    return updated


def _still(server: Server, name: str) -> dict[str, Any] | None:
    try:
        return server.get(Kind.CRON, name)
    except NotFound:
        return None


def _lost(sent: Manifest, got: Mapping[str, Any]) -> list[str]:
    metadata = sent.get("metadata") or {}
    ours = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    theirs = {"metadata": got.get("metadata"), "spec": got.get("spec")}
    return list(answers.dropped({"metadata": ours, "spec": sent.get("spec")}, theirs))


def _cut(what: str, lost: list[str], then: str) -> Rejected:
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return Rejected(
        f"Argo Server did not take all of {what}: {', '.join(lost[:5])}{more} did not come back. "
        f"{then} This version of Argo does not know these fields, or not with such values."
    )
