"""A notebook as a step: its cells travel as text, like a function's source."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import calls, recorder, steps
from couler_jobs.dsl.source import literal
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.names import parameter_name, template_name

if TYPE_CHECKING:
    from couler_jobs.in_pod.request import NotebookRequest

LONGEST = 128 * 1024
"""Bytes of a notebook without its outputs, which travels in the step's script."""

_SCRIPT = """\
from couler_jobs.in_pod import step

NOTEBOOK = r'''
{notebook}
'''


def run_notebook(**parameters):
    return step.run_notebook(NOTEBOOK, parameters, {outputs}, {kernel})
"""

_LAST_CELL = """\
import json
from IPython.display import display

if _missing := {names} - globals().keys():
    raise NameError(f"outputs= asks for {{', '.join(_missing)}}: no cell has set that")
display({{"{mime}": json.dumps({{{pairs}}}, allow_nan=False)}}, raw=True)
"""


def notebook(
    path: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    /,
    *,
    outputs: Sequence[str] = (),
    kernel: str | None = None,
    name: str | None = None,
    after: Any = None,
    **options: Any,
) -> Any:
    """Run a notebook as a step: `found = cj.notebook("report.ipynb", {"day": day})`.

    parameters: JSON values or the values of other steps, by the variable's name; they come in
    after the cell tagged `parameters`, as with papermill. outputs: variables of a Python notebook
    that hold JSON values when it has ended; the answer is a dict of them (`found["rows"]`), None
    without. kernel: a kernelspec, else the notebook's own. after, and further options: those of
    `@step`. Cells and texts travel in the manifest, outputs and attachments do not. What runs it
    (the image, or this machine's Python) needs this package with its notebook libraries.
    Raises `DeclarationError` for a file that is no notebook, and names that are none.
    """
    scope = recorder.needed("cj.notebook")
    given = dict(parameters or {})
    asked = Notebook(
        name=template_name(name or Path(path).stem),
        text=_text(Path(path), outputs),
        parameters=_names(given),
        outputs=_names(outputs),
        kernel=kernel,
        options=steps.step_options("cj.notebook", options),
    )
    target: NotebookStep = scope.recording.made.setdefault(asked, NotebookStep(asked))
    return calls.record_call(scope, target, given, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """What is asked of a notebook: equal ones share a template."""

    name: str
    text: str  #: JSON, without outputs
    parameters: tuple[str, ...]
    outputs: tuple[str, ...]
    kernel: str | None
    options: steps.StepOptions


class NotebookStep(steps.Step[..., Any]):
    """A step whose function is a notebook."""

    def __init__(self, asked: Notebook) -> None:
        def run_notebook(**parameters: Any) -> Any:
            return _run_apart(asked, parameters)

        self.asked, self.function = asked, run_notebook  # type: ignore[assignment]
        self.name, self.options = asked.name, asked.options
        self.parameters = asked.parameters
        self.parameter_names = tuple(map(parameter_name, self.parameters))
        kind = inspect.Parameter.KEYWORD_ONLY
        self.signature = inspect.Signature([inspect.Parameter(n, kind) for n in self.parameters])

    def shipped(self) -> str:
        """The script's text: the notebook, and a function that runs it."""
        asked = self.asked
        # written so that neither Argo nor Kubernetes expands anything in it
        text = asked.text.replace("{{", "{\\u007b").replace("$", "\\u0024")
        return _SCRIPT.format(
            notebook=text.replace("'''", "''\\u0027"),
            outputs=literal(list(asked.outputs)),
            kernel=literal(asked.kernel),
        )


def _run_apart(asked: Notebook, parameters: Mapping[str, Any]) -> Any:
    """Run it as a step would, for `run_here`: in a process of its own, which gets the signals."""
    from couler_jobs.in_pod.step import run_notebook

    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_notebook(
                asked.text,
                parameters,
                asked.outputs,
                asked.kernel,
                folder=folder,
                program=_program,
            )
        except SystemExit as end:
            raise RuntimeError(f"The notebook {asked.name} ended with code {end.code}.") from None


def _program(request: NotebookRequest) -> int:
    command = [sys.executable, "-m", "couler_jobs.in_pod.notebook", "--request-file", "-"]
    text = json.dumps(request.as_dict())
    return subprocess.run(command, input=text, text=True, check=False).returncode


def _names(names: Iterable[Any]) -> tuple[str, ...]:
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            raise DeclarationError(f"{name!r} is no name of a variable in a notebook.")
    return tuple(names)


def _text(path: Path, outputs: Sequence[str]) -> str:
    """The notebook as JSON text without what a run leaves, and with a cell that shows `outputs`."""
    document = _document(path)
    cells = [_cell(cell) for cell in document["cells"]]
    if outputs:
        cells.append(_last_cell(path, document, outputs))
    found = {
        "cells": cells,
        "metadata": _kept(document.get("metadata", {}), ("kernelspec", "language_info")),
        "nbformat": 4,
        "nbformat_minor": 4,  # the last one whose cells need no ids
    }
    text = _json(found)
    if (size := len(text.encode())) > LONGEST:
        raise DeclarationError(
            f"The notebook {path} has {size // 1024} KiB without its outputs, and a step carries "
            f"{LONGEST // 1024} KiB: move code into modules of the image."
        )
    return text


def _json(value: Any) -> str:
    """Indented JSON, readable as far as UTF-8 goes: half of a surrogate pair becomes an escape."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=1)
    return text


def _document(path: Path) -> dict[str, Any]:
    from couler_jobs.in_pod.request import Refused
    from couler_jobs.in_pod.source import read_source

    try:
        data = path.read_bytes()
        read_source(data, str(path))
    except OSError as error:
        raise DeclarationError(f"The notebook {path} cannot be read: {error.strerror}.") from None
    except Refused as refused:
        raise DeclarationError(str(refused)) from None
    document: dict[str, Any] = json.loads(data)
    if document["nbformat"] != 4:
        raise DeclarationError(f"The notebook {path} is old: save it again in JupyterLab.")
    return document


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    source = cell["source"]
    lines = source.splitlines(keepends=True) if isinstance(source, str) else source
    kept = {
        "cell_type": cell["cell_type"],
        "metadata": _kept(cell.get("metadata", {}), ("tags",)),
        "source": lines,
    }
    return kept | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})


def _kept(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _last_cell(path: Path, document: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, Any]:
    from couler_jobs.in_pod.step import OUTPUTS

    language = document.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise DeclarationError(f"The notebook {path} is in {language}: outputs= reads Python only.")
    pairs = ", ".join(f'"{name}": {name}' for name in outputs)
    names = "{" + ", ".join(f'"{name}"' for name in outputs) + "}"
    source = _LAST_CELL.format(mime=OUTPUTS, pairs=pairs, names=names)
    return _cell({"cell_type": "code", "source": source.rstrip("\n")})
