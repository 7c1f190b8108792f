"""Secrets by reference: `{"secret": "name", "key": "k"}` in place of a value. Pure.

Only the names are in a record, a request file or a manifest. The step that runs the notebook gets
the value in a variable of its environment: from Kubernetes, or from this machine's own store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.pod import SecretKey

VARIABLE = "COULER_JOBS_SECRET_"
"""How the variables of such a step begin: no kernel gets them (`couler_jobs.in_pod.request`)."""

_FIELDS = {"secret", "key"}
# Kubernetes' rules for the name of an object and for a key of a Secret; no path leads out by them
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"(?!\.\.?$)[-._A-Za-z0-9]+")
_LONGEST = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What a job takes from secrets: parameters of the notebook, and variables of its kernel."""

    parameters: Mapping[str, SecretKey] = field(default_factory=dict)
    variables: Mapping[str, SecretKey] = field(default_factory=dict)

    def of_step(self) -> dict[SecretKey, str]:
        """The variable of the step's environment that holds each secret."""
        found = {*self.parameters.values(), *self.variables.values()}
        ordered = sorted(found, key=lambda one: (one.name, one.key))
        return {secret: f"{VARIABLE}{number}" for number, secret in enumerate(ordered)}

    def env(self) -> list[dict[str, Any]]:
        """Those variables in Kubernetes' words (core/v1 EnvVar)."""
        return [
            {
                "name": variable,
                "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}},
            }
            for secret, variable in self.of_step().items()
        ]

    def sources(self, wanted: Mapping[str, SecretKey]) -> dict[str, str]:
        """For each of `parameters` or `variables` the variable of the step."""
        variables = self.of_step()
        return {name: variables[secret] for name, secret in wanted.items()}


def split(values: Mapping[str, Any], what: str) -> tuple[dict[str, Any], dict[str, SecretKey]]:
    """The plain ones of some values, and the references. `what` is what each is called.

    Raises JobRefused for a reference that can be none.
    """
    references = references_in(values)
    plain = {name: value for name, value in values.items() if name not in references}
    return plain, {name: _secret(value, f"{what} {name}") for name, value in references.items()}


def references_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are to be references, as they were written."""
    return {name: value for name, value in values.items() if _refers(value)}


def _refers(value: Any) -> bool:
    return isinstance(value, dict) and "secret" in value


def _secret(value: Mapping[str, Any], whose: str) -> SecretKey:
    if set(value) != _FIELDS:
        raise JobRefused(
            f'The {whose} is to be a reference to a secret: write {{"secret": "name", "key": "k"}}.'
        )
    name, key = value["secret"], value["key"]
    if not _fits(_NAME, [name]) or not _fits(_KEY, [key]):
        raise JobRefused(
            f"The {whose} refers to a secret that cannot be one: its name has small letters, "
            "digits, - and ., its key letters, digits, -, _ and ."
        )
    return SecretKey(name=name, key=key)


def _fits(pattern: re.Pattern[str], texts: Iterable[Any]) -> bool:
    return all(
        isinstance(text, str) and len(text) <= _LONGEST and pattern.fullmatch(text)
        for text in texts
    )
