"""What a function's annotations say about its parameters and its value."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from couler_jobs.dsl.locations import Location
from couler_jobs.dsl.rebuilt import plain
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import meant
from couler_jobs.spec import wire

FILE = Location(fields="{}")
_LISTS = (list, tuple, collections.abc.Sequence)
_PLAIN = (str, int, float, bool, type(None), list, dict, object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation; `hint` is None where there is none, or it names what is not there."""

    hint: Any = None
    description: str = ""
    file: Location | None = None  #: how a file travels; None for a value

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that a `Literal` or an enum has."""
        if typing.get_origin(self.hint) is typing.Literal:
            return typing.get_args(self.hint)
        if isinstance(self.hint, type) and issubclass(self.hint, enum.Enum):
            return tuple(member.value for member in self.hint)
        return ()


NOTHING = Annotation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Those of one function."""

    parameters: Mapping[str, Annotation]
    value: Annotation
    files: Mapping[str, Location]  #: the parameters that are files
    kept: Mapping[tuple[str | int, ...], Location]  #: the parts of the value that are files
    rebuilt: tuple[str, ...]  #: the parameters that are more than JSON
    texts: tuple[str, ...]  #: the parameters that are texts
    is_plain: bool  #: whether what it returns is JSON as far as is said


def annotations_of(function: types.FunctionType) -> Annotations:
    """What the function's annotations say; those that cannot be evaluated say nothing."""
    found = {name: _annotation(function, hint) for name, hint in function.__annotations__.items()}
    value = found.pop("return", NOTHING)
    kept = dict(_files_in(value))
    return Annotations(
        parameters=found,
        value=value,
        files={name: one.file for name, one in found.items() if one.file is not None},
        kept=kept,
        rebuilt=tuple(n for n, one in found.items() if one.file is None and is_rich(one.hint)),
        texts=tuple(n for n, one in found.items() if one.file is None and is_text(one.hint)),
        is_plain=not kept and not is_rich(value.hint),
    )


def _annotation(function: types.FunctionType, hint: Any) -> Annotation:
    if isinstance(hint, str):
        try:
            hint = eval(hint, function.__globals__, _around(function))  # noqa: S307  user's own text
        except Exception:
            return NOTHING
    return _read(hint)


def _around(function: types.FunctionType) -> dict[str, Any]:
    """The variables of the functions around it, as far as they have a value."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _read(hint: Any) -> Annotation:
    said: tuple[Any, ...] = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *more = typing.get_args(hint)
        said = tuple(more)
    texts = [one for one in said if isinstance(one, str)]
    locations = [one for one in said if isinstance(one, Location)]
    bare = _not_none(hint)
    file = (locations or [FILE])[0] if _is_path(bare) else None
    return Annotation(hint=hint, description=" ".join(texts), file=file)


def _not_none(hint: Any) -> Any:
    """`X` of `X | None`; any other hint as it is."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [one for one in typing.get_args(hint) if one is not type(None)]
        return inner[0] if len(inner) == 1 else hint
    return hint


def _is_path(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, PurePath)


def _files_in(value: Annotation) -> Iterator[tuple[tuple[str | int, ...], Location]]:
    """The value where it is a file, or those of its fields that are."""
    if value.file is not None:
        yield (), value.file
        return
    for name, hint in fields_of(value.hint).items():
        file = _read(hint).file
        if file is not None:
            yield (name,), file


def fields_of(hint: Any) -> Mapping[str, Any]:
    """The fields of a class by name, with their annotations; none for other types."""
    hint = _not_none(_read(hint).hint)
    if not isinstance(hint, type) or hint.__module__ == "builtins":
        return {}
    if hasattr(hint, "model_fields") or hasattr(hint, "_fields") or _has_fields(hint):
        try:
            found = typing.get_type_hints(hint, include_extras=True)
        except Exception:
            return {}
        return {name: value for name, value in found.items() if not name.startswith("_")}
    return {}


def _has_fields(hint: type) -> bool:
    return hasattr(hint, "__dataclass_fields__") or typing.is_typeddict(hint)


def part_of(hint: Any, path: tuple[str | int, ...]) -> Any:
    """The annotation of a part of a value; None where nothing is said."""
    for key in path:
        hint = _member(_not_none(_read(hint).hint), key)
    return hint


