"""What a step can ask of its own pod: the fields that `fieldRef` names, as they are here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.values import HERE

_WORKFLOW, _NODE = "workflows.argoproj.io/workflow", "workflows.argoproj.io/node-name"


class Pod:
    """The pod that a step would have on a cluster.

    `variables` are the workflow's own, `metadata` is what the template says of its pod's.
    """

    def __init__(
        self,
        name: str,
        node: str,
        node_id: str,
        variables: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        given = metadata or {}
        labels = {_WORKFLOW: variables["workflow.name"], **(given.get("labels") or {})}
        annotations = {_NODE: node, **(given.get("annotations") or {})}
        self._fields: dict[str, str] = {
            "metadata.name": name,
            "metadata.namespace": variables["workflow.namespace"],
            "metadata.uid": node_id,
            "spec.nodeName": "localhost",
            "spec.serviceAccountName": variables.get("workflow.serviceAccountName") or "default",
            **dict.fromkeys(("status.hostIP", "status.podIP"), HERE),
            **{f"metadata.labels['{key}']": str(value) for key, value in labels.items()},
            **{f"metadata.annotations['{key}']": str(value) for key, value in annotations.items()},
        }

    def field(self, path: str) -> str:
        """The value of a field; empty for a label or annotation that it has not, as on a cluster.

        `TagError` for a field that no variable can have.
        """
        if path in self._fields:
            return self._fields[path]
        if path.startswith(("metadata.labels['", "metadata.annotations['")):
            return ""
        raise TagError(f"There is no field {path!r} of a pod on this machine.")
