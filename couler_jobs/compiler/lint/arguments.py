"""Arguments: of the workflow, of steps, tasks and hooks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from couler_jobs.compiler.lint.artifacts import has_location_or_key
from couler_jobs.compiler.lint.names import check_unique
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.spec.manifest import Path

_NOT_FOR_ARGUMENTS: Final = ("path", "jsonPath", "parameter", "expression")


def check_arguments(
    arguments: dict[str, Any],
    report: Report,
    path: Path,
    env: Mapping[str, str] = MappingProxyType({}),
    *,
    values_may_lack: bool = False,
    files_may_lack: bool = False,
    first_wins: bool = False,
) -> None:
    """Names, and a value for each, unless whoever submits a template gives them.

    Of two with one name Argo takes the first where it adds those of a WorkflowTemplate.
    """
    check_names = functools.partial(check_unique, env=env, first_wins=first_wins)
    parameters: list[dict[str, Any]] = arguments.get("parameters", [])
    if parameters:
        check_names(parameters, report, (path, "parameters"), "parameter")
        for index, parameter in _taken(parameters, first_wins):
            if "value" not in parameter or len(parameter) > 2:
                where = ((path, "parameters"), index)
                _value(parameter, report, where, values_may_lack)
    if artifacts := arguments.get("artifacts"):
        check_names(artifacts, report, (path, "artifacts"), "artifact")
        for index, artifact in _taken(artifacts, first_wins):
            if files_may_lack and artifact.keys() == {"name"}:
                continue
            _artifact(artifact, report, ((path, "artifacts"), index))


def _taken(items: list[dict[str, Any]], first_wins: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """The arguments that Argo looks at, with their places."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name", "")
        if not (first_wins and name in seen):
            yield index, item
        seen.add(name)


def _value(parameter: dict[str, Any], report: Report, path: Path, values_may_lack: bool) -> None:
    name = shown(parameter.get("name", ""))
    source = parameter.get("valueFrom")
    if "value" not in parameter and source is None and not values_may_lack:
        report.error(
            "no-value",
            path,
            f"The parameter {name} has no value.",
            "Give it a `value`, or one when it is submitted (`-p`).",
        )
    if source is not None:
        _value_from(source, report, (path, "valueFrom"))
    if parameter.get("enum"):
        _enum(parameter, report, path, values_may_lack)


def _value_from(source: dict[str, Any], report: Report, path: Path) -> None:
    given = "configMapKeyRef" in source or source.get("event") or "supplied" in source
    if not given or any(source.get(word) for word in _NOT_FOR_ARGUMENTS):
        said = "An argument takes its value from a config map, an event, or who supplies it, only."
        report.error("value-from", path, said)


def _enum(parameter: dict[str, Any], report: Report, path: Path, values_may_lack: bool) -> None:
    name, values = shown(parameter.get("name", "")), parameter["enum"]
    if "value" not in parameter:
        if not values_may_lack:
            report.error("no-value", path, f"The parameter {name} has an enum and no value.")
    elif parameter["value"] not in values:
        said = f"The value {shown(parameter['value'])} is not in the enum of {name}."
        report.error("enum", (path, "value"), said)


def _artifact(artifact: dict[str, Any], report: Report, path: Path) -> None:
    name = shown(artifact.get("name", ""))
    if not artifact.get("from") and not has_location_or_key(artifact):
        if artifact.get("fromExpression"):
            said = f"The artifact {name} has `fromExpression` without `from`, which Argo refuses."
            report.error("artifact-source", path, said, "Write `from`, or a location with a key.")
        else:
            said = f"The artifact {name} comes from nowhere."
            report.error("artifact-source", path, said, "Write `from`, a location, or a key.")
    elif artifact.get("from") and artifact.get("fromExpression"):
        report.error("artifact-source", path, f"The artifact {name} has two sources.")
