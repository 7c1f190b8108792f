"""What users write for times, env and further fields, in the form that the model has."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.entries import Entry
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import meant
from couler_jobs.spec import model

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of each unit of a time."""

RESOURCES = ("cpu", "memory", "ephemeral-storage")
"""What a container may ask for by a name without a domain, besides `hugepages-2Mi` and the like."""

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
"""A variable's name as every Kubernetes takes it (`IsEnvVarName` in its `apimachinery`); since 1.32
it takes more by default, but never a `=`."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


def seconds(value: Any, what: str) -> int:
    """`10`, `"10"`, `"10s"`, `"5m"`, `"2h"`, `"1d"` in whole seconds, rounded up."""
    found = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if not found or float(found[1]) <= 0:
        raise DeclarationError(
            f'{what}={value!r}: it is a number of seconds, or "10s", "5m", "2h", "7d".'
        )
    return math.ceil(float(found[1]) * UNITS[found[2]])


def env_texts(env: Mapping[str, Any] | None) -> tuple[tuple[str, str | model.EnvSource], ...]:
    """Environment variables as texts in which Kubernetes expands nothing, or by reference."""
    return tuple((name, _env_text(name, value)) for name, value in (env or {}).items())


def _env_text(name: str, value: Any) -> str | model.EnvSource:
    if not _ENV_NAME.fullmatch(str(name)):
        raise DeclarationError(
            f"The variable {name!r} has a name that Kubernetes does not take: it has letters, "
            "digits, '-', '_' and '.' only, and begins with no digit."
        )
    if isinstance(value, Entry):
        return value.env_source()
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise DeclarationError(
            f"The variable {name} is {value!r}: give it a text, a number, "
            "cj.secret(...) or cj.config_key(...)."
        )
    return literal(
        f"The variable {name} holds '{{{{', which Argo would expand: pass it as an argument.",
        str(value),
    )


def literal(refusal: str, text: str) -> str:
    """Text of a container in which Kubernetes expands nothing; refused if Argo would.

    Kubernetes expands `$(NAME)`, and makes one `$` of `$$`.
    """
    if "{{" in text:
        raise DeclarationError(refusal)
    return re.sub(r"\$(?=[$(])", "$$", text)


def check_resource(name: str) -> None:
    """Refuse what Kubernetes has no amount of: names without a domain are its own.

    (`kubernetes/pkg/apis/core/validation`: "must be a standard resource for containers".)
    """
    if "/" in name or name in RESOURCES or name.startswith("hugepages-"):
        return
    said = meant(name, [*RESOURCES, "gpu"]) or f"it has {', '.join(RESOURCES)}."
    raise DeclarationError(
        f"Kubernetes has no resource {name!r}: {said} A device's has a domain, such as "
        "'amd.com/gpu'."
    )


def command_words(command: Any) -> list[Any]:
    """A command as the list of its words; one text is a program's name.

    Raises `DeclarationError` for a text with spaces, which would be looked for as one file.
    """
    if isinstance(command, str) and " " in command.strip():
        raise DeclarationError(
            f"command={command!r} is one text, and no shell reads it: write "
            f"{command.split()!r}, or ['sh', '-c', {command!r}]."
        )
    return [command] if isinstance(command, str) else list(command or ())


def extra_json(extra: Mapping[str, Any] | None) -> str:
    """Further fields as the text of a JSON object, which is frozen and comparable."""
    try:
        return json.dumps(dict(extra or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"The further fields {extra!r} are no JSON: {error}.") from None


def retry_policy(retries: Any, backoff: Any, of: str = "") -> model.Retry | None:
    """Retries as the model has them; None for none. `of` begins the words in errors."""
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise DeclarationError(f"{of}retries={retries!r}: it is a number of times, 0 or more.")
    if not retries:
        if backoff is not None:
            raise DeclarationError(
                f"{of}backoff={backoff!r} is a wait before a retry: give {of}retries=."
            )
        return None
    if backoff is None:
        return model.Retry(limit=retries)
    given = backoff if isinstance(backoff, Mapping) else {"duration": backoff}
    if unknown := set(given) - {"duration", "factor", "max", "cap"}:
        raise DeclarationError(
            f"backoff has no {sorted(unknown)[0]!r}: duration, factor, max, cap."
        )
    factor = given.get("factor")
    if isinstance(factor, bool) or not isinstance(factor, int | float | None):
        raise DeclarationError(f"backoff={{'factor': {factor!r}}}: it is a number, such as 2.")
    return model.Retry(
        limit=retries,
        delay=seconds(given.get("duration", 1), f"{of}backoff"),
        factor=factor,
        longest=seconds(given["max"], "backoff") if "max" in given else None,
        cap=seconds(given["cap"], "backoff") if "cap" in given else None,
    )
