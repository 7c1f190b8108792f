"""Reports of the executed notebook, made by nbconvert.

Also a program of its own (`python -m couler_jobs.in_pod.export`) for a run whose own process was
killed before it came to this. It reads `{"notebook", "name", "formats", "scratch"}` from stdin.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.lean import skip_slow_imports
from couler_jobs.in_pod.outcome import one_line
from couler_jobs.in_pod.request import Refused

Tell = Callable[..., None]

NO_INPUT = {"exclude_input": True, "exclude_input_prompt": True, "exclude_output_prompt": True}
OURS: Mapping[str, tuple[str, Mapping[str, bool]]] = {"html_without_code": ("html", NO_INPUT)}
"""Formats that are an exporter of nbconvert with options, those of its `--no-input`."""


def check_formats(formats: Iterable[str]) -> None:
    """Raises `Refused` for a format that nbconvert does not have here."""
    if not (wanted := set(formats)):
        return
    known = {point.name for point in entry_points(group="nbconvert.exporters")} | set(OURS)
    if unknown := sorted(wanted - known):
        raise Refused(
            f"There is no output format {unknown[0]!r}: choose of {', '.join(sorted(known))}."
        )


def export(
    notebook: Path, name: str, formats: Mapping[str, str], scratch: Path, tell: Tell
) -> None:
    """Convert `notebook` into each format, in `scratch`.

    `name` is the report's title. Each file is told as `exported` with its `path` there and its
    `target`; a conversion that fails as `unexported` with a `reason`, and the others go on.
    """
    for number, (exporter, target) in enumerate(formats.items()):
        try:
            files = _convert(notebook, name, exporter, target)
        except Exception as error:  # nbconvert passes on whatever its tools raise
            tell("unexported", format=exporter, reason=one_line(f"{error}") or type(error).__name__)
            continue
        for index, (path, data) in enumerate(files.items()):
            part = scratch / f"export-{number}-{index}"
            part.write_bytes(data)
            tell("exported", format=exporter, path=str(part), target=path)


def _convert(notebook: Path, name: str, exporter: str, target: str) -> dict[str, bytes]:
    """The report and its side files (a markdown report's images), by the paths they belong at."""
    import nbconvert

    folder, stem = os.path.dirname(target), Path(target).stem
    resources: dict[str, Any] = {
        "metadata": {"name": name, "path": folder},
        "output_files_dir": f"{stem}_files",
        "unique_key": "output",
    }
    known, options = OURS.get(exporter, (exporter, {}))
    body, resources = nbconvert.get_exporter(known)(**options).from_filename(
        str(notebook), resources=resources
    )
    files = {target: body if isinstance(body, bytes) else body.encode("utf-8", "replace")}
    for side, data in (resources.get("outputs") or {}).items():
        path = os.path.normpath(os.path.join(folder, side))
        if path.startswith(os.path.join(folder, f"{stem}_files", "")):
            files[path] = data
    return files


def _print_event(kind: str, **values: Any) -> None:
    print(json.dumps({"event": kind, **values}), flush=True)


def main() -> None:
    """Convert what stdin asks for; each event is a line of JSON on stdout."""
    skip_slow_imports()
    asked = json.load(sys.stdin)
    scratch, notebook = Path(asked["scratch"]), Path(asked["notebook"])
    export(notebook, asked["name"], asked["formats"], scratch, _print_event)


if __name__ == "__main__":
    main()
