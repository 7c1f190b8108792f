"""Secrets that workflows need, made before they are submitted."""

from __future__ import annotations

import base64

from couler_jobs.backends.kubernetes.objects import Object, Objects, Resource
from couler_jobs.errors import AlreadyExists, NotFound, Rejected
from couler_jobs.spec.secret import Secret

OURS = {"app.kubernetes.io/managed-by": "couler-jobs"}
"""The label of what was made here: nothing else is ever changed."""


def make(objects: Objects, secret: Secret) -> None:
    """Create the Secret, or change it. One that says the same already is left alone.

    Raises Rejected for another namespace than the workflow's, whose pods could not read it, and for
    a Secret of that name that may not be changed.
    """
    if secret.namespace not in ("", objects.namespace):
        raise Rejected(
            f"The secret {secret.name} is to be in the namespace {secret.namespace}, and the "
            f"workflow runs in {objects.namespace}, where it could not be read."
        )
    manifest = _manifest(secret)
    try:
        there = objects.get(Resource.SECRET, secret.name)
    except NotFound:
        there = _created(objects, manifest)
    if there.get("data") == manifest["data"]:
        return
    if not secret.may_change or not _is_ours(there):
        raise Rejected(_refusal(secret, is_ours=_is_ours(there)))
    version = {"resourceVersion": there["metadata"]["resourceVersion"]}
    objects.replace(Resource.SECRET, manifest | {"metadata": manifest["metadata"] | version})


def _created(objects: Objects, manifest: Object) -> Object:
    """The new Secret, or the one that somebody made in the meantime."""
    try:
        return objects.create(Resource.SECRET, manifest)
    except AlreadyExists:
        return objects.get(Resource.SECRET, manifest["metadata"]["name"])


def _refusal(secret: Secret, *, is_ours: bool) -> str:
    there = f"There is a secret {secret.name} already, with other values"
    if not is_ours:
        return (
            f"{there}, which was not made by couler-jobs: use it as it is by obtain_secret, or "
            "give yours another name."
        )
    return f"{there}: give it a name of its own, create_secret(..., name=...), to have it changed."


def _is_ours(there: Object) -> bool:
    return OURS.items() <= ((there.get("metadata") or {}).get("labels") or {}).items()


def _manifest(secret: Secret) -> Object:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in secret.data}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret.name, "labels": dict(OURS)},
        "type": "Opaque",
        "data": data,
    }
