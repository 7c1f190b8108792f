"""papermill's client for a kernel of the chosen environment, cell by cell.

What happens is told: `cell`, with the values that the supervisor's method takes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import zmq
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient

from couler_jobs.in_pod.kernel import Kernel, kernel_environment
from couler_jobs.in_pod.limits import limit
from couler_jobs.in_pod.outcome import now, place_of, plain, tail
from couler_jobs.in_pod.processes import killed_first, memory_limit, signal_name
from couler_jobs.in_pod.request import NotebookRequest
from couler_jobs.in_pod.secrets import Secrets

START_TIMEOUT = 300  #: seconds for a kernel to answer: a cold environment on a network disk is slow
IOPUB_TIMEOUT = 60  #: seconds for outputs that are still on their way when a cell has ended
LARGEST_STREAM = 10 * 2**20  #: characters of printed text that one cell keeps
LARGEST_OUTPUTS = 100 * 2**20  #: characters of outputs that the notebook keeps
MOST_OUTPUTS = 10_000  #: outputs that one cell keeps

Tell = Callable[..., None]


class KernelDied(Exception):  # noqa: N818  an answer, not a defect
    """The kernel went away while a cell ran; one sentence with the signal."""


class Stopped(Exception):  # noqa: N818
    """No further cell is to be started."""


class Printed:
    """The log: what cells print, and a line before each cell."""

    def __init__(self) -> None:
        self._at_line_start = True

    def text(self, text: str) -> None:
        """Pass text on at once."""
        if text:
            sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
            sys.stdout.buffer.flush()
            self._at_line_start = text.endswith("\n")

    def line(self, text: str) -> None:
        """A line of its own."""
        self.text(f"{'' if self._at_line_start else chr(10)}{text}\n")

    def message(self, kind: str, content: Mapping[str, Any]) -> None:
        """What a kernel's output message shows as text."""
        if kind == "stream":
            self.text(content["text"])
        elif kind == "error":
            self.line(plain("\n".join(content.get("traceback") or [content.get("ename", "")])))
        elif shown := content.get("data", {}).get("text/plain"):
            self.line(shown)


