"""The database: what is committed stays, what is locked is waited for, what is broken is named."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.identity import Identity, own
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun, node_from, plain_node
from couler_jobs.backends.local.values import Decision, Request
from couler_jobs.errors import AlreadyExists, NotFound, Unavailable
from couler_jobs.spec.status import NodeInfo, Phase

DEAD = Identity(pid=1, started=-1, boot="another")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def run(name: str, created_at: float = 1.0, **metadata: Any) -> StoredRun:
    manifest = {"metadata": {"name": name, **metadata}, "spec": {}}
    return StoredRun(uid=f"uid-{name}", name=name, created_at=created_at, manifest=manifest)


def node(name: str, phase: Phase = Phase.RUNNING, **fields: Any) -> NodeInfo:
    return NodeInfo(name=name, display_name=name, type="Pod", phase=phase, **fields)


def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    store.add(run("a", labels={"x": "y"}))
    assert store.find("a") == store.by_uid("uid-a") == run("a", labels={"x": "y"})


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="named nobody"):
        store.find("nobody")
    with pytest.raises(NotFound, match="uid nothing"):
        store.by_uid("nothing")
    assert store.revision("nothing") is None


def test_of_many_that_add_the_same_name_one_wins(path: Path) -> None:
    def add(number: int) -> bool:
        store = Store(path)
        manifest = {"metadata": {"name": "same"}, "spec": {}}
        try:
            store.add(StoredRun(uid=str(number), name="same", created_at=number, manifest=manifest))
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(24))) == 1


def test_pages_are_newest_first_and_leave_nothing_out(store: Store) -> None:
    for number in range(7):
        store.add(run(f"r{number}", created_at=number // 2))
    seen: list[StoredRun] = []
    while page := store.page(
        {}, after=(seen[-1].created_at, seen[-1].uid) if seen else None, size=2
    ):
        seen += page
    assert [found.name for found in seen] == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]


def test_only_runs_that_carry_all_the_labels_are_found(store: Store) -> None:
    store.add(run("both", labels={"a": "1", "b": "2"}))
    store.add(run("one", labels={"a": "1"}))
    found = store.page({"a": "1", "b": "2"}, after=None, size=10)
    assert [each.name for each in found] == ["both"]


def test_a_node_comes_back_as_it_was() -> None:
    whole = node(
        "n",
        Phase.FAILED,
        id="i",
        message="m",
        template_name="t",
        inputs={"p": "é"},
        outputs={"result": "r", "parameters": {"q": ""}},
        started_at=MOMENT,
        finished_at=MOMENT,
        boundary="b",
        children=("c", "d"),
    )
    assert node_from(plain_node(whole)) == whole
    assert node_from(plain_node(node("n"))) == node("n")


def test_a_decision_is_stored_at_one_stroke(store: Store) -> None:
    store.add(run("a"))
    store.ask("uid-a", Request(action="suspend", at=1.0), suspended=True)
    [(number, request)] = store.requests("uid-a")
    assert request == Request(action="suspend", at=1.0)
    before = store.revision("uid-a")
    decision = Decision(changed=(node("x"), node("y")), outputs={"o": "1"}, message="m")
    store.commit("uid-a", decision, 5.0, [number])
    stored = store.find("a")
    assert store.requests("uid-a") == []
    assert [found.name for found in store.nodes("uid-a")] == ["x", "y"]
    assert (stored.phase, stored.message, stored.outputs) == (Phase.RUNNING, "m", {"o": "1"})
    assert (stored.suspended, stored.finished_at) == (True, None)
    assert stored.revision == (before or 0) + 1


def test_a_changed_node_keeps_its_place(store: Store) -> None:
    store.add(run("a"))
    store.commit("uid-a", Decision(changed=(node("x"), node("y"))), 1.0)
    store.commit("uid-a", Decision(changed=(node("x", Phase.SUCCEEDED),)), 2.0)
    assert [(n.name, n.phase.value) for n in store.nodes("uid-a")] == [
        ("x", "Succeeded"),
        ("y", "Running"),
    ]


def test_the_last_decision_sets_the_end(store: Store) -> None:
    store.add(run("a"))
    store.commit("uid-a", Decision(phase=Phase.SUCCEEDED), 9.0)
    assert store.find("a").finished_at == 9.0


def test_only_one_supervisor_has_a_run(store: Store) -> None:
    store.add(run("a"))
    claimed = store.claim("uid-a", own(), None)
    assert claimed
    assert (claimed.starts, claimed.phase) == (1, Phase.RUNNING)
    assert store.find("a").supervisor == claimed.supervisor == own()
    assert store.claim("uid-a", own(), None) is None


def test_a_dead_supervisors_run_can_be_claimed(store: Store) -> None:
    store.add(run("a"))
    store.claim("uid-a", DEAD, DEAD)
    again = store.claim("uid-a", own(), None)
    assert again
    assert (again.starts, again.supervisor) == (2, own())


def test_an_ended_or_forgotten_run_cannot_be_claimed(store: Store) -> None:
    store.add(run("a"))
    store.end("uid-a", Phase.ERROR, "over", 2.0)
    assert store.claim("uid-a", own(), None) is None
    store.delete("uid-a")
    assert store.claim("uid-a", own(), None) is None


def test_ending_a_run_ends_its_nodes_and_a_final_state_stays(store: Store) -> None:
    store.add(run("a"))
    store.commit("uid-a", Decision(changed=(node("x"), node("y", Phase.SUCCEEDED))), 1.0)
    store.end("uid-a", Phase.ERROR, "over", 2.0)
    store.end("uid-a", Phase.FAILED, "later", 3.0)
    stored = store.find("a")
    assert (stored.phase, stored.message, stored.finished_at) == (Phase.ERROR, "over", 2.0)
    assert [(n.phase.value, n.message) for n in store.nodes("uid-a")] == [
        ("Error", "over"),
        ("Succeeded", ""),
    ]


def test_a_stop_that_came_too_late_is_not_for_the_retry(store: Store) -> None:
    store.add(run("a"))
    store.ask("uid-a", Request(action="stop", at=1.0), shutdown="Stop")
    store.end("uid-a", Phase.FAILED, "", 2.0)
    store.restart("uid-a", [], 3.0)
    assert store.requests("uid-a") == []


def test_a_deleted_run_leaves_nothing(store: Store, path: Path) -> None:
    store.add(run("a", labels={"x": "y"}))
    store.commit("uid-a", Decision(changed=(node("x"),)), 1.0)
    store.ask("uid-a", Request(action="stop", at=1.0))
    store.delete("uid-a")
    store.delete("uid-a")
    connection = sqlite3.connect(path)
    for table in ("runs", "labels", "nodes", "requests"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


def test_a_lock_is_waited_for(store: Store, path: Path) -> None:
    holder = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, holder.execute, ["COMMIT"])
    timer.start()
    store.add(run("a"))
    timer.join()
    holder.close()
    assert store.find("a").name == "a"


def test_a_lock_that_stays_is_named(path: Path) -> None:
    store = Store(path, patience=0.3)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"runs\.sqlite.*locked.*try again"):
        store.add(run("a"))
    assert time.monotonic() - began < 5
    holder.close()


def test_many_writers_lose_nothing(path: Path) -> None:
    def write(number: int) -> None:
        store = Store(path, durable=False)
        store.add(run(f"r{number}", created_at=number))
        for step in range(10):
            store.commit(f"uid-r{number}", Decision(changed=(node(f"n{step}"),)), 1.0)
        store.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    store = Store(path)
    assert [len(store.nodes(f"uid-r{number}")) for number in range(6)] == [10] * 6


def test_a_full_disk_is_named_and_leaves_no_half_transaction(path: Path) -> None:
    store = Store(path, patience=0.2, durable=False)
    store.add(run("a"))
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    big = Decision(changed=tuple(node(f"n{n}", message="x" * 500) for n in range(200)))
    with pytest.raises(Unavailable, match=r"is full \(\d+ bytes free\): free some space"):
        store.commit("uid-a", big, 1.0)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert store.nodes("uid-a") == ()
    store.commit("uid-a", big, 1.0)
    assert len(store.nodes("uid-a")) == 200
    store.close()


def test_a_damaged_database_is_named(path: Path) -> None:
    path.write_bytes(b"this is no database, it is a text" * 100)
    with pytest.raises(Unavailable, match=r"damaged.*Move it away"):
        Store(path)
