"""Mutexes and semaphores: several runs of one machine really exclude each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.locks import Locks
from couler_jobs.backends.local.references import References
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.backends.local.values import Lock, Locked, Wish
from couler_jobs.spec.status import Phase
from tests.backends.workflows import finish, sh, wait_until, workflow

M = Lock(name="local/Mutex/m")
S = Lock(name="local/ConfigMap/c/k", limit=("c", "k"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(Home(tmp_path).database)
    for uid in ("r1", "r2", "r3"):
        manifest = {"metadata": {"name": uid}, "spec": {}}
        store.add(StoredRun(uid=uid, name=uid, created_at=1, manifest=manifest))
    return store


@pytest.fixture
def locks(store: Store, tmp_path: Path) -> Locks:
    return Locks(store, References(tmp_path))


def take(locks: Locks, uid: str, *wanted: Lock, node: str = "n", priority: int = 0) -> Locked:
    return locks.take(uid, Wish(node=node, locks=wanted, priority=priority))


def release(store: Store, locks: Locks, uid: str) -> None:
    store.write(lambda connection: locks.release(connection, uid, None))


def limit(tmp_path: Path, text: str) -> None:
    (tmp_path / "configmaps" / "c").mkdir(parents=True)
    (tmp_path / "configmaps" / "c" / "k").write_text(text)


def test_a_mutex_is_held_by_one_until_it_is_released(store: Store, locks: Locks) -> None:
    assert take(locks, "r1", M).granted
    refused = take(locks, "r2", M)
    assert not refused.granted
    assert refused.message == "Waiting for local/Mutex/m lock. Lock status: 0/1"
    release(store, locks, "r1")
    assert take(locks, "r2", M).granted


def test_who_holds_a_lock_may_take_it_again(locks: Locks) -> None:
    assert take(locks, "r1", M).granted
    assert take(locks, "r1", M).granted


def test_two_steps_of_one_run_exclude_each_other(locks: Locks) -> None:
    assert take(locks, "r1", M, node="a").granted
    assert not take(locks, "r1", M, node="b").granted


def test_a_semaphore_lets_as_many_in_as_its_config_map_says(locks: Locks, tmp_path: Path) -> None:
    limit(tmp_path, "2\n")
    assert [take(locks, uid, S).granted for uid in ("r1", "r2", "r3")] == [True, True, False]


def test_who_came_first_is_first(store: Store, locks: Locks) -> None:
    for uid in ("r1", "r2", "r3"):
        take(locks, uid, M)
    release(store, locks, "r1")
    assert not take(locks, "r3", M).granted
    assert take(locks, "r2", M).granted


def test_a_higher_priority_goes_before(store: Store, locks: Locks) -> None:
    take(locks, "r1", M)
    take(locks, "r2", M)
    take(locks, "r3", M, priority=1)
    release(store, locks, "r1")
    assert not take(locks, "r2", M).granted
    assert take(locks, "r3", M, priority=1).granted


def test_of_several_locks_all_are_taken_or_none(locks: Locks) -> None:
    other = Lock(name="local/Mutex/o")
    assert take(locks, "r1", M).granted
    assert not take(locks, "r2", other, M).granted
    assert locks.others("r1") == ["r2"]
    assert not take(locks, "r3", other).granted  # r2 came before


def test_a_run_that_ended_somehow_holds_nothing(store: Store, locks: Locks) -> None:
    assert take(locks, "r1", M).granted
    store.end("r1", Phase.ERROR, "killed", 2)
    assert take(locks, "r2", M).granted


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no config map c with the key k"), ("many", "'many'")]
)
def test_a_semaphore_without_a_limit_is_an_error(
    locks: Locks, tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        limit(tmp_path, text)
    answer = take(locks, "r1", S)
    assert not answer.granted
    assert words in answer.error


# --- real runs

_ALONE = "mkdir {0}/held || exit 9; sleep 0.1; rmdir {0}/held"


def test_runs_with_the_same_mutex_run_one_after_another(
    local: LocalBackend, tmp_path: Path
) -> None:
    task = sh("a", _ALONE.format(tmp_path), synchronization={"mutexes": [{"name": "m"}]})
    names = [local.submit(workflow(task, {**task, "name": "b"})).name for _ in range(3)]
    assert [finish(local, name).phase for name in names] == [Phase.SUCCEEDED] * 3


def test_whole_workflows_exclude_each_other_and_say_what_they_wait_for(
    local: LocalBackend, tmp_path: Path
) -> None:
    lock: dict[str, Any] = {"synchronization": {"mutex": {"name": "w"}}}
    waits = f"until test -e {tmp_path}/go; do sleep 0.05; done"
    holder = local.submit(workflow(sh("a", waits), **lock))
    wait_until(local, holder.name, lambda run: run.phase is Phase.RUNNING and bool(run.nodes))
    waiter = local.submit(workflow(sh("a", "true"), **lock))
    seen = wait_until(local, waiter.name, lambda run: bool(run.message))
    assert (seen.phase, seen.message) == (
        Phase.PENDING,
        "Waiting for local/Mutex/w lock. Lock status: 0/1",
    )
    (tmp_path / "go").touch()
    assert finish(local, waiter.name).phase is Phase.SUCCEEDED


def test_a_terminated_run_lets_the_next_one_have_its_lock(
    local: LocalBackend, tmp_path: Path
) -> None:
    lock: dict[str, Any] = {"synchronization": {"mutex": {"name": "w"}}}
    holder = local.submit(workflow(sh("a", "sleep 600"), **lock))
    wait_until(local, holder.name, lambda run: bool(run.nodes))
    waiter = local.submit(workflow(sh("a", "true"), **lock))
    local.terminate(holder.name)
    assert finish(local, waiter.name).phase is Phase.SUCCEEDED
