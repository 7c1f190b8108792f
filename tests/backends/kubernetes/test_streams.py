"""Watching and reading logs, with breaks."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.backends.kubernetes.client import KubernetesBackend
from couler_jobs.backends.kubernetes.objects import Gone, Object, Resource
from couler_jobs.backends.kubernetes.streams import PATIENCE
from couler_jobs.errors import Forbidden, NotFound, Rejected, Unavailable
from tests.backends.kubernetes.memory import MemoryObjects

W, P = Resource.WORKFLOW, Resource.POD
STAMP = "2026-11-22T00:00:0{}.000000001Z"


def state(objects: MemoryObjects, phase: str) -> Object:
    """The workflow in that phase, with a version of its own."""
    there = objects.kept[W, "run"]
    objects.version += 1
    metadata = {**there["metadata"], "resourceVersion": str(objects.version)}
    status = {**there.get("status", {}), "phase": phase}
    return {**there, "metadata": metadata, "status": status}


def become(objects: MemoryObjects, phase: str) -> None:
    objects.kept[W, "run"] = state(objects, phase)


def phases(backend: KubernetesBackend) -> list[str]:
    return [str(run.phase) for run in backend.watch("run")]


@pytest.fixture
def running(objects: MemoryObjects) -> MemoryObjects:
    objects.add(W, "run", status={"phase": "Running"})
    return objects


def pod(objects: MemoryObjects, name: str, lines: list[str], **parts: Any) -> None:
    owner = {"uid": objects.kept[W, "run"]["metadata"]["uid"]}
    metadata = {
        "labels": {"workflows.argoproj.io/workflow": "run"},
        "annotations": {"workflows.argoproj.io/node-name": f"run.{name}"},
        "ownerReferences": [owner],
    }
    parts = {"spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Succeeded"}, **parts}
    objects.add(P, f"pod-{name}", metadata=metadata, **parts)
    objects.texts[f"pod-{name}"] = lines


def test_a_watch_tells_each_change_until_the_end(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    told = [{"type": "MODIFIED", "object": state(running, p)} for p in ("Running", "Succeeded")]
    running.events = [told]
    assert phases(backend) == ["Running", "Running", "Succeeded"]


@pytest.mark.parametrize(
    "fault", [Gone("too old"), Unavailable("broken"), Forbidden("you may not watch")]
)
def test_a_watch_that_does_not_work_asks_instead(
    backend: KubernetesBackend, running: MemoryObjects, fault: Exception
) -> None:
    running.faults["watch"] = [fault, fault]
    running.script = [lambda: None, lambda: become(running, "Succeeded")]
    assert phases(backend) == ["Running", "Succeeded"]


def test_a_watch_waits_while_the_cluster_is_away(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    def away() -> None:
        running.faults["get"] = [Unavailable("away")]
        become(running, "Failed")

    running.script = [away]
    assert phases(backend) == ["Running", "Failed"]


def test_a_watch_gives_up_on_a_cluster_that_stays_away(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    running.script = [lambda: running.faults.update(get=[Unavailable("away")] * 1000)]
    with pytest.raises(Unavailable):
        phases(backend)
    assert running.seconds > PATIENCE


def test_a_workflow_that_is_deleted_meanwhile_is_not_found(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    running.events = [[{"type": "DELETED", "object": running.kept[W, "run"]}]]
    running.script = [lambda: running.delete(W, "run")]
    with pytest.raises(NotFound, match="run"):
        phases(backend)


def test_another_workflow_of_that_name_is_not_taken_for_it(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    running.script = [lambda: running.add(W, "run")]
    with pytest.raises(NotFound, match="another one has its name now"):
        phases(backend)


def test_logs_are_those_of_this_runs_main_containers(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    pod(running, "b", [f"{STAMP.format(2)} two"], status={"phase": "Succeeded", "startTime": "2"})
    pod(running, "a", [f"{STAMP.format(1)} one"], status={"phase": "Succeeded", "startTime": "1"})
    pod(running, "agent", ["x no"], spec={"containers": [{"name": "agent"}]})
    pod(running, "waits", ["x no"], status={"phase": "Pending"})
    pod(running, "old", ["x no"])
    running.kept[P, "pod-old"]["metadata"]["ownerReferences"] = [{"uid": "former"}]
    lines = [(line.node, line.text) for line in backend.logs("run")]
    assert lines == [("run.a", "one"), ("run.b", "two")]


def test_argos_own_lines_are_left_out(backend: KubernetesBackend, running: MemoryObjects) -> None:
    own = 'time=2026-11-22T21:55:41.522Z level=INFO msg="sub-process exited" argo=true error=<nil>'
    pod(running, "a", [f"{STAMP.format(1)} mine", f"{STAMP.format(2)} {own}", ""])
    assert [line.text for line in backend.logs("run")] == ["mine"]


def test_logs_of_a_node_are_of_what_is_inside_it_too(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    running.kept[W, "run"]["status"]["nodes"] = {"a": {"name": "run.a", "type": "Retry"}}
    for name in ("a(0)", "ab"):
        pod(running, name, [f"{STAMP.format(1)} {name}"])
    assert [line.text for line in backend.logs("run", "run.a")] == ["a(0)"]
    with pytest.raises(NotFound, match=r"no node run\.x"):
        list(backend.logs("run", "run.x"))


@pytest.mark.parametrize("fault", [NotFound("pod is gone"), Rejected("is waiting to start")])
def test_a_pod_that_has_no_log_yet_or_any_more_has_no_lines(
    backend: KubernetesBackend, running: MemoryObjects, fault: Exception
) -> None:
    pod(running, "a", [f"{STAMP.format(1)} one"])
    running.faults["log"] = [fault]
    assert list(backend.logs("run")) == []


def test_followed_logs_give_each_line_once_until_the_end(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    first, second = f"{STAMP.format(1)} one", f"{STAMP.format(2)} two"
    pod(running, "a", [first], status={"phase": "Running"})

    def end() -> None:
        running.texts["pod-a"] = [first, second]
        running.kept[P, "pod-a"]["status"]["phase"] = "Succeeded"
        become(running, "Succeeded")

    running.script = [lambda: None, end]
    assert [line.text for line in backend.logs("run", follow=True)] == ["one", "two"]
    assert running.since == [None, 16, 16]


def test_a_pod_that_was_read_after_its_end_is_read_no_more(
    backend: KubernetesBackend, running: MemoryObjects
) -> None:
    pod(running, "a", [f"{STAMP.format(1)} one"])
    running.script = [lambda: None, lambda: become(running, "Succeeded")]
    assert [line.text for line in backend.logs("run", follow=True)] == ["one"]
    assert running.since == [None]
