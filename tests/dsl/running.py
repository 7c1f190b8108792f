"""Running compiled workflows on this machine's engine, with this interpreter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local import private
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.spec.wire import decode

parallel_steps = pytest.mark.skipif(
    not private.possible(), reason="no private mounts: steps at the same time share /tmp here"
)


def local(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest whose steps run this interpreter, which has what the tests have."""
    for template in manifest["spec"]["templates"]:
        for field in ("container", "script"):
            if template.get(field, {}).get("command") == ["python"]:
                template[field]["command"] = [sys.executable]
    return manifest


def run_locally(workflow: Any, folder: Path, **parameters: Any) -> Any:
    """The run of the workflow, which has succeeded, and the value that it returned."""
    backend = LocalBackend(folder)
    run = cj.submit(local(workflow.compile(**parameters)), backend=backend)
    run.wait(timeout=120)
    found = backend.get(run.name).outputs.get("parameters", {})
    values = {name: decode(text) for name, text in found.items()}
    return values.get("value") if set(values) <= {"value"} else values
