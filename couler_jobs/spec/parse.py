"""From Argo's JSON to `spec.status` values.

A reply of a real server is never complete: a new workflow has no phase, a list has no nodes, an
older version lacks a field and a newer one has more. So what is missing or of another type reads as
empty, and what is unknown is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from couler_jobs.spec.status import CronInfo, NodeInfo, Outputs, Phase, RunInfo

_PHASES = {str(phase): phase for phase in Phase}


def run_info(workflow: Mapping[str, Any]) -> RunInfo:
    """A Workflow object as a server answers it."""
    metadata, spec, status = (_dict(workflow.get(k)) for k in ("metadata", "spec", "status"))
    nodes = _nodes(status)
    return RunInfo(
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        namespace=_text(metadata.get("namespace")),
        generate_name=_text(metadata.get("generateName")),
        phase=_phase(status.get("phase")),
        message=_text(status.get("message")),
        progress=_text(status.get("progress")),
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
        parameters=_workflow_parameters(spec, status),
        nodes=nodes,
        outputs=_outputs(status.get("outputs")),
        created_at=_time(metadata.get("creationTimestamp")),
        started_at=_time(status.get("startedAt")),
        finished_at=_time(status.get("finishedAt")),
        suspended=_suspended(spec, nodes.values()),
        shutdown=_text(spec.get("shutdown")),
        active_deadline=_seconds(spec.get("activeDeadlineSeconds")),
    )


def node_info(node: Mapping[str, Any]) -> NodeInfo:
    """One entry of a workflow's `status.nodes`."""
    return NodeInfo(
        name=_text(node.get("name")),
        display_name=_text(node.get("displayName")),
        type=_text(node.get("type")),
        phase=_phase(node.get("phase")),
        id=_text(node.get("id")),
        message=_text(node.get("message")),
        template_name=_template_name(node),
        inputs=_parameters(_dict(node.get("inputs")).get("parameters")),
        outputs=_outputs(node.get("outputs")),
        started_at=_time(node.get("startedAt")),
        finished_at=_time(node.get("finishedAt")),
        boundary=_text(node.get("boundaryID")),
        children=tuple(child for child in _list(node.get("children")) if isinstance(child, str)),
        memoization=_dict(node.get("memoizationStatus")) or None,
        asks=_asks(node),
    )


def cron_info(cron: Mapping[str, Any]) -> CronInfo:
    """A CronWorkflow object as a server answers it; `schedule` (Argo 3.x) and `schedules` alike."""
    metadata, spec, status = (_dict(cron.get(k)) for k in ("metadata", "spec", "status"))
    schedules = _list(spec.get("schedules")) or [spec.get("schedule")]
    return CronInfo(
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        namespace=_text(metadata.get("namespace")),
        schedules=tuple(schedule for schedule in schedules if isinstance(schedule, str)),
        timezone=_text(spec.get("timezone")),
        suspended=spec.get("suspend") is True,
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
        last_scheduled_at=_time(status.get("lastScheduledTime")),
        active=tuple(_text(run.get("name")) for run in _dicts(status.get("active"))),
        resource_version=_text(metadata.get("resourceVersion")),
        conditions=tuple(_complaints(status)),
    )


def _nodes(status: Mapping[str, Any]) -> dict[str, NodeInfo]:
    parsed = (node_info(node) for node in _dicts(list(_dict(status.get("nodes")).values())))
    return {node.name: node for node in parsed if node.name}


def _template_name(node: Mapping[str, Any]) -> str:
    own = _text(node.get("templateName"))
    return own or _text(_dict(node.get("templateRef")).get("template"))


def _workflow_parameters(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, str]:
    # a run of a WorkflowTemplate: the defaults stand in the stored copy of the template's spec
    stored = _dict(status.get("storedWorkflowTemplateSpec"))
    values: dict[str, str] = {}
    for part in (stored, spec):
        values.update(_parameters(_dict(part.get("arguments")).get("parameters")))
    return values


def _suspended(spec: Mapping[str, Any], nodes: Iterable[NodeInfo]) -> bool:
    return spec.get("suspend") is True or any(node.waits for node in nodes)


def _outputs(value: object) -> Outputs:
    given, outputs = _dict(value), Outputs()
    if isinstance(given.get("result"), str):
        outputs["result"] = given["result"]
    if given.get("exitCode") not in (None, ""):
        outputs["exitCode"] = _text(given["exitCode"])
    if parameters := _parameters(given.get("parameters")):
        outputs["parameters"] = parameters
    if artifacts := {_text(a.get("name")): dict(a) for a in _dicts(given.get("artifacts"))}:
        outputs["artifacts"] = artifacts
    return outputs


def _asks(node: Mapping[str, Any]) -> dict[str, str | None]:
    """What is still to be supplied, with its default."""
    outputs = _dicts(_dict(node.get("outputs")).get("parameters"))
    sources = {_text(p.get("name")): _dict(p.get("valueFrom")) for p in outputs}
    defaults = {name: source.get("default") for name, source in sources.items()}
    return {
        name: None if defaults[name] is None else _text(defaults[name])
        for name, source in sources.items()
        if "supplied" in source
    }


def _parameters(value: object) -> dict[str, str]:
    named = (p for p in _dicts(value) if p.get("value") is not None)
    return {_text(p.get("name")): _text(p["value"]) for p in named}


def _complaints(status: Mapping[str, Any]) -> Iterable[str]:
    for condition in _dicts(status.get("conditions")):
        if condition.get("status") == "True":
            words = (_text(condition.get(key)) for key in ("type", "message"))
            yield ": ".join(word for word in words if word)


def _phase(value: object) -> Phase:
    return _PHASES.get(_text(value), Phase.PENDING)


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or one before the first year
        return None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: object) -> dict[str, str]:
    return {str(key): _text(text) for key, text in _dict(value).items()}


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]
