"""The functions of the expression language itself: `len`, `int`, `filter`, `fromJSON` ..."""

from __future__ import annotations

import base64
import functools
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import couler_jobs.spec.expressions.gotext as gotext
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.evaluate import equal, fetch, number, truth


def to_int(value: Any) -> int:
    """`int(x)`: a number cut to a whole one, or a text that is one."""
    if isinstance(value, str):
        try:
            return int(value) if value == value.strip() and "_" not in value else int("no")
        except ValueError:
            raise ExpressionError(f"invalid operation: int({value})") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"invalid operation: int({gotext.type_name(value)})")
    return int(value)


def to_float(value: Any) -> float:
    """`float(x)`: a number, or a text that is one."""
    if isinstance(value, str):
        try:
            return float(value) if value == value.strip() and "_" not in value else float("no")
        except ValueError:
            raise ExpressionError(f"invalid operation: float({value})") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"invalid operation: float({gotext.type_name(value)})")
    return float(value)


def from_json(text: str) -> Any:
    """`fromJSON(x)`: every number is a float, as in Go."""
    try:
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        raise ExpressionError(gotext.json_error(text)) from None


def to_json(value: Any) -> str:
    """`toJson(x)`: compact, with sorted keys."""
    return gotext.to_json(value)


def _pretty_json(value: Any) -> str:
    read = json.loads(gotext.to_json(value))
    return gotext.escaped_html(json.dumps(read, indent=2, ensure_ascii=False))


def _length(value: Any) -> int:
    if isinstance(value, str | Sequence | Mapping):
        return len(value)
    raise ExpressionError(f"invalid argument for len (type {gotext.type_name(value)})")


def _kind(value: Any) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "string", type(None): "nil"}
    if type(value) in kinds:
        return kinds[type(value)]
    return "map" if isinstance(value, Mapping) else "array"


