"""How often a job's notebook is tried, as its workflow is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_plugin.errors import JobRefused

LONGEST_WAITS = 30 * 86_400
"""Seconds that all waits of a job may have together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What happens when the notebook fails; every wait is `factor` times the one before."""

    count: int = 0
    delay: int = 0  #: seconds before the first of them
    factor: int = 2

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Retries:
        """Those of a job's options (`runtime_parameters.KEYS`). Raises JobRefused."""
        found = cls(
            count=options["retries"],
            delay=options["retry_delay_seconds"],
            factor=options["retry_delay_factor"],
        )
        waits = sum(found.delay * found.factor**number for number in range(found.count))
        if waits > LONGEST_WAITS:
            raise JobRefused(
                f"The {found.count} retries would wait {waits // 86_400} days in all: ask for "
                "fewer retries, or a smaller retry_delay_seconds or retry_delay_factor."
            )
        return found

    def step(self) -> dict[str, Any]:
        """The words of a step's declaration."""
        backoff = {"duration": self.delay, "factor": self.factor} if self.delay else None
        return {"retry": self.count, "backoff": backoff} if self.count else {}

    def arguments(self) -> list[str]:
        """What the notebook program is told: which attempt it is. Argo fills the tag in."""
        attempts = str(self.count + 1)
        return ["--attempt", "{{retries}}", "--attempts", attempts] if self.count else []


NO_RETRIES = Retries()
