"""What is odd about a request's parameters, seen from the notebook's own text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from couler_jobs.in_pod.source import cells_of

TAG = "parameters"  #: papermill's, of the cell with the defaults; parameters go in below it


def remarks(data: bytes, names: Iterable[str]) -> list[str]:
    """A sentence for each kind of parameter that may not do what was meant.

    One whose own assignment in the notebook comes later and wins, since no cell is tagged; and one
    that the tagged cell does not know. `data` is the notebook's file, which was found to be valid.
    """
    cells = [cell for cell in cells_of(data, "") if cell["cell_type"] == "code"]
    tagged = next((cell for cell in cells if TAG in _tags(cell)), None)
    if tagged is not None:
        unknown = [name for name in names if not _assigns(tagged, name)]
        return [_unknown(unknown)] if unknown else []
    overruled = [name for name in names if any(_assigns(cell, name) for cell in cells)]
    return [_overruled(overruled)] if overruled else []


def _unknown(names: list[str]) -> str:
    return (
        f"The notebook's cell tagged '{TAG}' does not assign {', '.join(names)}: "
        "set all the same; check the spelling if it has no effect."
    )


def _overruled(names: list[str]) -> str:
    return (
        f"The notebook has no cell tagged '{TAG}': its own assignment of {', '.join(names)} wins; "
        "tag the cell."
    )


def _tags(cell: Mapping[str, Any]) -> list[Any]:
    tags = (cell.get("metadata") or {}).get("tags")
    return tags if isinstance(tags, list) else []


def _assigns(cell: Mapping[str, Any], name: str) -> bool:
    """Whether a line that is not indented assigns it, in Python's words or in R's."""
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    before, after = r"(?:[^#\n]*;[ ]*)?\(?(?:\w+\s*,\s*)*", r"\s*(?:[,:)][^=\n]*)?(?:=(?!=)|<-)"
    return re.search(f"^{before}{re.escape(name)}{after}", text, re.MULTILINE) is not None
