"""What is wrong with a manifest, in the words of the program where it came from one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from couler_jobs.spec.finding import Finding, Severity

if TYPE_CHECKING:
    from couler_jobs.compiler.origin import Origin


def lint(what: Any, target: str = "4.1", lines: Mapping[str, int] | None = None) -> list[Finding]:
    """Everything that is wrong or unwise in a manifest, or a `@workflow` function; errors first.

    `target` is an Argo version (`3.5` to `4.1`); `lines` gives the line of each path, as
    `couler_jobs.spec.manifest.load_with_lines` does. Raises ConfigError for an unknown target, and
    for a function what `compile` raises.
    """
    from couler_jobs.build import placed
    from couler_jobs.dsl.workflows import Workflow

    if isinstance(what, Workflow):
        return findings_in(*placed(what, target, {}), target)
    return findings_in(what, None, target, lines)


def findings_in(
    manifest: Any,
    origin: Origin | None,
    target: str,
    lines: Mapping[str, int] | None = None,
    *,
    unset: Severity = "warning",
) -> list[Finding]:
    """What lint finds; with `origin`, which knows the program, at the lines of it.

    A program is right though a parameter of it has no value yet: that is for whoever submits it.
    So it is `unset`: an error where it is submitted now.
    """
    from couler_jobs.compiler.lint import lint as lint_manifest

    if origin is None:
        return lint_manifest(manifest, target, lines)
    found = [*lint_manifest(manifest, target, lines, values_may_lack=True)]
    found += _without_value(manifest, unset)
    found.sort(key=lambda one: one.severity != "error")
    return _placed(found, origin)


def _placed(found: Sequence[Finding], origin: Origin) -> list[Finding]:
    return [replace(finding, place=origin(finding.path)) for finding in found]


def _without_value(manifest: Mapping[str, Any], severity: Severity) -> Iterator[Finding]:
    if manifest["kind"].endswith("Template"):
        return  # who refers to it gives the values
    spec, path = manifest["spec"], "spec"
    if manifest["kind"] == "CronWorkflow":
        spec, path = spec["workflowSpec"], "spec.workflowSpec"
    for word, way in (
        ("parameters", "Give it with `-p {0}=...`, in Python with `{0}=...`."),
        ("artifacts", "Give it in Python, such as `{0}=cj.s3(...)`."),
    ):
        for index, one in enumerate(spec.get("arguments", {}).get(word, ())):
            if one.keys().isdisjoint({"value", "valueFrom"}) and _is_bare(word, one):
                yield Finding(
                    severity=severity,
                    code="no-value",
                    path=f"{path}.arguments.{word}[{index}]",
                    message=f"{one['name']} has no value.",
                    fix=way.format(one["name"]),
                )


def _is_bare(word: str, argument: Mapping[str, Any]) -> bool:
    """Whether nothing says what it is: an artifact that lies somewhere says so in further words."""
    return word == "parameters" or argument.keys() == {"name"}
