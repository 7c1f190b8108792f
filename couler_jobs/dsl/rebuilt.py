"""Values that are more than JSON: what becomes of them on the way into a step and out of it.

The text of these functions also travels in the scripts of the steps that need them, so they use
nothing of this module but each other, and `Any`.
"""

from __future__ import annotations

from typing import Any


def rebuilt(hint: Any, value: Any) -> Any:
    """`value`, which JSON brought, as the type that an annotation names."""
    import types
    import typing

    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return rebuilt(inner[0], value)
    if origin in (typing.Union, types.UnionType):
        return rebuilt_choice(inner, value)
    if origin is list and isinstance(value, list):
        return [rebuilt(inner[0], item) for item in value]
    if origin is tuple and isinstance(value, list):
        each = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return tuple(map(rebuilt, each, value))
    if origin is dict and isinstance(value, dict):
        return {key: rebuilt(inner[1], item) for key, item in value.items()}
    return rebuilt_class(hint, value) if isinstance(hint, type) else value


def rebuilt_choice(hints: Any, value: Any) -> Any:
    """The first of several types that the value fits."""
    import typing

    for hint in hints:
        if hint in (None, type(None)) or value is None:
            continue
        try:
            found = rebuilt(hint, value)
        except (TypeError, ValueError):
            continue
        if not isinstance(hint, type) or typing.is_typeddict(hint) or isinstance(found, hint):
            return found
    return value


def rebuilt_class(hint: Any, value: Any) -> Any:
    """An object of a dataclass, a pydantic model, an enum, a named tuple, a time; others as is."""
    import dataclasses
    import datetime
    import enum
    import typing

    if isinstance(value, dict) and (dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)):
        hints = typing.get_type_hints(hint, include_extras=True)
        return hint(**{name: rebuilt(hints.get(name), item) for name, item in value.items()})
    if hasattr(hint, "model_validate"):
        return hint.model_validate(value)
    if isinstance(value, list) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return hint(*map(rebuilt, typing.get_type_hints(hint).values(), value))
    if issubclass(hint, enum.Enum):
        return hint(value)
    if issubclass(hint, (datetime.date, datetime.time)) and isinstance(value, str):
        return hint.fromisoformat(value)
    return value


def plain(value: Any) -> Any:
    """`value` in what JSON can say: classes by their fields, paths and times as text."""
    import dataclasses
    import datetime
    import enum
    import pathlib

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return list(map(plain, value)) if isinstance(value, (list, tuple)) else value


def hint_of(function: Any, name: str) -> Any:
    """What a parameter's annotation says, evaluated where the function is defined."""
    found = function.__annotations__[name]
    return eval(found, function.__globals__) if isinstance(found, str) else found  # noqa: S307


def keep_file(path: Any, target: str) -> None:
    """Copy a file or folder to where Argo looks for it."""
    import os
    import shutil

    if os.path.realpath(path) == os.path.realpath(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(path):
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, target)


def call_typed(function: Any, names: Any, files: Any, kept: Any, values: Any) -> Any:
    """Call the function with what its annotations say, and keep the files that it returns.

    `names` are the parameters to rebuild, `files` where each file is, `kept` where those parts of
    the value that are files have to be.
    """
    import os
    import pathlib

    given = {name: rebuilt(hint_of(function, name), values[name]) for name in names}
    found = {name: pathlib.Path(path) for name, path in files.items() if os.path.exists(path)}
    value = function(**{**values, **given, **found})
    told = plain(value)
    for path, target in kept.items():
        part = told
        for key in path:
            part = part[key]
        if part is not None:
            if not os.path.exists(part):
                name = function.__name__
                raise SystemExit(f"{name}() returned Path({part!r}), and there is no such file")
            keep_file(part, target)
    return told
