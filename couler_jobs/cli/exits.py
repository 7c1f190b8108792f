"""Exit codes, and the one place where an error becomes a sentence on stderr and a code."""

from __future__ import annotations

import enum
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn

from couler_jobs.errors import (
    BackendError,
    CoulerJobsError,
    WaitTimeout,
    WorkflowFailed,
)


class Exit(enum.IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BACKEND = 3
    DEFECT = 70  #: `EX_SOFTWARE` of BSD's sysexits
    TIMEOUT = 124  #: as timeout(1) has it
    INTERRUPTED = 130  #: 128 + SIGINT
    PIPE = 141  #: 128 + SIGPIPE
    TERMINATED = 143  #: 128 + SIGTERM


CODES = {
    Exit.OK: "ok",
    Exit.FAILED: "the workflow failed",
    Exit.USAGE: "wrong usage, declaration or manifest",
    Exit.BACKEND: "the backend refused or was away",
    Exit.TIMEOUT: "time-out",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.TERMINATED: "terminated (SIGTERM)",
}

#: The first that fits; CoulerJobsError is last, so that no child is without a code.
OF_ERRORS: tuple[tuple[type[CoulerJobsError], Exit], ...] = (
    (WorkflowFailed, Exit.FAILED),
    (WaitTimeout, Exit.TIMEOUT),
    (BackendError, Exit.BACKEND),
    (CoulerJobsError, Exit.USAGE),
)


class Terminated(KeyboardInterrupt):
    """A signal came, such as SIGTERM from a CI system whose job was cancelled: end as at Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number  #: as a shell tells it


@contextmanager
def terminable(number: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Inside, the signal raises `Terminated`, so that what has to be said and ended still is.

    Not where it is ignored, as whoever started the program wants it.
    """
    before = signal.getsignal(number)
    if current_thread() is not main_thread() or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(number, _terminate)
    try:
        yield
    finally:
        signal.signal(number, before)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


def guarded(call: Callable[[], int], *, debug: bool = False, as_json: bool = False) -> int:
    """Call it; answer its code, or that of the error, which is told on stderr.

    With `as_json` as an object on a line, whose `error` is the class in `couler_jobs.errors`.
    """
    try:
        code = call()
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt as interrupt:
        word, code = "Interrupted.", int(Exit.INTERRUPTED)
        if isinstance(interrupt, Terminated):
            word, code = "Terminated.", interrupt.code
        say("\n".join([word, *getattr(interrupt, "__notes__", [])]))
        return code
    except Exception as error:
        return _told(error, debug, as_json)
    return code


def code_of(error: CoulerJobsError) -> Exit:
    """The exit code that an error leads to."""
    return next(code for kind, code in OF_ERRORS if isinstance(error, kind))


def say(sentence: str) -> None:
    """Tell the person at the screen; never the program that reads stdout."""
    print(sentence, file=sys.stderr, flush=True)


def _told(error: Exception, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if as_json:
        say(json.dumps({"error": type(error).__name__, "message": str(error)}))
        return code_of(error) if isinstance(error, CoulerJobsError) else Exit.DEFECT
    if isinstance(error, CoulerJobsError):
        say(f"couler-jobs: {error}")
        return code_of(error)
    say(
        f"couler-jobs: something went wrong that should not have: {type(error).__name__}: {error}. "
        "The option --debug shows where."
    )
    return Exit.DEFECT


def _reader_left() -> int:
    # What is still buffered would fail once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.PIPE
