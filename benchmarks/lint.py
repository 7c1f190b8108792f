"""How long lint takes on big DAGs, against `json.dumps` of the same manifest. Processor time."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from couler_jobs.compiler.lint import lint

ROUNDS = 7
BUDGET = 0.1
"""Seconds that 5,000 tasks may take."""


def task(number: int) -> dict[str, Any]:
    """A task that uses the result of the one before it."""
    value = f"{{{{tasks.t{number - 1}.outputs.result}}}}" if number else "first"
    made: dict[str, Any] = {
        "name": f"t{number}",
        "template": "echo",
        "arguments": {"parameters": [{"name": "m", "value": value}]},
    }
    return {**made, "depends": f"t{number - 1}.Succeeded"} if number else made


def manifest(size: int, width: int) -> dict[str, Any]:
    """`size` tasks in DAGs of `width`, called by one DAG."""
    names = [f"part{number}" for number in range(size // width)]
    parts = [{"name": name, "dag": {"tasks": [task(i) for i in range(width)]}} for name in names]
    main = {"name": "main", "dag": {"tasks": [{"name": name, "template": name} for name in names]}}
    echo = {
        "name": "echo",
        "inputs": {"parameters": [{"name": "m"}]},
        "container": {"image": "x", "command": ["echo", "{{inputs.parameters.m}}"]},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "big"},
        "spec": {"entrypoint": "main", "templates": [main, *parts, echo]},
    }


def best(work: Callable[[], object]) -> float:
    """The quickest of some rounds, in seconds of processor time."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    """Print one line a size; with --check, fail where 5,000 tasks take longer than the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for size, width, target in ((1000, 200, "4.1"), (5000, 200, "4.1"), (5000, 5000, "3.7")):
        made = manifest(size, width)
        assert not any(found.severity == "error" for found in lint(made, target))
        seconds, floor = best(partial(lint, made, target)), best(partial(json.dumps, made))
        print(f"{size:6} tasks, {target}: {seconds * 1000:6.1f} ms, {seconds / floor:5.1f} x json")
        if check and size == 5000 and seconds > BUDGET:
            raise SystemExit(f"{size} tasks took {seconds:.3f} s; the budget is {BUDGET} s.")


if __name__ == "__main__":
    main()
