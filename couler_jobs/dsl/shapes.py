"""What JSON may look like that is of some type: enough to see that two have nothing in common.

Only what is certain counts. A list without items is of every list type, `1` is an integer, a float
and (as true) near enough to a boolean; and a type that may say for itself what it takes, as a
pydantic model or a class of the user's may, is any of these.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import types
import typing
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from couler_jobs.dsl.rebuilt import plain
from couler_jobs.dsl.typed import is_text

Shapes = frozenset[str]

_TEXT, _NUMBER, _LIST, _MAPPING, _NULL = map(
    frozenset, (["text"], ["number"], ["list"], ["mapping"], ["null"])
)
ANY: Shapes = _TEXT | _NUMBER | _LIST | _MAPPING | _NULL

_OF: Mapping[Any, Shapes] = {
    str: _TEXT,
    **dict.fromkeys((bool, int, float), _NUMBER),
    **dict.fromkeys((list, tuple), _LIST),
    collections.abc.Sequence: _LIST | _TEXT,
    **dict.fromkeys(
        (collections.abc.Iterable, collections.abc.Collection), _LIST | _TEXT | _MAPPING
    ),
    **dict.fromkeys((dict, collections.abc.Mapping, collections.abc.MutableMapping), _MAPPING),
    type(None): _NULL,
}


def shapes_taken(hint: Any) -> Shapes:
    """What a step's parameter with this annotation may get.

    One for texts takes everything as a text, and one for null all that others give: that may not
    run.
    """
    found = ANY if is_text(hint) else _known(hint)
    return ANY if found >= _NULL else found


def shapes_given(hint: Any) -> Shapes:
    """What a step's value may be with this annotation; null where it did not run."""
    return _known(hint) | _NULL


def _known(hint: Any) -> Shapes:
    try:
        return _shapes(hint)
    except TypeError:  # it says something that has no hash
        return ANY


@lru_cache(maxsize=512)
def _shapes(hint: Any) -> Shapes:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _shapes(inner[0])
    if origin in (typing.Union, types.UnionType):
        return _any_of(map(_shapes, inner))
    if origin is typing.Literal:
        return _of_values(inner)
    if (found := _OF.get(origin or hint)) is not None:
        return found
    return _of_class(hint) if isinstance(hint, type) else ANY


def _of_class(hint: type) -> Shapes:
    if hasattr(hint, "model_validate"):
        return ANY
    if typing.is_typeddict(hint) or dataclasses.is_dataclass(hint):
        return _MAPPING
    if issubclass(hint, enum.Enum):
        return _of_values(hint) if _is_simple(hint) else ANY
    if issubclass(hint, (datetime.date, datetime.time)):
        return _TEXT
    return _LIST if issubclass(hint, tuple) and hasattr(hint, "_fields") else ANY


def _is_simple(hint: type[enum.Enum]) -> bool:
    """Whether it takes its members' values and nothing else."""
    return getattr(hint._missing_, "__func__", None) is vars(enum.Enum)["_missing_"].__func__


def _of_values(values: Iterable[Any]) -> Shapes:
    return _any_of(_OF.get(type(plain(one)), ANY) for one in values)


def _any_of(several: Iterable[Shapes]) -> Shapes:
    return frozenset().union(*several)
