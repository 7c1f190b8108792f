"""How a job's downloaded files are called, by its output filename template. Pure.

The template's tags are jupyter_scheduler's: `{{input_filename}}` (without its ending) and
`{{create_time}}`, and the job's `{{name}}`, `{{job_id}}`, `{{runtime_environment_name}}`,
`{{job_definition_id}}`. What is no tag stays as it is, and what no file name can hold becomes `-`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DEFAULT = "{{input_filename}}-{{create_time}}"
"""As jupyter_scheduler's models have it."""

LONGEST_NAME = 255
"""Bytes of a file name (NAME_MAX on the file systems that a home lies on)."""

_TAG = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_TIME = re.compile(r"\{\{\s*(create_time|timestamp)\s*\}\}")


def at(template: str | None, create_time: int, timezone: str) -> str:
    """The template with its time filled in, as the clocks of a zone show it.

    So the name stays the same when the definition's zone is changed, or a server's.
    """
    return _TIME.sub(_moment(create_time, timezone), template or DEFAULT)


def file_name(
    template: str | None, create_time: int, values: Mapping[str, str | None], ending: str
) -> str:
    """The name of a downloaded output. `values` are those of the tags; times are in UTC.

    In UTC because the name is made anew at each look-up, maybe by a server in another zone. A long
    notebook's name is cut, so that the time behind it stays.
    """
    stem = os.path.splitext(values.get("input_filename") or "")[0]
    known = {**values, "create_time": _moment(create_time, "UTC")}
    name = _filled(template or DEFAULT, known, stem)
    excess = len((name + ending).encode()) - LONGEST_NAME
    if excess > 0:
        name = _filled(template or DEFAULT, known, shortened(stem, len(stem.encode()) - excess))
    return shortened(name, LONGEST_NAME - len(ending.encode())) + ending


def shortened(text: str, most_bytes: int) -> str:
    """The text, cut so that its UTF-8 form fits and no character is torn."""
    return text.encode()[: max(0, most_bytes)].decode(errors="ignore")


def _filled(template: str, values: Mapping[str, str | None], stem: str) -> str:
    known = {**values, "input_filename": stem, "filename": stem}
    known["timestamp"] = known["create_time"]

    def filled(tag: re.Match[str]) -> str:
        return (known[tag[1]] or "") if tag[1] in known else tag[0]

    name = re.sub(r"[/\0]", "-", _TAG.sub(filled, template)).strip()
    return name if name.strip(".") else stem


def _moment(milliseconds: int, timezone: str) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.astimezone(_zone(timezone)).strftime("%Y-%m-%d-%I-%M-%S-%p")


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo("UTC" if name in ("", "Local") else name)
