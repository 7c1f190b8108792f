"""Templates: found by name, joined with their defaults, and filled in with arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from couler_jobs.backends.local.engine.mounts import volumes_of
from couler_jobs.backends.local.engine.tags import (
    TagError,
    Unresolved,
    parsed,
    replace_tags,
)
from couler_jobs.backends.local.engine.variables import Layer, Variables
from couler_jobs.spec.expressions import gotext
from couler_jobs.spec.status import Manifest

POD_KINDS = ("container", "containerSet", "script", "data")
KINDS = (*POD_KINDS, "http", "steps", "dag", "suspend")
ABSENT = "__argo__internal__absent-optional"
"""An argument that is the output of a skipped step: it counts as not supplied."""

LOCATIONS = frozenset(("raw", "key", "http", "git", "s3", "gcs", "oss", "azure", "hdfs"))
"""What an artifact can say of where its content is; `key` is one of a run's own."""

_KEYED = frozenset(("env", "parameters", "artifacts", "volumes", "volumeMounts", "tasks"))
_OWN = ("name", "path", "mode", "recurseMode", "optional")  # what an input says itself
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(duration: Any) -> float:
    """`30`, `"30"`, `"1h2m"` in seconds; `TagError` if it is none of these."""
    text = value_text(duration)
    if re.fullmatch(r"[+-]?\d+", text):
        return float(text)
    pieces = _DURATION.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        quoted = gotext.json_string(text)
        raise TagError(f"unable to parse {text} as a duration: time: invalid duration {quoted}")
    return sum(float(number) * _SECONDS[unit] for number, unit in pieces)


def duration(text: str, prefix: str = "") -> float | None:
    """`180s`, `24h` in seconds, None for an empty text; `TagError` if it has no unit."""
    if not text:
        return None
    if re.fullmatch(r"[+-]?\d+", text):
        quoted = gotext.json_string(text)
        raise TagError(f"{prefix}time: missing unit in duration {quoted}")
    try:
        return seconds(text)
    except TagError:
        quoted = gotext.json_string(text)
        raise TagError(f"{prefix}time: invalid duration {quoted}") from None


def whole(value: Any) -> int:
    """A whole number that may be written as text; `TagError` if it is none."""
    try:
        return int(value_text(value))
    except ValueError:
        raise TagError(f"value '{value_text(value)}' cannot be resolved to an int") from None


def value_text(value: Any) -> str:
    """A parameter's value as text: `5`, `1.5`, `true`; lists and objects are empty, as in Argo."""
    if isinstance(value, str):
        return value
    return gotext.text(value) if isinstance(value, bool | int | float) else ""


_LEAF_ONLY: tuple[str, ...] = ("activeDeadlineSeconds", "timeout")


