"""The tables of fields made ready for walking: what is allowed where, for one target version."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from couler_jobs.spec.fields import Field, all_fields, fields_of
from couler_jobs.spec.versions import Target

# What is wrong with a value, as the end of a sentence, or None.
Rule: TypeAlias = Callable[[Any], str | None]

# Which fields do not go together, as a sentence, or None.
StructRule: TypeAlias = Callable[[Mapping[str, Any]], str | None]

SCALAR, STRUCT, LIST, MAP, ANY = range(5)

_CLASSES: Final[Mapping[str, type]] = {
    "str": str,
    "bool": bool,
    "int32": int,
    "int64": int,
    "uint64": int,
    "text": str,
    "time": str,
    "bytes": str,
    "plugin": dict,
}


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """What one place of a manifest may hold."""

    type_name: str
    kind: int
    python: type | None
    """The Python class that is right without a closer look; None where one is always needed."""
    rule: Rule | None
    inner: Slot | None = None
    loose: bool = False
    """Whether Kubernetes looks no further here, so that only Argo's reading counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What one type may hold, by field."""

    name: str
    slots: Mapping[str, Slot]
    required: frozenset[str]
    folded: Mapping[str, str]
    """The fields by their name in lower case: Argo Server reads names without regard to case."""
    rule: StructRule | None
    loose: bool


@functools.lru_cache(maxsize=2048)
def shape_of(type_name: str, target: Target, loose: bool = False) -> Shape:
    """The shape of a type in a version; `loose` where Kubernetes does not look at it."""
    fields = fields_of(type_name, target)
    loose = loose or not target.full_crds
    return Shape(
        name=type_name,
        slots={name: _slot(type_name, field, loose) for name, field in fields.items()},
        required=frozenset(field.name for field in fields.values() if field.required),
        folded={name.lower(): name for name in fields},
        rule=None if loose else _STRUCT_RULES.get(type_name),
        loose=loose,
    )


def other_versions(type_name: str, field_name: str) -> list[Field]:
    """The same field in other versions, for a message that names them."""
    return [field for field in all_fields(type_name) if field.name == field_name]


def _slot(owner: str, field: Field, loose: bool) -> Slot:
    # An inline template stands in the CRDs as a part whose fields Kubernetes does not know.
    loose = loose or field.name == "inline"
    return _typed(field.type, f"{owner}.{field.name}", loose)


def _typed(type_name: str, path: str, loose: bool) -> Slot:
    rule = None if loose else _RULES.get(path)
    if type_name[0] in "[{":
        kind, python = (LIST, list) if type_name[0] == "[" else (MAP, dict)
        inner = _typed(type_name[1:-1], path + "[]", loose)
        return Slot(type_name, kind, python, rule, inner, loose)
    if type_name[0].isupper():
        return Slot(type_name, STRUCT, dict, rule, None, loose)
    if type_name == "any" or (type_name == "num" and loose):
        return Slot(type_name, ANY, None, None, None, loose)
    if type_name == "plugin":
        return Slot(type_name, ANY, dict, _plugin, None, loose)
    plain = rule or _BUILT_IN.get(type_name)
    if type_name == "quantity" and not loose:
        plain = _strict_quantity
    return Slot(type_name, SCALAR, _CLASSES.get(type_name), plain, None, loose)


def _matches(pattern: str, said: str, longest: int | None = None) -> Rule:
    compiled = re.compile(pattern, re.ASCII)

    @functools.lru_cache(maxsize=8192)
    def rule(value: str) -> str | None:
        if longest is not None and len(value) > longest:
            return f"is longer than {longest} characters"
        return None if compiled.search(value) else said

    return rule


def _one_of(*words: str) -> Rule:
    allowed = frozenset(words)
    listed = ", ".join(word for word in words if word)

    def rule(value: str) -> str | None:
        return None if value in allowed else f"is not one of {listed}"

    return rule


def _between(low: int | None, high: int | None) -> Rule:
    def rule(value: int) -> str | None:
        if low is not None and value < low:
            return f"is less than {low}"
        return f"is more than {high}" if high is not None and value > high else None

    return rule


def _count(low: int, high: int | None = None) -> Rule:
    def rule(value: list[Any]) -> str | None:
        if len(value) < low:
            return f"needs at least {low} item"
        if high is not None and len(value) > high:
            return f"has {len(value)} items; at most {high} are allowed"
        return None

    return rule


