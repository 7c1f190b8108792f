"""What is wrong with a manifest, found without a server.

An error stands where Argo Server refuses the manifest (targets 3.5 to 3.7), or Argo Server or
Kubernetes does (4.0 and later, whose CRDs are full). A warning stands where both take it and it
will not do what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.compiler.lint.context import Context
from couler_jobs.compiler.lint.cron import check_cron
from couler_jobs.compiler.lint.deep import check_deep
from couler_jobs.compiler.lint.fields import cleaned, walk
from couler_jobs.compiler.lint.metadata import check_metadata
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.size import check_size
from couler_jobs.compiler.lint.workflow import check_spec
from couler_jobs.spec.fields import KINDS
from couler_jobs.spec.finding import Finding
from couler_jobs.spec.manifest import ROOT, path_of
from couler_jobs.spec.versions import parse_target


def lint(
    manifest: Mapping[str, Any],
    target: str = "4.1",
    lines: Mapping[str, int] | None = None,
    *,
    values_may_lack: bool = False,
) -> list[Finding]:
    """Everything that is wrong or unwise in a manifest, errors first.

    `target` is an Argo version (`3.5` to `4.1`); `lines` gives the line of each path, as
    `couler_jobs.spec.manifest.load_with_lines` does. With `values_may_lack`, arguments of the
    workflow may still get their values when it is submitted. Raises ConfigError for an unknown
    target.
    """
    report = Report(parse_target(target), lines)
    if not isinstance(manifest, dict):
        report.error("type", ROOT, f"A manifest is a mapping, and this is {shown(manifest)}.")
    elif manifest.get("kind") not in KINDS:
        said = f"The kind {shown(manifest.get('kind'))} is not one of {', '.join(KINDS)}."
        report.error("kind", path_of("kind"), said)
    else:
        _check(manifest, manifest["kind"], report, values_may_lack)
    return report.findings()


def _check(manifest: dict[str, Any], kind: str, report: Report, values_may_lack: bool) -> None:
    check_size(manifest, report)
    walked = walk(manifest, kind, report)
    if walked.odd:
        manifest = cleaned(manifest, kind, report.target)
        walked = walk(manifest, kind, Report(report.target, None))
    check_metadata(manifest, kind, report)
    spec, path, metadata = manifest.get("spec", {}), path_of("spec"), manifest.get("metadata", {})
    if kind == "CronWorkflow":
        check_cron(spec, report, path)
        metadata = spec.get("workflowMetadata", {})
        spec, path = spec.get("workflowSpec", {}), (path, "workflowSpec")
    context = Context(
        report=report,
        deeper=check_deep,
        walked=walked,
        spec=spec,
        path=path,
        of_cron=kind == "CronWorkflow",
        of_cluster=kind == "ClusterWorkflowTemplate",
        of_template=kind.endswith("Template"),
        values_may_lack=values_may_lack,
    )
    check_spec(context, metadata)


__all__ = ["lint"]
