"""A Kubernetes Secret that a workflow needs; its values are shown nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Secret that has to be there before the workflow runs; it is no part of the manifest.

    `may_change`: one that is there with other values is changed, else that is an error.
    """

    name: str
    namespace: str = ""  #: "" is the one that the workflow runs in
    data: tuple[tuple[str, str], ...] = field(repr=False)
    may_change: bool = False
