"""The status of jupyter_scheduler's answers: 400 and 404 where the client can put it right.

Its handlers say 500 to every error but a taken idempotency token. Their text is right and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_scheduler.pydantic_v1 import ValidationError

from couler_jobs.errors import CoulerJobsError
from scheduler_plugin.errors import JobRefused, NoSuchDefinition, NoSuchJob

ANY_FAULT = 500


class RightStatus:
    """Beside a handler of jupyter_scheduler: answers its errors with the status that fits."""

    def send_error(self, status_code: int = ANY_FAULT, **more: Any) -> None:
        """Answer an error, as tornado asks for it."""
        error = (more.get("exc_info") or (None, None))[1]
        code = code_of(error) if status_code == ANY_FAULT else status_code
        super().send_error(code, **more)  # type: ignore[misc]  # tornado's


def with_right_status(handlers: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same routes, each to a subclass of its handler."""
    return [
        (path, type(handler.__name__, (RightStatus, handler), {}), *more)
        for path, handler, *more in handlers
    ]


def code_of(error: BaseException | None) -> int:
    """The status that the cause of an error stands for."""
    for cause in _causes(error):
        if isinstance(cause, (NoSuchJob, NoSuchDefinition)):
            return 404
        if isinstance(cause, (JobRefused, ValidationError)):
            return 400
        if isinstance(cause, CoulerJobsError):
            return ANY_FAULT
    return ANY_FAULT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
