"""Steps that several tests call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import couler_jobs as cj


@cj.step
def same(value: Any) -> Any:
    return value


@cj.step
def table() -> Path:
    found = Path("table.csv")
    found.write_text("a,b")
    return found
