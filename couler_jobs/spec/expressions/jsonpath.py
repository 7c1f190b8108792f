"""`jsonpath(text, path)`: one value for a definite path, a list for one that can match several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.spec.expressions.builtins import from_json
from couler_jobs.spec.expressions.errors import ExpressionError

_STEP = re.compile(
    r"\.\.(?P<deep>\*|[\w$-]+)?|\.(?P<name>\*|[\w$-]+)|\[(?P<inside>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\]'\"])*)\]"
)
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def query(text: str, path: str) -> Any:
    """What `path` selects in the JSON text; `ExpressionError` if it selects nothing definite."""
    if not path.startswith("$"):
        raise ExpressionError(f"invalid JSONPath expression '{path}': it has to start with $")
    values, several, at = [from_json(text)], False, 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            raise ExpressionError(f"invalid JSONPath expression '{path}' at {path[at:]!r}")
        values, more = _step(values, match)
        several, at = several or more, match.end()
    if several:
        return values
    if not values:
        raise ExpressionError(f"{path}: invalid token: nothing found")
    return values[0]


def _step(values: list[Any], match: re.Match[str]) -> tuple[list[Any], bool]:
    if match[0].startswith(".."):
        deep = [found for value in values for found in _descendants(value)]
        return (_select(deep, match["deep"]) if match["deep"] else deep), True
    if match["name"] is not None:
        return _select(values, match["name"]), match["name"] == "*"
    return _bracket(values, match["inside"].strip())


def _select(values: list[Any], name: str) -> list[Any]:
    if name == "*":
        return [item for value in values for item in _children(value)]
    return [value[name] for value in values if isinstance(value, Mapping) and name in value]


def _bracket(values: list[Any], inside: str) -> tuple[list[Any], bool]:
    quoted = [one[0] or one[1] for one in _QUOTED.findall(inside)]
    if quoted:
        found = [item for name in quoted for item in _select(values, name)]
        return found, len(quoted) > 1
    if inside == "*":
        return _select(values, "*"), True
    if re.fullmatch(r"-?\d+(\s*,\s*-?\d+)*", inside):
        places = [int(place) for place in inside.split(",")]
        return [i for value in values for i in _at(value, places)], len(places) > 1
    if re.fullmatch(r"-?\d*:-?\d*(:-?\d*)?", inside):
        bounds = [int(bound) if bound else None for bound in inside.split(":")]
        lists = [value[slice(*bounds)] for value in values if isinstance(value, list)]
        return [item for one in lists for item in one], True
    raise ExpressionError(f"invalid JSONPath expression: [{inside}] is not supported here")


def _at(value: Any, places: list[int]) -> list[Any]:
    if not isinstance(value, list):
        return []
    return [value[place] for place in places if -len(value) <= place < len(value)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descendants(child)
