"""What a notebook file says of itself, read without the notebook libraries (they cost a second)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.in_pod.request import Refused

LARGEST = 200 * 2**20  #: bytes of a notebook that we read


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The parts of a notebook that decide how it is run."""

    kernel: str = ""  #: the kernelspec that it names
    language: str = ""
    code_cells: int = 0


def read_source(data: bytes, name: str) -> Source:
    """What the notebook in `data` says; `name` is for the message.

    Raises `Refused` for what is no notebook: not JSON, no cells, a format that is too new.
    """
    document = _document(data, name)
    cells = _cells(document, name)
    metadata = _mapping(document.get("metadata"))
    spec = _mapping(metadata.get("kernelspec"))
    info = _mapping(metadata.get("language_info"))
    return Source(
        kernel=_text(spec.get("name")),
        language=_text(info.get("name")) or _text(spec.get("language")),
        code_cells=sum(cell["cell_type"] == "code" for cell in cells),
    )


def cells_of(data: bytes, name: str) -> list[Mapping[str, Any]]:
    """The notebook's cells, with their source under version 4's name. Raises `Refused`."""
    return _cells(_document(data, name), name)


def without_outputs(data: bytes) -> bytes:
    """The notebook before it has run: all there is of a run that ends before its first cell."""
    document = json.loads(data)
    for cell in document.get("cells", ()):
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(document, indent=1).encode()


def _document(data: bytes, name: str) -> Mapping[str, Any]:
    if len(data) > LARGEST:
        raise Refused(
            f"The notebook {name} has {len(data)} bytes, more than {LARGEST}: clear its outputs."
        )
    try:
        document = json.loads(data)
    except RecursionError:
        raise Refused(f"The notebook {name} is nested too deeply to be read.") from None
    except ValueError as error:
        raise Refused(f"{name} is not a notebook: it is not JSON ({error}).") from None
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise Refused(f"{name} is not a notebook: it has no format version.")
    return document


def _cells(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    version = document["nbformat"]
    if not 3 <= version <= 4:
        raise Refused(
            f"The notebook {name} has format {version}; formats 3 and 4 can be run: "
            "save it again in JupyterLab."
        )
    cells = document.get("cells") if version == 4 else _cells_of_version_3(document)
    if not isinstance(cells, list):
        raise Refused(f"{name} is not a notebook: it has no list of cells.")
    for number, cell in enumerate(cells, 1):
        if problem := _problem(cell):
            raise Refused(f"The notebook {name} is not valid: its cell {number} {problem}.")
    return cells


def _cells_of_version_3(document: Mapping[str, Any]) -> Any:
    """Version 3 has sheets of cells, whose code is called input."""
    sheets = document.get("worksheets")
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        return None
    lists = [sheet.get("cells", []) for sheet in sheets]
    if not all(isinstance(cells, list) for cells in lists):
        return None
    renamed = {"input": "source"}
    return [
        {renamed.get(key, key): value for key, value in cell.items()}
        if isinstance(cell, dict)
        else cell
        for cells in lists
        for cell in cells
    ]


def _problem(cell: Any) -> str:
    if not isinstance(cell, dict):
        return "is not an object"
    if not isinstance(cell.get("cell_type"), str):
        return "has no type"
    lines = cell.get("source")
    whole = isinstance(lines, str)
    if not whole and not (isinstance(lines, list) and all(isinstance(x, str) for x in lines)):
        return "has no source text"
    if not isinstance(cell.get("metadata", {}), dict):
        return "has metadata that is not an object"
    return ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
