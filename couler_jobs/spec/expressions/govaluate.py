"""`when` without `{{=...}}`: what govaluate makes of the text once the tags are replaced.

A bare word is a text there (`heads == heads`), two quoted numbers compare as texts, and a blank, a
dash or nothing at all in a value changes the meaning or fails. The sentences are govaluate's, as
Argo puts them into the node's message. It is read by hand, not by lark: which token a sign becomes,
and what a wrong one is called, depends on the token before it.
"""

from __future__ import annotations

import functools
import math
import operator as python
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import couler_jobs.spec.expressions.gotext as gotext
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.evaluate import pattern
from couler_jobs.spec.expressions.when_tokens import SYMBOLS, Token, check, tokens_of


def should_run(when: str) -> bool:
    """Whether a step with this `when` runs. An empty one says yes."""
    if not when:
        return True
    tokens = tokens_of(when)
    words = [replace(t, kind="STRING") if t.kind == "VARIABLE" else t for t in tokens]
    try:
        check(words)
    except ExpressionError as error:
        raise ExpressionError(f"Failed to parse 'when' expression '{when}': {error}") from None
    try:
        value = _Reader(words).value()
    except ExpressionError as error:
        raise ExpressionError(f"Failed to evaluate 'when' expresion '{when}': {error}") from None
    if not isinstance(value, bool):
        shown = gotext.text(value)
        raise ExpressionError(f"Expected boolean evaluation for '{when}'. Got {shown}")
    return value


_NUMBER_MODIFIERS: Mapping[str, Callable[[float, float], float]] = {
    "-": python.sub,
    "*": python.mul,
    "/": lambda a, b: a / b if b else math.copysign(math.inf, a) if a else math.nan,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "**": lambda a, b: float(a**b),
    "&": lambda a, b: float(int(a) & int(b)),
    "|": lambda a, b: float(int(a) | int(b)),
    "^": lambda a, b: float(int(a) ^ int(b)),
    ">>": lambda a, b: float(int(a) >> int(b)),
    "<<": lambda a, b: float(int(a) << min(int(b), 63)),
}
_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": python.gt,
    ">=": python.ge,
    "<": python.lt,
    "<=": python.le,
}
_LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("SEPARATOR", (",",)),
    ("TERNARY", ("?", ":", "??")),
    ("LOGICALOP", ("||",)),
    ("LOGICALOP", ("&&",)),
    ("COMPARATOR", ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in")),
    ("MODIFIER", ("^", "&", "|")),
    ("MODIFIER", (">>", "<<")),
    ("MODIFIER", ("+", "-")),
    ("MODIFIER", ("*", "/", "%")),
    ("MODIFIER", ("**",)),
)


def _is_number(value: Any) -> bool:
    return isinstance(value, float)


class _Reader:
    """Turns tokens into thunks, so that `&&` can leave its right side alone."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0

    def value(self) -> Any:
        return self._level(0)() if self._tokens else None

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else Token("UNKNOWN", None)

    def _level(self, level: int) -> Callable[[], Any]:
        if level == len(_LEVELS):
            return self._operand()
        kind, symbols = _LEVELS[level]
        left = self._level(level + 1)
        while self._peek().kind == kind and self._peek().value in symbols:
            symbol = self._peek().value
            self._at += 1
            left = functools.partial(_apply, symbol, left, self._level(level + 1))
        return left

    def _operand(self) -> Callable[[], Any]:
        token = self._peek()
        self._at += 1
        if token.kind == "CLAUSE":
            inner = self._level(0) if self._peek().kind != "CLAUSE_CLOSE" else lambda: None
            self._at += 1
            return inner
        if token.kind == "PREFIX":
            return functools.partial(_apply_prefix, token.value, self._operand())
        if token.kind == "ACCESSOR":
            return functools.partial(_no_parameter, token.value[0])
        if token.kind == "CLAUSE_CLOSE":
            self._at -= 1
            return lambda: None
        return lambda: token.value


def _no_parameter(name: str) -> Any:
    raise ExpressionError(f"No parameter '{name}' found.")


def _apply_prefix(symbol: str, operand: Callable[[], Any]) -> Any:
    value = operand()
    if not isinstance(value, bool if symbol == "!" else float):
        shown = gotext.text(value)
        raise ExpressionError(f"Value '{shown}' cannot be used with the prefix '{symbol}'")
    if symbol == "!":
        return not value
    return -value if symbol == "-" else float(~int(value))


def _wrong(value: Any, what: str, symbol: str, wanted: str) -> ExpressionError:
    shown = gotext.text(value)
    return ExpressionError(
        f"Value '{shown}' cannot be used with the {what} '{symbol}', it is not a {wanted}"
    )


def _apply(symbol: str, left: Callable[[], Any], right: Callable[[], Any]) -> Any:
    value = left()
    if symbol in ("&&", "||"):
        return _logical(symbol, value, right)
    if symbol in ("?", ":", "??"):
        return _ternary(symbol, value, right)
    if symbol == ",":
        return [*value, right()] if isinstance(value, list) else [value, right()]
    if SYMBOLS[symbol] == "COMPARATOR":
        return _compare(symbol, value, right())
    return _modify(symbol, value, right())


def _logical(symbol: str, value: Any, right: Callable[[], Any]) -> bool:
    if value is (symbol == "||"):
        return bool(value)
    other = right()
    for side in (value, other):
        if not isinstance(side, bool):
            raise _wrong(side, "logical operator", symbol, "bool")
    return bool(other)


def _ternary(symbol: str, value: Any, right: Callable[[], Any]) -> Any:
    if symbol == "?":
        if not isinstance(value, bool):
            raise _wrong(value, "ternary operator", symbol, "bool")
        return right() if value else None
    return right() if value is None else value


def _compare(symbol: str, value: Any, other: Any) -> bool:
    if symbol in ("==", "!="):
        return (type(value) is type(other) and value == other) is (symbol == "==")
    if symbol == "in":
        if not isinstance(other, list):
            raise _wrong(other, "comparator", symbol, "number")
        return any(type(value) is type(item) and value == item for item in other)
    if symbol in ("=~", "!~"):
        for side in (value, other):
            if not isinstance(side, str):
                raise _wrong(side, "comparator", symbol, "number")
        return bool(pattern(other).search(value)) is (symbol == "=~")
    if type(value) is not type(other) or not isinstance(value, str | float):
        raise _wrong(value, "comparator", symbol, "number")
    return _ORDERINGS[symbol](value, other)


def _modify(symbol: str, value: Any, other: Any) -> Any:
    if symbol == "+" and (isinstance(value, str) or isinstance(other, str)):
        return gotext.text(value) + gotext.text(other)
    for side in (value, other):
        if not _is_number(side):
            shown = value if symbol == "+" else side
            raise _wrong(shown, "modifier", symbol, "number")
    try:
        return value + other if symbol == "+" else _NUMBER_MODIFIERS[symbol](value, other)
    except (ArithmeticError, ValueError, TypeError):
        return math.nan
