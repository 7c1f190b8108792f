"""Secrets that a workflow needs: made once, changed only where they are ours."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from couler_jobs.backends.kubernetes.client import KubernetesBackend
from couler_jobs.backends.kubernetes.objects import Resource
from couler_jobs.backends.kubernetes.secrets import OURS
from couler_jobs.errors import AlreadyExists, NotFound, Rejected
from couler_jobs.spec.secret import Secret
from tests.backends.kubernetes.memory import MemoryObjects

PASSWORD = "très-secret"


def secret(value: str = PASSWORD, **parts: Any) -> Secret:
    return Secret(name="database", data=(("password", value),), **parts)


def kept(objects: MemoryObjects) -> dict[str, str]:
    """What is in the cluster's secret, as a pod reads it."""
    data = objects.get(Resource.SECRET, "database")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def version(objects: MemoryObjects) -> str:
    return str(objects.get(Resource.SECRET, "database")["metadata"]["resourceVersion"])


def stranger(objects: MemoryObjects, value: str) -> None:
    """A secret of that name that an administrator has made."""
    data = {"password": base64.b64encode(value.encode()).decode()}
    objects.add(Resource.SECRET, "database", data=data)


def test_a_secret_is_made_and_labelled(backend: KubernetesBackend, objects: MemoryObjects) -> None:
    backend.make_secret(secret())
    assert kept(objects) == {"password": PASSWORD}
    assert objects.get(Resource.SECRET, "database")["metadata"]["labels"] == OURS


def test_one_that_says_the_same_is_left_alone(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    stranger(objects, PASSWORD)
    before = version(objects)
    backend.make_secret(secret(may_change=True))
    assert version(objects) == before


def test_ours_is_changed_where_that_was_asked_for(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    backend.make_secret(secret("old"))
    backend.make_secret(secret("new", may_change=True))
    assert kept(objects) == {"password": "new"}


def test_ours_with_other_values_is_not_changed_unasked(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    backend.make_secret(secret("old"))
    with pytest.raises(Rejected, match="give it a name of its own") as caught:
        backend.make_secret(secret("new"))
    assert kept(objects) == {"password": "old"}
    assert "new" not in str(caught.value).split()


def test_somebody_elses_is_never_changed(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    stranger(objects, "theirs")
    with pytest.raises(Rejected, match="was not made by couler-jobs") as caught:
        backend.make_secret(secret(may_change=True))
    assert kept(objects) == {"password": "theirs"}
    assert PASSWORD not in str(caught.value)


def test_one_for_another_namespace_is_refused(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    with pytest.raises(Rejected, match="namespace elsewhere, and the workflow runs in lab"):
        backend.make_secret(secret(namespace="elsewhere"))
    with pytest.raises(NotFound):
        kept(objects)


def test_one_that_names_the_workflows_own_namespace_is_made(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    backend.make_secret(secret(namespace="lab"))
    assert kept(objects) == {"password": PASSWORD}


def test_one_that_was_made_in_the_meantime_is_looked_at(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    backend.make_secret(secret())
    objects.faults["get"] = [NotFound("not yet")]
    objects.faults["create"] = [AlreadyExists("now it is")]
    backend.make_secret(secret())
    assert kept(objects) == {"password": PASSWORD}
