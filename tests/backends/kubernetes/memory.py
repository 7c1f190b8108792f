"""A cluster that keeps its objects in memory: what `Objects` promises, with faults on demand."""

from __future__ import annotations

import copy
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from couler_jobs.backends.argo_server.answers import Conflict
from couler_jobs.backends.kubernetes.client import KubernetesBackend
from couler_jobs.backends.kubernetes.objects import Object, Resource
from couler_jobs.errors import AlreadyExists, NotFound, Rejected

START = datetime(2026, 11, 22, tzinfo=UTC)


class MemoryObjects:
    """Objects by resource and name. `faults` are raised by calls of that verb, one each.

    A fault behind "after " comes when the call has been done, as a lost answer does. `script` holds
    what happens at each sleep; `events` what each watch tells; `texts` the log of each pod.
    """

    address = "https://cluster.example.org"

    def __init__(self) -> None:
        self.namespace = "lab"
        self.kept: dict[tuple[Resource, str], Object] = {}
        self.faults: dict[str, list[Exception]] = {}
        self.script: list[Any] = []
        self.events: list[list[Object]] = []
        self.texts: dict[str, list[str]] = {}
        self.since: list[int | None] = []
        self.unknown: set[str] = set()
        self.page_size = 2
        self.finalized = False
        self.seconds = 0.0
        self.version = 0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.script:
            self.script.pop(0)()

    def clock(self) -> float:
        return self.seconds

    def add(self, resource: Resource, name: str, **parts: Any) -> Object:
        self.version += 1
        moment = START + timedelta(seconds=self.version)
        metadata = {
            "name": name,
            "namespace": self.namespace,
            "uid": f"uid-{self.version}",
            "resourceVersion": str(self.version),
            "creationTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **parts.pop("metadata", {}),
        }
        found = {"metadata": metadata, "spec": {}, **parts}
        self.kept[resource, name] = found
        return found

    def get(self, resource: Resource, name: str) -> Object:
        self._fault("get")
        if (resource, name) not in self.kept:
            raise NotFound(f"Kubernetes could not get {resource.words} {name}: not found")
        return copy.deepcopy(self.kept[resource, name])

    def page(self, resource: Resource, labels: Mapping[str, str], token: str = "") -> Object:
        self._fault("page after a token" if token else "page")
        fitting = [
            item
            for (kind, _), item in sorted(self.kept.items(), key=lambda pair: pair[0][1])
            if kind is resource and labels.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        begin = int(token or 0)
        end = begin + self.page_size
        metadata = {"continue": str(end)} if end < len(fitting) else {}
        return {"metadata": metadata, "items": copy.deepcopy(fitting[begin:end])}

    def create(self, resource: Resource, manifest: Object, *, dry: bool = False) -> Object:
        self._fault("create")
        name = manifest["metadata"].get("name", "")
        if any(f"'{field}'" in str(manifest) for field in self.unknown):
            raise Rejected("strict decoding error: unknown field")
        if (resource, name) in self.kept:
            raise AlreadyExists(f"{name} already exists")
        if dry:
            return copy.deepcopy(manifest)
        made = self.add(resource, name, **copy.deepcopy(manifest))
        self._fault("after create")
        return copy.deepcopy(made)

    def replace(self, resource: Resource, manifest: Object) -> Object:
        self._fault("replace")
        name = manifest["metadata"]["name"]
        self._check_version(self.get(resource, name), manifest)
        return copy.deepcopy(self.add(resource, name, **copy.deepcopy(manifest)))

    def patch(self, resource: Resource, name: str, change: Object) -> Object:
        self._fault("patch")
        there = self.get(resource, name)
        self._check_version(there, change)
        self.kept[resource, name] = _merged(there, change)
        if change == {"metadata": {"finalizers": []}}:
            del self.kept[resource, name]
            return {}
        return self.get(resource, name)

    def delete(self, resource: Resource, name: str, *, orphan: bool = False) -> None:
        self._fault("delete")
        self.get(resource, name)
        if not (self.finalized and orphan):
            del self.kept[resource, name]

    def watch(self, name: str, version: str) -> Generator[Object, None, None]:
        self._fault("watch")
        yield from self.events.pop(0) if self.events else []

    def log(self, pod: str, since: int | None) -> Generator[str, None, None]:
        self._fault("log")
        self.since.append(since)
        yield from self.texts.get(pod, [])

    def _check_version(self, there: Object, given: Object) -> None:
        version = given.get("metadata", {}).get("resourceVersion")
        if version not in (None, there["metadata"]["resourceVersion"]):
            raise Conflict("Operation cannot be fulfilled")

    def _fault(self, verb: str) -> None:
        if self.faults.get(verb):
            raise self.faults[verb].pop(0)


def _merged(there: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, dict):
        return change
    whole = dict(there) if isinstance(there, dict) else {}
    for key, value in change.items():
        if value is None:
            whole.pop(key, None)
        else:
            whole[key] = _merged(whole.get(key), value)
    return whole


def backend_of(objects: MemoryObjects) -> KubernetesBackend:
    """A backend on it, whose time is the cluster's."""
    return KubernetesBackend(objects, sleep=objects.sleep, clock=objects.clock, now=lambda: START)
