"""A notebook file as a workflow of one step that runs it on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.errors import DeclarationError
from couler_jobs.spec import names, wire

if TYPE_CHECKING:
    from couler_jobs.in_pod.request import NotebookRequest

SIGNS = "bcdfghjklmnpqrstvwxz2456789"  #: Kubernetes' own for names: no vowels, so no words


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookOptions:
    """How a notebook is to be run; what is None is the notebook's own or the default."""

    parameters: Mapping[str, Any] = field(default_factory=dict)  #: JSON values by variable name
    name: str | None = None  #: the run's
    environment: str | None = None  #: prefix of a conda or virtual environment
    kernel: str | None = None  #: kernelspec
    output: Path | None = None  #: a file or a folder
    formats: tuple[str, ...] = ()  #: nbconvert's names; the files lie beside the output
    timeout: float | None = None  #: seconds


def notebook_manifest(path: Path, options: NotebookOptions | None = None) -> dict[str, Any]:
    """The manifest that runs the notebook, in the notebook's folder.

    The executed notebook is written beside the original (or into the current folder where that
    cannot be written) as `<notebook>-<the last part of the run's name>.ipynb`. The paths are this
    machine's, so it is for the local backend.
    Raises DeclarationError, in the words of the program that runs it, for whatever would keep it
    from running: a missing or broken notebook, kernel or environment, an unwritable output.
    """
    options = options or NotebookOptions()
    name = options.name or run_name(names.workflow_name(path.stem))
    request = wire.encode(_checked(path.resolve(), name, options).as_dict())
    # A script's source reaches its command as a file: the values of parameters are in no list of
    # processes, and may be longer than an argument.
    script = {
        "image": "python",
        "command": ["python", "-m", "couler_jobs.in_pod.notebook", "--request-file"],
        "source": request,
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "notebook",
            "templates": [{"name": "notebook", "script": script}],
        },
    }


def remarks_on(path: Path, names: Iterable[str]) -> list[str]:
    """Sentences on parameters that may not do what was meant; of a notebook that can be run."""
    from couler_jobs.in_pod.parameters import remarks

    return remarks(path.read_bytes(), names)


def files_of(manifest: Mapping[str, Any]) -> dict[str, Path]:
    """What a manifest of `notebook_manifest` will write: `notebook`, and each format by name."""
    request = wire.decode(manifest["spec"]["templates"][0]["script"]["source"])
    files = {"notebook": request["output"], **request["formats"]}
    return {name: Path(path) for name, path in files.items()}


def run_name(stem: str) -> str:
    """A name that no other run has: the stem and five random signs, 63 characters at most."""
    signs = "".join(secrets.choice(SIGNS) for _ in range(5))
    return f"{stem[:57].rstrip('-.')}-{signs}"


def _checked(notebook: Path, name: str, options: NotebookOptions) -> NotebookRequest:
    from couler_jobs.in_pod.notebook import check
    from couler_jobs.in_pod.request import Refused

    try:
        request = _request(notebook, name, options)
        check(request)
    except Refused as refused:
        raise DeclarationError(str(refused)) from None
    return request


def _request(notebook: Path, name: str, options: NotebookOptions) -> NotebookRequest:
    from couler_jobs.config import Settings
    from couler_jobs.in_pod.request import NotebookRequest, ending

    output = _output(notebook, name, options.output)
    environment = options.environment and str(Path(options.environment).expanduser().absolute())
    return NotebookRequest(
        input=str(notebook),
        output=str(output),
        result=str(Settings.load().home.absolute() / "notebooks" / f"{name}.json"),
        formats={one: str(output.with_suffix(ending(one))) for one in options.formats},
        parameters=dict(options.parameters),
        environment=environment,
        kernel=options.kernel,
        timeout=options.timeout,
    )


def _output(notebook: Path, name: str, wanted: Path | None) -> Path:
    folder = notebook.parent if os.access(notebook.parent, os.W_OK) else Path.cwd()
    file_name = f"{notebook.stem}-{name.rpartition('-')[2]}.ipynb"
    output = (wanted or folder).expanduser().absolute()
    if output.is_dir():
        output /= file_name
    if output.resolve() == notebook:
        raise DeclarationError(f"The output would overwrite the notebook {notebook} itself.")
    return output
