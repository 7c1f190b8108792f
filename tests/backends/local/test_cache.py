"""What `memoize` remembers on this machine, between runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.cache import Cache
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.values import Lookup, Remember
from couler_jobs.spec.status import Phase
from tests.backends.workflows import finish, sh, workflow


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    home = Home(tmp_path)
    return Cache(home, Store(home.database))


def put(cache: Cache, key: str, value: str = "1", name: str = "c", at: float = 5.0) -> None:
    found = Remember(node=f"n-{key}", cache=name, key=key, outputs={"parameters": {"v": value}})
    write, tidy = cache.prepare("uid", [found], at)
    cache._store.write(write)
    tidy()


def get(cache: Cache, key: str, name: str = "c") -> Any:
    (answer,) = cache.answers("uid-2", [Lookup(node="n", cache=name, key=key)])
    return None if answer.outputs is None else answer.outputs["parameters"]["v"]


def test_an_entry_is_found_by_its_cache_and_key(cache: Cache) -> None:
    put(cache, "k")
    assert (get(cache, "k"), get(cache, "other"), get(cache, "k", "other")) == ("1", None, None)


def test_the_last_writer_wins(cache: Cache) -> None:
    put(cache, "k", "1")
    put(cache, "k", "2")
    assert get(cache, "k") == "2"
    assert len(cache.entries()) == 1


def test_entries_are_listed_newest_first_with_size_and_times(cache: Cache) -> None:
    put(cache, "a", at=1)
    put(cache, "b", name="d", at=2)
    get(cache, "a")
    newest, oldest = cache.entries()
    assert (newest.cache, newest.key, newest.node, newest.created_at) == ("d", "b", "n-b", 2)
    assert oldest.last_hit_at > oldest.created_at
    assert oldest.size == len('{"parameters": {"v": "1"}}')
    assert [entry.key for entry in cache.entries("d")] == ["b"]


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({}, []),
        ({"cache": "c"}, ["z"]),
        ({"cache": "c", "key": "a"}, ["b", "z"]),
        ({"older_than": 0.0}, []),
        ({"older_than": 1e12}, ["a", "b", "z"]),
    ],
)
def test_entries_are_cleared_by_cache_key_and_age(
    cache: Cache, which: dict[str, Any], left: list[str]
) -> None:
    for key, name in (("a", "c"), ("b", "c"), ("z", "d")):
        put(cache, key, name=name)
    assert cache.clear(**which) == 3 - len(left)
    assert sorted(entry.key for entry in cache.entries()) == left


def test_many_that_write_the_same_key_leave_one_whole_entry(cache: Cache, tmp_path: Path) -> None:
    def work(value: str) -> None:
        mine = Cache(Home(tmp_path), Store(Home(tmp_path).database))
        for _ in range(5):
            put(mine, "k", value * 1000)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = get(cache, "k")
    assert len(value) == 1000
    assert len(set(value)) == 1


# --- real runs


def remembering(text: str, **more: Any) -> dict[str, Any]:
    memoize = {"key": "k", "cache": {"configMap": {"name": "c"}}, **more}
    outputs = {
        "parameters": [{"name": "v", "valueFrom": {"path": "v"}}],
        "artifacts": [{"name": "f", "path": "f"}],
    }
    return workflow(sh("a", text, memoize=memoize, outputs=outputs))


def test_a_second_run_takes_the_outputs_of_the_first_which_is_deleted(
    local: LocalBackend, tmp_path: Path
) -> None:
    manifest = remembering(f"echo ran >> {tmp_path}/ran; echo 1 > v; mkdir f; echo 2 > f/x")
    first = finish(local, local.submit(manifest).name)
    local.delete(first.name)
    second = finish(local, local.submit(manifest).name)
    node = second.nodes[f"{second.name}.a"]
    assert second.phase is Phase.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert node.outputs["parameters"] == {"v": "1"}
    assert node.memoization == {"hit": True, "key": "k", "cacheName": "c"}
    kept = local.home.run(second.uid).artifacts / node.outputs["artifacts"]["f"]
    assert (kept / "x").read_text() == "2\n"


def test_what_was_cleared_runs_again_and_leaves_no_files(
    local: LocalBackend, tmp_path: Path
) -> None:
    manifest = remembering(f"echo ran >> {tmp_path}/ran; echo 1 > v; echo 2 > f")
    finish(local, local.submit(manifest).name)
    assert local.cache.clear("c") == 1
    assert list(local.home.cache.iterdir()) == []
    finish(local, local.submit(manifest).name)
    assert (tmp_path / "ran").read_text() == "ran\nran\n"


def test_an_entry_whose_files_are_gone_is_a_miss(local: LocalBackend, tmp_path: Path) -> None:
    manifest = remembering(f"echo ran >> {tmp_path}/ran; echo 1 > v; echo 2 > f")
    finish(local, local.submit(manifest).name)
    for folder in local.home.cache.iterdir():
        (folder / "f").unlink()
    finish(local, local.submit(manifest).name)
    assert (tmp_path / "ran").read_text() == "ran\nran\n"
