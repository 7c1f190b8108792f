"""What a parameter means that was typed into a text field. Pure.

The rule is that of papermill's `-p`, plus JSON:

    typed                   the notebook gets
    text, 2026-11-22, no    that text
    5   -1.5   1e3          a number
    True true False None    a truth value, or nothing
    [1, 2]   {"a": 1}       a list, a mapping
    "5"                     the text 5: JSON's quotes make a text of anything

Digits that a number would change stay text: 0123 (a postal code), 1_000, 1e999, nan.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from scheduler_plugin.errors import JobRefused

PYTHON_WORDS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def typed(text: str) -> Any:
    """The JSON value that a typed text means."""
    if text in PYTHON_WORDS:
        return PYTHON_WORDS[text]
    if _NUMBER.fullmatch(text):
        return _number(text)
    try:
        return json.loads(text, parse_constant=_no_json, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def typed_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    """All parameters of a job as JSON values. Raises JobRefused for what is not Unicode text."""
    values = {name: typed(text) for name, text in parameters.items()}
    for name, value in values.items():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise JobRefused(
                f"The parameter {name!a} has characters that are not Unicode text."
            ) from None
    return values


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:  # a fraction, or more digits than Python reads
        number = float(text)
        return number if math.isfinite(number) else text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)
