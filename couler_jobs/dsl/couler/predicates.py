"""Comparisons: of two values for `when`, of one with what comes for `exec_while`."""

from __future__ import annotations

from typing import Any

from couler_jobs.dsl import values
from couler_jobs.dsl.couler.leaves import text_of
from couler_jobs.dsl.couler.outputs import JobOutput
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError

_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Repeat:
    """One side of a comparison, whose other side is what a loop's last step leaves."""

    def __init__(self, operator: str, value: Any) -> None:
        self.operator, self.value = operator, value

    def of(self, output: Handle, value: Any) -> Condition:
        """The comparison: `output operator value`."""
        return _compared(output, self.operator, value)


Predicate = Condition | Repeat


def equal(pre: Any, post: Any = None) -> Any:
    """`pre == post`; with one argument, for `exec_while`: while the result is `pre`."""
    return _predicate(pre, "==", post)


def not_equal(pre: Any, post: Any = None) -> Any:
    """`pre != post`; with one argument, for `exec_while`: while the result is not `pre`."""
    return _predicate(pre, "!=", post)


def bigger(pre: Any, post: Any = None) -> Any:
    """`pre > post`, as numbers; with one argument: while the result is bigger than `pre`."""
    return _predicate(pre, ">", post)


def smaller(pre: Any, post: Any = None) -> Any:
    """`pre < post`, as numbers; with one argument: while the result is smaller than `pre`."""
    return _predicate(pre, "<", post)


def bigger_equal(pre: Any, post: Any = None) -> Any:
    """`pre >= post`, as numbers; with one argument: while the result is at least `pre`."""
    return _predicate(pre, ">=", post)


def smaller_equal(pre: Any, post: Any = None) -> Any:
    """`pre <= post`, as numbers; with one argument: while the result is at most `pre`."""
    return _predicate(pre, "<=", post)


def _predicate(pre: Any, operator: str, post: Any) -> Predicate:
    left, right = side(pre), side(post)
    if right is None:
        return Repeat(operator, left)
    if isinstance(left, Handle):
        return _compared(left, operator, right)
    if isinstance(right, Handle):
        return _compared(right, _MIRRORED[operator], left)
    raise DeclarationError(f"{pre!r} {operator} {post!r}: one of the two must be a step's output.")


def side(given: Any) -> Any:
    """What is compared: a callable is called, a step's outputs stand for one text of them."""
    value = text_of(given() if callable(given) else given)
    return value.job_name if isinstance(value, JobOutput) else value


def _compared(left: Handle, operator: str, right: Any) -> Condition:
    if isinstance(right, bool) and operator in ("==", "!="):
        # Python prints True, JSON and shells say true
        either = values.compare(left, "==", str(right)) | values.compare(
            left, "==", str(right).lower()
        )
        return either if operator == "==" else ~either
    return values.compare(left, operator, right)
