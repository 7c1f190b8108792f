"""What a text from outside says: an output of a step, `-p name=value` on a command line. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from couler_jobs.spec import wire


def decoded(text: str) -> Any:
    """What the text says as JSON; the text itself where it is not JSON."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return wire.decode(text)


def _refuse(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON does not know and could not carry on.
    raise ValueError(constant)
