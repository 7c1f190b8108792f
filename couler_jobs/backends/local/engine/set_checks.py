"""The single checks of a `containerSet`, as Argo makes them (`ContainerSetTemplate.Validate`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.checks import NAME, NAME_RULE, check_names
from couler_jobs.backends.local.engine.templates import Template
from couler_jobs.errors import Rejected

_ARGO_S = ("wait", "supervisor")


def has_result(template: Template) -> bool:
    """Whether a step of it can be asked for its result."""
    if template.kind == "containerSet":
        return "main" in _names(template)
    return template.kind in ("container", "script", "http", "data")


def check_container_set(template: Template) -> None:
    """A set has containers, with names of their own, that can be put in an order."""
    given = template.body["containerSet"]
    containers = given.get("containers") or ()
    where = f"templates.{template.name}.containerSet"
    if not containers:
        raise Rejected(f"{where}.containers must have at least one container")
    check_names(f"{where}.containers", containers, NAME, NAME_RULE)
    _check_mounts(where, given)
    _check_dependencies(where, containers)
    outputs = template.body.get("outputs") or {}
    files = (
        template.inputs.get("artifacts") or outputs.get("parameters") or outputs.get("artifacts")
    )
    if files and "main" not in _names(template):
        raise Rejected(f'{where}.containers must have a container named "main" for input or output')
    for name in _names(template):
        if name in _ARGO_S or name.startswith("artifact-plugin-"):
            raise Rejected(f'{where}.containers: "{name}" is a reserved Argo container name')


def _names(template: Template) -> list[str]:
    return [str(one.get("name")) for one in template.body["containerSet"].get("containers") or ()]


def _check_mounts(where: str, given: Mapping[str, Any]) -> None:
    taken: dict[str, str] = {}
    for place, mount in enumerate(given.get("volumeMounts") or ()):
        path = str(mount.get("mountPath"))
        if path in taken:
            raise Rejected(
                f"{where}.volumeMounts[{place}].mountPath '{path}' already mounted in {taken[path]}"
            )
        taken[path] = f"volumeMounts.{mount.get('name')}"


def _check_dependencies(where: str, containers: Any) -> None:
    needs = {one["name"]: list(one.get("dependencies") or ()) for one in containers}
    for name, names in needs.items():
        for needed in names:
            if needed not in needs:
                raise Rejected(f"{where}.containers.{name} dependency '{needed}' not defined")
    done: set[str] = set()
    for name in sorted(needs):
        _follow(where, name, needs, [], done)


def _follow(
    where: str, name: str, needs: Mapping[str, list[str]], way: list[str], done: set[str]
) -> None:
    if name in done:
        return
    for needed in needs[name]:
        if needed in way:
            circle = "->".join([*way, needed])
            raise Rejected(f"{where}.containers dependency cycle detected: {circle}")
        _follow(where, needed, needs, [*way, needed], done)
    done.add(name)
