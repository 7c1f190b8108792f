"""What the parts of the engine hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.backends.local.engine.records import Node
from couler_jobs.backends.local.engine.templates import Template


class DepthError(Exception):
    """Templates call each other too deeply; the node that says so is enough for its parent."""

    def __init__(self) -> None:
        super().__init__(
            "Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io/en/latest/"
            "scaling/#maximum-recursion-depth"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The steps or dag node that a node belongs to."""

    node: Node
    template: Template
    depth: int
    on_exit: bool


def _nothing(node: Node) -> None:
    """Nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One template to run under one node name.

    `ended` hears that its node is settled, with what went wrong. Of a daemon it hears when that is
    ready, and again if it ends before it is no longer needed; if it is tried again then, `lost` is
    told, and `ended` once it is ready again, or has ended for good.
    """

    name: str
    step: Mapping[str, Any]
    ended: Callable[[Node, Exception | None], None]
    linked: Callable[[Node], None] = _nothing
    seen: Callable[[Node], None] = _nothing
    lost: Callable[[Node], None] = _nothing
    root: str = "steps"
    arguments: Mapping[str, Any]
    boundary: Boundary | None = None
    on_exit: bool = False
    hooked: bool = False
    retried: bool = False
    until: float | None = None

    @property
    def depth(self) -> int:
        """How many templates are around this one, itself included."""
        return 1 + (self.boundary.depth if self.boundary else 0)
