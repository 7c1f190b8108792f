"""What Argo Server refuses and the Kubernetes API lets pass, so that it is said here. Pure.

The controller would fail such a workflow at once, and such a cron workflow would never fire and
say nothing (both seen on Argo 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.errors import Rejected
from couler_jobs.spec import cron
from couler_jobs.spec.status import Manifest

LONGEST_WORKFLOW = 63
LONGEST_CRON = 52


def check_workflow(manifest: Manifest) -> None:
    """`Rejected` for a workflow that could not run."""
    _check_name("workflow", manifest, LONGEST_WORKFLOW)
    _check_spec(_name(manifest), manifest.get("spec"))


def check_cron(manifest: Manifest) -> None:
    """`Rejected` for a cron workflow that could not fire, or whose runs could not run."""
    _check_name("cron workflow", manifest, LONGEST_CRON)
    spec = _dict(manifest.get("spec"))
    lines = list(_lines(spec))
    if not lines:
        raise Rejected(f"Cron workflow {_name(manifest)} must have at least one schedule.")
    for line in lines:
        try:
            cron.parse(line)
        except cron.CronError as error:
            raise Rejected(f"Cron workflow {_name(manifest)} cannot fire: {error}") from None
    if (zone := spec.get("timezone")) and not cron.is_zone(str(zone)):
        raise Rejected(f"Cron workflow {_name(manifest)} cannot fire: no time zone {zone!r}.")
    _check_spec(_name(manifest), spec.get("workflowSpec"))


def _check_name(words: str, manifest: Manifest, longest: int) -> None:
    if len(_name(manifest)) > longest:
        raise Rejected(
            f"The name of {words} {_name(manifest)} is too long: Argo takes {longest} characters."
        )


def _check_spec(name: str, given: object) -> None:
    spec = _dict(given)
    if spec.get("workflowTemplateRef"):
        return
    entrypoint = spec.get("entrypoint")
    templates = [one.get("name") for one in spec.get("templates") or [] if isinstance(one, Mapping)]
    if entrypoint not in templates:
        raise Rejected(f"Workflow {name} has no template {entrypoint!r}, its entrypoint.")


def _lines(spec: Mapping[str, Any]) -> Iterator[str]:
    given = spec.get("schedules") or [spec.get("schedule")]
    yield from (line for line in given if isinstance(line, str) and line)


def _name(manifest: Manifest) -> str:
    metadata = _dict(manifest.get("metadata"))
    return str(metadata.get("name") or metadata.get("generateName") or "")


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
