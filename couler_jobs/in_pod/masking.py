"""Keeping the values of secrets out of what a run leaves: notebook, reports, log, outcome. Pure.

A cell may print what it was given. Hidden are a value as it is, as JSON, Python, a URL or base64
write it, and each longer line of one that has several. What a cell computes from it is not known
here, nor what it writes into files.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
SHORTEST = 4
"""Characters of a value that is hidden: shorter ones are in every other word."""
SHORTEST_LINE = 8
_IMAGES = re.compile(r"image/(?!svg)")  # base64, in which only chance finds a value


class Mask:
    """Hides values in texts."""

    def __init__(self, values: Iterable[str]) -> None:
        known = {form for value in values for form in _forms(value)}
        self.forms = sorted(known, key=len, reverse=True)  # the longest first: it may hold others
        self._pattern = re.compile("|".join(map(re.escape, self.forms)) or r"(?!)")

    def __bool__(self) -> bool:
        return bool(self.forms)

    def text(self, text: str) -> str:
        """The text without the values."""
        return self._pattern.sub(HIDDEN, text)

    def any(self, value: Any) -> Any:
        """A JSON value whose texts are without the values."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.any(one) for one in value]
        if isinstance(value, dict):
            return {name: self.any(one) for name, one in value.items()}
        return value

    def notebook(self, document: dict[str, Any]) -> dict[str, Any]:
        """A notebook whose outputs and widgets are without the values."""
        for cell in document.get("cells", ()):
            if "outputs" in cell:
                cell["outputs"] = [self._output(output) for output in cell["outputs"]]
        metadata = document.get("metadata", {})
        if "widgets" in metadata:
            metadata["widgets"] = self.any(metadata["widgets"])
        return document

    def _output(self, output: dict[str, Any]) -> dict[str, Any]:
        shown = ("text", "ename", "evalue", "traceback")
        masked = {name: self.any(output[name]) for name in shown if name in output}
        if "data" in output:
            masked["data"] = {
                kind: data if _IMAGES.match(kind) else self.any(data)
                for kind, data in output["data"].items()
            }
        return {**output, **masked}


class StreamMask:
    """Hides values in text that comes piece by piece, also one that is cut by the pieces."""

    def __init__(self, mask: Mask) -> None:
        forms = [form.encode("utf-8", "backslashreplace") for form in mask.forms]
        self._pattern = re.compile(b"|".join(map(re.escape, forms)) or rb"(?!)")
        # every way that a piece can end in the middle of a value, the longest first
        self._begun = sorted({form[:n] for form in forms for n in range(1, len(form))}, key=len)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown now; what may be the beginning of a value is held back."""
        text = self._pattern.sub(HIDDEN.encode(), self._held + data)
        begun = next((one for one in reversed(self._begun) if text.endswith(one)), b"")
        self._held = begun
        return text[: len(text) - len(begun)]

    def rest(self) -> bytes:
        """What was held back, when nothing more comes."""
        held, self._held = self._held, b""
        return held


def _forms(value: str) -> Iterator[str]:
    """The ways in which a value is written."""
    lines = value.splitlines()
    long_lines = (line for line in lines if len(lines) > 1 and len(line) >= SHORTEST_LINE)
    for text in {value, value.strip(), *long_lines}:
        if len(text) < SHORTEST:
            continue
        data = text.encode("utf-8", "backslashreplace")
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield quote(data, safe="")
        yield base64.b64encode(data).decode()
