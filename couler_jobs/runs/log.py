"""The log of a run: lines to go through, and a text where it is shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from couler_jobs.errors import BackendError
from couler_jobs.runs.display import step_name
from couler_jobs.spec.status import LogLine, NodeInfo

if TYPE_CHECKING:
    from couler_jobs.backends.base import Backend


def last_lines(backend: Backend, run: str, node: NodeInfo, most: int) -> list[str]:
    """The end of a pod's log, without that of its hooks; empty where there is none to be had."""
    try:
        lines = backend.logs(run, node.name)
        own = (line.text for line in lines if not line.node.startswith(f"{node.name}."))
        return list(deque(own, maxlen=most))
    except BackendError:
        return []


class Log(Iterable[LogLine]):
    """Lines that are read anew each time that somebody goes through them.

    `str` is all of them as text: each with its step's name before it if `named`.
    """

    def __init__(self, read: Callable[[], Iterator[LogLine]], *, named: bool) -> None:
        self._read, self._named = read, named

    def __iter__(self) -> Iterator[LogLine]:
        return self._read()

    def __str__(self) -> str:
        return "\n".join(
            f"{step_name(line.node)}: {line.text}" if self._named else line.text for line in self
        )

    def __repr__(self) -> str:
        return "<Log: print it, or go through its lines>"
