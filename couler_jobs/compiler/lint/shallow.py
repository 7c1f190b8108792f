"""What Argo looks at each time a template is called, whoever calls it."""

from __future__ import annotations

import re
from typing import Any, Final

from couler_jobs.compiler.lint.artifacts import check_location, check_path
from couler_jobs.compiler.lint.names import check_unique
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.template import KINDS, Template
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V4_1

_RETRY_POLICIES: Final = frozenset({"", "Always", "OnError", "OnFailure", "OnTransientError"})
_DIGITS: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


def check_shallow(template: Template, report: Report) -> None:
    """What Argo looks at each time a template is called, whoever calls it."""
    body, path = template.body, template.path
    kinds = template.kinds
    if not kinds:
        said = f"The template {shown(template.name)} does not say what it runs."
        report.error("template-kind", path, said, f"Write one of {', '.join(KINDS)}.")
    elif len(kinds) > 1:
        said = f"A template is one thing; this one is {' and '.join(kinds)}."
        report.error("template-kind", path, said)
    policy = body.get("retryStrategy", {}).get("retryPolicy", "")
    if policy not in _RETRY_POLICIES:
        said = f"{shown(policy)} is not a retry policy."
        where = ((path, "retryStrategy"), "retryPolicy")
        report.error("value", where, said, "Write Always, OnFailure, OnError or OnTransientError.")
    _inputs(template, report)
    for index, container in enumerate(body.get("initContainers", [])):
        if not container.get("name"):
            nameless: Path = (((path, "initContainers"), index), "name")
            report.error("name", nameless, "An init container needs a name.")
    _timeouts(template, report)
    _pod_only(template, report)


def _inputs(template: Template, report: Report) -> None:
    path = (template.path, "inputs")
    if template.parameters:
        check_unique(template.parameters, report, (path, "parameters"), "parameter")
    if template.artifacts:
        check_unique(template.artifacts, report, (path, "artifacts"), "artifact")
    for index, artifact in enumerate(template.artifacts):
        where = ((path, "artifacts"), index)
        if template.is_leaf:
            check_path(artifact, report, where)
        elif artifact.get("path"):
            said = "Only a template that runs a container has paths for artifacts."
            report.error("artifact-path", (where, "path"), said)
        if artifact.get("from"):
            said = "An input does not say where its artifact comes from; the caller does."
            report.error("artifact-source", (where, "from"), said)
        check_location(artifact, report, where)


def _timeouts(template: Template, report: Report) -> None:
    for word, since in (("timeout", None), ("pendingTimeout", V4_1)):
        value = template.body.get(word, "")
        if not value or (since is not None and report.target < since):
            continue
        path = (template.path, word)
        if not template.is_leaf:
            said = f"A template of the kind {template.kind or 'nothing'} has no {word}."
            fix = "Use `activeDeadlineSeconds` of the workflow, or a timeout on what it calls."
            report.error("timeout", path, said, fix)
        elif word == "timeout":
            check_timeout(value, report, path)


def _pod_only(template: Template, report: Report) -> None:
    """Fields of 4.1 that only make sense where a pod is made."""
    body = template.body
    if report.target < V4_1:
        return
    if "podResources" in body:
        path = (template.path, "podResources")
        if template.kind in ("http", "plugin"):
            said = f"A template of the kind {template.kind} has no pod of its own."
            report.error("pod-only", path, said)
        check_pod_resources(body["podResources"], report, path)
    if body.get("resourceClaims") and not template.is_pod:
        said = f"A template of the kind {template.kind} has no pod of its own."
        report.error("pod-only", (template.path, "resourceClaims"), said)


def check_pod_resources(resources: dict[str, Any], report: Report, path: Path) -> None:
    """Resources of a whole pod: cpu, memory and huge pages, without claims."""
    if resources.get("claims"):
        report.error("value", (path, "claims"), "Resources of a whole pod have no claims.")
    for word in ("limits", "requests"):
        for name in resources.get(word, {}):
            if name not in ("cpu", "memory") and not name.startswith("hugepages-"):
                said = f"{shown(name)} is no resource of a whole pod; cpu, memory, hugepages-* are."
                report.error("value", ((path, word), name), said)


def check_timeout(timeout: str, report: Report, path: Path) -> None:
    """A timeout is a duration with a unit."""
    if timeout and _DIGITS.fullmatch(timeout):
        said = f"The timeout {shown(timeout)} has no unit."
        fix = f"Write `{timeout}s`."
        report.error("timeout", path, said, fix)
