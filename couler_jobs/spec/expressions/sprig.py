"""The functions of `sprig.*` that do not need a clock, a network, a file or chance."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import posixpath
import re
import textwrap
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import couler_jobs.spec.expressions.gotext as gotext
from couler_jobs.spec.expressions.builtins import from_json
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.evaluate import equal, pattern


def _whole(value: Any) -> int:
    return int(_decimal(value))


def _decimal(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", 0) or value in ([], {})


def _default(fallback: Any, value: Any = None) -> Any:
    return fallback if _empty(value) else value


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not _empty(value)), None)


def _quote(*values: Any) -> str:
    return " ".join(json.dumps(gotext.text(v), ensure_ascii=False) for v in values if v is not None)


def _trunc(length: int, text: str) -> str:
    if length < 0 and len(text) + length > 0:
        return text[length:]
    return text[:length] if 0 <= length < len(text) else text


def _abbrev(width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


def _substr(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[:end]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _indent(spaces: int, text: str) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+", text)


def _split_map(separator: str, text: str, limit: int = -1) -> dict[str, str]:
    pieces = text.split(separator, limit)
    return {f"_{at}": piece for at, piece in enumerate(pieces)}


def _dict(*pairs: Any) -> dict[str, Any]:
    values = (*pairs, "") if len(pairs) % 2 else pairs
    return {gotext.text(values[at]): values[at + 1] for at in range(0, len(values), 2)}


def _merge(*maps: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for one in maps:
        merged = {**one, **merged}
    return merged


def _unique(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _has(needle: Any, items: Any) -> bool:
    return any(equal(needle, item) for item in items or [])


def _fail(message: str) -> Any:
    raise ExpressionError(message)


def _replacement(template: str) -> str:
    """Go writes `${1}` and `$1` where Python writes `\\g<1>`."""
    return re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", template.replace("\\", "\\\\"))


def _divide(a: Any, b: Any) -> int:
    if _whole(b) == 0:
        raise ExpressionError("integer divide by zero")
    return math.trunc(_whole(a) / _whole(b))


def _remainder(a: Any, b: Any) -> int:
    return _whole(a) - _divide(a, b) * _whole(b)


def _round(value: Any, digits: int, half: float = 0.5) -> float:
    shifted = _decimal(value) * 10**digits
    whole, rest = math.floor(shifted), shifted - math.floor(shifted)
    return float((whole + (rest >= half)) / 10**digits)


def _until(start: int, stop: int, step: int = 1) -> list[int]:
    if step == 0 or (stop - start) / step > 1_000_000:
        raise ExpressionError("memory budget exceeded")
    return list(range(start, stop, step))


def _sequence(*bounds: int) -> str:
    start = 1 if len(bounds) == 1 else bounds[0]
    end = bounds[-1]
    step = bounds[1] if len(bounds) == 3 else (1 if end >= start else -1)
    return " ".join(str(n) for n in _until(start, end + (1 if step > 0 else -1), step))


def _strings(values: Any) -> list[str]:
    items = values if isinstance(values, list | tuple) else [values]
    return [gotext.text(item) for item in items if item is not None]


def _b64decode(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("utf-8", "replace")


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _title(text: str) -> str:
    return re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), text)


_TEXT: dict[str, Callable[..., Any]] = {
    "trim": lambda text: text.strip(),
    "trimAll": lambda cut, text: text.strip(cut),
    "trimall": lambda cut, text: text.strip(cut),
    "trimSuffix": lambda cut, text: text.removesuffix(cut),
    "trimPrefix": lambda cut, text: text.removeprefix(cut),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": _title,
    "untitle": lambda text: re.sub(r"(?<!\w)\w", lambda m: m[0].lower(), text),
    "swapcase": lambda text: text.swapcase(),
    "camelcase": lambda text: "".join(word[:1].upper() + word[1:] for word in _words(text)),
    "snakecase": lambda text: "_".join(_words(text)).lower(),
    "kebabcase": lambda text: "-".join(_words(text)).lower(),
    "repeat": lambda times, text: text * min(times, 1_000_000),
    "replace": lambda old, new, text: text.replace(old, new),
    "substr": _substr,
    "trunc": _trunc,
    "abbrev": _abbrev,
    "nospace": lambda text: re.sub(r"\s", "", text),
    "initials": lambda text: "".join(word[0] for word in text.split()),
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "hasSuffix": lambda suffix, text: text.endswith(suffix),
    "quote": _quote,
    "squote": lambda *values: " ".join(f"'{gotext.text(v)}'" for v in values if v is not None),
    "cat": lambda *values: " ".join(gotext.text(v) for v in values if v is not None),
    "indent": _indent,
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "wrap": lambda width, text: textwrap.fill(text, width),
    "plural": _plural,
    "splitList": lambda separator, text: text.split(separator),
    "split": _split_map,
    "splitn": lambda separator, count, text: _split_map(separator, text, count - 1),
    "join": lambda separator, items: separator.join(_strings(items)),
    "toString": gotext.text,
    "toStrings": _strings,
    "base": posixpath.basename,
    "dir": lambda path: posixpath.dirname(path) or ".",
    "ext": lambda path: posixpath.splitext(path)[1],
    "clean": posixpath.normpath,
    "isAbs": posixpath.isabs,
    "regexMatch": lambda expression, text: bool(pattern(expression).search(text)),
    "regexFind": lambda expression, text: (
        ((found := pattern(expression).search(text)) and found[0]) or ""
    ),
    "regexFindAll": lambda expression, text, count: [
        m[0] for m in pattern(expression).finditer(text)
    ][: None if count < 0 else count],
    "regexReplaceAll": lambda expression, text, new: pattern(expression).sub(
        _replacement(new), text
    ),
    "regexReplaceAllLiteral": lambda expression, text, new: pattern(expression).sub(
        lambda _: str(new), text
    ),
    "regexSplit": lambda expression, text, count: pattern(expression).split(
        text, max(count - 1, 0)
    ),
    "regexQuoteMeta": re.escape,
}
_NUMBERS: dict[str, Callable[..., Any]] = {
    "atoi": _whole,
    "int": _whole,
    "int64": _whole,
    "float64": _decimal,
    "toDecimal": lambda value: int(gotext.text(value), 8),
    "add": lambda *values: sum(map(_whole, values)),
    "add1": lambda value: _whole(value) + 1,
    "sub": lambda a, b: _whole(a) - _whole(b),
    "mul": lambda *values: math.prod(map(_whole, values)),
    "div": _divide,
    "mod": _remainder,
    "addf": lambda *values: sum(map(_decimal, values)),
    "subf": lambda first, *values: _decimal(first) - sum(map(_decimal, values)),
    "mulf": lambda *values: math.prod(map(_decimal, values)),
    "divf": lambda first, *values: _decimal(first) / math.prod(map(_decimal, values)),
    "max": lambda *values: max(map(_whole, values)),
    "min": lambda *values: min(map(_whole, values)),
    "maxf": lambda *values: max(map(_decimal, values)),
    "minf": lambda *values: min(map(_decimal, values)),
    "ceil": lambda value: float(math.ceil(_decimal(value))),
    "floor": lambda value: float(math.floor(_decimal(value))),
    "round": _round,
    "until": lambda count: _until(0, count, 1 if count >= 0 else -1),
    "untilStep": _until,
    "seq": _sequence,
}
_LISTS: dict[str, Callable[..., Any]] = {
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "rest": lambda items: items[1:],
    "initial": lambda items: items[:-1],
    "append": lambda items, value: [*items, value],
    "push": lambda items, value: [*items, value],
    "prepend": lambda items, value: [value, *items],
    "reverse": lambda items: list(reversed(items)),
    "uniq": _unique,
    "without": lambda items, *omit: [item for item in items if not _has(item, omit)],
    "has": _has,
    "compact": lambda items: [item for item in items if not _empty(item)],
    "concat": lambda *lists: [item for items in lists for item in items],
    "slice": lambda items, start=0, end=None: items[start:end],
    "sortAlpha": lambda items: sorted(_strings(items)),
    "dict": _dict,
    "get": lambda of, key: of.get(key, ""),
    "set": lambda of, key, value: {**of, key: value},
    "unset": lambda of, key: {k: v for k, v in of.items() if k != key},
    "hasKey": lambda of, key: key in of,
    "keys": lambda *maps: [key for of in maps for key in of],
    "values": lambda of: list(of.values()),
    "pluck": lambda key, *maps: [of[key] for of in maps if key in of],
    "pick": lambda of, *keys: {key: of[key] for key in keys if key in of},
    "omit": lambda of, *keys: {key: value for key, value in of.items() if key not in keys},
    "merge": _merge,
}
_REST: dict[str, Callable[..., Any]] = {
    "default": _default,
    "empty": _empty,
    "coalesce": _coalesce,
    "ternary": lambda yes, no, test: yes if test else no,
    "all": lambda *values: not any(map(_empty, values)),
    "any": lambda *values: not all(map(_empty, values)),
    "fail": _fail,
    "deepEqual": equal,
    "typeOf": gotext.type_name,
    "kindOf": lambda value: gotext.type_name(value).partition("[")[0] or "slice",
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": _b64decode,
    "b32enc": lambda text: base64.b32encode(text.encode()).decode(),
    "b32dec": lambda text: base64.b32decode(text).decode(),
    "sha1sum": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "sha512sum": lambda text: hashlib.sha512(text.encode()).hexdigest(),
    "adler32sum": lambda text: str(zlib.adler32(text.encode())),
    "toJson": gotext.to_json,
    "toRawJson": lambda value: json.dumps(
        json.loads(gotext.to_json(value)), separators=(",", ":"), ensure_ascii=False
    ),
    "toPrettyJson": lambda value: json.dumps(
        json.loads(gotext.to_json(value)), indent=2, ensure_ascii=False
    ),
    "fromJson": from_json,
}
SPRIG: Mapping[str, Callable[..., Any]] = {**_TEXT, **_NUMBERS, **_LISTS, **_REST}