@dataclass(frozen=True)
class Template:
    """One template, joined with `templateDefaults`; `body` is everything but its inputs."""

    name: str
    inputs: Mapping[str, Any]
    body: Mapping[str, Any]

    @cached_property
    def kind(self) -> str:
        """The field that says what it does, such as `container`; empty if there is none."""
        return next((kind for kind in KINDS if kind in self.body), "")

    @cached_property
    def text(self) -> str:
        """The body as JSON."""
        return json.dumps(self.body, ensure_ascii=False)

    @cached_property
    def result_names(self) -> frozenset[str]:
        """The steps whose `outputs.result` something in this template refers to."""
        root = {"dag": "tasks", "steps": "steps"}.get(self.kind)
        if root is None:
            return frozenset()
        pattern = rf"{root}(?:\.([-\w]+)|\['([-\w]+)'\])\.outputs\.result"
        return frozenset(a or b for a, b in re.findall(pattern, self.text))

    @property
    def fail_fast(self) -> bool:
        """Whether no further child starts once one failed."""
        return self.body.get("failFast") is True

    @property
    def parallelism(self) -> int:
        """How many children may run at once; 0 for any number."""
        return int(self.body.get("parallelism") or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A template filled in with arguments: every tag that could be replaced is."""

    template: Template
    body: Mapping[str, Any]
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Templates:
    """The templates of one manifest."""

    def __init__(self, manifest: Manifest) -> None:
        spec = manifest.get("spec") or {}
        self._defaults: Mapping[str, Any] = spec.get("templateDefaults") or {}
        self._retry = spec.get("retryStrategy")
        self._volumes = volumes_of(spec)
        self._by_name = {t.get("name", ""): self._joined(t) for t in spec.get("templates") or ()}

    def get(self, name: str) -> Template | None:
        """The template of that name."""
        return self._by_name.get(name)

    def of(self, step: Mapping[str, Any]) -> Template | None:
        """The template that a step or task runs: the one written in it, or the one it names."""
        inline = step.get("inline")
        return self._joined(inline) if inline else self.get(step.get("template", ""))

    def names(self) -> Iterable[str]:
        """Their names in the manifest's order."""
        return self._by_name.keys()

    def _joined(self, template: Mapping[str, Any]) -> Template:
        own = next((kind for kind in KINDS if kind in template), "")
        other = _LEAF_ONLY if own in ("steps", "dag") else ("parallelism",)
        other += tuple(kind for kind in KINDS if kind != own)
        defaults = {k: v for k, v in self._defaults.items() if k not in other}
        body = dict(joined(defaults, template))
        if self._retry is not None and "retryStrategy" not in body:
            body["retryStrategy"] = self._retry
        if self._volumes and own in POD_KINDS:
            body["volumes"] = [*self._volumes, *(body.get("volumes") or ())]
        inputs = body.pop("inputs", None) or {}
        return Template(template.get("name", ""), inputs, body)


def joined(defaults: Any, own: Any, key: str = "") -> Any:
    """One value laid over its default: maps are joined, lists of named things by name."""
    if isinstance(defaults, Mapping) and isinstance(own, Mapping):
        return {
            name: joined(defaults[name], own[name], name)
            if name in defaults and name in own
            else (own[name] if name in own else defaults[name])
            for name in {**defaults, **own}
        }
    if key in _KEYED and isinstance(defaults, list) and isinstance(own, list):
        by_name = {item.get("name"): item for item in defaults}
        laid = [joined(by_name.pop(item.get("name"), {}), item) for item in own]
        return [*by_name.values(), *laid]
    return own


def fill(
    template: Template, arguments: Mapping[str, Any], globals_: Layer, local: Mapping[str, str]
) -> Filled:
    """The template with these arguments; `TagError` if one is missing or a tag cannot be replaced.

    Argo makes two passes: first the workflow's own variables, in the values of the arguments too,
    then the inputs as they are after that.
    """
    first = Variables(globals_, local)
    inputs = _passed(template, arguments)
    inputs = _again(inputs, first)
    parameters = {p["name"]: value_text(p.get("value")) for p in inputs["parameters"]}
    text = replace_tags(template.text, first, Unresolved.LEFT)
    second = Variables(globals_, local, _input_values(inputs, parameters), _paths(text))
    inputs = _again(inputs, second)
    final = replace_tags(text, second, Unresolved.LEFT)
    return Filled(
        template=template,
        body=template.body if final == template.text else parsed(final),
        parameters={p["name"]: value_text(p.get("value")) for p in inputs["parameters"]},
        artifacts={a["name"]: a for a in inputs["artifacts"]},
    )


def refill(filled: Filled, globals_: Layer, local: Mapping[str, str]) -> Filled:
    """The same once more with other local variables, for one attempt of a retry."""
    values = {"parameters": [{"name": k, "value": v} for k, v in filled.parameters.items()]}
    own = Template(
        filled.template.name, {**values, "artifacts": [*filled.artifacts.values()]}, filled.body
    )
    again = fill(own, {}, globals_, local)
    return Filled(
        template=filled.template,
        body=again.body,
        parameters=again.parameters,
        artifacts=again.artifacts,
    )


def _again(inputs: dict[str, Any], variables: Variables) -> dict[str, Any]:
    text = json.dumps(inputs, ensure_ascii=False)
    if "{{" not in text:
        return inputs
    again: dict[str, Any] = parsed(replace_tags(text, variables, Unresolved.LEFT))
    return again


def _passed(template: Template, arguments: Mapping[str, Any]) -> dict[str, Any]:
    given = {p.get("name"): p for p in arguments.get("parameters") or ()}
    files = {a.get("name"): a for a in arguments.get("artifacts") or ()}
    return {
        "parameters": [
            _parameter(p, given.get(p["name"])) for p in template.inputs.get("parameters") or ()
        ],
        "artifacts": [
            artifact
            for a in template.inputs.get("artifacts") or ()
            if (artifact := _artifact(a, files.get(a["name"]))) is not None
        ],
    }


def _parameter(declared: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    value = declared.get("value")
    if value is None:
        value = declared.get("default")
    if given is not None and given.get("value") == ABSENT:
        if value is None:
            raise TagError(
                f"inputs.parameters.{declared['name']}: argument references an absent optional "
                "(skipped/omitted node output with no default)"
            )
    elif given is not None:
        value = given.get("value")
    if value is None:
        raise TagError(f"inputs.parameters.{declared['name']} was not supplied")
    return {**declared, "value": value_text(value)}


def _artifact(
    declared: Mapping[str, Any], given: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    if given is None and not located(declared):
        if declared.get("optional"):
            return None
        raise TagError(f"inputs.artifacts.{declared['name']} was not supplied")
    if given is None:
        return dict(declared)
    if not located(given):
        if declared.get("optional"):
            return None
        raise TagError(f"inputs.artifacts.{declared['name']} missing location information")
    kept = {key: declared[key] for key in _OWN if key in declared}
    return {**{k: v for k, v in given.items() if k not in _OWN}, **kept}


def located(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact says where its content is."""
    return not LOCATIONS.isdisjoint(artifact)


def _input_values(inputs: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    values = {f"inputs.parameters.{name}": value for name, value in parameters.items()}
    listed = inputs["parameters"]
    values["inputs.parameters"] = gotext.to_json(listed) if listed else "null"
    for artifact in inputs["artifacts"]:
        if artifact.get("path"):
            values[f"inputs.artifacts.{artifact['name']}.path"] = artifact["path"]
    return values


def _paths(text: str) -> dict[str, str]:
    """`outputs.parameters.x.path` and its like, from the template's own outputs."""
    if "outputs." not in text or ".path" not in text:
        return {}
    outputs = parsed(text).get("outputs") or {}
    values = {
        f"outputs.artifacts.{a['name']}.path": a.get("path") for a in outputs.get("artifacts") or ()
    }
    for parameter in outputs.get("parameters") or ():
        path = (parameter.get("valueFrom") or {}).get("path")
        values[f"outputs.parameters.{parameter['name']}.path"] = path
    return {name: path for name, path in values.items() if path}