def _length(low: int, high: int | None = None) -> Rule:
    def rule(value: str) -> str | None:
        if len(value) < low:
            return "is empty"
        return (
            f"is longer than {high} characters" if high is not None and len(value) > high else None
        )

    return rule


def _distinct(*keys: str, **defaults: str) -> Rule:
    """A list whose items must differ in these keys, as Kubernetes' map lists."""

    def rule(value: list[Any]) -> str | None:
        seen = set()
        for item in value:
            if isinstance(item, dict):
                identity = repr([item.get(key, defaults.get(key)) for key in keys])
                if identity in seen:
                    return f"has two items with the same {' and '.join(keys)}"
                seen.add(identity)
        return None

    return rule


def _set(value: list[Any]) -> str | None:
    return None if len({repr(item) for item in value}) == len(value) else "has an item twice"


_QUANTITY = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?",
    re.ASCII,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)


def _loose_quantity(value: Any) -> str | None:
    """As Argo reads it: blanks around it are nothing."""
    return _quantity(value.strip() if isinstance(value, str) else value)


def _quantity(value: Any) -> str | None:
    if isinstance(value, str):
        return None if _QUANTITY.fullmatch(value) else "is not a quantity such as 500m or 1Gi"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return None
    return "must be a quantity such as 500m or 1Gi"


def _strict_quantity(value: Any) -> str | None:
    # 1.0 is a whole number to Kubernetes, as far as a float is exact.
    broken = isinstance(value, float) and (not value.is_integer() or abs(value) >= 2**53)
    if broken or (isinstance(value, int) and abs(value) >= 2**63):
        return "must be a whole number of 64 bits, or text"
    return _quantity(value)


def _number(value: Any) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if is_number else "must be a number"


def _int_or_text(value: Any) -> str | None:
    if isinstance(value, str):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return None if -(2**31) <= value < 2**31 else "does not fit into 32 bits"
    return "must be a whole number or text"


def _time(value: str) -> str | None:
    return None if _TIME.fullmatch(value) else "is not a time such as 2026-01-01T00:00:00Z"


def _base64(value: str) -> str | None:
    return None if _BASE64.fullmatch(value) else "is not base64"


def _strict_base64(value: str) -> str | None:
    return _base64(value) if value else "is empty"


def _int32(value: int) -> str | None:
    return None if -(2**31) <= value < 2**31 else "does not fit into 32 bits"


def _int64(value: int) -> str | None:
    return None if -(2**63) <= value < 2**63 else "does not fit into 64 bits"


def _uint64(value: int) -> str | None:
    return None if 0 <= value < 2**64 else "is negative or does not fit into 64 bits"


def _plugin(value: dict[str, Any]) -> str | None:
    return None if len(value) == 1 else f"must have exactly one key, and has {len(value)}"


_BUILT_IN: Final[Mapping[str, Rule]] = {
    "quantity": _loose_quantity,
    "intstr": _int_or_text,
    "intorstr": _int_or_text,
    "num": _number,
    "time": _time,
    "bytes": _base64,
    "int32": _int32,
    "int64": _int64,
    "uint64": _uint64,
}

FIELD_NAME: Final = _matches(
    r"^[a-zA-Z0-9][-a-zA-Z0-9]*\Z",
    "may hold letters, digits and '-' only and must begin with a letter or digit",
    128,
)
_METRIC_NAME: Final = _matches(
    r"^[a-zA-Z_][a-zA-Z0-9_]*\Z", "may hold letters, digits and '_' only"
)
_ARTIFACT_NAME: Final = _matches(
    r"^[-a-zA-Z0-9_{}.]+\Z", "may hold letters, digits, '-' and '_' only"
)
_ARTIFACT_GC: Final = _one_of("", "OnWorkflowCompletion", "OnWorkflowDeletion", "Never")
_POSITIVE: Final = _between(1, 2**63 - 1)
_MODE: Final = _between(0, 0o777)
_NOT_EMPTY: Final = _length(1)


_DIGITS: Final = frozenset("0123456789")


def _one_location(artifact: Mapping[str, Any]) -> str | None:
    kinds = [kind for kind in LOCATIONS if artifact.get(kind) is not None]
    return f"An artifact lies in one place; here are {', '.join(kinds)}." if kinds[1:] else None


def _task(task: Mapping[str, Any]) -> str | None:
    if "depends" not in task and "dependencies" not in task:
        return None
    depends, listed = task.get("depends") is not None, task.get("dependencies") is not None
    if depends and listed:
        return "`depends` and `dependencies` exclude each other."
    if depends and task.get("continueOn") is not None:
        return "`continueOn` has no place beside `depends`."
    if (depends or listed) and str(task.get("name", ""))[:1] in _DIGITS:
        return "A task name cannot begin with a digit where `depends` or `dependencies` is used."
    return None


