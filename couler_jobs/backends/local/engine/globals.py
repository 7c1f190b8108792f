"""The variables that the whole workflow knows: `workflow.name`, `workflow.parameters.x` ..."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from couler_jobs.backends.local.engine.records import Node, rfc3339
from couler_jobs.backends.local.engine.tags import TagError, Unresolved, replaced
from couler_jobs.backends.local.engine.templates import value_text
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.expressions import ExpressionError, expand, gotext, read
from couler_jobs.spec.status import Manifest

_SCHEDULED = "workflows.argoproj.io/scheduled-time"
_STRFTIME = "aAbBcCdDefFgGhHIjklLmMnNpPrRsStTuUvVwWxXyYzZ"


def with_parameters(manifest: Manifest, parameters: Mapping[str, str] | None) -> dict[str, Any]:
    """A copy of the manifest whose arguments have these values, new names at the end."""
    changed = copy.deepcopy(dict(manifest))
    if parameters:
        spec = changed.setdefault("spec", {})
        listed = spec.setdefault("arguments", {}).setdefault("parameters", [])
        by_name = {parameter.get("name"): parameter for parameter in listed}
        for name, value in parameters.items():
            if name in by_name:
                by_name[name].pop("valueFrom", None)
                by_name[name]["value"] = value
            else:
                listed.append({"name": name, "value": value})
    return changed


def workflow_variables(
    manifest: Manifest, *, name: str, uid: str, namespace: str, created_at: float
) -> dict[str, str]:
    """What is known before anything runs."""
    spec, metadata = manifest["spec"], manifest.get("metadata") or {}
    arguments = spec.get("arguments") or {}
    values = {
        "workflow.name": name,
        "workflow.namespace": namespace,
        "workflow.uid": uid,
        "workflow.mainEntrypoint": str(spec.get("entrypoint") or ""),
        "workflow.serviceAccountName": str(spec.get("serviceAccountName") or ""),
        "workflow.status": "",
        **_times(created_at),
        **_parameters(arguments.get("parameters") or []),
        **_described("annotations", spec, metadata),
        **_described("labels", spec, metadata),
    }
    if spec.get("priority") is not None:
        values["workflow.priority"] = value_text(spec["priority"])
    if _SCHEDULED in (metadata.get("annotations") or {}):
        values["workflow.scheduledTime"] = str(metadata["annotations"][_SCHEDULED])
    return values


def labels_from(manifest: Manifest, variables: Mapping[str, str]) -> dict[str, str]:
    """The labels that expressions of `workflowMetadata.labelsFrom` give, as variables."""
    listed = (manifest["spec"].get("workflowMetadata") or {}).get("labelsFrom") or {}
    return {
        f"workflow.labels.{name}": _label(name, str(source.get("expression", "")), variables)
        for name, source in listed.items()
    }


def _label(name: str, expression: str, variables: Mapping[str, str]) -> str:
    try:
        value = read(expression).evaluate(expand(variables))
    except ExpressionError as error:
        raise TagError(
            f'failed to evaluate label "{name}" expression "{expression}": {error}'
        ) from None
    if not isinstance(value, str):
        raise TagError(
            f'failed to evaluate label "{name}" expression "{expression}" evaluted to '
            f"{gotext.type_name(value)} but must be a string"
        )
    return value


def _times(created_at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(created_at, UTC)
    values = {
        "workflow.creationTimestamp": rfc3339(created_at),
        "workflow.creationTimestamp.RFC3339": rfc3339(created_at),
        "workflow.creationTimestamp.s": str(int(created_at)),
    }
    for letter in _STRFTIME:
        try:
            shown = moment.strftime(f"%{letter}")
        except ValueError:
            continue
        values.setdefault(f"workflow.creationTimestamp.{letter}", shown)
    return values


def _parameters(listed: list[dict[str, Any]]) -> dict[str, str]:
    shown = [{k: value_text(v) if k == "value" else v for k, v in p.items()} for p in listed]
    text = gotext.compact_json(shown) if shown else "null"
    return {
        "workflow.parameters": text,
        "workflow.parameters.json": text,
        **{f"workflow.parameters.{p['name']}": value_text(p.get("value")) for p in listed},
    }


def _described(kind: str, spec: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    own = {key: str(value) for key, value in (metadata.get(kind) or {}).items()}
    more = (spec.get("workflowMetadata") or {}).get(kind) or {}
    text = gotext.to_json(own) if own else "null"
    values = {f"workflow.{kind}": text, f"workflow.{kind}.json": text}
    both = {**own, **{key: str(value) for key, value in more.items()}}
    return {**values, **{f"workflow.{kind}.{key}": value for key, value in both.items()}}


def settled_spec(manifest: Manifest, variables: Mapping[str, str]) -> dict[str, Any]:
    """The spec but its templates, with these variables in place."""
    later = {k: v for k, v in manifest["spec"].items() if k in ("templates", "hooks")}
    rest = {key: value for key, value in manifest["spec"].items() if key not in later}
    spec: dict[str, Any] = replaced(rest, Variables(variables), Unresolved.LEFT)
    later.pop("templates", None)
    return {**spec, **later}


def failures(nodes: Iterable[Node], pod_name: Any) -> str:
    """`{{workflow.failures}}`: JSON text inside JSON text."""
    rows = [
        {
            "displayName": node.display_name,
            "message": node.message,
            "templateName": node.template,
            "phase": node.phase.value,
            "podName": pod_name(node.name, node.template),
            "finishedAt": None if node.finished is None else rfc3339(node.finished),
        }
        for node in nodes
        if node.bad
    ]
    text = gotext.compact_json(rows) if rows else "null"
    return gotext.json_string(text)
