"""What a step's process tells the supervisor while it runs: lines of JSON through a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

from couler_jobs.backends.local.log_limit import write_all
from couler_jobs.backends.local.values import Reported


class Reports:
    """Both ends of the pipe of one step, as the supervisor holds them."""

    def __init__(self, node: str) -> None:
        self._node, self._rest = node, b""
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reading, False)
        self.ended = False  #: whether nothing comes any more

    def close_writing(self) -> None:
        """Let go of the end that the step's process has now."""
        os.close(self.writing)

    def close(self) -> None:
        """Let go of the other end too."""
        os.close(self.reading)

    def read(self, note: Callable[[str], None]) -> list[Reported]:
        """The whole lines that have come since.

        One that is no report, which only another process can have written, is noted and left out.
        """
        with contextlib.suppress(BlockingIOError):
            while block := os.read(self.reading, 65536):
                self._rest += block
            self.ended = True
        *lines, self._rest = self._rest.split(b"\n")
        found = []
        for line in lines:
            try:
                found.append(Reported(node=self._node, at=time.time(), **json.loads(line)))
            except (ValueError, TypeError):
                note(f"reported what cannot be understood: {line[:200]!r}")
        return found


def report(descriptor: int, **told: Any) -> None:
    """Tell the supervisor this, from the step's process; fields of `Reported`."""
    with contextlib.suppress(BrokenPipeError):
        write_all(descriptor, json.dumps(told).encode() + b"\n")
