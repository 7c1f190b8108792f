"""Which fields each type of a manifest has, with which types, from Argo 3.5 to 4.1.

The tables beside this file hold one type a line (continued lines are indented): its name, then its
fields. A field reads `name!?@3.6-3.7:type`:

* `!` Kubernetes requires it where Argo's CRDs are full (since 4.0),
* `?` Kubernetes has a default for it, so null is allowed,
* `@3.6` since that version, `@-3.7` until it, `@3.6-3.7` both; without, in all five,
* the type is `str bool int32 int64 uint64 num intstr intorstr quantity time bytes text any
  plugin`, another type of the tables, `[type]` for a list or `{type}` for a mapping from text.
  `text` is Argo's text that may be written as a number or a boolean. `intstr` and `intorstr` are a
  number or a text: to Argo that is the same; to Kubernetes a port that is a text is a port's name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from couler_jobs.spec.versions import LATEST, TARGETS, Target, parse_target

KINDS = ("Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate")

_FIELD = re.compile(
    r"(?P<name>\w+)(?P<required>!?)(?P<default>\??)"
    r"(?:@(?P<since>[\d.]*)(?:-(?P<until>[\d.]+))?)?:(?P<type>\S+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of one type, in the versions from `since` to `until` (both included)."""

    name: str
    type: str
    required: bool = False
    has_default: bool = False
    since: Target = TARGETS[0]
    until: Target = LATEST

    def exists_in(self, target: Target) -> bool:
        """Whether that version has the field."""
        return self.since <= target <= self.until


@functools.cache
def _lines() -> Mapping[str, str]:
    from couler_jobs.spec.fields import argo, kubernetes

    joined = (argo.TABLE + kubernetes.TABLE).replace("\n  ", " ")
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in joined.splitlines() if line}


@functools.cache
def all_fields(type_name: str) -> tuple[Field, ...]:
    """Every field a type ever had; a field that changed its type stands there twice."""
    return tuple(_read(word) for word in _lines()[type_name].split())


@functools.cache
def fields_of(type_name: str, target: Target) -> Mapping[str, Field]:
    """The fields of a type in one version, by name. Raises KeyError for an unknown type."""
    return {field.name: field for field in all_fields(type_name) if field.exists_in(target)}


def type_names() -> tuple[str, ...]:
    """Every type of the tables."""
    return tuple(_lines())


def _read(word: str) -> Field:
    match = _FIELD.fullmatch(word)
    assert match is not None, word  # noqa: S101  the table is ours
    return Field(
        name=match["name"],
        type=match["type"],
        required=bool(match["required"]),
        has_default=bool(match["default"]),
        since=parse_target(match["since"]) if match["since"] else TARGETS[0],
        until=parse_target(match["until"]) if match["until"] else LATEST,
    )
