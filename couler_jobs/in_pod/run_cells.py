"""Running a notebook with papermill, from the copy of its input to its reports.

What the cells print goes to stdout as it comes; what happens is told: `saved`, `unsaved`, `ended`,
`exported`, `unexported`, and by the client `cell`, each with the values that the supervisor's
methods take.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillException, PapermillExecutionError
from papermill.execute import raise_for_execution_errors, remove_error_markers
from papermill.iorw import load_notebook_node, papermill_io
from papermill.parameterize import parameterize_notebook
from papermill.utils import find_first_tagged_cell_index

from couler_jobs.in_pod import publish
from couler_jobs.in_pod.cell_client import CellClient, KernelDied, Printed, Stopped, Tell
from couler_jobs.in_pod.export import export
from couler_jobs.in_pod.kernel import Kernel
from couler_jobs.in_pod.masking import Mask
from couler_jobs.in_pod.outcome import Status, said
from couler_jobs.in_pod.request import NotebookRequest
from couler_jobs.in_pod.secrets import Secrets
from couler_jobs.in_pod.written import EXECUTED

INJECTED = "injected-parameters"  #: papermill's tag


class ScratchFiles:
    """How papermill reads and writes in the scratch folder: whole files, and no failure of a save
    ends the run, since a disk that is full now may have room again later."""

    def __init__(self, tell: Tell, mask: Mask) -> None:
        self._tell, self._mask = tell, mask

    def read(self, path: str) -> str:
        """The text of a file."""
        return Path(path).read_text(encoding="utf-8")

    def write(self, text: str, path: str) -> None:
        """Replace a file. Half of a surrogate pair in an output is written as JSON's escape."""
        if self._mask:
            text = json.dumps(self._mask.notebook(json.loads(text)), indent=1, ensure_ascii=False)
        try:
            publish.write(path, text.encode("utf-8", "backslashreplace"), durable=False)
        except publish.NotPublished as error:
            self._tell("unsaved", reason=str(error))
        else:
            self._tell("saved")


class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """papermill's engine with our client. `execute_notebook` saves before and after, whatever
    happens in between."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, made: Callable[[Any], CellClient], **_: Any
    ) -> None:
        """Run the cells of `nb_man.nb`."""
        made(nb_man).execute()


class Job:
    """One notebook from the scratch copy of the input to the told outcome."""

    def __init__(self, request: NotebookRequest, kernel: Kernel, scratch: Path, tell: Tell) -> None:
        self._request, self._kernel, self._scratch, self._tell = request, kernel, scratch, tell
        self._executed = scratch / EXECUTED
        self._printed = Printed()
        self._client: CellClient | None = None
        self._injected: int | None = None
        self._secrets = Secrets(request, kernel)
        self._stopping = False

    def stop(self) -> None:
        """For the signal handler."""
        self._stopping = True
        if self._client is not None:
            self._client.stop()

    def run(self) -> None:
        """Run, tell how it ended, make the reports."""
        papermill_io.register(str(self._scratch), ScratchFiles(self._tell, self._secrets.mask))
        self._tell("ended", **self._ended())
        if self._executed.exists():
            title = Path(self._request.output).stem
            formats = self._request.formats
            export(self._executed, title, formats, self._scratch, self._tell)

    def _ended(self) -> dict[str, Any]:
        try:
            notebook = self._prepared()
        except PapermillException as error:  # no translator for the kernel's language
            return {"status": Status.REFUSED, "message": f"{error}."}
        try:
            self._execute(notebook)
        except Stopped:
            return {"status": Status.STOPPED, "message": "The run was stopped."}
        except KernelDied as error:
            self._point_to_error(notebook)
            return _died(str(error))
        except (RuntimeError, OSError) as error:  # jupyter_client's, while the kernel starts
            return _died(f"The kernel {self._kernel.name!r} did not start: {error}")
        return self._how_cells_ended(notebook)

    def _prepared(self) -> Any:
        """The notebook with its parameters, as papermill lays it out."""
        notebook = load_notebook_node(str(self._scratch / "input.ipynb"))
        notebook = remove_error_markers(notebook)
        if self._request.parameters or self._request.secret_parameters:
            notebook = self._parameterized(notebook)
        notebook.metadata.papermill["input_path"] = self._request.input
        notebook.metadata.papermill["output_path"] = self._request.output
        return notebook

    def _parameterized(self, notebook: Any) -> Any:
        # papermill replaces the cell where the input holds one, of an earlier run.
        replaces = find_first_tagged_cell_index(notebook, INJECTED) >= 0
        notebook = parameterize_notebook(
            notebook,
            dict(self._request.parameters),
            kernel_name=self._kernel.name,
            language=self._kernel.language,
        )
        index = find_first_tagged_cell_index(notebook, INJECTED)
        self._secrets.announce(notebook, index)
        if not replaces:
            self._injected = index
        return notebook

    def _execute(self, notebook: Any) -> None:
        Engine.execute_notebook(
            notebook,
            self._kernel.name,
            output_path=str(self._executed),
            progress_bar=False,
            autosave_cell_every=0,  # the client saves by the clock, also in a silent cell
            made=self._made,
        )

    def _made(self, nb_man: Any) -> CellClient:
        self._client = CellClient(
            nb_man,
            request=self._request,
            kernel=self._kernel,
            injected=self._injected,
            secrets=self._secrets,
            tell=self._tell,
            printed=self._printed,
        )
        self._client.stopping = self._stopping
        return self._client

    def _how_cells_ended(self, notebook: Any) -> dict[str, Any]:
        client = self._client
        if client is not None and client.failure is not None:
            self._point_to_error(notebook)
            return {"status": Status.FAILED, "message": said(client.failure), **client.failure}
        if client is not None and client.left is not None:
            message = f"Cell {client.left} ended the notebook with sys.exit(0)."
            return {"status": Status.SUCCEEDED, "message": message}
        return {"status": Status.SUCCEEDED, "message": ""}

    def _point_to_error(self, notebook: Any) -> None:
        """papermill's link at the top of the notebook to the cell that failed."""
        try:
            raise_for_execution_errors(notebook, str(self._executed))
        except PapermillExecutionError:
            return


def _died(message: str) -> dict[str, Any]:
    return {"status": Status.DIED, "error_name": "DeadKernelError", "message": message}
