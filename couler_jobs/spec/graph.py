"""The order of a graph: each node's predecessors by name -> an order, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

Graph = Mapping[str, Collection[str]]


def names_of(terms: tuple[str, ...]) -> tuple[str, ...]:
    """The nodes that terms of a `depends` are about: `name`, or `name.Failed` and the like."""
    if "." not in "".join(terms):
        return terms
    return tuple(dict.fromkeys(term.partition(".")[0] for term in terms))


def is_ordered(graph: Graph) -> bool:
    """Whether each node is given after its predecessors: so nothing is unknown, and no cycle."""
    before: set[str] = set()
    for node, predecessors in graph.items():
        if not before.issuperset(predecessors):
            return False
        before.add(node)
    return True


def unknown(graph: Mapping[str, Iterable[str]]) -> tuple[str, str] | None:
    """The first (node, predecessor) whose predecessor is no node of the graph."""
    for node, predecessors in graph.items():
        for predecessor in predecessors:
            if predecessor not in graph:
                return node, predecessor
    return None


def order(graph: Graph) -> list[str]:
    """The nodes, each after its predecessors, otherwise as given; those in or after a cycle lack.

    Linear in nodes and edges; every predecessor has to be a node of the graph.
    """
    if is_ordered(graph):
        return list(graph)
    waiting = {node: len(predecessors) for node, predecessors in graph.items()}
    followers: dict[str, list[str]] = {node: [] for node in graph}
    for node, predecessors in graph.items():
        for predecessor in predecessors:
            followers[predecessor].append(node)
    ready = [node for node, count in waiting.items() if not count]
    for node in ready:  # grows while it is read
        for follower in followers[node]:
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    return ready


def cycle(graph: Graph) -> list[str]:
    """The nodes of one cycle, in order, the first one again at the end; empty if there is none."""
    ordered = set(order(graph))
    rest = [node for node in graph if node not in ordered]
    if not rest:
        return []
    path: dict[str, int] = {}
    node = rest[0]
    while node not in path:
        path[node] = len(path)
        node = next(one for one in graph[node] if one not in ordered)
    found = [*list(path)[path[node] :], node]
    return found[::-1]