def _exclude(first: str, second: str) -> StructRule:
    def rule(value: Mapping[str, Any]) -> str | None:
        both = value.get(first) is not None and value.get(second) is not None
        return f"`{first}` and `{second}` exclude each other." if both else None

    return rule


def _gauge(gauge: Mapping[str, Any]) -> str | None:
    if gauge.get("realtime") and "resourcesDuration." in str(gauge.get("value", "")):
        return "`resourcesDuration` is known at the end only, not to a real-time gauge."
    return None


# Where an artifact can lie, in the order in which Argo looks.
LOCATIONS: Final = (
    "artifactory",
    "azure",
    "git",
    "gcs",
    "hdfs",
    "http",
    "oss",
    "raw",
    "s3",
    "plugin",
)

_STRUCT_RULES: Final[Mapping[str, StructRule]] = {
    "Artifact": _one_location,
    "ArtifactLocation": _one_location,
    "ArtifactPaths": _one_location,
    "DAGTask": _task,
    "Gauge": _gauge,
    "ResourceTemplate": _exclude("manifest", "manifestFrom"),
    "Sequence": _exclude("count", "end"),
}

# What the CRDs of 4.0 and later demand beyond the types.
_RULES: Final[dict[str, Rule]] = {
    "Artifact.mode": _MODE,
    "Artifact.name": _ARTIFACT_NAME,
    "ArtifactPaths.mode": _MODE,
    "ArtifactPaths.name": _ARTIFACT_NAME,
    "ArtifactGC.strategy": _ARTIFACT_GC,
    "WorkflowLevelArtifactGC.strategy": _ARTIFACT_GC,
    "ContainerRestartRuleOnExitCodes.values": _set,
    "Counter.value": _NOT_EMPTY,
    "CronWorkflowSpec.concurrencyPolicy": _one_of("Allow", "Forbid", "Replace"),
    "CronWorkflowSpec.schedules": _count(1),
    "CronWorkflowSpec.schedules[]": _matches(
        r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
        r"|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+"
        r"|([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+)\Z",
        "is not a cron line with five fields, a descriptor such as @daily, or @every",
    ),
    "CronWorkflowSpec.startingDeadlineSeconds": _between(0, 2**63 - 1),
    "DAGTask.name": FIELD_NAME,
    "DAGTemplate.tasks": _count(1, 200),
    "Gauge.operation": _one_of("Set", "Add", "Sub"),
    "Gauge.value": _length(1, 256),
    "HTTPBodySource.bytes": _strict_base64,
    "Histogram.value": _NOT_EMPTY,
    "Inputs.parameters": _count(0, 500),
    "MetricLabel.key": _METRIC_NAME,
    "Metrics.prometheus": _count(0, 100),
    "Parameter.enum": _count(1),
    "Parameter.name": _matches(r"^[-a-zA-Z0-9_]+\Z", "may hold letters, digits, '-' and '_' only"),
    "PersistentVolumeClaimStatus.conditions": _distinct("type"),
    "PodGC.strategy": _one_of(
        "", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"
    ),
    "Prometheus.help": _NOT_EMPTY,
    "Prometheus.name": _METRIC_NAME,
    "ResourceRequirements.claims": _distinct("name"),
    "ResourceTemplate.action": _one_of("get", "create", "apply", "delete", "replace", "patch"),
    "ResourceTemplate.mergeStrategy": _one_of("strategic", "merge", "json"),
    "RetryStrategy.retryPolicy": _one_of("Always", "OnFailure", "OnError", "OnTransientError"),
    "S3Artifact.addressingStyle": _one_of("", "path", "virtual-hosted"),
    "Template.name": FIELD_NAME,
    "Template.parallelism": _POSITIVE,
    "Template.steps": _count(1),
    "WorkflowSpec.parallelism": _POSITIVE,
    "WorkflowSpec.templates": _count(0, 200),
    "WorkflowStep.name": FIELD_NAME,
    **{
        f"{owner}.{field}": rule
        for owner in ("Container", "ContainerNode", "ScriptTemplate", "UserContainer")
        for field, rule in (
            ("env", _distinct("name")),
            ("ports", _distinct("containerPort", "protocol", protocol="TCP")),
            ("volumeDevices", _distinct("devicePath")),
            ("volumeMounts", _distinct("mountPath")),
        )
    },
}
