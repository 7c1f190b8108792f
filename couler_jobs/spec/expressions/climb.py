"""Operands and operators grouped by their strength, as expr-lang's own parser groups them."""

from __future__ import annotations

from typing import Any

from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.nodes import Binary, Node, Unary

_STRENGTH = {
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", ">=", "<="), 20),
    **dict.fromkeys(("in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_PREFIX_STRENGTH = {"not": 50, "!": 50, "-": 90, "+": 90}
_RIGHT = ("**", "^")
_ORDERED = ("<", ">", "<=", ">=")


class Climber:
    """Groups a flat list of operands and operators by their strength."""

    def __init__(self, items: list[Any]) -> None:
        self._items, self._at = items, 0

    def climb(self, least: int) -> Node:
        """The operand at the cursor with everything that binds to it at least this strongly."""
        left, before = self._operand(), ""
        while (found := self._operator(least)) is not None:
            kind, operator = found
            if kind == "pipe":
                left, before = operator(left), "|"
                continue
            if before == "??" and operator != "??":
                raise ExpressionError(
                    f"Operator ({operator}) and coalesce expressions (??) cannot be mixed. "
                    "Wrap either by parentheses."
                )
            left, before = self._join(left, kind, operator), operator
        return left

    def _operand(self) -> Node:
        kind, value = self._items[self._at]
        self._at += 1
        if kind == "prefix":
            return Unary(str(value), self.climb(_PREFIX_STRENGTH[value]), _place(value))
        node: Node = value
        return node

    def _operator(self, least: int) -> tuple[str, Any] | None:
        if self._at >= len(self._items):
            return None
        kind, operator = self._items[self._at]
        if (0 if kind == "pipe" else _STRENGTH[operator]) < least:
            return None
        self._at += 1
        return kind, operator

    def _join(self, left: Node, kind: str, operator: str) -> Node:
        strength = _STRENGTH[operator]
        right = self.climb(strength if operator in _RIGHT else strength + 1)
        joined: Node = Binary(str(operator), left, right, _place(operator))
        if operator in _ORDERED:
            joined = self._chained(joined, right, strength)
        return Unary("not", joined) if kind == "negated" else joined

    def _chained(self, joined: Node, middle: Node, strength: int) -> Node:
        """`a < b < c` reads as `a < b and b < c`."""
        while self._at < len(self._items) and self._items[self._at][1] in _ORDERED:
            operator = self._items[self._at][1]
            self._at += 1
            right = self.climb(strength + 1)
            joined, middle = Binary("&&", joined, Binary(str(operator), middle, right)), right
        return joined


def _place(operator: Any) -> int | None:
    """Where an operator stands in the text, if the grammar kept it."""
    place: int | None = getattr(operator, "start_pos", None)
    return place
