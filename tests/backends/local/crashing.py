"""`python -m tests.backends.local.crashing`: one workflow, its supervisor killed at every commit.

Prints a JSON line for each choice of points to die at. A point is a number of a commit, and
whether death comes before it (what had happened is lost) or after it (nothing of it is done yet).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from couler_jobs.backends.local import engine, kernel, steps
from couler_jobs.backends.local.home import Home, open_home
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.backends.local.supervisor import attend, guard
from tests.backends.workflows import sh, workflow

_IMPORTED_ONCE = (engine, steps)

Point = tuple[int, bool]
"""Which commit, counted over all supervisors of a run; whether death comes before it."""

_RETRIED: dict[str, Any] = {"limit": 3, "retryPolicy": "Always"}


class Deadly(Store):
    """A store whose process dies at some commits; they are counted in a file."""

    def __init__(self, path: Path, count: Path, points: Iterable[Point]) -> None:
        super().__init__(path, durable=False)
        self._count, self._points = count, set(points)

    def commit(self, *arguments: Any, **more: Any) -> None:
        """Count it, store it, and die where that is due."""
        with self._count.open("ab") as file:
            file.write(b".")
        number = self._count.stat().st_size
        self._die((number, True))
        super().commit(*arguments, **more)
        self._die((number, False))

    def _die(self, point: Point) -> None:
        if point in self._points:
            os.kill(os.getpid(), signal.SIGKILL)


def manifest(folder: Path) -> dict[str, Any]:
    """A step that fails once and is tried again, a loop of two, and an exit handler."""
    note = f"echo {{{{pod.name}}}} >> {folder}/started"
    again = sh("again", f"{note}; test {{{{retries}}}} -gt 0", retryStrategy=_RETRIED)
    loop = sh(
        "loop",
        f"{note}; echo {{{{inputs.parameters.m}}}} >> {folder}/items",
        "again",
        retryStrategy=_RETRIED,
        inputs={"parameters": [{"name": "m"}]},
    )
    bye = sh("bye", f"{note}; echo {{{{workflow.status}}}} >> {folder}/status")
    made = workflow(again, loop, name="crash", onExit="bye")
    made["spec"]["templates"][0]["dag"]["tasks"][1] |= {
        "arguments": {"parameters": [{"name": "m", "value": "{{item}}"}]},
        "withItems": ["x", "y"],
    }
    made["spec"]["templates"].append({"name": "bye", **bye["template"], "retryStrategy": _RETRIED})
    return made


def outcome(folder: Path, points: Sequence[Point]) -> dict[str, Any]:
    """How a run ends whose supervisors die at these points."""
    folder.mkdir()
    home = open_home(folder / "home")
    run = StoredRun(uid="u", name="crash", created_at=time.time(), manifest=manifest(folder))
    _apart(lambda: _submit(home, run))
    home.run("u").root.mkdir(parents=True)
    _apart(lambda: _guarded(home, folder / "count", points))
    return {**_found(home), **_written(folder), "points": list(points)}


def _submit(home: Home, run: StoredRun) -> int:
    store = Store(home.database)
    store.add(run)
    store.close()
    return 0


def _guarded(home: Home, count: Path, points: Sequence[Point]) -> int:
    kernel.adopt_orphans()

    def work() -> int:
        store = Deadly(home.database, count, points)
        attend(home, store, "u")
        return 0

    return guard(work)


def _apart(work: Callable[[], int]) -> None:
    """Do it in a process of its own, which leaves nothing here."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    os.waitpid(child, 0)


def _found(home: Home) -> dict[str, Any]:
    store = Store(home.database)
    run, nodes = store.by_uid("u"), store.nodes("u")
    store.close()
    pods = [node for node in nodes if node.type == "Pod"]
    return {
        "phase": run.phase.value,
        "message": run.message,
        "starts": run.starts,
        "attempts": sorted((node.name, node.phase.value) for node in pods),
        "others": sorted({node.phase.value for node in nodes if node.type != "Pod"}),
    }


def _written(folder: Path) -> dict[str, list[str]]:
    names = ("started", "items", "status")
    files = {name: folder / name for name in names}
    return {n: f.read_text("utf-8").split() if f.exists() else [] for n, f in files.items()}


def choices(commits: int, pairs: int) -> Iterator[list[Point]]:
    """No death, then one at every point, then that many pairs of deaths, always the same."""
    yield []
    points = list(itertools.product(range(1, commits + 1), (True, False)))
    yield from ([point] for point in points)
    later = [list(pair) for pair in itertools.combinations(points, 2)]
    yield from random.Random(58).sample(later, pairs)


def main(folder: Path, pairs: int) -> None:
    """Print what becomes of every choice; how many commits there are is learnt from the first."""
    outcome(folder / "measure", [])
    commits = (folder / "measure" / "count").stat().st_size
    for number, points in enumerate(choices(commits, pairs)):
        print(json.dumps(outcome(folder / str(number), points)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
