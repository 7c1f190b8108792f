"""Small workflows for the tests of backends, as plain manifests."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

from couler_jobs.backends.base import Backend
from couler_jobs.spec.status import RunInfo

IMAGE = "python:3.12-slim"


def sh(name: str, text: str, depends: str = "", **template: Any) -> dict[str, Any]:
    """A task that runs a line of shell; `template` is what else its template says."""
    container = {"image": IMAGE, "command": ["sh", "-c"], "args": [text]}
    return {"name": name, "depends": depends, "template": {"container": container, **template}}


def script(name: str, source: str, **template: Any) -> dict[str, Any]:
    """A task that runs a script in Python."""
    body = {"image": IMAGE, "command": ["python"], "source": source}
    return {"name": name, "depends": "", "template": {"script": body, **template}}


def pause(name: str, depends: str = "", **asks: str | None) -> dict[str, Any]:
    """A task that waits until it is resumed; `asks` are the defaults of answers."""
    asked = [
        {"name": n, "valueFrom": {"supplied": {}} | ({} if one is None else {"default": one})}
        for n, one in asks.items()
    ]
    outputs = {"outputs": {"parameters": asked}} if asked else {}
    return {"name": name, "depends": depends, "template": {"suspend": {}, **outputs}}


def workflow(*tasks: dict[str, Any], name: str = "", **spec: Any) -> dict[str, Any]:
    """A DAG of the tasks. `labels` in `spec` are the workflow's, all else belongs to its spec."""
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": "test-"}
    if labels := spec.pop("labels", None):
        metadata["labels"] = labels
    templates = [{"name": f"t-{task['name']}", **task["template"]} for task in tasks]
    dag = {"tasks": [_task(task) for task in tasks]}
    more = spec.pop("templates", [])
    return copy.deepcopy(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": metadata,
            "spec": {
                "entrypoint": "main",
                "templates": [{"name": "main", "dag": dag}, *templates, *more],
                **spec,
            },
        }
    )


def _task(task: dict[str, Any]) -> dict[str, Any]:
    plain = {"name": task["name"], "template": f"t-{task['name']}"}
    return plain | ({"depends": task["depends"]} if task["depends"] else {})


def parameter(name: str, path: str, **value_from: Any) -> dict[str, Any]:
    """The `outputs` of a template that leaves one parameter in a file."""
    return {"parameters": [{"name": name, "valueFrom": {"path": path, **value_from}}]}


def wait_until(
    backend: Backend, name: str, so: Callable[[RunInfo], bool], seconds: float = 120
) -> RunInfo:
    """The run as soon as it is `so`."""
    deadline = time.monotonic() + seconds
    while not so(info := backend.get(name)):
        assert not info.ended, f"ended before that: {info}"
        assert time.monotonic() < deadline, f"waited {seconds} s for {name}: {info}"
        time.sleep(0.05)
    return info


def finish(backend: Backend, name: str, seconds: float = 120) -> RunInfo:
    """The run when it has ended."""
    return wait_until(backend, name, lambda info: info.ended, seconds)


def phase_of(info: RunInfo, task: str) -> str:
    """Where a task of the DAG stands; "" before there is a node of it."""
    node = info.nodes.get(f"{info.name}.{task}")
    return "" if node is None else node.phase.value


def text_of(backend: Backend, name: str) -> str:
    """Everything that a run printed."""
    return "\n".join(line.text for line in backend.logs(name))
