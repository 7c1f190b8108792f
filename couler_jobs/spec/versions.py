"""The Argo versions a manifest can be made for, and what differs between them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from couler_jobs.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One Argo release line, such as 4.1; compares by age."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def full_crds(self) -> bool:
        """Whether Kubernetes itself checks fields, types and limits: since 4.0."""
        return self >= V4_0

    @property
    def placeholder(self) -> str:
        """What Argo puts where a value is unknown while it checks a manifest."""
        return "__argo__internal__placeholder-0" if self >= V3_7 else "placeholder-0"


V3_5, V3_6, V3_7, V4_0, V4_1 = (
    Target(3, 5),
    Target(3, 6),
    Target(3, 7),
    Target(4, 0),
    Target(4, 1),
)
TARGETS = (V3_5, V3_6, V3_7, V4_0, V4_1)
LATEST = V4_1

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)?(?:[-+].*)?", re.ASCII)


@functools.lru_cache(maxsize=64)
def parse_target(text: str) -> Target:
    """Read `4.1`, `v4.1.2` or the like; raises ConfigError for a line that is not known here."""
    match = _VERSION.fullmatch(text.strip())
    target = Target(int(match[1]), int(match[2])) if match else None
    if target not in TARGETS:
        known = ", ".join(map(str, TARGETS))
        raise ConfigError(f"The target version {text!r} is not known. Choose one of {known}.")
    return target
