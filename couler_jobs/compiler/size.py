"""How large a manifest is as JSON, as Kubernetes keeps it. Pure.

Measuring it costs as much as writing it does, so that is done only near the limit.
"""

from __future__ import annotations

import json
from typing import Any

from couler_jobs.errors import CompileError
from couler_jobs.spec import model

Fields = dict[str, Any]

LARGEST = 1536 * 1024
"""Bytes of an object that Kubernetes' store takes."""

SURELY_TOO_LARGE = 2 * LARGEST
"""Of the rough size: the manifest is not even written without templates shared by its parts."""

_BARE = {"name", "template", "depends", "arguments"}
_LONG = 200  #: characters of a text that a sample must not miss


def fits(manifest: Fields) -> bool:
    """Whether Kubernetes takes it."""
    return _sampled(manifest) < 0.9 * LARGEST or _bytes(manifest) <= LARGEST


def refuse_too_large(name: str, manifest: Fields) -> None:
    """Raise CompileError, with what to do, for a manifest that Kubernetes does not take."""
    if (found := _bytes(manifest)) > LARGEST:
        raise CompileError(
            f"The manifest of {name} has {found / 2**20:.2f} MiB, and Kubernetes takes "
            f"{LARGEST / 2**20:.1f} MiB: loop with map, or pass big values as files."
        )


def declared(workflow: model.Workflow) -> int:
    """Bytes of what will be written, roughly."""
    size = 0
    for template in workflow.templates:
        if isinstance(template, model.Pod):
            size += 1000 + len(template.container.source or "") + len(template.extra)
        elif isinstance(template, model.Plain):
            size += 1000 + len(template.fields) + len(template.extra)
        else:
            texts = sum(len(str(t)) for call in template.calls[::16] for _, t in call.arguments)
            size += 100 * len(template.calls) + 16 * texts
    return size


def _sampled(manifest: Fields) -> int:
    """Bytes, of which one in 16 of a DAG's bare tasks is measured; their long texts all count."""
    spec = manifest["spec"]
    size = _bytes({**manifest, "spec": {**spec, "templates": []}})
    for template in spec["templates"]:
        tasks = template.get("dag", {}).get("tasks", [])
        bare = [task for task in tasks if _is_bare(task)]
        others = [task for task in tasks if not _is_bare(task)] if len(bare) < len(tasks) else []
        size += _bytes({**template, "dag": others} if tasks else template)
        size += 16 * _bytes(bare[::16]) + sum(map(_long, bare))
    return size


def _is_bare(task: Fields) -> bool:
    """Whether it has nothing but arguments, as nearly every one of a big DAG."""
    return task.keys() <= _BARE and "artifacts" not in task.get("arguments", ())


def _long(task: Fields) -> int:
    given = [one["value"] for one in task.get("arguments", {}).get("parameters", ())]
    return sum([len(text) for text in (*given, task.get("depends", "")) if len(text) > _LONG])


def _bytes(found: Any) -> int:
    return len(json.dumps(found, separators=(",", ":")))
