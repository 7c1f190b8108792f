"""Where the checks put what they find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.spec.finding import Finding, Severity
from couler_jobs.spec.manifest import Path, path_text
from couler_jobs.spec.versions import Target


class Report:
    """Collects findings; knows the target version and the line of each path."""

    def __init__(self, target: Target, lines: Mapping[str, int] | None) -> None:
        self.target = target
        self._lines = lines or {}
        self._found: dict[tuple[str, str, str], Finding] = {}

    def error(self, code: str, path: Path, message: str, fix: str = "") -> None:
        """Something that Argo or Kubernetes refuses."""
        self._add("error", code, path, message, fix)

    def warning(self, code: str, path: Path, message: str, fix: str = "") -> None:
        """Something that is accepted and will not do what was meant."""
        self._add("warning", code, path, message, fix)

    def from_4_0(self, code: str, path: Path, message: str, fix: str = "") -> None:
        """Something that the full CRDs of 4.0 and later refuse, and earlier versions let pass."""
        severity: Severity = "error" if self.target.full_crds else "warning"
        self._add(severity, code, path, message, fix)

    def findings(self) -> list[Finding]:
        """All findings, each once: errors first, by line, and without lines in the order found."""
        return sorted(
            self._found.values(),
            key=lambda finding: (finding.severity != "error", finding.line or 0),
        )

    def _add(self, severity: Severity, code: str, path: Path, message: str, fix: str) -> None:
        text = path_text(path)
        key = (code, text, message)
        if key not in self._found:
            self._found[key] = Finding(
                severity=severity,
                code=code,
                path=text,
                message=message,
                fix=fix,
                line=self._line(path),
            )

    def _line(self, path: Path) -> int | None:
        while self._lines and path is not None:
            if (line := self._lines.get(path_text(path))) is not None:
                return line
            path = path[0]
        return self._lines.get("") if self._lines else None


def shown(value: Any, limit: int = 60) -> str:
    """A value as a message shows it: quoted and not longer than a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 4] + " ..."
