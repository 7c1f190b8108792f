"""What is said about parameters that may not do what was meant."""

from __future__ import annotations

import json

import pytest

from couler_jobs.in_pod.parameters import remarks
from tests.in_pod.running import Cell, code, document, markdown


def said(cells: list[Cell], *names: str) -> str:
    return " ".join(remarks(json.dumps(document(cells)).encode(), names))


def test_an_assignment_without_a_tagged_cell_wins() -> None:
    assert said([markdown("x = 1"), "x = 1\ny = 2", "print(x)"], "x", "z") == (
        "The notebook has no cell tagged 'parameters': its own assignment of x wins; tag the cell."
    )


def test_a_parameter_that_the_tagged_cell_does_not_know_is_named() -> None:
    assert said([code("x = 1", "parameters"), "y = 2"], "x", "y") == (
        "The notebook's cell tagged 'parameters' does not assign y: set all the same; "
        "check the spelling if it has no effect."
    )


def test_nothing_is_said_of_parameters_that_are_used_as_they_come() -> None:
    assert said(["print(x)", "  x = 1\nif x == 1: pass"], "x") == ""
    assert said([code("x = 1", "parameters")], "x") == ""
    assert said(["x = 1"]) == ""


@pytest.mark.parametrize(
    "line", ["x=1", "x: int = 1", "x <- 1", "a, x = 1, 2", "(x, a) = 1, 2", "a = 0; x = 1"]
)
def test_assignments_are_seen_in_their_forms(line: str) -> None:
    assert "assignment of x" in said([line], "x")


@pytest.mark.parametrize("line", ["x == 1", "xx = 1", "print(x)", "# x = 1", "y = x", "f(a, x=1)"])
def test_what_only_looks_like_an_assignment_is_none(line: str) -> None:
    assert said([line], "x") == ""
