"""Outputs of templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.artifacts import check_path
from couler_jobs.compiler.lint.context import Context
from couler_jobs.compiler.lint.names import check_unique, is_parameter_name
from couler_jobs.compiler.lint.openings import check_closed
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.tags import Scope, substitute
from couler_jobs.compiler.lint.template import Template, is_parameter_tag
from couler_jobs.spec.manifest import Path

_SOURCES: Final = ("path", "jqFilter", "jsonPath", "parameter", "expression")
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "container": ("path",),
    "containerSet": ("path",),
    "script": ("path",),
    "resource": ("jqFilter", "jsonPath"),
    "dag": ("parameter", "expression"),
    "steps": ("parameter", "expression"),
}


def check_outputs(
    context: Context, template: Template, scope: Scope, env: Mapping[str, str]
) -> None:
    """Names, sources, paths and tags of what a template gives back."""
    outputs = template.body.get("outputs")
    if not outputs:
        return
    report, path = context.report, (template.path, "outputs")
    parameters, artifacts = outputs.get("parameters", []), outputs.get("artifacts", [])
    check_unique(parameters, report, (path, "parameters"), "parameter", env)
    check_unique(artifacts, report, (path, "artifacts"), "artifact", env)
    context.check_tags(context.bag(outputs), scope, env)
    check_closed(outputs, "outputs", context.bag(outputs), report, env)
    for index, artifact in enumerate(artifacts):
        where = ((path, "artifacts"), index)
        if template.is_leaf:
            check_path(artifact, report, where)
        elif artifact.get("path"):
            said = "Only a template that runs a container has paths for artifacts."
            report.error("artifact-path", (where, "path"), said)
        _global_name(artifact, report, where, env)
    for index, parameter in enumerate(parameters):
        where = ((path, "parameters"), index)
        _parameter(parameter, template, report, where)
        _global_name(parameter, report, where, env)


def _global_name(item: dict[str, Any], report: Report, path: Path, env: Mapping[str, str]) -> None:
    name = substitute(item.get("globalName", ""), env)
    if name and not is_parameter_tag(name) and not is_parameter_name(name):
        said = f"The global name {shown(name)} may hold letters, digits, '-' and '_' only."
        report.error("name", (path, "globalName"), said)


def _parameter(parameter: dict[str, Any], template: Template, report: Report, path: Path) -> None:
    name, source = shown(parameter.get("name", "")), parameter.get("valueFrom")
    if "value" in parameter:
        if source is not None:
            report.error("value-from", path, f"The output {name} has two sources.")
        return
    if source is None:
        said = f"The output {name} does not say where its value comes from."
        report.error("value-from", path, said, "Write `valueFrom`.")
        return
    given = [word for word in _SOURCES if source.get(word)]
    given += ["supplied"] if "supplied" in source else []
    where = (path, "valueFrom")
    if len(given) != 1:
        said = f"The output {name} needs one source, and has {', '.join(given) or 'none'}."
        report.error("value-from", where, said)
    needed = _NEEDED.get(template.kind)
    if needed is not None and not any(source.get(word) for word in needed):
        said = f"An output of a {template.kind} template comes from {' or '.join(needed)}."
        report.error("value-from", where, said)
