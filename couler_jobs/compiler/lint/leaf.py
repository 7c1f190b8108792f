"""Templates that work themselves: container, script, resource and the like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.context import Context
from couler_jobs.compiler.lint.fields import Bag, tagged
from couler_jobs.compiler.lint.graph import find_cycle
from couler_jobs.compiler.lint.names import check_field_name
from couler_jobs.compiler.lint.openings import check_open_expressions
from couler_jobs.compiler.lint.report import shown
from couler_jobs.compiler.lint.resource import check_resource
from couler_jobs.compiler.lint.tags import Scope, substitute
from couler_jobs.compiler.lint.template import Template
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V4_1

_WHOLE: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


def check_leaf(
    context: Context,
    template: Template,
    scope: Scope,
    env: Mapping[str, str],
    arguments: dict[str, Any] | None,
) -> None:
    """The tags of the whole template, and what its kind asks for."""
    body, path, report = template.body, template.path, context.report
    own = _own_scope(template, scope)
    context.check_tags(context.own_bag(template, arguments), own, env)
    given = _given(context, template, arguments or {})
    context.check_tags(given, own, env)
    check_open_expressions(given, report)
    if template.name:
        context.check_tags(context.pod_metadata, own, env)
    if "outputs" in body:
        context.check_tags(context.bag(body["outputs"]), own, env)
    for kind in ("container", "script"):
        if kind in body:
            _image(context, body[kind], kind, (path, kind))
    if "container" in body:
        _mounts(context, template, body["container"].get("volumeMounts", []))
    if "containerSet" in body:
        _container_set(context, template)
    if "resource" in body:
        check_resource(context, template, own, env)
    for index, sidecar in enumerate(body.get("sidecars", [])):
        _reserved(context, sidecar.get("name", ""), ((path, "sidecars"), index))
    _deadline(context, body, path, env)
    if "parallelism" in body:
        said = "`parallelism` is for templates of steps and tasks."
        report.error("leaf-only", (path, "parallelism"), said)


def _own_scope(template: Template, scope: Scope) -> Scope:
    for word, key in (("artifacts", "path"), ("parameters", "valueFrom")):
        for item in template.body.get("outputs", {}).get(word, []):
            if item.get(key):
                scope.names.add(f"outputs.{word}.{item.get('name', '')}.path")
    return scope


def _given(context: Context, template: Template, arguments: dict[str, Any]) -> Bag:
    """The tagged strings of the workflow's own arguments that take the place of a template's."""
    where: Path = (context.path, "arguments")
    return [
        found
        for word, inputs in (("parameters", template.parameters), ("artifacts", template.artifacts))
        for index, item in enumerate(arguments.get(word, []))
        if any(taken.get("name", "") == item.get("name", "") for taken in inputs)
        for key, value in item.items()
        if _takes_place(word, key)
        for found in tagged(value, (((where, word), index), key))
    ]


def _takes_place(word: str, key: str) -> bool:
    """Whether the field of an argument replaces that of the input."""
    if word == "parameters":
        return key in ("value", "valueFrom")
    return key not in ("path", "mode", "recurseMode")


def _image(context: Context, container: dict[str, Any], kind: str, path: Path) -> None:
    default = context.spec.get("templateDefaults", {}).get(kind, {}).get("image")
    if not container.get("image") and not default:
        context.report.error("required", (path, "image"), f"A {kind} needs an `image`.")


def _mounts(context: Context, template: Template, mounts: list[dict[str, Any]]) -> None:
    taken: set[str] = set()
    where: Path = ((template.path, "container"), "volumeMounts")
    for index, mount in enumerate(mounts):
        _taken(context, mount.get("mountPath", ""), taken, ((where, index), "mountPath"))
    where = ((template.path, "inputs"), "artifacts")
    for index, artifact in enumerate(template.artifacts):
        _taken(context, artifact.get("path", ""), taken, ((where, index), "path"))


def _taken(context: Context, place: str, taken: set[str], path: Path) -> None:
    if place in taken:
        said = f"Two things want the path {shown(place)} in the container."
        context.report.error("duplicate", path, said)
    taken.add(place)


def _container_set(context: Context, template: Template) -> None:
    report, body = context.report, template.body["containerSet"]
    path = (template.path, "containerSet")
    containers = body.get("containers", [])
    if not containers:
        report.error("required", (path, "containers"), "A container set needs containers.")
    names: set[str] = set()
    for index, container in enumerate(containers):
        name, where = container.get("name", ""), (((path, "containers"), index), "name")
        check_field_name(name, report, where, "container")
        if name in names:
            report.error("duplicate", where, f"There are two containers named {shown(name)}.")
        names.add(name)
        _reserved(context, name, ((path, "containers"), index))
    taken: set[str] = set()
    for index, mount in enumerate(body.get("volumeMounts", [])):
        where = (((path, "volumeMounts"), index), "mountPath")
        _taken(context, mount.get("mountPath", ""), taken, where)
    _container_graph(context, containers, names, (path, "containers"))
    outputs = template.body.get("outputs", {})
    if "main" not in names and (
        template.artifacts or outputs.get("parameters") or outputs.get("artifacts")
    ):
        said = "Inputs and outputs of a container set need a container named `main`."
        report.error("required", (path, "containers"), said)


def _container_graph(
    context: Context, containers: list[dict[str, Any]], names: set[str], path: Path
) -> None:
    graph: dict[str, list[str]] = {}
    for index, container in enumerate(containers):
        needs = container.get("dependencies", [])
        graph.setdefault(container.get("name", ""), []).extend(needs)
        for need in needs:
            if need not in names:
                said = f"There is no container named {shown(need)}."
                where = ((path, index), "dependencies")
                context.report.error("unknown-dependency", where, said)
    cycle = find_cycle(graph)
    if cycle:
        said = f"The containers wait for each other: {' -> '.join(cycle)}."
        context.report.error("cycle", path, said)


def _reserved(context: Context, name: str, path: Path) -> None:
    """Names that Argo gives to its own containers; refused since 4.1."""
    if name in ("wait", "supervisor") or name.startswith("artifact-plugin-"):
        said = f"{shown(name)} is the name of one of Argo's own containers."
        if context.report.target >= V4_1:
            context.report.error("reserved-name", (path, "name"), said)
        else:
            context.report.warning("reserved-name", (path, "name"), said)


def _deadline(context: Context, body: dict[str, Any], path: Path, env: Mapping[str, str]) -> None:
    deadline = body.get("activeDeadlineSeconds")
    if deadline is None:
        return
    text = substitute(deadline, env) if isinstance(deadline, str) else str(deadline)
    if context.placeholder in text or (text.startswith("{{") and text.endswith("}}")):
        return
    if not _WHOLE.fullmatch(text) or not 0 <= int(text[:20]) < 2**63:
        said = f"{shown(deadline)} is not a number of seconds."
        context.report.error("value", (path, "activeDeadlineSeconds"), said)
