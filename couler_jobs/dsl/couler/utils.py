"""Small helpers that programs took from `couler.core.utils`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sized
from typing import Any

from couler_jobs.dsl.couler.cluster import configured as load_cluster_config
from couler_jobs.spec.names import template_name

__all__ = [
    "argo_safe_name",
    "encode_base64",
    "gpu_requested",
    "load_cluster_config",
    "make_list_if_not",
    "non_empty",
]


def argo_safe_name(name: str | None) -> str | None:
    """The name as Argo takes it; None stays None."""
    return None if name is None else template_name(name)


def encode_base64(s: str) -> str:
    """The base64 text of a text's UTF-8 bytes."""
    return base64.b64encode(s.encode()).decode("ascii")


def gpu_requested(resources: Mapping[str, Any] | None) -> bool:
    """Whether a GPU of any kind is among a step's resources."""
    return any("gpu" in key.lower() and int(value) > 0 for key, value in (resources or {}).items())


def make_list_if_not(item: Any) -> Any:
    """A list with the item in it; a list, or None, as it is."""
    return item if item is None or isinstance(item, list) else [item]


def non_empty(d: Sized | None) -> bool:
    """Whether it is there and has something in it."""
    return d is not None and len(d) > 0
