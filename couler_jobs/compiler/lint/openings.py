"""Texts that open a tag `{{` and do not close it.

Argo looks for the end in the JSON that it makes of a step, a task, the outputs or the whole
template: any `}}` after the opening will do, also two closing braces of the JSON itself. So the
order of the fields in that JSON decides, which is Argo's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.fields import Bag
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.tags import is_open, opens_expression, substitute
from couler_jobs.spec.versions import V3_7

_STEP: Final = (
    "name template inline arguments templateRef withItems withParam withSequence when continueOn "
    "onExit hooks"
)
_TASK: Final = (
    "name template inline arguments templateRef dependencies withItems withParam withSequence when "
    "continueOn onExit depends hooks"
)
_CONTAINER: Final = (
    "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy "
    "restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe "
    "lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext "
    "stdin stdinOnce tty source"
)
_SIDECAR: Final = f"{_CONTAINER} mirrorVolumeMounts"
_PARAMETER: Final = "name default value valueFrom globalName enum description"
_ARTIFACT: Final = (
    "name path mode from archiveLogs s3 git http artifactory hdfs raw oss gcs azure plugin "
    "globalName archive optional subPath recurseMode fromExpression artifactGC deleted"
)
_SOURCE: Final = (
    "path jsonPath jqFilter event parameter supplied configMapKeyRef default expression"
)
_TEMPLATE: Final = (
    "name inputs outputs nodeSelector affinity metadata daemon steps container containerSet script "
    "resource dag suspend data http plugin volumes initContainers sidecars archiveLocation "
    "activeDeadlineSeconds retryStrategy parallelism failFast tolerations schedulerName "
    "priorityClassName serviceAccountName automountServiceAccountToken executor hostAliases "
    "securityContext podSpecPatch metrics synchronization memoize timeout annotations "
    "pendingTimeout podResources resourceClaims"
)

# The order of the fields below each of these keys.
_ORDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "step": tuple(_STEP.split()),
    "task": tuple(_TASK.split()),
    "template": tuple(_TEMPLATE.split()),
    "steps": tuple(_STEP.split()),
    "tasks": tuple(_TASK.split()),
    "container": tuple(_CONTAINER.split()),
    "script": tuple(_CONTAINER.split()),
    "sidecars": tuple(_SIDECAR.split()),
    "initContainers": tuple(_SIDECAR.split()),
    "containerSet": ("containers", "volumeMounts", "retryStrategy"),
    "containers": tuple(f"{_CONTAINER} dependencies".split()),
    "dag": ("target", "tasks", "failFast"),
    "outputs": ("parameters", "artifacts", "result", "exitCode"),
    "inputs": ("parameters", "artifacts"),
    "parameters": tuple(_PARAMETER.split()),
    "artifacts": tuple(_ARTIFACT.split()),
    "valueFrom": tuple(_SOURCE.split()),
}

_HERE: Final = "\0here"

# What Argo writes even where it is empty.
_ALWAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "step": {"arguments": {}},
    "task": {"arguments": {}},
    "steps": {"arguments": {}},
    "tasks": {"arguments": {}},
    "template": {"inputs": {}, "outputs": {}, "metadata": {}},
    "container": {"name": "", "resources": {}},
    "sidecars": {"name": "", "resources": {}},
    "initContainers": {"name": "", "resources": {}},
    "containers": {"name": "", "resources": {}},
    "script": {"name": "", "resources": {}, "source": ""},
}


def check_closed(
    part: dict[str, Any], what: str, bag: Bag, report: Report, values: Mapping[str, str]
) -> None:
    """Report each text of a `step`, `task`, `template` or `outputs` that opens a tag for good."""
    for path, text in bag:
        if not is_open(text, values):
            continue
        fix = "Write `}}` at its end."
        if not _breaks(text, report) and _closes(part, what, text, values):
            said = f"The text {shown(text)} opens a tag and does not close it."
            report.warning("open-tag", path, said, fix)
        else:
            said = f"The text {shown(text)} opens a tag, and nothing closes it."
            report.error("open-tag", path, said, fix)


def check_open_expressions(bag: Bag, report: Report) -> None:
    """Texts from elsewhere that Argo puts into a template: only an open expression breaks it."""
    for path, text in bag:
        if is_open(text, {}) and _breaks(text, report):
            said = f"The text {shown(text)} opens an expression and does not close it."
            report.error("open-tag", path, said, "Write `}}` at its end.")


def _breaks(text: str, report: Report) -> bool:
    """Whether it is an expression that is open: beyond its text stands a quote, which ends it."""
    return report.target >= V3_7 and opens_expression(text)


def _closes(part: dict[str, Any], what: str, text: str, values: Mapping[str, str]) -> bool:
    try:
        written = json.dumps(_in_order(part, what, text), separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return True
    # Tags that are known are replaced before Argo looks.
    return "}}" in substitute(written.partition(json.dumps(_HERE)[1:-1])[2], values)


def _in_order(value: Any, key: str, text: str) -> Any:
    """The part as Argo orders it, with a mark in place of the text (that very object)."""
    if value is text:
        return _HERE
    if isinstance(value, list):
        return [_in_order(item, key, text) for item in value]
    if not isinstance(value, dict):
        return value
    order = _ORDERS.get(key)
    full = {**_ALWAYS.get(key, {}), **value}
    return {name: _in_order(full[name], name, text) for name in order or full if name in full}
