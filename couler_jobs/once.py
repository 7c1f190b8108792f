"""A property that is worked out once and kept, for what may have to be waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801  used as a decorator, as `functools.cached_property` is
    """As `functools.cached_property`, but nobody waits for somebody else's attempt.

    That one holds a lock up to Python 3.11, one for all instances: while a server does not answer,
    each thread would begin to wait only when the one before has given up. Here each asks for
    itself; the first answer is kept, an error is not.
    """

    def __init__(self, work: Callable[[Any], Value]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        found: Value = instance.__dict__.setdefault(self._name, self._work(instance))
        return found
