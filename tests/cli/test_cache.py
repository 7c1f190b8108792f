"""`couler-jobs cache`, over the results of memoized steps in a state folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.cache import Cache
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.values import Remember
from couler_jobs.cli import main

Output = pytest.CaptureFixture[str]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Three entries in two caches, of 1970-01-01T00:00:01Z and the two seconds after it."""
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path))
    backend = LocalBackend(tmp_path)
    for at, (name, key) in enumerate([("a", "x"), ("a", "y"), ("b", "x")], start=1):
        found = Remember(node="n", cache=name, key=key, outputs={"result": "1"})
        write, tidy = backend.cache.prepare("uid", [found], at)
        backend._store.write(write)
        tidy()
    return backend.cache


def names(cache: Cache) -> list[tuple[str, str]]:
    return [(entry.cache, entry.key) for entry in cache.entries()]


def test_entries_are_listed_newest_first(cache: Cache, capsys: Output) -> None:
    assert main(["cache", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["b", "x", "1970-01-01T00:00:03Z"],
        ["a", "y", "1970-01-01T00:00:02Z"],
        ["a", "x", "1970-01-01T00:00:01Z"],
    ]


def test_one_cache_is_listed_as_json(cache: Cache, capsys: Output) -> None:
    assert main(["cache", "list", "b", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    wanted = {"cache": "b", "key": "x", "run": "uid", "created_at": "1970-01-01T00:00:03Z"}
    assert entry.items() >= wanted.items()


@pytest.mark.parametrize(
    ("arguments", "words", "left"),
    [
        ([], "3 results forgotten", []),
        (["a"], "2 results forgotten", [("b", "x")]),
        (["a", "--key", "x"], "1 result forgotten", [("b", "x"), ("a", "y")]),
        (["--older-than", "1"], "3 results forgotten", []),
    ],
)
def test_what_fits_is_forgotten_and_counted(
    arguments: list[str], words: str, left: list[Any], cache: Cache, capsys: Output
) -> None:
    assert main(["cache", "clear", *arguments]) == 0
    assert capsys.readouterr().out.strip() == words
    assert names(cache) == left


def test_a_cache_that_nobody_knows_is_not_found(cache: Cache, capsys: Output) -> None:
    assert main(["cache", "clear", "c"]) == 3
    assert "No step has left a result in a cache 'c'" in capsys.readouterr().err
    assert len(names(cache)) == 3


def test_the_number_forgotten_is_json_for_another_program(cache: Cache, capsys: Output) -> None:
    assert main(["cache", "clear", "--json", "a"]) == 0
    assert json.loads(capsys.readouterr().out) == {"forgotten": 2}