def written_part_of(hint: Any, path: tuple[str | int, ...]) -> Any:
    """The same where it says what JSON has there: a pydantic model decides that for itself."""
    for key in path:
        if hasattr(_not_none(_read(hint).hint), "model_dump"):
            return None
        hint = part_of(hint, (key,))
    return hint


def _member(hint: Any, key: str | int) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        return inner[1] if inner else None
    if origin is tuple and inner and inner[1:] != (...,):
        return inner[key] if isinstance(key, int) and key < len(inner) else None
    if origin in (list, tuple) and inner:
        return inner[0]
    names = getattr(hint, "_fields", ())
    name = names[key] if isinstance(key, int) and -len(names) <= key < len(names) else str(key)
    return fields_of(hint).get(name)


def holds_file(hint: Any) -> bool:
    """Whether a value of this type has files in it: items or fields that are paths."""
    try:
        return _holds_file(hint)
    except TypeError:  # it says something that has no hash
        return False


@lru_cache(maxsize=512)
def _holds_file(hint: Any) -> bool:
    seen, open_ = set(), [hint]
    while open_:
        said = _read(open_.pop())
        if said.file is not None:
            return True
        if said.hint not in seen:
            seen.add(said.hint)
            bare = _not_none(said.hint)
            if typing.get_origin(bare) not in (typing.Union, types.UnionType):  # it may be a text
                open_ += [*typing.get_args(bare), *fields_of(bare).values()]
    return False


def lacks(hint: Any, key: str | int) -> str:
    """What JSON of this class has instead of `key`; "" where it may have it.

    What a pydantic model writes is its own affair.
    """
    bare = _not_none(_read(hint).hint)
    if isinstance(key, int) or not isinstance(bare, type) or not _has_fields(bare):
        return ""
    names = fields_of(bare)
    if not names or key in names or key.startswith("_"):
        return ""
    return meant(key, names) or f"{bare.__name__} has {', '.join(names)}."


def item_of(hint: Any) -> Any:
    """The annotation of every item of a list; None where there is none for all of them."""
    hint = _not_none(_read(hint).hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    is_alike = len(inner) == 1 or (origin is tuple and inner[1:] == (...,))
    return inner[0] if is_alike and origin in _LISTS else None


def key_of(hint: Any, field: str) -> str | int:
    """Where JSON has this field of a class: a named tuple is a list."""
    names = getattr(_not_none(_read(hint).hint), "_fields", ())
    return list(names).index(field) if field in names else field


def is_rich(hint: Any) -> bool:
    """Whether values of this type are more than what JSON brings."""
    hint = _read(hint).hint
    if inner := typing.get_args(hint):
        origin = typing.get_origin(hint)
        if origin is typing.Literal or isinstance(hint, typing.TypeVar):
            return False
        return origin is tuple or any(map(is_rich, inner))
    if hint in (*_PLAIN, Any, None, ...) or not isinstance(hint, type):
        return False
    if typing.is_typeddict(hint):
        return any(map(is_rich, fields_of(hint).values()))
    return bool(fields_of(hint)) or _is_other_class(hint)


def _is_other_class(hint: type) -> bool:
    import datetime

    rich = (enum.Enum, datetime.date, datetime.time, PurePath, tuple)
    return issubclass(hint, rich) or hasattr(hint, "model_validate")


def is_text(hint: Any) -> bool:
    """Whether values of this type travel as texts, and as nothing else (but null, for none)."""
    import datetime

    hint = _not_none(_read(hint).hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return all(is_text(one) for one in typing.get_args(hint) if one is not type(None))
    if choices := Annotation(hint=hint).choices:
        return all(isinstance(one, str | types.NoneType) for one in choices)
    return isinstance(hint, type) and issubclass(hint, (str, datetime.date, datetime.time))


def encode(value: Any) -> str:
    """JSON text of a value known now, which may be an object of a class with fields.

    Raises `DeclarationError` for what is neither.
    """
    try:
        return wire.encode(value)
    except DeclarationError:
        converted = plain(value)
        if converted is value:
            raise
        return wire.encode(converted)
