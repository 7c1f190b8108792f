"""Where in the user's program something stands: what an error names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType, TracebackType

from couler_jobs.errors import DeclarationError
from couler_jobs.spec.place import Place, shown

_PACKAGE = __name__.partition(".")[0]
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


@contextmanager
def placed(function: FunctionType | None = None) -> Iterator[None]:
    """A `DeclarationError` from inside names the user's line that led to it.

    Where none of the user's was running, that is the line of `function`, which is what the error is
    about; without one the line that called into this package.
    """
    try:
        yield
    except DeclarationError as error:
        if not error.place:
            error.place = (
                _of_traceback(error.__traceback__)
                or (str(Place(function.__code__)) if function else "")
                or _of_frame(sys._getframe())
            )
        raise


def called_from(frame: FrameType | None, known: dict[int, Place]) -> Place | None:
    """The instruction of the user's that led to `frame`; `known` has those of the same graph.

    This is done for each step of a workflow, so it looks at nothing but the names of files.
    """
    while frame is not None and frame.f_code.co_filename.startswith(_FOLDER):
        frame = frame.f_back
    if frame is None:
        return None
    code, offset = frame.f_code, frame.f_lasti
    found = known.get(offset)
    if found is None or found.code is not code:
        found = known[offset] = Place(code, offset)
    return found


def _of_traceback(found: TracebackType | None) -> str:
    """The last line that is the user's, in what was running when the error was raised."""
    place = ""
    while found is not None:
        if _is_users(found.tb_frame):
            place = shown(found.tb_frame.f_code.co_filename, found.tb_lineno)
        found = found.tb_next
    return place


def _of_frame(frame: FrameType | None) -> str:
    """The user's line that called into the package."""
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return shown(frame.f_code.co_filename, frame.f_lineno) if frame else ""


def _is_users(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] not in (_PACKAGE, "contextlib")
