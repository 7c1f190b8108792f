"""Prometheus metrics."""

from __future__ import annotations

import re
from typing import Any, Final

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V3_5

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_NAME_3_5: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)


def check_metrics(metrics: dict[str, Any], report: Report, path: Path) -> None:
    """Names, labels, help and values, as the template's validation asks for them."""
    for index, metric in enumerate(metrics.get("prometheus", [])):
        where = ((path, "prometheus"), index)
        _name(metric.get("name", ""), report, (where, "name"))
        for number, label in enumerate(metric.get("labels", [])):
            _name(label.get("key", ""), report, (((where, "labels"), number), "key"))
        if not metric.get("help"):
            report.error("required", (where, "help"), "A metric needs a `help` text.")
        for kind in ("gauge", "counter", "histogram"):
            if kind in metric and not metric[kind].get("value"):
                report.error("required", ((where, kind), "value"), f"A {kind} needs a `value`.")
        gauge = metric.get("gauge", {})
        if gauge.get("realtime") and "resourcesDuration." in gauge.get("value", ""):
            said = "`resourcesDuration` is known at the end only, not to a real-time gauge."
            report.error("value", ((where, "gauge"), "value"), said)


def _name(name: str, report: Report, path: Path) -> None:
    allowed = _NAME if report.target > V3_5 else _NAME_3_5
    if not allowed.fullmatch(name):
        said = f"The metric name {shown(name)} may hold letters, digits and '_' only."
        report.error("name", path, said)
