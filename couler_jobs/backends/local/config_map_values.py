"""Parameters whose value lies in a config map: read when a run is made.

Argo reads those of the workflow when it starts, and those of a template when a step does
(`substituteAndGetConfigMapValue` in workflow/common/util.go); here all are read when the run is
made, so what is changed in a config map later does not change the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.backends.local.references import Missing, References
from couler_jobs.errors import Rejected

Fields = dict[str, Any]

_TAG = re.compile(r"\{\{\s*([^}]*?)\s*\}\}")


def fill_from_config_maps(spec: Fields, references: References) -> None:
    """Put the values in place of the references to config maps, in a spec that is the caller's own.

    `Rejected`, with the path of the parameter, if one is not there and has no default.
    """
    fill = _Filling(references, {})
    for parameter, path in _parameters(spec.get("arguments"), "spec.arguments"):
        fill.one(parameter, path)
        if "value" in parameter:
            fill.known[f"workflow.parameters.{parameter.get('name')}"] = str(parameter["value"])
    for parameter, path in _all_parameters(spec, "spec"):
        fill.one(parameter, path)


@dataclass(frozen=True, slots=True)
class _Filling:
    references: References
    known: dict[str, str]
    """What a tag in the name or key of a config map may name: Argo knows workflow-wide ones."""

    def one(self, parameter: Fields, path: str) -> None:
        source = parameter.get("valueFrom") or {}
        selector = source.get("configMapKeyRef")
        if selector is None:
            return
        del parameter["valueFrom"]
        parameter["value"] = self._value(selector, source.get("default"), path)

    def _value(self, selector: Fields, default: Any, path: str) -> Any:
        name, key = (self._filled(str(selector.get(word, "")), path) for word in ("name", "key"))
        try:
            return self.references.config_map(name, key)
        except Missing as error:
            if default is None:
                raise Rejected(f"{path}: {error}") from None
            return default

    def _filled(self, text: str, path: str) -> str:
        def value(tag: re.Match[str]) -> str:
            if tag[1] not in self.known:
                raise Rejected(
                    f"{path}: a config map is chosen by {{{{{tag[1]}}}}}, which is not known when "
                    "the run is made: use a parameter of the workflow, or run it on Argo."
                )
            return self.known[tag[1]]

        return _TAG.sub(value, text)


def _all_parameters(value: Any, path: str) -> Iterator[tuple[Fields, str]]:
    """Every parameter below a value: inputs of templates, arguments of steps, tasks and hooks."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name in ("inputs", "arguments"):
                yield from _parameters(part, f"{path}.{name}")
            else:
                yield from _all_parameters(part, f"{path}.{name}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _all_parameters(part, f"{path}[{place}]")


def _parameters(holder: Any, path: str) -> Iterator[tuple[Fields, str]]:
    listed = holder.get("parameters") if isinstance(holder, Mapping) else None
    for place, parameter in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(parameter, dict):
            yield parameter, f"{path}.parameters[{place}]"
