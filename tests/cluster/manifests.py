"""The workflows of the cluster suite, by hand, so that it depends on nothing but the backend."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

LABEL = "argo-workflows-executor/test-session"
IMAGE = "python:3.12-slim"


def python(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A template that runs a script with this very Python."""
    container = {"image": IMAGE, "command": [sys.executable, "-u", "-c"], "args": [script]}
    return {"name": name, "container": {**container, **more.pop("container", {})}, **more}


def workflow(session: str, *templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A workflow whose first template is its entrypoint."""
    name = f"cluster-{secrets.token_hex(4)}"
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "labels": {LABEL: session}},
        "spec": {"entrypoint": templates[0]["name"], "templates": list(templates), **spec},
    }


def cron(session: str, target: str, schedule: str, *templates: dict[str, Any]) -> dict[str, Any]:
    """A cron workflow in the form that the version takes; its runs carry the label too."""
    run = workflow(session, *templates)
    labels = {LABEL: session}
    when = {"schedule": schedule} if target == "3.5" else {"schedules": [schedule]}
    metadata = {"workflowMetadata": {"labels": labels}}
    return {
        **run,
        "kind": "CronWorkflow",
        "spec": {**when, **metadata, "concurrencyPolicy": "Forbid", "workflowSpec": run["spec"]},
    }


def steps(name: str, *groups: dict[str, Any]) -> dict[str, Any]:
    """A template that takes one step after another."""
    return {"name": name, "steps": [[group] for group in groups]}


def step(name: str, template: str, **values: str) -> dict[str, Any]:
    """A step and its arguments."""
    arguments = {"parameters": [{"name": k, "value": v} for k, v in values.items()]}
    return {"name": name, "template": template, **({"arguments": arguments} if values else {})}


def mounted(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The spec's and the container's part of a folder of this machine."""
    volume = {"name": "shared", "hostPath": {"path": str(folder), "type": "Directory"}}
    mount = {"name": "shared", "mountPath": str(folder)}
    return {"volumes": [volume]}, {"volumeMounts": [mount]}
