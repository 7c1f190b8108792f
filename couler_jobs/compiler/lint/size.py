"""How large an object may be."""

from __future__ import annotations

import json
from typing import Any, Final

from couler_jobs.compiler.lint.report import Report
from couler_jobs.spec.manifest import ROOT

_LARGE: Final = 1024 * 1024
_TOO_LARGE: Final = 1536 * 1024


def check_size(manifest: dict[str, Any], report: Report) -> None:
    """etcd takes about 1.5 MiB an object, and the workflow's status needs room beside the spec."""
    try:
        # Escapes only make it longer, and the C encoder is quickest with them.
        size = len(json.dumps(manifest, default=str))
        if size > _LARGE:
            text = json.dumps(manifest, ensure_ascii=False, default=str)
            size = len(text.encode("utf-8", "replace"))
    except (ValueError, TypeError, RecursionError):
        return
    said = f"The manifest has {size / _LARGE:.2f} MiB as JSON"
    fix = "Share templates through parameters, or loop with withItems."
    if size > _TOO_LARGE:
        report.error("size", ROOT, f"{said}; Kubernetes takes 1.5 MiB at most.", fix)
    elif size > _LARGE:
        report.warning("size", ROOT, f"{said}; Kubernetes takes 1.5 MiB at most.", fix)
