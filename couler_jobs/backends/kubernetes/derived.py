"""Workflows that are made of what is there already: resubmitted ones and runs of a cron. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from couler_jobs.spec.status import CRON_LABEL

PREFIX = "workflows.argoproj.io/"
RESUBMITTED = f"{PREFIX}resubmitted-from-workflow"
SCHEDULED = f"{PREFIX}scheduled-time"
_INSTANCE = f"{PREFIX}controller-instanceid"
_LEFT = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "creator",
        "creator-email",
        "creator-preferred-username",
        "phase",
        "completed",
        "workflow-archiving-status",
    )
)
"""Labels that tell of the former run (Argo's `FormulateResubmitWorkflow`)."""


def resubmission(workflow: Mapping[str, Any], submission: str) -> dict[str, Any]:
    """The whole of it again under a generated name; `submission` is the annotation to leave out."""
    metadata = workflow["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k not in _LEFT}
    annotations = dict(metadata.get("annotations") or {})
    for own in (submission, f"{PREFIX}pod-name-format"):
        annotations.pop(own, None)
    spec = {k: v for k, v in workflow["spec"].items() if k not in ("shutdown", "suspend")}
    return {
        **_head(workflow),
        "metadata": {
            "generateName": metadata.get("generateName") or f"{metadata['name']}-",
            "labels": {**labels, RESUBMITTED: metadata["name"]},
            "annotations": annotations,
            "ownerReferences": metadata.get("ownerReferences") or [],
        },
        "spec": spec,
    }


def tick(cron: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A run of a cron workflow as its controller makes one (Argo's `toWorkflow`)."""
    metadata, spec = cron["metadata"], cron["spec"]
    more = spec.get("workflowMetadata") or {}
    its_labels = metadata.get("labels") or {}
    labels = {_INSTANCE: its_labels[_INSTANCE]} if _INSTANCE in its_labels else {}
    owner = {
        "apiVersion": _head(cron)["apiVersion"],
        "kind": "CronWorkflow",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    annotations = {SCHEDULED: now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {
        **_head(cron),
        "metadata": {
            "generateName": f"{metadata['name']}-",
            "labels": {**labels, CRON_LABEL: metadata["name"], **(more.get("labels") or {})},
            "annotations": {**annotations, **(more.get("annotations") or {})},
            "finalizers": more.get("finalizers") or [],
            "ownerReferences": [owner],
        },
        "spec": spec["workflowSpec"],
    }


def _head(source: Mapping[str, Any]) -> dict[str, str]:
    version = str(source.get("apiVersion") or "argoproj.io/v1alpha1")
    return {"apiVersion": version, "kind": "Workflow"}
