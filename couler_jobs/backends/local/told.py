"""What a program of ours tells of a step beside its exit code: a file in the step's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

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
    descriptor = os.open(folder / _NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(told, file)


def told(folder: Path) -> dict[str, Any] | None:
    """What was left there, as fields of an `Ended`; None if nothing was."""
    try:
        text = (folder / _NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found: dict[str, Any] = json.loads(text)
    return found
