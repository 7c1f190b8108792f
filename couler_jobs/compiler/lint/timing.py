"""Numbers, times and lists that Argo reads when a step begins or is tried again: warnings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.spec.manifest import Path

_WHOLE: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DURATION: Final = re.compile(
    r"[+-]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII
)
"""What `time.ParseDuration` of Go takes."""
_FIX: Final = "Write it with h, m, s or ms, such as `1h30m`."


def advise_pod_gc(pod_gc: Mapping[str, Any], path: Path, report: Report) -> None:
    """When pods are deleted."""
    _duration(pod_gc, "deleteDelayDuration", path, report)


def advise_times(body: Mapping[str, Any], path: Path, report: Report) -> None:
    """Of a template: how long it may take, how often and when it is tried again."""
    _duration(body, "timeout", path, report)
    _duration(body.get("suspend", {}), "duration", (path, "suspend"), report)
    _duration(body.get("memoize", {}), "maxAge", (path, "memoize"), report, unit=True)
    retry, where = body.get("retryStrategy", {}), (path, "retryStrategy")
    _whole(retry, "limit", where, report)
    backoff, where = retry.get("backoff", {}), (where, "backoff")
    _whole(backoff, "factor", where, report)
    for word in ("duration", "maxDuration", "cap"):
        _duration(backoff, word, where, report)
    if backoff and not backoff.get("duration"):
        said = "Without `duration` a second attempt is an error."
        report.warning("duration", where, said, "Write `duration: 10s`.")
    inner, where = body.get("containerSet", {}).get("retryStrategy", {}), (path, "containerSet")
    _whole(inner, "retries", (where, "retryStrategy"), report)
    _duration(inner, "duration", (where, "retryStrategy"), report, unit=True)


def advise_loop(node: Mapping[str, Any], path: Path, report: Report) -> None:
    """Of a step or task: what it loops over."""
    if (param := node.get("withParam", "")) and "{{" not in param and not _is_list(param):
        said = f"{shown(param)} is no list in JSON."
        report.warning("loop", (path, "withParam"), said, "Write `withItems`, or a JSON list.")
    if (sequence := node.get("withSequence")) is None:
        return
    where = (path, "withSequence")
    if "count" not in sequence and "end" not in sequence:
        report.warning("loop", where, "A sequence needs `count` or `end`.")
    for word in ("start", "end", "count"):
        _whole(sequence, word, where, report)


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _whole(part: Mapping[str, Any], word: str, path: Path, report: Report) -> None:
    value = part.get(word)
    if isinstance(value, str) and "{{" not in value and not _WHOLE.fullmatch(value):
        said = f"{shown(value)} is no whole number."
        report.warning("number", (path, word), said, "Write one, or a tag that gives one.")


def _duration(
    part: Mapping[str, Any], word: str, path: Path, report: Report, *, unit: bool = False
) -> None:
    """A number alone is seconds, but where Argo wants the unit."""
    value = part.get(word, "")
    if not value or "{{" in value or _DURATION.fullmatch(value):
        return
    if unit or not _WHOLE.fullmatch(value):
        report.warning("duration", (path, word), f"{shown(value)} is no duration.", _FIX)
