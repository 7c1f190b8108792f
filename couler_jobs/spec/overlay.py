"""Fields of Argo that the words of a program give, and further ones laid over them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from couler_jobs.errors import DeclarationError

Fields = dict[str, Any]

_LONGEST = 100  #: characters of a value in an error

WORDS: Mapping[str, str] = {
    "image": "image=",
    "command": "command=",
    "args": "args=",
    "resources": "memory=, cpu= or gpu=",
    "workingDir": "working_dir=",
    "imagePullPolicy": "pull_policy=",
    "retryStrategy": "retries= or backoff=",
    "activeDeadlineSeconds": "timeout=",
    "parallelism": "parallelism=",
    "nodeSelector": "node_selector=",
    "serviceAccountName": "service_account=",
    "ttlStrategy": "ttl=",
}
"""The word that gives a field, for those that are often said twice."""


def overlaid(
    fields: Mapping[str, Any], extra: Mapping[str, Any], said: str, where: str = ""
) -> Fields:
    """The fields with further ones: lists of mappings go behind, mappings into each other.

    `said` is the option that gives the further ones, `where` what has them. Raises
    `DeclarationError` for a field that they give another value.
    """
    if not isinstance(extra, Mapping):
        raise DeclarationError(f"{said}={extra!r}: it is a mapping of Argo's fields.")
    return _overlaid(fields, extra, f"by {said}: say it once.", f"{where}: " if where else "", ())


def _overlaid(
    fields: Mapping[str, Any],
    extra: Mapping[str, Any],
    said: str,
    where: str,
    path: tuple[str, ...],
) -> Fields:
    found = dict(fields)
    for name, value in extra.items():
        before = found.get(name)
        if isinstance(before, dict) and isinstance(value, Mapping):
            found[name] = _overlaid(before, value, said, where, (*path, name))
        elif _is_listed(before) and _is_listed(value):
            found[name] = [*before, *value]
        elif before is None or str(before) == str(value):
            found[name] = value
        else:
            at = (*path, name)
            word = WORDS.get(at[0], "the program")
            raise DeclarationError(
                f"{where}{'.'.join(at)} is {_shown(before)} by {word} and {_shown(value)} {said}"
            )
    return found


def _shown(value: Any) -> str:
    """A value in a sentence: of a script, only how it begins."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_listed(value: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """Whether it is a list of mappings, which takes more of them; one of texts is one value."""
    return isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value)
