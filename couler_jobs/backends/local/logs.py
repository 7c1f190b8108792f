"""Reading what steps print, also while they print it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.step_folder import step_folder
from couler_jobs.errors import NotFound
from couler_jobs.spec.names import is_within
from couler_jobs.spec.status import LogLine, NodeInfo, RunInfo

MAIN = "main"
_LONGEST_LINE = 1 << 20  # bytes: a longer one is handed on in pieces
_BLOCK = 1 << 18


@dataclass(slots=True)
class LogFile:
    """One step's log and how far it has been read."""

    node: str
    path: Path
    offset: int = 0

    def lines(self, *, ended: bool) -> Iterator[LogLine]:
        """The lines that are new; the last one also without its line feed once the step `ended`."""
        rest = b""
        for block in self._blocks():
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                self.offset += len(line) + 1
                yield self._line(line)
            if len(rest) > _LONGEST_LINE:
                yield self._piece(rest)
                rest = b""
        if ended and rest:
            yield self._piece(rest)

    def _piece(self, rest: bytes) -> LogLine:
        self.offset += len(rest)
        return self._line(rest)

    def _blocks(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                # a log that was too long has been cut since
                self.offset = min(self.offset, os.fstat(file.fileno()).st_size)
                file.seek(self.offset)
                while block := file.read(_BLOCK):
                    yield block
        except FileNotFoundError:
            return

    def _line(self, line: bytes) -> LogLine:
        return LogLine(node=self.node, text=line.decode("utf-8", "replace"))


def read(folder: RunFolder, run: RunInfo, node: str | None) -> Iterator[LogLine]:
    """What there is, step after step in the order of their start."""
    for name in _steps(run, node):
        yield from _file(folder, run, name).lines(ended=True)


def follow(
    folder: RunFolder, look: Callable[[], Iterable[RunInfo]], node: str | None
) -> Iterator[LogLine]:
    """What there is and what comes, until the run has ended; `look` answers it again and again."""
    logs: dict[str, LogFile] = {}
    for run in look():
        for name in _steps(run, node):
            log = logs.setdefault(name, _file(folder, run, name))
            yield from log.lines(ended=run.ended or run.nodes[name].phase.ended)


def _file(folder: RunFolder, run: RunInfo, name: str) -> LogFile:
    if run.nodes[name].type != "Container":
        return LogFile(name, step_folder(folder, name).log)
    pod, _, container = name.rpartition(".")
    step = step_folder(folder, pod)
    return LogFile(name, step.log if container == MAIN else step.containers / f"{container}.log")


def _steps(run: RunInfo, node: str | None) -> list[str]:
    """The names of the nodes that have logs: all, or the node and those within it.

    A pod of several containers has the lines of its main one.
    """
    if node is not None and node not in run.nodes:
        raise NotFound(f"{run.name} has no node named {node} (yet).")
    found = [one for one in run.nodes.values() if _has_log(one, node)]
    return [one.name for one in sorted(found, key=_start)]


def _has_log(one: NodeInfo, node: str | None) -> bool:
    if one.name == node:
        return one.type in ("Pod", "Container")
    main = one.type == "Container" and one.name.endswith(f".{MAIN}")
    inside = node is None or is_within(one.name, node)
    return inside and one.type in ("Pod", "Container") and not main


def _start(node: NodeInfo) -> tuple[bool, float]:
    moment = node.started_at
    return moment is None, 0.0 if moment is None else moment.timestamp()
