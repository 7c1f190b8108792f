"""Where in the user's program something was declared: what an error names."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import CodeType


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An instruction of the program, or without `offset` the function that `code` is.

    The line is worked out when it is asked for: finding it costs more than declaring a step does.
    """

    code: CodeType
    offset: int | None = None

    def __str__(self) -> str:
        return shown(self.code.co_filename, self._line())

    def _line(self) -> int:
        if self.offset is not None:
            for start, end, line in self.code.co_lines():
                if start <= self.offset < end and line is not None:
                    return line
        return self.code.co_firstlineno


def shown(filename: str, line: int) -> str:
    """`flow.py, line 3`; a cell of a notebook as the notebook calls it: `In[2], line 3`."""
    return f"{_cell(filename) or filename}, line {line}"


def _cell(filename: str) -> str:
    """What IPython calls the cell whose text it keeps under this name; empty for a file."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    named = shell.compile.format_code_name(filename) if shell is not None else None
    return str(named[1]) if named else ""