class OneKernel(KernelSpecManager):  # type: ignore[misc]  # jupyter_client has no complete types
    """Knows the one kernel that was chosen, under any name."""

    chosen: Kernel

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The chosen kernel as jupyter_client wants it."""
        kernel = self.chosen
        return KernelSpec(
            argv=list(kernel.argv),
            name=kernel.name,
            display_name=kernel.display_name,
            language=kernel.language,
            env=dict(kernel.env),
            interrupt_mode=kernel.interrupt_mode,
            metadata=dict(kernel.metadata),
            resource_dir=kernel.folder,
        )


class CellClient(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """papermill's client, which also tells of each cell, bounds outputs, saves during long cells,
    notices how a kernel died, and can be told to stop."""

    def __init__(
        self,
        nb_man: Any,
        *,
        request: NotebookRequest,
        kernel: Kernel,
        injected: int | None,
        secrets: Secrets,
        tell: Tell,
        printed: Printed,
    ) -> None:
        super().__init__(
            nb_man,
            log=logging.getLogger("papermill"),
            startup_timeout=START_TIMEOUT,
            iopub_timeout=IOPUB_TIMEOUT,
            raise_on_iopub_timeout=False,  # a lost output is no reason to fail the run
            store_widget_state=True,
        )
        self.request, self.kernel, self.tell, self.printed = request, kernel, tell, printed
        self.secrets = secrets
        self.injected = injected  #: index of the parameters cell that the input does not have
        self.stopping = False
        self.failure: dict[str, Any] | None = None  #: the cell's error that ended the run
        self.left: int | None = None  #: the cell that said `sys.exit(0)`
        self._changed = False
        self._kept = 0
        self._kept_text = 0

    def create_kernel_manager(self) -> Any:
        """A manager that starts the chosen environment's kernel."""
        specs = OneKernel()
        specs.chosen = self.kernel
        manager = AsyncKernelManager(kernel_name=self.kernel.name, kernel_spec_manager=specs)
        # Other users of the host cannot read or join in; and ipykernel does not warn in every log.
        if manager.has_trait("transport_encryption") and zmq.has("curve"):
            manager.transport_encryption = "auto"
        self.km = manager
        return self.km

    def execute(self, **_: Any) -> Any:
        """Run all cells in a kernel of our own. Raises `KernelDied`, `Stopped`."""
        self.reset_execution_trackers()
        environment = kernel_environment(self.kernel, os.environ, self.request.secrets)
        environment |= {**self.request.variables, **self.secrets.variables}
        with self.setup_kernel(env=environment, cwd=self.request.folder):
            killed_first(self.km.provisioner.pid)
            for sentence in limit(self.km.provisioner.pid, self.request):
                self.printed.line(sentence)
            answer = self.wait_for_reply(self.kc.kernel_info())
            self.nb.metadata["language_info"] = answer["content"]["language_info"]
            self.papermill_execute_cells()
            self.set_widgets_metadata()
        return self.nb

    def stop(self) -> None:
        """Interrupt the running cell and start no other. For a signal handler."""
        self.stopping = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # between two cells
        loop.call_soon_threadsafe(lambda: loop.create_task(self._interrupt()))

    async def _interrupt(self) -> None:
        if self.km is not None and self.km.has_kernel:
            await self.km.interrupt_kernel()

    async def async_execute_cell(self, cell: Any, cell_index: int, *_: Any, **__: Any) -> Any:
        """One cell, told of before and saved meanwhile."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        self._announce(cell_index)
        self._kept_text = 0
        if self.stopping:
            self._mark(cell, cell_index, "Stopped", "The run was stopped before this cell.")
            raise Stopped
        saver = asyncio.ensure_future(self._save_meanwhile())
        try:
            executed = await super().async_execute_cell(cell, cell_index)
            if cell_index == self.secrets.cell:
                await self._set_secrets()
            return executed
        except DeadKernelError:
            sentence = _death(self.km, self._position(cell_index))
            self._mark(cell, cell_index, "DeadKernelError", sentence)
            raise KernelDied(sentence) from None
        except CellExecutionError as error:
            self._note_error(cell, cell_index, error)
            raise
        finally:
            saver.cancel()

    execute_cell = run_sync(async_execute_cell)

    async def _set_secrets(self) -> None:
        """Run code that nobody sees: silent code is in no history, and has no outputs."""
        code = self.secrets.code
        reply = await self.kc.execute(code, silent=True, store_history=False, reply=True)
        if reply["content"]["status"] != "ok":
            raise KernelDied("The kernel could not set the parameters that are secrets.")

    def _position(self, cell_index: int) -> dict[str, int]:
        """The cell's number, counted from 1 among the input's code cells, and how many it has.

        0 is the injected cell's.
        """
        code = [index for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        own = [index for index in code if index != self.injected]
        number = own.index(cell_index) + 1 if cell_index in own else 0
        return {"cell": number, "cells": len(own)}

    def _announce(self, cell_index: int) -> None:
        position = self._position(cell_index)
        self.tell("cell", **position)
        self.printed.line(f"--- {place_of(position)}, {now()} ---")

    def _mark(self, cell: Any, cell_index: int, name: str, sentence: str) -> None:
        """Say in the notebook why this cell has no result."""
        output = new_output("error", ename=name, evalue=sentence, traceback=[sentence])
        cell.outputs.append(output)
        self.printed.line(sentence)
        self.nb_man.cell_exception(cell, cell_index=cell_index)

    def _note_error(self, cell: Any, cell_index: int, error: CellExecutionError) -> None:
        if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
            self.left = self._position(cell_index)["cell"]
            return
        shown = [out for out in cell.outputs if out.output_type == "error"]
        mask = self.secrets.mask  # before anything is cut
        self.failure = {
            **self._position(cell_index),
            "error_name": mask.text(error.ename),
            "value": mask.text(error.evalue),
            "traceback": tail([*map(mask.text, shown[-1].traceback)] if shown else []),
        }

    async def _save_meanwhile(self) -> None:
        while True:
            await asyncio.sleep(self.request.publish_every)
            if self._changed:
                self._changed = False
                self.nb_man.save()

    def output(self, outs: list[Any], msg: Any, display_id: Any, cell_index: int) -> Any:
        """Log an output and keep it, within bounds; a stream goes on in the output it began."""
        self.printed.message(msg["msg_type"], msg["content"])
        self._changed = True
        fits = self._fit(outs, msg)
        out = None
        if fits or msg["content"].get("text"):
            out = super().output(outs, msg, display_id, cell_index)
        if out is not None and _continues(outs):
            outs[-2].text += outs.pop().text
        if not fits:
            _mark_cut(outs)
        return out

    def _fit(self, outs: list[Any], msg: Any) -> bool:
        """Whether the notebook has room for all of an output; printed text is cut to what it has.

        An error always fits: it is why the run ends.
        """
        kind, content = msg["msg_type"], msg["content"]
        if kind == "error":
            return True
        size = _size(content)
        room = LARGEST_OUTPUTS - self._kept if len(outs) < MOST_OUTPUTS else 0
        if kind == "stream":
            room = min(room, LARGEST_STREAM - self._kept_text)
            content["text"] = content["text"][: max(0, room)]
            self._kept_text += len(content["text"])
        self._kept += min(size, max(0, room))
        return size <= room


def _mark_cut(outs: list[Any]) -> None:
    marker = "[further output is only in the log]\n"
    if not outs or outs[-1].get("text") != marker:
        outs.append(new_output("stream", name="stderr", text=marker))


def _continues(outs: list[Any]) -> bool:
    """Whether the last output is more of the stream before it."""
    last_two = [(out.output_type, out.get("name")) for out in outs[-2:]]
    return last_two in ([("stream", "stdout")] * 2, [("stream", "stderr")] * 2)


def _size(content: Mapping[str, Any]) -> int:
    """About how many characters an output takes in the notebook."""
    parts = [content.get("text"), *(content.get("data") or {}).values()]
    return sum(len(part) if isinstance(part, str) else len(json.dumps(part)) for part in parts)


def _death(manager: Any, position: Mapping[str, int]) -> str:
    """The sentence for a kernel that went away."""
    process = manager.provisioner.process if manager.provisioner else None
    code = process.poll() if process else None
    where = f"in {place_of(position)}"
    if code is None or code >= 0:
        return f"The kernel ended by itself {where} (exit code {code}): the code left Python."
    sentence = f"The kernel died {where}"
    if -code != signal.SIGKILL:
        name = signal_name(-code)
        return f"{sentence} ({name}: a crash in native code or a signal from outside)."
    limit = memory_limit()
    room = f"; the limit here is {limit // 2**20} MiB" if limit else ""
    return f"{sentence} (SIGKILL: often the sign of too little memory{room})."
