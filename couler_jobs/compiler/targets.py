"""Fields as one Argo version has them: written its way, or refused. Pure.

Fields that no version knows stay as they are: `lint` names them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from couler_jobs.errors import CompileError
from couler_jobs.spec import wire
from couler_jobs.spec.fields import Field, all_fields, fields_of, type_names
from couler_jobs.spec.versions import V3_5, V4_0, Target

_PLURALS = {"mutex": "mutexes", "semaphore": "semaphores"}
_INSTEAD = {
    "podPriority": "Use podPriorityClassName.",
    "priority": "Use priorityClassName.",
}


def fitted(kind: str, given: Mapping[str, Any], target: Target, where: str) -> dict[str, Any]:
    """The fields of an object of type `kind` (such as `Template`) for Argo `target`.

    Locks are written in the plural from 3.6 on; numbers and truth values where Argo wants text
    become text, and other values of parameters JSON text. `where` names the object. Raises
    CompileError for what `target` does not have.
    """
    if kind == "Synchronization":
        given = _locks(given, target, where)
    if kind == "Cache" and isinstance(given.get("configMap"), dict) and target >= V4_0:
        given = {**given, "configMap": _named(given["configMap"])}
    fields = fields_of(kind, target)
    return {
        name: _value(fields[name].type, value, target, f"{where}.{name}")
        if name in fields
        else _unknown(kind, name, value, target, where)
        for name, value in given.items()
    }


def _unknown(kind: str, name: str, value: Any, target: Target, where: str) -> Any:
    """A value of no field of `target`: refused if another version has one of that name."""
    for field in all_fields(kind):
        if field.name == name:
            raise CompileError(
                f"{where}.{name} is {_versions(field, target)}, and this is for {target}. "
                f"{_INSTEAD.get(name, 'Leave it out, or choose another target.')}"
            )
    return value


def _versions(field: Field, target: Target) -> str:
    since = field.since > target
    return f"there from Argo {field.since} on" if since else f"gone after Argo {field.until}"


def _value(kind: str, value: Any, target: Target, where: str) -> Any:
    if kind.startswith("["):
        several = enumerate(value) if isinstance(value, list) else ()
        items = [_value(kind[1:-1], item, target, f"{where}[{index}]") for index, item in several]
        return items if isinstance(value, list) else value
    if kind.startswith("{"):
        if not isinstance(value, dict):
            return value
        inner = kind[1:-1]
        return {key: _value(inner, item, target, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, dict) and kind in type_names():
        return fitted(kind, value, target, where)
    return _text(kind, value, where)


def _text(kind: str, value: Any, where: str) -> Any:
    """Text where Argo wants text: it makes an empty one of a list or mapping."""
    if kind == "text" and isinstance(value, dict | list):
        return wire.encode(value)
    loose = kind in ("text", "intstr") or (kind == "str" and where.endswith(".value"))
    if loose and isinstance(value, bool | int | float):
        return json.dumps(value)
    return value


def _named(config_map: Mapping[str, Any]) -> dict[str, Any]:
    """A cache's config map by name alone: its key meant nothing before, and is gone in 4.0."""
    return {name: value for name, value in config_map.items() if name != "key"}


def _locks(given: Mapping[str, Any], target: Target, where: str) -> dict[str, Any]:
    found = dict(given)
    for one, many in _PLURALS.items():
        locks = ([found.pop(one)] if one in found else []) + list(found.pop(many, ()))
        if target > V3_5 and locks:
            found[many] = locks
        elif len(locks) == 1:
            found[one] = locks[0]
        elif locks:
            raise CompileError(
                f"{where} has {len(locks)} {many}, and Argo {target} knows one: choose one, or "
                "another target."
            )
    return found
