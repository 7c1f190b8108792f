"""What waits for what in a DAG template."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from couler_jobs.spec.expressions import (
    DEFAULT_RESULTS,
    Condition,
    Logic,
    Result,
    read_depends,
    tasks,
)

Task = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """The tasks of a DAG. `conditions` has those that wait; `targets` decide how it ends."""

    tasks: Mapping[str, Task]
    conditions: Mapping[str, Condition]
    targets: tuple[str, ...]

    @functools.cached_property
    def dependencies(self) -> Mapping[str, tuple[str, ...]]:
        """The tasks that each task waits for."""
        return {
            name: tasks(self.conditions[name]) if name in self.conditions else ()
            for name in self.tasks
        }

    @functools.cached_property
    def order(self) -> tuple[str, ...]:
        """The tasks that the targets need, and the targets, each after those it waits for."""
        done: dict[str, None] = {}
        waiting = [(name, False) for name in reversed(self.targets)]
        while waiting:
            name, ready = waiting.pop()
            if ready:
                done[name] = None
            elif name not in done:
                waiting.append((name, True))
                waiting += ((d, False) for d in reversed(self.dependencies[name]) if d not in done)
        return tuple(done)

    @functools.cached_property
    def dependents(self) -> Mapping[str, list[str]]:
        """The tasks that wait for each task."""
        found: dict[str, list[str]] = {name: [] for name in self.tasks}
        needed = frozenset(self.order)
        for name in self.tasks:
            for dependency in self.dependencies[name] if name in needed else ():
                found[dependency].append(name)
        return found

    @functools.cached_property
    def _ancestors(self) -> Mapping[str, int]:
        """For each task a number whose bits are the places of its ancestors."""
        place = {name: at for at, name in enumerate(self.tasks)}
        bits: dict[str, int] = {}
        for name in self.order:
            bits[name] = 0
            for dependency in self.dependencies[name]:
                bits[name] |= bits[dependency] | 1 << place[dependency]
        return bits

    @functools.cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: at for at, name in enumerate(self.tasks)}

    def is_ancestor(self, name: str, of: str) -> bool:
        """Whether one task has to end before another, directly or not."""
        return name in self._places and bool(self._ancestors[of] >> self._places[name] & 1)

    def ancestors(self, of: str) -> tuple[str, ...]:
        """All tasks that have to end before one."""
        return tuple(name for name in self.tasks if self.is_ancestor(name, of))

    def accepts(self, task: str) -> Sequence[str]:
        """The results of a task that a bare name of it in `depends` accepts."""
        on = self.tasks[task].get("continueOn") or {}
        more = [
            result for key, result in (("error", "Errored"), ("failed", "Failed")) if on.get(key)
        ]
        return (*DEFAULT_RESULTS, *more)


def plan_of(dag: Mapping[str, Any]) -> Plan:
    """The plan of a `dag`."""
    by_name = {task["name"]: task for task in dag.get("tasks") or ()}
    conditions = {name: found for name, task in by_name.items() if (found := condition_of(task))}
    if dag.get("target"):
        targets = tuple(str(dag["target"]).split())
    else:
        targets = _leaves(by_name, conditions)
    return Plan(by_name, conditions, targets)


def condition_of(task: Task) -> Condition | None:
    """What a task waits for: its `depends`, or its `dependencies`, or nothing."""
    if task.get("depends"):
        return read_depends(str(task["depends"]))
    names = tuple(Result(name, None) for name in task.get("dependencies") or ())
    return Logic("all", names) if names else None


def _leaves(by_name: Mapping[str, Task], conditions: Mapping[str, Condition]) -> tuple[str, ...]:
    needed = {name for condition in conditions.values() for name in tasks(condition)}
    return tuple(sorted(name for name in by_name if name not in needed))
