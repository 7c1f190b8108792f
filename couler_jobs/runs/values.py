"""What a text from outside says: an output of a step, `-p name=value` on a command line. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from couler_jobs.spec import wire


def decoded(text: str) -> Any:
    """What the text says as JSON; the text itself where it is not JSON."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return str(text)
    return wire.decode(text)


class Said(str):
    """A value as it was typed on a command line: `decoded`, unless a text is asked for."""


def decoded_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, those that were typed on a command line decoded."""
    return {
        name: decoded(value) if isinstance(value, Said) else value for name, value in values.items()
    }


def text_of(value: Any) -> str:
    """A value as somebody gives it to a run: a text as it is, any other value as JSON.

    A text that Argo or Kubernetes would expand is given as JSON too, which steps read as such.
    """
    if isinstance(value, str) and "{{" not in value and "$(" not in value:
        return value
    return wire.encode(value)


def _refuse(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON does not know and could not carry on.
    raise ValueError(constant)
