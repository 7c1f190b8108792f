"""Whether a value that is known now can be what a parameter's annotation says.

A step gets what JSON brings, and what `rebuilt` makes of that: this is judged, by the same code. A
value that is known only when the workflow runs fits, unless it is that of a step whose annotation
leaves no way: see `shapes`.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from couler_jobs.dsl.producers import refuse_file
from couler_jobs.dsl.rebuilt import plain, rebuilt
from couler_jobs.dsl.shapes import ANY, Shapes, shapes_given, shapes_taken
from couler_jobs.dsl.typed import Annotation, Annotations, is_rich, item_of
from couler_jobs.dsl.values import (
    Condition,
    Handle,
    file_of,
    hint_of,
    holds_handle,
    producer_of,
    refuse_files_inside,
)
from couler_jobs.errors import DeclarationError

_SURELY: Mapping[Any, frozenset[type]] = {
    str: frozenset({str}),
    int: frozenset({int, bool}),
    float: frozenset({float, int, bool}),
    bool: frozenset({bool}),
}
_LISTS = (
    list,
    tuple,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is asked of one parameter: a value of a type in `surely` fits without a closer look."""

    name: str
    hint: Any
    surely: frozenset[type]
    shapes: Shapes  #: of JSON that fits: a step's value of none of these does not
    default: Any


def checks_of(signature: inspect.Signature, annotations: Annotations) -> tuple[Check, ...]:
    """The checks of a function's parameters; none for files, and where nothing is said."""
    return tuple(
        Check(
            name=name,
            hint=said.hint,
            surely=_SURELY.get(said.hint, frozenset()) | {Handle},
            shapes=_shapes(said.hint, signature.parameters[name].default),
            default=signature.parameters[name].default,
        )
        for name, said in annotations.parameters.items()
        if said.file is None and _says_something(said)
    )


def _shapes(hint: Any, default: Any) -> Shapes:
    return ANY if default is None else shapes_taken(hint)


def _says_something(said: Annotation) -> bool:
    is_type = isinstance(said.hint, collections.abc.Hashable)  # `x: [int]` says nothing
    return is_type and said.hint not in (None, Any, object)


def refuse_defaults(checks: tuple[Check, ...]) -> None:
    """Raise `DeclarationError` for a default that is not what its annotation says; None may be."""
    for check in checks:
        default, hint = check.default, check.hint
        if default not in (None, inspect.Parameter.empty) and (reason := _unfit(hint, default)):
            what = f"The default of {check.name!r} is annotated with {_shown(hint)}"
            raise DeclarationError(f"{what}, and {reason}.")


def refuse_unfit(function: str, checks: tuple[Check, ...], bound: Mapping[str, Any]) -> None:
    """Raise `DeclarationError` for an argument that cannot be what its annotation says."""
    for check in checks:
        name = check.name
        if name not in bound:
            continue
        value = bound[name]
        kind = type(value)
        if kind is Handle:
            if check.shapes is not ANY:
                _refuse_value(function, check, value)
        elif kind not in check.surely:
            refuse(f"The argument {name!r} of {function}()", check, value)


def _refuse_value(function: str, check: Check, value: Handle) -> None:
    """Raise `DeclarationError` for a step's value that its annotation says cannot fit."""
    hint = hint_of(value)
    if hint is not None and check.shapes.isdisjoint(shapes_given(hint)):
        raise DeclarationError(
            f"The argument {check.name!r} of {function}() is annotated with {_shown(check.hint)}, "
            f"and {value!r} with {_shown(hint)}."
        )


def refuse_items(function: str, checks: tuple[Check, ...], name: str, over: Handle) -> None:
    """Raise `DeclarationError` for a step's value that is no list of what `name` can be.

    As far as its annotation says.
    """
    if file_of(over) is not None:
        refuse_file(producer_of(over))
    refuse_files_inside(over)
    hint = hint_of(over)
    if hint is None:
        return
    if "list" not in shapes_given(hint):
        raise DeclarationError(
            f"cj.map loops over a list, and {over!r} is annotated with {_shown(hint)}."
        )
    item = item_of(hint)
    for check in checks:
        if check.name == name and item is not None and check.shapes.isdisjoint(shapes_given(item)):
            raise DeclarationError(
                f"The argument {name!r} of {function}() is annotated with {_shown(check.hint)}, "
                f"and the items of {over!r} with {_shown(item)}."
            )


def refuse(what: str, check: Check, value: Any) -> None:
    """The same for one value, which `what` names; a parameter's default is always taken."""
    if value is check.default or isinstance(value, Condition):
        return  # a condition is refused for what it is
    hint = check.hint
    if reason := _unfit(hint, value):
        raise DeclarationError(f"{what} is annotated with {_shown(hint)}, and {reason}.")


def _unfit(hint: Any, value: Any) -> str:
    """Why the value does not fit; empty where it does."""
    told = value if _is_of_handles(value) else plain(value)
    if not holds_handle(told):
        try:
            told = rebuilt(hint, told)
        except (TypeError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            return f"its value, of type {type(value).__name__}, does not make one: {said}".rstrip(
                "."
            )
    return "" if fits(hint, told) else f"its value is of type {type(value).__name__}"


def _is_of_handles(value: Any) -> bool:
    """Whether it is a list of nothing but steps' values, as at the end of a fan-out."""
    return isinstance(value, list | tuple) and all([type(one) is Handle for one in value])


def fits(hint: Any, value: Any) -> bool:
    """Whether the value, as a step gets it, is of this type; what is not known fits."""
    if isinstance(value, Handle):
        return True
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return fits(inner[0], value)
    if origin in (typing.Union, types.UnionType):
        return any(fits(one, value) for one in inner)
    if origin is typing.Literal:
        return any(plain(one) == value and type(plain(one)) is type(value) for one in inner)
    if hint in (None, type(None)):
        return value is None
    if (origin or hint) in _LISTS:
        return _fits_list(origin or hint, inner, value)
    if (origin or hint) in _MAPPINGS:
        return isinstance(value, dict) and (
            not inner or all(fits(inner[1], one) for one in value.values())
        )
    if hint in _SURELY:
        return isinstance(value, tuple(_SURELY[hint]))
    return _fits_class(hint, value)


def _fits_class(hint: Any, value: Any) -> bool:
    """What is no class that steps make of JSON is not known: it fits."""
    if typing.is_typeddict(hint):
        return isinstance(value, dict)
    is_made = isinstance(hint, type) and is_rich(hint) and not issubclass(hint, PurePath)
    return not is_made or isinstance(value, hint)


def _fits_list(kind: Any, inner: tuple[Any, ...], value: Any) -> bool:
    if isinstance(value, str):
        return kind not in (list, tuple)
    if not isinstance(value, list | tuple):
        return kind is collections.abc.Iterable and isinstance(value, dict)
    each = inner if kind is tuple and inner[1:] != (...,) else inner[:1] * len(value)
    return not inner or (len(each) == len(value) and all(map(fits, each, value)))


def _shown(hint: Any) -> str:
    return inspect.formatannotation(hint)
