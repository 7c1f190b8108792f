"""Which steps of a big graph go together: names with their predecessors -> parts of it. Pure.

A part may wait for all of another part where one of its steps waits for one of the other's. So
parts that know nothing of each other are cut apart first, and then levels: nothing waits for its
own followers, and the parts of one level run at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from couler_jobs.spec import graph as order

Graph = Mapping[str, Sequence[str]]


def partition(graph: Graph, *, most: int, room: int) -> list[list[str]]:
    """The nodes in parts of at most `most`, if possible in no more than `room` parts.

    No two parts wait for each other. The graph has no cycle, and every predecessor is a node.
    """
    nodes = order.order(graph)
    parts = list(_packed(_components(graph, nodes), graph, most))
    if len(parts) <= room:
        return parts
    ordered = [node for level in _levels(graph, nodes) for node in level]
    return [ordered[start : start + most] for start in range(0, len(ordered), most)]


def _packed(components: list[list[str]], graph: Graph, most: int) -> Iterator[list[str]]:
    """Small components several together, big ones by levels."""
    together: list[str] = []
    for component in components:
        if len(component) > most:
            yield from _by_levels(component, graph, most)
        elif len(together) + len(component) > most:
            yield together
            together = list(component)
        else:
            together += component
    if together:
        yield together


def _by_levels(component: list[str], graph: Graph, most: int) -> Iterator[list[str]]:
    """Thin levels several together, a wide one in pieces of one size."""
    together: list[str] = []
    for level in _levels(graph, component):
        if together and len(together) + len(level) > most:
            yield together
            together = []
        if len(level) > most:
            yield from _pieces(level, most)
        else:
            together += level
    if together:
        yield together


def _pieces(level: list[str], most: int) -> Iterator[list[str]]:
    count = -(-len(level) // most)
    cuts = [len(level) * index // count for index in range(count + 1)]
    yield from (level[start:end] for start, end in pairwise(cuts))


def _levels(graph: Graph, nodes: Sequence[str]) -> list[list[str]]:
    """The nodes, given in order, by how many others they wait for one after another."""
    depth: dict[str, int] = {}
    levels: list[list[str]] = []
    for node in nodes:
        depth[node] = max(map(depth.__getitem__, graph[node]), default=-1) + 1
        if depth[node] == len(levels):
            levels.append([])
        levels[depth[node]].append(node)
    return levels


def _components(graph: Graph, nodes: Sequence[str]) -> list[list[str]]:
    """The nodes, given in order, that are connected: each component in order."""
    if sum(not graph[node] for node in nodes) == 1:  # all follow the one beginning
        return [list(nodes)]
    root: dict[str, str] = {}

    def top(node: str) -> str:
        while root[node] != node:
            root[node] = node = root[root[node]]
        return node

    for node in nodes:
        first, *others = graph[node] or (node,)
        root[node] = node if first == node else top(first)
        for other in others:
            root[top(other)] = root[node]
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(top(node), []).append(node)
    return list(found.values())
