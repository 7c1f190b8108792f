"""Values as Go prints and marshals them, since Argo is written in Go and its texts reach users."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SHORTEST_EXPONENT, _JSON_EXPONENT = 21, 21


def type_name(value: Any) -> str:
    """Go's name of a value's type as expressions see it (`%T`)."""
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if isinstance(value, list | tuple):
        return "[]interface {}"
    names = {bool: "bool", int: "int", float: "float64", str: "string"}
    return names.get(type(value), "func")


def number_text(value: float, *, json_form: bool = False) -> str:
    """A number as `%v` prints it or `json.Marshal` writes it: without a needless `.0`."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    exponent = Decimal(repr(value)).adjusted()
    low = -7 if json_form else -5
    if low < exponent < _SHORTEST_EXPONENT:
        text = format(Decimal(repr(value)), "f")
        return text[:-2] if text.endswith(".0") else text
    digits, _, power = f"{Decimal(repr(value)).normalize():e}".partition("e")
    sign, number = power[0], power[1:].lstrip("0")
    return f"{digits}e{sign}{number if json_form else number.rjust(2, '0')}"


def text(value: Any) -> str:
    """A value as `%v` prints it: `[1 a]` for a list, `map[a:1]` for a map, `<nil>` for nothing."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, Mapping):
        inside = " ".join(f"{key}:{text(value[key])}" for key in sorted(value))
        return f"map[{inside}]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(text(item) for item in value) + "]"
    return str(value)


class Written(float):
    """A number of a JSON text that is written again as it was: `1.0`, `1e2`."""

    def __init__(self, text: str) -> None:
        self.text = text


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys as `json.Marshal` writes it: `<`, `>`, `&` are escaped too."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"json: unsupported value: {number_text(value)}")
        return number_text(value, json_form=True)
    if isinstance(value, Mapping):
        pairs = (f"{to_json(str(key))}:{to_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    return escaped_html(json.dumps(value, ensure_ascii=False))


def compact_json(value: Any) -> str:
    """The same with the keys in the order of the value, as Go writes its structures."""
    return escaped_html(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def escaped_html(text: str) -> str:
    """JSON with the characters escaped that Go escapes for the sake of HTML."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def json_string(value: str) -> str:
    """A text as a JSON string, with its quotes."""
    return json.dumps(value, ensure_ascii=False)


def json_error(text: str) -> str:
    """What Go says of a text that is not JSON."""
    start = len(text) - len(text.lstrip())
    if start >= len(text):
        return "unexpected end of JSON input"
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        at = min(error.pos, len(text) - 1)
        if error.pos >= len(text):
            return "unexpected end of JSON input"
        where = "looking for beginning of value"
        if "property name" in error.msg:
            where = "looking for beginning of object key string"
        return f"invalid character '{text[at]}' {where}"
    rest = text[end:].lstrip()
    return f"invalid character '{rest[:1]}' after top-level value"
