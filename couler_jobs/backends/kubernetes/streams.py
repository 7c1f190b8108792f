"""What goes on by itself: the events of a workflow and the lines of its pods.

A watch of Kubernetes ends after a while, and what it goes on from may be too old by then: after
every end the workflow itself is asked. Logs are followed by asking each pod for its latest lines
again; what was seen before is dropped by its time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from couler_jobs.backends.argo_server.logs import Resume, user_lines
from couler_jobs.backends.kubernetes.nodes import unpacked
from couler_jobs.backends.kubernetes.objects import Object, Objects, Resource, meta
from couler_jobs.errors import Forbidden, NotFound, Rejected, Unavailable
from couler_jobs.spec.names import is_within
from couler_jobs.spec.parse import run_info
from couler_jobs.spec.status import LogLine, RunInfo

PERIOD = 1.0
"""Seconds between two questions, at least."""

PATIENCE = 600.0
"""Seconds for which Kubernetes may be away before it is given up."""

OVERLAP = 15
"""Seconds of a log that are read once more, since clocks differ."""

_NODE = "workflows.argoproj.io/node-name"
_WORKFLOW = "workflows.argoproj.io/workflow"


@dataclass(kw_only=True)
class Place:
    """The objects, and the only time that there is: `sleep` and `clock`, in seconds."""

    objects: Objects
    sleep: Callable[[float], None] = field(repr=False)
    clock: Callable[[], float] = field(repr=False)

    def workflow(self, name: str) -> Object:
        """The workflow with its nodes."""
        return unpacked(self.objects.get(Resource.WORKFLOW, name))

    def patiently(self, name: str) -> Object:
        """Likewise; waits while Kubernetes is away."""
        until = self.clock() + PATIENCE
        while True:
            try:
                return self.workflow(name)
            except Unavailable:
                if self.clock() > until:
                    raise
                self.sleep(5 * PERIOD)

    def pages(self, resource: Resource, labels: Mapping[str, str]) -> Iterator[Object]:
        """Every object that carries the labels, once; begins anew when it took too long."""
        token, seen, again = "", set[str](), 1
        while True:
            try:
                page = self.objects.page(resource, labels, token)
            except Unavailable:
                if not token or not again:
                    raise
                token, again = "", again - 1
                continue
            for item in page.get("items") or []:
                if meta(item).get("uid") not in seen:
                    seen.add(str(meta(item).get("uid")))
                    yield item
            token = meta(page).get("continue") or ""
            if not token:
                return


def runs(place: Place, name: str) -> Iterator[RunInfo]:
    """The workflow each time that it changed, from now until it has ended."""
    found = place.workflow(name)
    run = run_info(found)
    uid = run.uid
    yield run
    while not run.ended:
        asked = place.clock()
        for changed in _changes(place, found):
            found, run = changed, run_info(changed)
            yield run
            if run.ended:
                return
        place.sleep(max(0.0, PERIOD - (place.clock() - asked)))
        version, found = _version(found), place.patiently(name)
        run = run_info(found)
        if run.uid != uid:
            raise NotFound(
                f"Workflow {name} was deleted before it had ended; another one has its name now."
            )
        if _version(found) != version:
            yield run


def _changes(place: Place, found: Object) -> Iterator[Object]:
    """What newer events tell; ends when it is time to ask."""
    name, uid = meta(found)["name"], meta(found).get("uid")
    # to ask instead of watching will do: one may not watch, or it broke, or is too old
    with (
        contextlib.suppress(Unavailable, Forbidden),
        closing(place.objects.watch(name, _version(found))) as events,
    ):
        for event in events:
            there = event.get("object") or {}
            if event.get("type") == "DELETED" or meta(there).get("uid") != uid:
                return
            yield unpacked(there)


def _version(found: Object) -> str:
    return str(meta(found).get("resourceVersion") or "")


class Log:
    """The lines of a workflow's pods, of all nodes or of `node` and what is inside it."""

    def __init__(self, place: Place, name: str, node: str | None) -> None:
        self._place, self._name, self._node = place, name, node
        self._run = run_info(place.workflow(name))
        self._resume = Resume()
        self._read: dict[str, float] = {}  # pod -> when it was read last
        self._done: set[str] = set()  # pods that were read after their end

    def lines(self, *, follow: bool) -> Iterator[LogLine]:
        """Each line once; `follow`: until the workflow has ended."""
        if self._node and self._node not in self._run.nodes and (self._run.ended or not follow):
            raise NotFound(f"Workflow {self._name} has no node {self._node}.")
        while True:
            last = self._run.ended or not follow  # it began after the end, so nothing is missed
            yield from self._pass()
            if last:
                return
            self._place.sleep(PERIOD)
            self._run = run_info(self._place.patiently(self._name))
            self._resume.reconnected()

    def _pass(self) -> Iterator[LogLine]:
        for pod in self._pods():
            name = str(meta(pod)["name"])
            ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            node = str((meta(pod).get("annotations") or {}).get(_NODE) or name)
            if name in self._done or not (self._node is None or is_within(node, self._node)):
                continue
            yield from (LogLine(node=node, text=text) for text in self._new(name))
            if ended:
                self._done.add(name)

    def _pods(self) -> list[Object]:
        """The pods of this very run that may have printed, the oldest first."""
        pods = self._place.pages(Resource.POD, {_WORKFLOW: self._name})
        ours = [pod for pod in pods if _owner(pod) == self._run.uid and _may_print(pod)]
        return sorted(ours, key=_began)

    def _new(self, pod: str) -> Iterator[str]:
        now, before = self._place.clock(), self._read.get(pod)
        since = None if before is None else int(now - before) + OVERLAP
        # a container that waits to start is a 400, a pod that is gone a 404: both have no lines
        with (
            contextlib.suppress(NotFound, Rejected),
            closing(self._place.objects.log(pod, since)) as lines,
        ):
            items = ({"podName": pod, "content": line} for line in lines if line)
            yield from (text for _, text in user_lines(items, self._resume))
            self._read[pod] = now


def _owner(pod: Mapping[str, Any]) -> str:
    owners = meta(pod).get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _may_print(pod: Mapping[str, Any]) -> bool:
    status = pod.get("status") or {}
    names = [one.get("name") for one in (pod.get("spec") or {}).get("containers") or []]
    return status.get("phase") != "Pending" and "main" in names


def _began(pod: Mapping[str, Any]) -> tuple[str, str]:
    status = pod.get("status") or {}
    return str(status.get("startTime") or ""), str(meta(pod).get("name"))