def _trim(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        return list(text)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _split_after(text: str, separator: str, limit: int = -1) -> list[str]:
    pieces = _split(text, separator, limit)
    return [piece + separator for piece in pieces[:-1]] + pieces[-1:]


def _join(items: Sequence[Any], separator: str = "") -> str:
    if not all(isinstance(item, str) for item in items):
        raise ExpressionError("invalid argument for join: every item has to be a string")
    return separator.join(items)


def _flat_numbers(values: tuple[Any, ...]) -> list[int | float]:
    flat: list[int | float] = []
    for value in values:
        flat.extend(
            _flat_numbers(tuple(value)) if isinstance(value, list) else [number(value, "max")]
        )
    return flat


def _mean(*values: Any) -> float:
    flat = _flat_numbers(values)
    return float(statistics.fmean(flat)) if flat else 0.0


def _median(*values: Any) -> float:
    flat = _flat_numbers(values)
    return float(statistics.median(flat)) if flat else 0.0


def _round(value: Any) -> float:
    exact = number(value, "round")
    return float(math.copysign(math.floor(abs(exact) + 0.5), exact))


def _first(items: Any) -> Any:
    return items[0] if items else None


def _last(items: Any) -> Any:
    return items[-1] if items else None


def _get(of: Any, key: Any) -> Any:
    try:
        return fetch(of, key)
    except ExpressionError:
        return None


def _unique(items: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _flatten(items: Any) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat.extend(_flatten(item) if isinstance(item, list) else [item])
    return flat


def _sort(items: Sequence[Any], order: str = "asc") -> list[Any]:
    return sorted(items, reverse=order == "desc")


def _concat(*lists: Any) -> list[Any]:
    return [item for items in lists for item in items]


BUILTINS: Mapping[str, Callable[..., Any]] = {
    "len": _length,
    "type": _kind,
    "abs": lambda value: abs(number(value, "abs")),
    "ceil": lambda value: float(math.ceil(number(value, "ceil"))),
    "floor": lambda value: float(math.floor(number(value, "floor"))),
    "round": _round,
    "int": to_int,
    "float": to_float,
    "string": gotext.text,
    "trim": _trim,
    "trimPrefix": lambda text, prefix=" ": text.removeprefix(prefix),
    "trimSuffix": lambda text, suffix=" ": text.removesuffix(suffix),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "split": _split,
    "splitAfter": _split_after,
    "replace": lambda text, old, new, limit=-1: text.replace(old, new, limit),
    "repeat": lambda text, times: text * min(times, 1_000_000),
    "join": _join,
    "indexOf": lambda text, part: text.find(part),
    "lastIndexOf": lambda text, part: text.rfind(part),
    "hasPrefix": lambda text, prefix: text.startswith(prefix),
    "hasSuffix": lambda text, suffix: text.endswith(suffix),
    "max": lambda *values: max(_flat_numbers(values)),
    "min": lambda *values: min(_flat_numbers(values)),
    "mean": _mean,
    "median": _median,
    "toJSON": _pretty_json,
    "fromJSON": from_json,
    "toBase64": lambda text: base64.b64encode(text.encode()).decode(),
    "fromBase64": lambda text: base64.b64decode(text, validate=True).decode(),
    "first": _first,
    "last": _last,
    "get": _get,
    "take": lambda items, count: items[:count],
    "keys": lambda of: list(of.keys()),
    "values": lambda of: list(of.values()),
    "toPairs": lambda of: [[key, value] for key, value in of.items()],
    "fromPairs": lambda pairs: {key: value for key, value in pairs},
    "reverse": lambda items: list(reversed(items)),
    "uniq": _unique,
    "concat": _concat,
    "flatten": _flatten,
    "sort": _sort,
    "bitand": lambda a, b: a & b,
    "bitor": lambda a, b: a | b,
    "bitxor": lambda a, b: a ^ b,
    "bitnand": lambda a, b: a & ~b,
    "bitshl": lambda a, b: a << min(b, 64),
    "bitshr": lambda a, b: a >> b,
    "bitushr": lambda a, b: (a & (2**64 - 1)) >> b,
    "bitnot": lambda a: ~a,
}

Test = Callable[..., Any]


def _indexed(items: Any) -> list[tuple[int, Any]]:
    if not isinstance(items, list | tuple):
        raise ExpressionError(f"builtin takes only array (got {gotext.type_name(items)})")
    return list(enumerate(items))


def _found(items: Any, test: Test) -> list[tuple[int, Any]]:
    return [(at, item) for at, item in _indexed(items) if truth(test(item, index=at))]


def _find(items: Any, test: Test) -> Any:
    return next((item for _, item in _found(items, test)), None)


def _find_last(items: Any, test: Test) -> Any:
    return next((item for _, item in reversed(_found(items, test))), None)


def _find_index(items: Any, test: Test) -> Any:
    return next((at for at, _ in _found(items, test)), None)


def _find_last_index(items: Any, test: Test) -> Any:
    return next((at for at, _ in reversed(_found(items, test))), None)


def _map(items: Any, of: Test) -> list[Any]:
    return [of(item, index=at) for at, item in _indexed(items)]


def _count(items: Any, test: Test | None = None) -> int:
    return sum(
        truth(item) if test is None else truth(test(item, index=at)) for at, item in _indexed(items)
    )


def _sum(items: Any, of: Test | None = None) -> int | float:
    values = items if of is None else _map(items, of)
    return sum(number(value, "+") for _, value in _indexed(values))


def _group(items: Any, of: Test) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for at, item in _indexed(items):
        groups.setdefault(of(item, index=at), []).append(item)
    return groups


def _sort_by(items: Any, of: Test, order: str = "asc") -> list[Any]:
    return sorted(items, key=lambda item: of(item), reverse=order == "desc")


def _reduce(items: Any, of: Test, *initial: Any) -> Any:
    rows = _indexed(items)
    if not rows and not initial:
        raise ExpressionError("reduce of empty array with no initial value")
    start = initial[0] if initial else rows.pop(0)[1]
    return functools.reduce(lambda acc, row: of(row[1], index=row[0], acc=acc), rows, start)


CLOSURES: Mapping[str, Callable[..., Any]] = {
    "all": lambda items, test: len(_found(items, test)) == len(items),
    "none": lambda items, test: not _found(items, test),
    "any": lambda items, test: bool(_found(items, test)),
    "one": lambda items, test: len(_found(items, test)) == 1,
    "filter": lambda items, test: [item for _, item in _found(items, test)],
    "map": _map,
    "find": _find,
    "findIndex": _find_index,
    "findLast": _find_last,
    "findLastIndex": _find_last_index,
    "count": _count,
    "sum": _sum,
    "groupBy": _group,
    "sortBy": _sort_by,
    "reduce": _reduce,
}
