"""What a call passes before it begins: locks and the cache, decided without either."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.backends.local.engine.gate import locks_of
from couler_jobs.backends.local.values import Cached
from couler_jobs.spec.status import Phase
from tests.backends.local.driving import RUN, Drive, dag, script, step, steps, workflow

MUTEX = {"synchronization": {"mutexes": [{"name": "m"}]}}
WAITS = "Waiting for local/Mutex/m lock. Lock status: 0/1"


def memo(**more: Any) -> dict[str, Any]:
    return {"memoize": {"key": "k", "cache": {"configMap": {"name": "c"}}, **more}}


def remembered(created_at: float = 0) -> dict[tuple[str, str], Cached]:
    outputs = {"parameters": {"v": "old"}}
    return {("c", "k"): Cached(node="", at=0, outputs=outputs, created_at=created_at)}


# --- the cache


def test_what_is_not_remembered_runs_and_is_remembered_when_it_succeeded() -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **memo())))
    assert drive.nodes[RUN + "[0].a"].memoization == {"hit": False, "key": "k", "cacheName": "c"}
    drive.end("[0].a", result="1")
    assert drive.cache["c", "k"].outputs == {"result": "1", "exitCode": "0"}


def test_what_is_remembered_does_not_run() -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **memo())), cache=remembered())
    node = drive.nodes[RUN + "[0].a"]
    assert drive.started() == []
    assert drive.decision.phase is Phase.SUCCEEDED
    assert (node.type, node.outputs) == ("Pod", {"parameters": {"v": "old"}})
    assert node.memoization == {"hit": True, "key": "k", "cacheName": "c"}


def test_what_failed_is_not_remembered() -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **memo())))
    drive.end("[0].a", 1)
    assert drive.cache == {}


@pytest.mark.parametrize(("age", "runs"), [("10s", True), ("1m", False), ("", False)])
def test_what_is_older_than_max_age_runs_again(age: str, runs: bool) -> None:
    manifest = workflow(
        steps([step("wait", "pause")], [step("a", "m")]),
        script("m", **memo(maxAge=age)),
        {"name": "pause", "suspend": {"duration": "30s"}},
    )
    drive = Drive(manifest, cache=remembered())
    drive.tick(at=30)
    assert ("[1].a" in drive.started()) is runs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "no good"}, "invalid cache key: no good"),
        ({"key": ""}, "invalid cache key: "),
        ({"maxAge": "10"}, 'invalid maxAge: time: missing unit in duration "10"'),
        ({"maxAge": "soon"}, 'invalid maxAge: time: invalid duration "soon"'),
    ],
)
def test_what_cannot_be_looked_up_is_an_error(change: dict[str, str], message: str) -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **memo(**change))))
    assert drive.phase("[0].a") is Phase.ERROR
    assert drive.message("[0].a") == message
    assert drive.decision.phase is Phase.FAILED


def test_a_step_with_retries_is_remembered_once_as_a_whole() -> None:
    manifest = workflow(steps([step("a", "m")]), script("m", retryStrategy={"limit": 2}, **memo()))
    drive = Drive(manifest)
    drive.end("[0].a(0)", 1)
    drive.end("[0].a(1)", result="2")
    assert drive.cache["c", "k"].outputs["result"] == "2"  # type: ignore[index]
    again = Drive(manifest, cache=drive.cache)
    assert again.phases() == {"": "Succeeded", "[0]": "Succeeded", "[0].a": "Succeeded"}
    assert again.nodes[RUN + "[0].a"].type == "Retry"


@pytest.mark.parametrize("body", [steps([step("x")]), dag(step("x"))])
def test_whole_steps_and_dags_are_remembered(body: dict[str, Any]) -> None:
    manifest = workflow(steps([step("a", "m")]), {"name": "m", **body, **memo()})
    drive = Drive(manifest)
    drive.all()
    assert drive.decision.phase is Phase.SUCCEEDED
    again = Drive(manifest, cache=drive.cache)
    assert (again.started(), again.decision.phase) == ([], Phase.SUCCEEDED)


def test_a_missed_step_that_outlived_its_supervisor_is_still_remembered() -> None:
    manifest = workflow(steps([step("a", "m")]), script("m", **memo()))
    first = Drive(manifest)
    second = Drive(manifest, nodes=list(first.nodes.values()))
    second.end("[0].a", result="1")
    assert ("c", "k") in second.cache


def test_a_lookup_counts_for_parallelism() -> None:
    manifest = workflow(
        steps([step("a", "m"), step("b", "m")]), script("m", **memo()), parallelism=1
    )
    drive = Drive(manifest)
    assert drive.started() == ["[0].a"]
    drive.end("[0].a")
    assert drive.decision.phase is Phase.SUCCEEDED  # b found what a left


# --- locks


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"mutex": {"name": "m"}}, ["ns/Mutex/m"]),
        ({"mutexes": [{"name": "a"}]}, ["ns/Mutex/a"]),
        ({"mutexes": [{"name": "b", "namespace": "o"}]}, ["o/Mutex/b"]),
        (
            {"semaphore": {"configMapKeyRef": {"name": "c", "key": "k"}}, "mutex": {"name": "m"}},
            ["ns/ConfigMap/c/k", "ns/Mutex/m"],
        ),
        (
            {"semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}]},
            ["ns/ConfigMap/c/k"],
        ),
        (None, []),
    ],
)
def test_locks_are_read_in_every_spelling(given: Any, names: list[str]) -> None:
    assert [lock.name for lock in locks_of(given, "ns")] == names


def test_a_step_waits_until_it_has_its_lock_and_gives_it_back() -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **MUTEX)))
    assert (drive.started(), drive.phase("[0].a")) == ([], Phase.PENDING)
    drive.lock("[0].a", message=WAITS)
    assert drive.message("[0].a") == WAITS
    drive.lock("[0].a", granted=True)
    assert (drive.started(), drive.message("[0].a")) == (["[0].a"], "")
    assert "[0].a" in drive.wishes
    drive.end("[0].a")
    assert drive.wishes == {}
    assert drive.decision.phase is Phase.SUCCEEDED


def test_a_lock_that_can_never_be_had_is_an_error() -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **MUTEX)))
    drive.lock("[0].a", error="There is no config map.")
    assert (drive.phase("[0].a"), drive.message("[0].a")) == (
        Phase.ERROR,
        "There is no config map.",
    )


@pytest.mark.parametrize("action", ["stop", "terminate"])
def test_a_step_that_waits_for_a_lock_can_be_stopped(action: str) -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **MUTEX)))
    drive.ask(action)
    assert drive.phase("[0].a") is Phase.FAILED
    assert drive.wishes == {}
    assert drive.decision.phase is Phase.FAILED


def test_the_lock_of_a_retried_step_is_held_over_all_attempts() -> None:
    manifest = workflow(steps([step("a", "m")]), script("m", retryStrategy={"limit": 1}, **MUTEX))
    drive = Drive(manifest)
    drive.lock("[0].a", granted=True)
    drive.end("[0].a(0)", 1)
    assert "[0].a" in drive.wishes
    drive.end("[0].a(1)")
    assert drive.wishes == {}


def test_a_node_that_held_a_lock_before_a_restart_gives_it_back() -> None:
    manifest = workflow(steps([step("a", "m")]), script("m", **MUTEX))
    first = Drive(manifest)
    first.lock("[0].a", granted=True)
    second = Drive(manifest, nodes=list(first.nodes.values()))
    assert second.wishes == {}
    assert second.end("[0].a").released == (f"{RUN}[0].a",)


def test_a_workflow_waits_for_its_own_lock() -> None:
    drive = Drive(workflow(steps([step("a")]), **MUTEX))
    drive.lock("", message=WAITS)
    assert (drive.decision.phase, drive.decision.message) == (Phase.PENDING, WAITS)
    drive.lock("", granted=True)
    assert (drive.decision.phase, drive.started()) == (Phase.RUNNING, ["[0].a"])


def test_a_workflow_that_waits_for_its_lock_can_be_stopped() -> None:
    drive = Drive(workflow(steps([step("a")]), **MUTEX))
    drive.ask("stop")
    assert drive.decision.phase is Phase.FAILED
    assert drive.lock("", granted=True).phase is Phase.FAILED


def test_locks_come_before_the_cache() -> None:
    drive = Drive(
        workflow(steps([step("a", "m")]), script("m", **MUTEX, **memo())), cache=remembered()
    )
    assert drive.phase("[0].a") is Phase.PENDING
    drive.lock("[0].a", granted=True)
    assert drive.decision.phase is Phase.SUCCEEDED
    assert drive.wishes == {}


@pytest.mark.parametrize(("own", "priority"), [({}, 7), ({"priority": 3}, 3)])
def test_a_wish_has_the_priority_of_its_template_or_workflow(own: Any, priority: int) -> None:
    drive = Drive(workflow(steps([step("a", "m")]), script("m", **MUTEX, **own), priority=7))
    assert drive.wishes["[0].a"].priority == priority


@pytest.mark.parametrize(
    ("limits", "at"), [({"timeout": "3s"}, 3), ({"pendingTimeout": "2s", "timeout": "9s"}, 2)]
)
def test_a_step_waits_for_its_lock_no_longer_than_it_may(limits: dict[str, str], at: float) -> None:
    drive = Drive(workflow(dag(step("a", "m")), script("m", **MUTEX, **limits)))
    drive.lock(".a", message=WAITS)
    assert drive.tick(at=at - 1).released == ()
    assert drive.tick(at=at).released == (f"{RUN}.a",)
    assert (drive.phase(".a"), drive.message(".a")) == (Phase.FAILED, "timeout")
    assert drive.decision.phase is Phase.FAILED


def test_a_step_that_has_its_lock_is_not_late() -> None:
    limited = script("m", **MUTEX, pendingTimeout="2s")
    drive = Drive(workflow(dag(step("a", "m")), limited))
    drive.lock(".a", granted=True)
    drive.tick(at=5)
    assert drive.phase(".a") is Phase.RUNNING
