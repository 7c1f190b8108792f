from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.spec.graph import cycle, order, unknown

Graph = dict[str, list[str]]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"b": ["a"], "a": []}, ["a", "b"]),
        ({"d": ["b", "c"], "c": ["a"], "b": ["a"], "a": []}, ["a", "c", "b", "d"]),
        ({"a": ["a"]}, []),
        ({"a": [], "b": ["c"], "c": ["b"], "d": ["c"]}, ["a"]),
        ({"a": [], "b": ["a", "a"]}, ["a", "b"]),
    ],
)
def test_nodes_come_after_their_predecessors(graph: Graph, expected: list[str]) -> None:
    assert order(graph) == expected


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": [], "b": ["a"]}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ["a", "b", "c", "a"]),
        ({"x": ["b"], "a": ["b"], "b": ["a"]}, ["b", "a", "b"]),
    ],
)
def test_a_cycle_is_told_in_order(graph: Graph, expected: list[str]) -> None:
    assert cycle(graph) == expected


def test_an_unknown_predecessor_is_named_with_its_node() -> None:
    assert unknown({"a": [], "b": ["a", "c"]}) == ("b", "c")
    assert unknown({"a": []}) is None


@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=3)))
def test_every_graph_has_an_order_or_a_cycle(numbers: dict[int, list[int]]) -> None:
    graph = {str(n): [str(p) for p in before if p in numbers] for n, before in numbers.items()}
    ring = cycle(graph)
    assert (len(order(graph)) == len(graph)) == (not ring)
    for before, after in pairwise(ring):
        assert before in graph[after]
