"""Prometheus metrics that Argo emits about steps and workflows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from couler_jobs.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `fields` is Argo's `prometheus` entry, as JSON text."""

    fields: str


def counter(
    name: str,
    help: str,
    *,
    value: float | str = 1,
    labels: Mapping[str, str] | None = None,
    when: str | None = None,
) -> Metric:
    """A number that only grows, by `value` each time.

    value, labels and when may hold Argo's tags: `when="{{status}} == Failed"`.
    """
    return _metric(name, help, labels, when, "counter", {"value": str(value)})


def gauge(
    name: str,
    help: str,
    value: float | str,
    *,
    realtime: bool = False,
    labels: Mapping[str, str] | None = None,
    when: str | None = None,
) -> Metric:
    """A number that goes up and down, such as "{{duration}}"; realtime: also while it runs."""
    fields = {"value": str(value), "realtime": realtime}
    return _metric(name, help, labels, when, "gauge", fields)


def histogram(
    name: str,
    help: str,
    value: float | str,
    buckets: Sequence[float],
    *,
    labels: Mapping[str, str] | None = None,
    when: str | None = None,
) -> Metric:
    """How often the value fell below each of the bounds `buckets`."""
    fields = {"value": str(value), "buckets": list(buckets)}
    return _metric(name, help, labels, when, "histogram", fields)


def _metric(
    name: str,
    help: str,
    labels: Mapping[str, str] | None,
    when: str | None,
    kind: str,
    fields: Mapping[str, Any],
) -> Metric:
    found: dict[str, Any] = {"name": name, "help": help}
    if labels:
        found["labels"] = [{"key": key, "value": value} for key, value in labels.items()]
    if when:
        found["when"] = when
    return Metric(json.dumps(found | {kind: fields}))


def metrics_fields(metrics: Any) -> dict[str, Any]:
    """Argo's `metrics` of one metric or several. Raises `DeclarationError` for anything else."""
    several = [metrics] if isinstance(metrics, Metric) else list(metrics)
    for one in several:
        if not isinstance(one, Metric):
            raise DeclarationError(
                f"metrics={one!r}: it takes cj.counter(...), cj.gauge(...), cj.histogram(...)."
            )
    return {"prometheus": [json.loads(one.fields) for one in several]}
