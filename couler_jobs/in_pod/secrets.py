"""Secrets on their way into a kernel: the notebook that is published says only that there are some.

A value comes in a variable of this program. A parameter is set by code that the kernel runs
silently, right after the cell of injected parameters, which has a remark in its place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from papermill.translators import papermill_translators

from couler_jobs.in_pod.kernel import Kernel
from couler_jobs.in_pod.masking import Mask
from couler_jobs.in_pod.request import NotebookRequest


class Secrets:
    """The secrets of one request. Raises KeyError where one is not in the environment."""

    def __init__(self, request: NotebookRequest, kernel: Kernel) -> None:
        self._kernel = kernel
        self._parameters = _values(request.secret_parameters)
        self.variables = _values(request.secret_variables)  #: of the kernel's environment
        self.mask = Mask([*self._parameters.values(), *self.variables.values()])
        self.cell: int | None = None  #: the index of the cell after which they are set

    @property
    def code(self) -> str:
        """What sets the parameters, in the kernel's language."""
        return str(self._translator.codify(self._parameters, ""))

    def announce(self, notebook: Any, index: int) -> None:
        """Say in the cell of injected parameters which others there are."""
        if not self._parameters:
            return
        self.cell = index
        cell = notebook.cells[index]
        remarks = (
            self._translator.comment(f"{name}: a secret, set in the kernel only")
            for name in self._parameters
        )
        cell.source = "\n".join([cell.source.rstrip("\n"), *remarks])

    @property
    def _translator(self) -> Any:
        return papermill_translators.find_translator(self._kernel.name, self._kernel.language)


def _values(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[variable] for name, variable in variables.items()}
