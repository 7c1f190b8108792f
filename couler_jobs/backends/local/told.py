"""What a program of ours tells of a step beside its exit code: a file in the step's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.step_folder import write_private

_NAME = "told.json"


def tell(
    folder: Path,
    code: int | None,
    message: str = "",
    *,
    container: str = "main",
    result: str | None = None,
) -> None:
    """Leave how the step ended: `code` is the exit code of `container`; None: it could not run."""
    told = {"exit_code": code, "error": message, "container": container, "result": result}
    write_private(folder / _NAME, told)


def told(folder: Path) -> dict[str, Any] | None:
    """What was left there, as fields of an `Ended`; None if nothing was."""
    try:
        text = (folder / _NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found: dict[str, Any] = json.loads(text)
    return found
