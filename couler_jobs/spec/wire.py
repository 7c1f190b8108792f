"""How values travel: JSON text in which nothing looks like a tag of Argo's or Kubernetes'.

Argo expands `{{tag}}` in every value that it passes on, and Kubernetes `$(NAME)` in env and
arguments, with no way to switch either off. Inside a JSON string `{` may be written `\\u007b` and
`$` as `\\u0024`; outside of strings neither sign can stand before what would make it a tag.
"""

from __future__ import annotations

import json
import re
from typing import Any

from couler_jobs.errors import DeclarationError

TEXTS = "couler_jobs.texts"
"""`{TEXTS: ["1", "2"]}` is `[1, 2]`, and `{TEXTS: "[1]"}` is `[1]`.

Argo collects the outputs of a loop as a list of texts, and writes a run's failures as one text.
"""

LITERAL = "couler_jobs.literal"
"""`{LITERAL: [["a", 1]]}` is `{"a": 1}`: how a mapping travels that looks like one of these two."""

ROUND = "couler_jobs.json:"
"""What stands before the JSON text of one round of a loop.

Argo decodes what it collects if all of it is JSON mappings or lists, and with it the escapes.
"""

NULL = "null"

_RESERVED = '"couler_jobs.'

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def json_text(value: Any) -> str:
    """`value` as JSON text that a container step may get as an argument, and arrives literally."""
    return encode(value)


def encode(value: Any) -> str:
    """`value` as JSON text that reaches the other side literally.

    Raises `DeclarationError` for what JSON cannot say: other types, NaN, infinity, a mapping whose
    keys are not text, text with half of a surrogate pair.
    """
    kind = type(value)
    if kind is int:
        return str(value)
    try:
        _check(value)
        text = json.dumps(value, allow_nan=False)
        if _RESERVED in text:
            text = json.dumps(_guarded(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DeclarationError(f"{_short(value)} cannot travel as JSON: {error}.") from None
    return escape(text)


def escape(text: str) -> str:
    """JSON text with every `{` and `$` that stands inside a string written as an escape."""
    if "$" in text:
        text = text.replace("$", "\\u0024")
    if "{" in text:
        text = _STRING.sub(lambda string: string[0].replace("{", "\\u007b"), text)
    return text


def decode(text: str) -> Any:
    """What `text` says: JSON, or the text itself where it is none (typed by hand in Argo's UI)."""
    text = text.removeprefix(ROUND)
    try:
        return json.loads(text, object_hook=_untext, parse_constant=int)
    except (ValueError, RecursionError):  # nested deeper than Python reads: it stays a text
        return text


def decode_argument(text: str, *, is_text: bool) -> Any:
    """What a step gets of an argument; `is_text`: its parameter takes nothing but texts.

    `3.10`, typed or printed where nobody wrote JSON, is then that very text, and not a number.
    `null` is what there is of a step that did not run, and stays None.
    """
    value = decode(text)
    is_json = not is_text or value is None or isinstance(value, str) or text.startswith(ROUND)
    return value if is_json else text


def _untext(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    ((name, value),) = found.items()
    if name == LITERAL:
        return dict(value)
    if name != TEXTS:
        return found
    return decode(value) if isinstance(value, str) else [decode(text) for text in value]


def _guarded(value: Any) -> Any:
    """The value with mappings that look like `TEXTS` or `LITERAL` written as lists of pairs."""
    if isinstance(value, dict):
        inner = {key: _guarded(item) for key, item in value.items()}
        return {LITERAL: [[*pair] for pair in inner.items()]} if _is_reserved(inner) else inner
    return [_guarded(item) for item in value] if isinstance(value, list | tuple) else value


def _is_reserved(value: dict[str, Any]) -> bool:
    return len(value) == 1 and (TEXTS in value or LITERAL in value)


def _check(value: Any) -> None:
    """Refuse what `json.dumps` would silently turn into something else."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise DeclarationError(
                    f"{_short(value)} cannot travel as JSON: "
                    f"one of its keys is of type {type(key).__name__}, not text."
                )
            _check(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item)


def _short(value: Any) -> str:
    """What a value is, without what it says: it may be a secret, and errors are logged."""
    return f"A value of type {type(value).__name__}"
