"""One thing that is wrong, or unwise, in a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong, where, and what to do.

    `path` leads into the manifest (`spec.templates[0].dag.tasks[2].depends`); `line` is the line of
    the YAML file it was read from, counted from 1, and None where there was no file. `place` is
    where in the program that part was declared, if the manifest was compiled from one. What keeps
    a file from becoming a manifest has no path, and the line of the program.
    """

    severity: Severity
    code: str
    path: str
    message: str
    fix: str = ""
    line: int | None = None
    place: str = ""

    def __str__(self) -> str:
        where = f" at {self._where()}" if self.path or self.place else ""
        return f"{self.severity} {self.code}{where}: {self.message}" + (
            f" {self.fix}" if self.fix else ""
        )

    def _where(self) -> str:
        if not self.path:
            return self.place
        where = self.path if self.line is None else f"line {self.line}: {self.path}"
        return f"{self.place} ({where})" if self.place else where
