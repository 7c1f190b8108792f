"""`{{tags}}` in the JSON text of a template or step, replaced as Argo does.

The text is JSON, the values go into JSON strings. A value that holds a tag is expanded by the
next pass, not by this one: what arrives depends on the passes, and the callers make them in Argo's
order.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.variables import MISSING, Variables
from couler_jobs.spec.expressions import (
    Expression,
    ExpressionError,
    expand,
    gotext,
    known_function,
    read,
)

_LATE = frozenset(
    (
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    )
)


class TagError(Exception):
    """A tag cannot be replaced, and never will be; the message is Argo's."""


class Unresolved(enum.Enum):
    """What becomes of a tag that nothing is known of."""

    LEFT = enum.auto()  #: it stays as it is
    STEPS_FAIL = enum.auto()  #: it stays, unless it begins with `steps` or `tasks`
    FAIL = enum.auto()  #: it is an error


def replace_tags(text: str, variables: Variables, unresolved: Unresolved) -> str:
    """The JSON text with its tags replaced by values; `TagError` if one cannot be."""
    if "{{" not in text:
        return text
    pieces: list[str] = []
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        pieces += (text[at:start], _replaced(text[start + 2 : end], variables, unresolved))
        at = end + 2
    pieces.append(text[at:])
    return "".join(pieces)


def replaced(value: Any, variables: Variables, unresolved: Unresolved) -> Any:
    """The same for a value of dicts, lists and texts."""
    text = json.dumps(value, ensure_ascii=False)
    if "{{" not in text:
        return value
    return parsed(replace_tags(text, variables, unresolved))


def parsed(text: str) -> Any:
    """The value of a JSON text after its tags were replaced."""
    try:
        return json.loads(text)
    except ValueError:
        raise TagError(
            "cannot finish template replacement because the result was invalid JSON"
        ) from None


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _replaced(tag: str, variables: Variables, unresolved: Unresolved) -> str:
    if tag.startswith("="):
        return _expression(tag[1:], variables, unresolved)
    value = variables.find(tag.strip())
    if isinstance(value, str):
        return _escaped(value)
    if value is None:
        raise TagError(
            f"unable to substitute {{{{{tag}}}}}: output is an absent optional "
            "(skipped/omitted node with no default)"
        )
    return _nested(tag, variables, unresolved)


def _nested(tag: str, variables: Variables, unresolved: Unresolved) -> str:
    """`{{a.{{b}}}}`: the inner tag is replaced now, the outer one by the next pass."""
    start = tag.rfind("{{")
    inner = variables.find(tag[start + 2 :]) if start > 0 else MISSING
    if inner is None:
        raise TagError(
            f"unable to substitute nested tag {{{{{tag}}}}}: {gotext.json_string(tag[start + 2 :])}"
            " is an absent optional"
        )
    if isinstance(inner, str):
        return "{{" + tag[:start] + _escaped(inner)
    if _has_to_resolve(tag.strip(), unresolved) and not (
        unresolved is Unresolved.STEPS_FAIL and ".outputs.artifacts." in tag
    ):
        raise TagError(f"failed to resolve {{{{{tag}}}}}")
    return "{{" + tag + "}}"


def _has_to_resolve(name: str, unresolved: Unresolved) -> bool:
    if unresolved is Unresolved.STEPS_FAIL:
        return name.partition(".")[0] in ("steps", "tasks")
    return unresolved is Unresolved.FAIL


def _expression(raw: str, variables: Variables, unresolved: Unresolved) -> str:
    expression = _read(raw)
    environment = expand(variables.under(expression))
    missing = [name for name in expression.references if not _has(environment, name)]
    for name in missing:
        if _has_to_resolve(name, unresolved):
            raise TagError(f"failed to evaluate expression: {name} is missing")
    may_stay = bool(missing) or unresolved is Unresolved.LEFT
    as_it_is = "{{=" + raw + "}}"
    if may_stay and not _LATE.isdisjoint(missing):
        return as_it_is
    try:
        value = expression.evaluate(environment)
    except ExpressionError as error:
        if may_stay:
            return as_it_is
        raise TagError(f"failed to evaluate expression: {error}") from None
    if value is None and not may_stay:
        raise TagError(f"failed to evaluate expression {gotext.json_string(raw)}")
    return as_it_is if value is None else _written(value)


def _read(raw: str) -> Expression:
    try:
        return read(json.loads(f'"{raw}"'))
    except (ValueError, ExpressionError) as error:
        raise TagError(f"failed to evaluate expression: {error}") from None


def _written(value: Any) -> str:
    if callable(value):
        raise TagError("failed to marshal evaluated expression: json: unsupported type: func")
    try:
        return _escaped(value if isinstance(value, str) else gotext.to_json(value))
    except (TypeError, ValueError) as error:
        raise TagError(f"failed to marshal evaluated expression: {error}") from None


def _has(environment: Mapping[str, Any], name: str) -> bool:
    if known_function(name):
        return True
    value: Any = environment
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True
