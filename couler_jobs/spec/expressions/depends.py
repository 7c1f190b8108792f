"""The `depends` of a DAG task: `(a && b.Failed) || !c.Skipped`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.grammar import parse

RESULTS = frozenset(
    (
        "Succeeded",
        "Failed",
        "Errored",
        "Skipped",
        "Omitted",
        "Daemoned",
        "AnySucceeded",
        "AllFailed",
    )
)
ITEM_RESULTS = frozenset(("AnySucceeded", "AllFailed"))
DEFAULT_RESULTS = ("Succeeded", "Skipped", "Daemoned")

GRAMMAR = r"""
?start: either
?either: both (("||" | "or") both)*
?both: term (("&&" | "and") term)*
?term: ("!" | "not") term -> negation
    | "(" either ")"
    | NAME "." RESULT -> result
    | NAME -> bare
NAME: /(?!(?:and|or|not)(?![-\w]))[a-zA-Z0-9][-a-zA-Z0-9_]*/
RESULT: /[A-Z][a-zA-Z]+/
%ignore /\s+/
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One question to one task: did it end like this? `result` is None for a bare name."""

    task: str
    result: str | None


@dataclass(frozen=True, slots=True)
class Logic:
    """`all`, `any` or `not` of what is below."""

    operator: str
    terms: tuple[Logic | Result, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A `depends` that cannot be read; it waits for the names in it, then fails with `message`."""

    message: str
    asked: tuple[Result, ...]


Condition = Logic | Result | Unreadable


@functools.lru_cache(maxsize=4096)
def parse_depends(text: str) -> Condition:
    """The tree of a `depends`; `ExpressionError` says what is unexpected or unknown in it."""
    from lark.exceptions import LarkError

    try:
        return _condition(_parser().parse(text))
    except LarkError as error:
        at = getattr(error, "pos_in_stream", None)
        where = f"at {text[at:]!r}" if isinstance(at, int) and 0 <= at < len(text) else "at its end"
        raise ExpressionError(
            f"unable to evaluate expression '{text}': unexpected {where}"
        ) from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


@functools.cache
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr")


def read_depends(text: str) -> Condition:
    """The same, but what cannot be read becomes an `Unreadable`: Argo notices only when it runs."""
    try:
        return parse_depends(text)
    except ExpressionError as error:
        asked = (Result(m[1] or m[3], m[2]) for m in _ANY_NAME.finditer(text))
        return Unreadable(_complaint(text) or str(error), tuple(asked))


def _complaint(text: str) -> str:
    """What Argo says of it: a bare name stands for its default results, then it is read."""

    def one(name: re.Match[str]) -> str:
        wanted = " || ".join(f"{name[0]}.{result}" for result in DEFAULT_RESULTS)
        return name[0] if name[1] else f"({wanted})"

    logic = _ANY_NAME.sub(one, text).replace("-", "_")
    try:
        parse(logic)
    except ExpressionError as error:
        return f"unable to evaluate expression '{logic}': {error}"
    return ""


_ANY_NAME = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?)\.([A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")


def _condition(tree: Any) -> Logic | Result:
    match tree.data:
        case "bare":
            return Result(str(tree.children[0]), None)
        case "result":
            return _result(*map(str, tree.children))
        case kind:
            operator = {"either": "any", "both": "all", "negation": "not"}[kind]
            return Logic(operator, tuple(_condition(part) for part in tree.children))


def _result(task: str, result: str) -> Result:
    if result not in RESULTS:
        raise ExpressionError(f"task result '{result}' for task '{task}' is invalid")
    return Result(task, result)


def results(condition: Condition) -> tuple[Result, ...]:
    """Every question in it, in the order of the text."""
    if isinstance(condition, Result):
        return (condition,)
    if isinstance(condition, Unreadable):
        return condition.asked
    return tuple(found for term in condition.terms for found in results(term))


def tasks(condition: Condition) -> tuple[str, ...]:
    """The names of the tasks it waits for, each once, in the order of the text."""
    return tuple(dict.fromkeys(result.task for result in results(condition)))


def holds(condition: Condition, ask: Callable[[Result], bool]) -> bool:
    """Whether it is met, where `ask` answers each question; `ExpressionError` if unreadable."""
    if isinstance(condition, Unreadable):
        raise ExpressionError(condition.message)
    if isinstance(condition, Result):
        return ask(condition)
    answers = (holds(term, ask) for term in condition.terms)
    match condition.operator:
        case "all":
            return all(answers)
        case "any":
            return any(answers)
        case _:
            return not next(answers)
