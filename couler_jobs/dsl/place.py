"""Where in the user's program something stands: what an error names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType, TracebackType

from couler_jobs.errors import DeclarationError

_PACKAGE = __name__.partition(".")[0]


@contextmanager
def placed(function: FunctionType | None = None) -> Iterator[None]:
    """A `DeclarationError` from inside names the user's line that led to it.

    That is the line of `function` where the error is about how it was written.
    """
    try:
        yield
    except DeclarationError as error:
        if not error.place:
            error.place = (
                _of_function(function)
                if function
                else _of_traceback(error.__traceback__) or _of_frame(sys._getframe())
            )
        raise


def _of_function(function: FunctionType) -> str:
    return f"{function.__code__.co_filename}, line {function.__code__.co_firstlineno}"


def _of_traceback(found: TracebackType | None) -> str:
    """The last line that is the user's, in what was running when the error was raised."""
    place = ""
    while found is not None:
        if _is_users(found.tb_frame):
            place = f"{found.tb_frame.f_code.co_filename}, line {found.tb_lineno}"
        found = found.tb_next
    return place


def _of_frame(frame: FrameType | None) -> str:
    """The user's line that called into the package."""
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}" if frame else ""


def _is_users(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] not in (_PACKAGE, "contextlib")
