"""What a step's process tells the supervisor while it runs: lines of JSON through a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import time
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

    def read(self) -> list[Reported]:
        """The whole lines that have come since."""
        with contextlib.suppress(BlockingIOError):
            while block := os.read(self.reading, 65536):
                self._rest += block
            self.ended = True
        *lines, self._rest = self._rest.split(b"\n")
        now = time.time()
        return [Reported(node=self._node, at=now, **json.loads(line)) for line in lines]


def report(descriptor: int, **told: Any) -> None:
    """Tell the supervisor this, from the step's process; fields of `Reported`."""
    with contextlib.suppress(BrokenPipeError):
        write_all(descriptor, json.dumps(told).encode() + b"\n")
