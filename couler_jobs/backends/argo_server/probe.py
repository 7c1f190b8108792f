"""Which Argo a server is. Pure.

Servers say it, but for those whose build was not told ("v0.0.0+unknown"). Those are asked to lint
small manifests: a field that comes back is one that they know (lint stores nothing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from couler_jobs.backends.argo_server.api import Kind
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest

TARGETS = ("3.5", "3.6", "3.7", "4.0", "4.1")

Understand = Callable[[Kind, Manifest], Mapping[str, Any] | None]
"""Gives what a server made of a manifest; None if it refused it."""


def stated(version: str) -> str:
    """The version that a server states, "4.1.2" for "v4.1.2"; "" if it does not know its own."""
    found = re.match(r"v?(\d+\.\d+\.\d+)", version)
    return found[1] if found and not found[1].startswith("0.") else ""


def target(version: str, understand: Understand) -> str:
    """The newest target that a server with this version understands.

    `Rejected` if it is older than all of them.
    """
    said = stated(version)
    if not said:
        return _found_out(understand)
    ours = _number(said)
    fitting = [one for one in TARGETS if _number(one) <= ours]
    if not fitting:
        raise Rejected(f"Argo Server {said} is too old: {TARGETS[0]} is the oldest that is known.")
    return fitting[-1]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _found_out(understand: Understand) -> str:
    spec = (understand(Kind.WORKFLOW, _WORKFLOW) or {}).get("spec") or {}
    template = (spec.get("templates") or [{}])[0]
    if "pendingTimeout" in template:  # since 4.1
        return "4.1"
    if "podPriority" in spec:  # until 3.6
        return "3.6" if understand(Kind.CRON, _cron(schedules=["0 0 * * *"])) else "3.5"
    known = (understand(Kind.CRON, _cron(schedule="0 0 * * *")) or {}).get("spec") or {}
    return "3.7" if known.get("schedule") else "4.0"


_TEMPLATE = {"name": "main", "container": {"image": "x", "command": ["x"]}}
_WORKFLOW: Manifest = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "probe"},
    "spec": {
        "entrypoint": "main",
        "podPriority": 1,
        "templates": [{**_TEMPLATE, "pendingTimeout": "1h"}],
    },
}


def _cron(**schedule: Any) -> Manifest:
    run = {"entrypoint": "main", "templates": [_TEMPLATE]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "probe"},
        "spec": {**schedule, "workflowSpec": run},
    }
