"""What a CronWorkflow has beside the workflow: lines, time zone, policy."""

from __future__ import annotations

from typing import Any

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.spec import cron
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V3_5, V3_7, V4_0


def check_cron(spec: dict[str, Any], report: Report, path: Path) -> None:
    """The schedule, the time zone and the policy of a CronWorkflow's spec."""
    for where, line in _lines(spec, report, path):
        try:
            cron.parse(line)
        except cron.CronError as error:
            report.error("cron-line", where, str(error))
        if line.startswith(("TZ=", "CRON_TZ=")) and not report.target.full_crds:
            report.warning(
                "cron-line", where, "A zone inside a line is refused since 4.0.", "Use `timezone`."
            )
    zone = spec.get("timezone", "")
    if not cron.is_zone(zone):
        said = f"{shown(zone)} is not a time zone that is known."
        if report.target >= V3_7:
            report.error("timezone", (path, "timezone"), said)
        else:
            report.warning("timezone", (path, "timezone"), said + " The runs would never start.")
    policy = spec.get("concurrencyPolicy", "")
    if policy not in ("", "Allow", "Forbid", "Replace"):
        said = f"{shown(policy)} is no policy; Allow, Forbid and Replace are."
        report.error("value", (path, "concurrencyPolicy"), said)
    _deadline(spec, policy, report, path)


def _lines(spec: dict[str, Any], report: Report, path: Path) -> list[tuple[Path, str]]:
    target = report.target
    one, many = spec.get("schedule", ""), spec.get("schedules", [])
    if target == V3_5:
        return [((path, "schedule"), one)]
    if target >= V4_0:
        if not many:
            said = "A CronWorkflow needs at least one line in `schedules`."
            report.error("required", (path, "schedules"), said)
        return [(((path, "schedules"), index), line) for index, line in enumerate(many)]
    if one and many:
        said = "`schedule` and `schedules` exclude each other."
        report.error("value", (path, "schedule"), said, "Keep `schedules`.")
    elif not one and not many:
        report.warning("required", (path, "schedules"), "Without a line it never runs.")
    elif one:
        report.warning("deprecated", (path, "schedule"), "`schedule` is gone in 4.0.")
        return [((path, "schedule"), one)]
    return [(((path, "schedules"), index), line) for index, line in enumerate(many)]


def _deadline(spec: dict[str, Any], policy: str, report: Report, path: Path) -> None:
    deadline = spec.get("startingDeadlineSeconds")
    where = (path, "startingDeadlineSeconds")
    if deadline is not None and deadline < 0:
        report.error("value", where, "`startingDeadlineSeconds` cannot be negative.")
    elif deadline is not None and policy == "Replace":
        said = "`Replace` with `startingDeadlineSeconds` can stop every run before it has ended."
        report.warning("replace-deadline", where, said, "Use `Forbid`, or leave the deadline out.")
