"""One template: what it is, what it needs of its caller, what it offers."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from couler_jobs.compiler.lint.artifacts import has_location_or_key
from couler_jobs.compiler.lint.tags import EVERYTHING
from couler_jobs.spec.manifest import Path

KINDS: Final = (
    "container",
    "containerSet",
    "steps",
    "dag",
    "script",
    "resource",
    "data",
    "suspend",
    "http",
    "plugin",
)
_PODS: Final = frozenset({"container", "containerSet", "script", "resource", "data"})
_LEAVES: Final = _PODS | {"http", "plugin"}
_NODE_FIELDS: Final = ("id", "startedAt", "finishedAt", "hostNodeName")
_PARAMETER_TAG: Final = re.compile(r"\{\{[-a-zA-Z0-9]+(\.[-a-zA-Z0-9_]+)*\}\}", re.ASCII)

BARE: Final = frozenset(_NODE_FIELDS)
"""What may be named of a step whose template is not known until it runs."""


@dataclass(frozen=True, eq=False)
class Template:
    """One template of the manifest, with what others ask of it."""

    body: dict[str, Any]
    path: Path

    @cached_property
    def name(self) -> str:
        """Its name; empty for an inline one."""
        name: str = self.body.get("name", "")
        return name

    @cached_property
    def kind(self) -> str:
        """Its first kind in Argo's order, or nothing."""
        return next(iter(self.kinds), "")

    @cached_property
    def kinds(self) -> list[str]:
        """All its kinds; Argo does not see an empty list of steps."""
        return [kind for kind in KINDS if kind in self.body and self.body[kind] != []]

    @property
    def is_inline(self) -> bool:
        """Whether it stands in the step or task that calls it."""
        return self.path is not None and self.path[1] == "inline"

    @property
    def is_leaf(self) -> bool:
        """Whether it works itself (suspend does not count)."""
        return self.kind in _LEAVES

    @property
    def is_pod(self) -> bool:
        """Whether it runs in a pod of its own."""
        return self.kind in _PODS

    @cached_property
    def parameters(self) -> list[dict[str, Any]]:
        """Its input parameters."""
        found: list[dict[str, Any]] = self.body.get("inputs", {}).get("parameters", [])
        return found

    @cached_property
    def artifacts(self) -> list[dict[str, Any]]:
        """Its input artifacts."""
        found: list[dict[str, Any]] = self.body.get("inputs", {}).get("artifacts", [])
        return found

    @cached_property
    def needed_parameters(self) -> frozenset[str]:
        """The input parameters that a caller must give."""
        return frozenset(
            parameter.get("name", "")
            for parameter in self.parameters
            if "value" not in parameter
            and "default" not in parameter
            and "configMapKeyRef" not in parameter.get("valueFrom", {})
        )

    @cached_property
    def needed_artifacts(self) -> frozenset[str]:
        """The input artifacts that a caller must give."""
        return frozenset(
            artifact.get("name", "")
            for artifact in self.artifacts
            if not artifact.get("optional") and not has_location_or_key(artifact)
        )

    @cached_property
    def input_tags(self) -> frozenset[str]:
        """The tags of its inputs."""
        tags = {f"inputs.parameters.{item.get('name', '')}" for item in self.parameters}
        tags.add("inputs.parameters")
        for item in self.artifacts:
            tags.add(f"inputs.artifacts.{item.get('name', '')}")
            if self.is_leaf:
                tags.add(f"inputs.artifacts.{item.get('name', '')}.path")
        if self.is_pod:
            tags.add("pod.name")
        return frozenset(tags)

    @cached_property
    def paths(self) -> dict[str, str]:
        """The paths of its files by the tags that name them."""
        outputs = self.body.get("outputs", {})
        found = {
            f"{word}.artifacts.{item.get('name', '')}.path": item.get("path")
            for word, items in (
                ("inputs", self.artifacts),
                ("outputs", outputs.get("artifacts", [])),
            )
            for item in items
        }
        for item in outputs.get("parameters", []):
            name = f"outputs.parameters.{item.get('name', '')}.path"
            found[name] = item.get("valueFrom", {}).get("path")
        return {tag: path for tag, path in found.items() if path}

    @cached_property
    def node_fields(self) -> frozenset[str]:
        """What may be named of a step or task that calls it."""
        return frozenset(self._node_fields())

    @cached_property
    def loop_fields(self) -> frozenset[str]:
        """The same where the step or task is a loop."""
        results = ("outputs.result", "exitCode") if self.kind in ("script", "containerSet") else ()
        return self.node_fields | {"outputs.parameters", *results}

    def _node_fields(self) -> Generator[str, None, None]:
        yield from _NODE_FIELDS
        if self.body.get("daemon") is True:
            yield "ip"
        containers = self.body.get("containerSet", {}).get("containers", [])
        if self.body.keys() & {"container", "script", "data", "http", "plugin"} or any(
            container.get("name") == "main" for container in containers
        ):
            yield from ("outputs.result", "exitCode")
        outputs = self.body.get("outputs", {})
        for word in ("parameters", "artifacts"):
            for item in outputs.get(word, []):
                yield f"outputs.{word}.{item.get('name', '')}"


def fields_for(template: Template | None, external: bool, looped: bool) -> frozenset[str]:
    """What may be named of a step or task that calls a template."""
    if template is None:
        return EVERYTHING if external else BARE
    return template.loop_fields if looped else template.node_fields


def is_parameter_tag(text: str) -> bool:
    """Whether a text holds a tag in place of a name."""
    return _PARAMETER_TAG.search(text) is not None
