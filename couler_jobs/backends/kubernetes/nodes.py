"""The nodes of a workflow as Kubernetes keeps them, and the suspend nodes among them. Pure.

Argo packs `status.nodes` above 1 MiB into `status.compressedNodes` (base64 of gzip of JSON), and
larger ones it may put into a database (`status.offloadNodeStatusVersion`), which only Argo Server
reads.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from couler_jobs.errors import Rejected

Nodes = dict[str, dict[str, Any]]


def unpacked(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow with its nodes in the open; `Rejected` if they are not in it at all."""
    status = workflow.get("status") or {}
    if packed := status.get("compressedNodes"):
        status = {**status, "nodes": _unpack(str(packed)), "compressedNodes": ""}
    elif status.get("offloadNodeStatusVersion"):
        raise Rejected(
            f"The nodes of workflow {_name(workflow)} are in Argo's database: set ARGO_SERVER and "
            "use argo-server, which can read it."
        )
    return {**workflow, "status": status}


def without_nodes(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow without its nodes, as in a listing."""
    status = {key: value for key, value in (workflow.get("status") or {}).items() if key != "nodes"}
    return {**workflow, "status": status}


def passed(
    workflow: Mapping[str, Any], node: str | None, now: datetime, answers: Mapping[str, str]
) -> dict[str, Any]:
    """The change of `status` that lets a workflow go on past its suspend nodes.

    All that wait, or the one named `node`. As Argo's `ResumeWorkflow` does it: the node succeeds,
    and output parameters that were to be supplied get the answers, else their defaults.
    """
    nodes: Nodes = unpacked(workflow)["status"].get("nodes") or {}
    finished = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    changes = {
        key: _succeeded(one, finished, answers)
        for key, one in nodes.items()
        if _waits(one) and node in (None, one.get("name"))
    }
    if changes and (workflow.get("status") or {}).get("compressedNodes"):
        whole = {key: {**one, **changes.get(key, {})} for key, one in nodes.items()}
        return {"compressedNodes": _pack(whole)}
    return {"nodes": changes} if changes else {}


def _waits(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "Suspend" and node.get("phase") == "Running"


def _succeeded(
    node: Mapping[str, Any], finished: str, answers: Mapping[str, str]
) -> dict[str, Any]:
    change: dict[str, Any] = {"phase": "Succeeded", "finishedAt": finished}
    outputs = node.get("outputs") or {}
    if parameters := outputs.get("parameters"):
        change["outputs"] = {**outputs, "parameters": list(_supplied(node, parameters, answers))}
    return change


def _supplied(
    node: Mapping[str, Any], parameters: list[dict[str, Any]], answers: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for parameter in parameters:
        source = parameter.get("valueFrom")
        if not source or parameter.get("value") is not None:
            yield parameter
        elif (text := answers.get(parameter["name"], source.get("default"))) is not None:
            plain = {key: value for key, value in parameter.items() if key != "valueFrom"}
            yield {**plain, "value": text}
        else:
            raise Rejected(
                f"Node {node.get('name')} cannot be resumed: its output parameter "
                f"{parameter.get('name')} has no value and no default."
            )


def _unpack(packed: str) -> Nodes:
    try:
        found = json.loads(gzip.decompress(base64.b64decode(packed)))
    except (ValueError, OSError, EOFError, zlib.error):
        raise Rejected("The packed nodes of this workflow cannot be read.") from None
    return found if isinstance(found, dict) else {}


def _pack(nodes: Nodes) -> str:
    return base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()


def _name(workflow: Mapping[str, Any]) -> str:
    return str((workflow.get("metadata") or {}).get("name", ""))
