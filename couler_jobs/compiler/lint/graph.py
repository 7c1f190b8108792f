"""Graphs of tasks: order, cycles, and who comes before whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property


def find_cycle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """One cycle as the names along it, the first again at the end; empty where there is none."""
    if len(in_order(graph)) == len(graph):
        return []
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        trail: list[str] = [start]
        on_trail = {start}
        waiting = [iter(graph[start])]
        while waiting:
            following = next((name for name in waiting[-1] if name in graph), None)
            if following is None:
                waiting.pop()
                done.add(trail[-1])
                on_trail.discard(trail.pop())
            elif following in on_trail:
                return [*trail[trail.index(following) :], following]
            elif following not in done:
                trail.append(following)
                on_trail.add(following)
                waiting.append(iter(graph[following]))
    return []


def in_order(graph: Mapping[str, Collection[str]]) -> list[str]:
    """The names so that each comes after all it needs; those on or behind a cycle are left out."""
    waits: dict[str, int] = {}
    needed_by: dict[str, list[str]] = {}
    for name, needs in graph.items():
        known = {need for need in needs if need in graph}
        waits[name] = len(known)
        for need in known:
            needed_by.setdefault(need, []).append(name)
    order = [name for name, count in waits.items() if not count]
    for name in order:
        for following in needed_by.get(name, ()):
            waits[following] -= 1
            if not waits[following]:
                order.append(following)
    return order


class Ancestors:
    """Who comes before whom, as one whole number a name whose bits are the names before it."""

    def __init__(self, graph: Mapping[str, Collection[str]]) -> None:
        self._graph = graph

    def has(self, name: str, other: str) -> bool:
        """Whether `other` comes before `name`."""
        if other in self._graph.get(name, ()):
            return True
        bit = self._bits.get(other)
        return bit is not None and bool(self._before.get(name, 0) & bit)

    @cached_property
    def _bits(self) -> dict[str, int]:
        return {name: 1 << index for index, name in enumerate(self._graph)}

    @cached_property
    def _before(self) -> dict[str, int]:
        before: dict[str, int] = {}
        for name in in_order(self._graph):
            before[name] = self._joined(self._graph[name], before)
        return before

    def _joined(self, needs: Iterable[str], before: Mapping[str, int]) -> int:
        joined = 0
        for need in needs:
            joined |= self._bits.get(need, 0) | before.get(need, 0)
        return joined
