"""Looking into compiled manifests, and at what they must not have."""

from __future__ import annotations

from typing import Any

import couler_jobs as cj

TARGETS = ("3.5", "4.1")


def compiled(workflow: Any, target: str = "4.1", **parameters: Any) -> dict[str, Any]:
    """The manifest, in which lint finds nothing."""
    found: dict[str, Any] = workflow.compile(target=target, **parameters)
    assert cj.lint(found, target) == []
    return found


def template(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in manifest["spec"]["templates"] if one["name"] == name]
    return dict(found)


def task(manifest: dict[str, Any], name: str, graph: str | None = None) -> dict[str, Any]:
    tasks = template(manifest, graph or manifest["spec"]["entrypoint"])["dag"]["tasks"]
    (found,) = [one for one in tasks if one["name"] == name]
    return dict(found)
