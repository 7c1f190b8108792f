"""How a run of a notebook ended: the result file and the exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

LONGEST_MESSAGE = 500  #: characters
TRACEBACK_LINES = 20

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Status(StrEnum):
    """How a run ended."""

    RUNNING = "running"  #: it has not
    SUCCEEDED = "succeeded"  #: every cell ran, or a cell said `sys.exit(0)`
    FAILED = "failed"  #: a cell raised an error
    DIED = "died"  #: the kernel, or the program beside it, was killed or went away
    REFUSED = "refused"  #: nothing was run: the notebook, environment or kernel is not usable
    UNWRITTEN = "unwritten"  #: the executed notebook could not be written: a full disk
    TIMED_OUT = "timed out"  #: it took longer than the request allows
    STOPPED = "stopped"  #: somebody sent SIGTERM or SIGINT


#: what the program exits with; a stop by another signal than SIGTERM is 128 + its number
EXIT_CODES = {
    Status.SUCCEEDED: 0,
    Status.FAILED: 1,
    Status.REFUSED: 3,
    Status.DIED: 4,
    Status.UNWRITTEN: 5,
    Status.TIMED_OUT: 124,
    Status.STOPPED: 143,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Which run of a notebook it is that is tried again when it fails."""

    number: int = 1
    of: int = 1

    def said(self, message: str) -> str:
        """The message with the attempt before it, where there may be several."""
        if self.of == 1:
            return message
        return f"Attempt {self.number} of {self.of}{': ' if message else ' succeeded.'}{message}"


ONLY = Attempt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the result file holds. Times are ISO 8601 in UTC."""

    status: Status
    exit_code: int | None = None
    attempt: int = 1  #: which one it was, if a notebook that fails is tried again
    message: str = ""  #: one line for a person, at most 500 characters
    error_name: str = ""  #: the exception's class, or what stands for it (`DeadKernelError`)
    cell: int | None = None  #: the one it ended in: counted from 1 among the input's code cells
    cells: int = 0  #: how many code cells the input has (an injected parameters cell is none)
    started_at: str = ""
    finished_at: str | None = None
    traceback: tuple[str, ...] = ()  #: the last lines, without colour codes
    kernel: str = ""  #: the kernelspec that ran
    input_sha256: str = ""  #: of the notebook as it was read

    def as_json(self) -> str:
        """The result file's text."""
        return json.dumps(asdict(self), ensure_ascii=True, indent=1) + "\n"


def now() -> str:
    """This moment, as the result file writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(text: str) -> str:
    """`text` without terminal escapes and control characters other than tab and newline."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """`text` as one plain line of at most `longest` characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def tail(traceback: list[str]) -> tuple[str, ...]:
    """The last plain lines of a traceback, each of bounded length."""
    lines = plain("\n".join(traceback)).splitlines()
    return tuple(line[:LONGEST_MESSAGE] for line in lines[-TRACEBACK_LINES:])


def said(error: Mapping[str, Any]) -> str:
    """The sentence for a cell's error."""
    name, value = error["error_name"], one_line(error["value"])
    where = place_of(error)
    return one_line(f"{where[0].upper()}{where[1:]} failed: {name}{': ' if value else ''}{value}")


def place_of(position: Mapping[str, Any]) -> str:
    """What a cell is called: cell 0 is the one that was injected, and is in nobody's notebook."""
    if position["cell"] == 0:
        return "the injected parameters cell"
    return f"cell {position['cell']} of {position['cells']}"
