"""A Workflow manifest on a schedule: the CronWorkflow manifest for one Argo version. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from couler_jobs.errors import CompileError
from couler_jobs.spec.cron import CronError, is_zone, parse

Concurrency = Literal["Allow", "Forbid", "Replace"]

LONGEST_NAME = 52
"""Of a cron workflow's name, so that its runs' names fit (Argo's `validate.go`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronOptions:
    """How a schedule runs; None is what the manifest says already, or else the default."""

    timezone: str | None = None
    concurrency: Concurrency | None = None
    starting_deadline: int | None = None  #: seconds
    suspend: bool | None = None
    keep_succeeded: int | None = None
    keep_failed: int | None = None

    def fields(self) -> dict[str, Any]:
        """Those that were given, by Argo's names."""
        named = {
            "timezone": self.timezone,
            "concurrencyPolicy": self.concurrency,
            "startingDeadlineSeconds": self.starting_deadline,
            "suspend": self.suspend,
            "successfulJobsHistoryLimit": self.keep_succeeded,
            "failedJobsHistoryLimit": self.keep_failed,
        }
        return {name: value for name, value in named.items() if value not in (None, "")}


DEFAULTS = CronOptions(timezone="UTC", concurrency="Forbid", keep_succeeded=3, keep_failed=1)
"""Forbid, because Replace together with a starting deadline can end every run before it has done
anything."""


def cron_manifest(
    workflow: Mapping[str, Any],
    schedules: Sequence[str],
    *,
    target: str,
    options: CronOptions = DEFAULTS,
) -> dict[str, Any]:
    """The CronWorkflow that runs `workflow` (a Workflow manifest) on these lines.

    Without a starting deadline a missed tick is dropped. Raises CompileError for a line, zone or
    name that Argo would refuse, and for more than one line where the target is 3.5, which knows
    only one.
    """
    metadata = dict(workflow.get("metadata") or {})
    name = cron_name(metadata)
    metadata.pop("generateName", None)
    runs = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    spec = {
        **_lines(schedules, target),
        **_checked(DEFAULTS.fields() | options.fields()),
        **({"workflowMetadata": runs} if runs else {}),
        "workflowSpec": workflow["spec"],
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {**metadata, "name": name},
        "spec": spec,
    }


def changed(
    cron: Mapping[str, Any],
    schedules: Sequence[str] = (),
    *,
    target: str,
    options: CronOptions,
) -> dict[str, Any]:
    """A CronWorkflow manifest with other lines, if any are given, and with these options."""
    spec = dict(cron.get("spec") or {})
    if schedules:
        lines = _lines(schedules, target)
        spec = lines | {k: v for k, v in spec.items() if k not in ("schedule", "schedules")}
    return {**cron, "spec": spec | _checked(options.fields())}


def cron_name(metadata: Mapping[str, Any]) -> str:
    """The name of a schedule: always the same for the same manifest. Raises CompileError."""
    name: str = metadata.get("name") or str(metadata.get("generateName") or "").rstrip("-")
    if not name:
        raise CompileError("A schedule needs a name, so that applying it again changes it: name=.")
    if len(name) > LONGEST_NAME:
        raise CompileError(
            f"The schedule's name {name!r} has {len(name)} characters, and Argo takes at most "
            f"{LONGEST_NAME}: give it a shorter one by name=."
        )
    return name


def _lines(schedules: Sequence[str], target: str) -> dict[str, Any]:
    if not schedules:
        raise CompileError("A schedule needs at least one cron line, such as '0 2 * * *'.")
    try:
        for line in schedules:
            parse(line)
    except CronError as error:
        raise CompileError(f"{error} A cron line is such as '0 2 * * *'.") from error
    if target != "3.5":
        return {"schedules": list(schedules)}
    if len(schedules) > 1:
        raise CompileError(
            f"Argo 3.5 knows one line for a schedule, and there are {len(schedules)}: "
            "make a schedule of each."
        )
    return {"schedule": schedules[0]}


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    zone = fields.get("timezone") or ""
    if not is_zone(zone):
        raise CompileError(f"There is no time zone {zone!r}: use a name such as Europe/Paris.")
    return fields
