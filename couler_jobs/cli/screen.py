"""What is printed: names and JSON on stdout for programs, progress on stderr for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

from couler_jobs.runs.values import decoded

if TYPE_CHECKING:
    from couler_jobs.runs.run import Run
    from couler_jobs.runs.schedule import Schedule
    from couler_jobs.spec.status import LogLine, NodeInfo, Outputs, RunInfo

GREEN, RED, BLUE = "32", "31", "34"
COLOURS = {"Succeeded": GREEN, "Failed": RED, "Error": RED, "Running": BLUE}


def print_json(value: Any) -> None:
    """One JSON value on stdout; ASCII, so that no terminal or file can spoil it."""
    print(json.dumps(value, indent=2, default=_plain))


def run_as_json(run: Run) -> dict[str, Any]:
    """What `--json` says of a run and its nodes."""
    info = run.info
    return {
        **summary(info),
        "backend": run.backend.name,
        "outputs": run.outputs,
        "nodes": [_node(node) for node in info.nodes.values()],
    }


def summary(info: RunInfo) -> dict[str, Any]:
    """What `--json` says of a run in a list."""
    return {
        "name": info.name,
        "uid": info.uid,
        "namespace": info.namespace,
        "phase": str(info.phase),
        "message": info.message,
        "parameters": _values(info.parameters),
        "created_at": info.created_at,
        "started_at": info.started_at,
        "finished_at": info.finished_at,
    }


def schedule_as_json(schedule: Schedule) -> dict[str, Any]:
    """What `--json` says of a schedule."""
    info = schedule.info
    return {
        "name": info.name,
        "uid": info.uid,
        "namespace": info.namespace,
        "backend": schedule.backend.name,
        "schedules": list(info.schedules),
        "timezone": info.timezone or "UTC",
        "suspended": info.suspended,
        "last_scheduled_at": info.last_scheduled_at,
        "next": schedule.next_times(),
        "active": list(info.active),
        "conditions": list(info.conditions),
    }


def state_of(schedule: Schedule) -> str:
    """Whether it is paused, and else when it runs next."""
    if schedule.suspended:
        return "paused"
    times = schedule.next_times(1)
    return f"next {times[0]:%Y-%m-%d %H:%M %Z}" if times else "never runs"


def output_lines(run: Run) -> list[str]:
    """The run's outputs, one a line."""
    shown = {n: v if isinstance(v, PurePath) else repr(v) for n, v in run.outputs.items()}
    return [f"  {name} = {value}" for name, value in shown.items()]


def print_log(line: LogLine, stream: TextIO | None = None) -> None:
    """One line of a step, with the step's name before it."""
    from couler_jobs.runs.display import step_name

    print(f"{step_name(line.node)}: {line.text}", file=stream or sys.stdout, flush=True)


class Progress:
    """Tells on stderr each time that a step's or the run's phase has changed, and how to go on.

    The same plain lines everywhere; colours where a terminal shows them.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._seen: dict[str, str] = {}
        self._asked: set[str] = set()
        self._colours = shows_colours(self._stream)

    def show(self, info: RunInfo) -> None:
        """Print what is new in it."""
        from couler_jobs.runs.display import in_shell, said_of, ways_on
        from couler_jobs.runs.nodes import told_names, waiting

        for key, name in told_names(info.nodes, info.name).items():
            if key == info.name:
                continue  # the run is this one step
            node = info.nodes[key]
            self._tell(key, name, node.phase, said_of(node))
        new = [node for node in waiting(info.nodes) if node.name not in self._asked]
        self._asked.update(node.name for node in new)
        for line in ways_on(info, new, in_shell):
            print(line, file=self._stream, flush=True)
        self._tell("", info.name, info.phase, info.message)

    def _tell(self, key: str, name: str, phase: str, message: str) -> None:
        from couler_jobs.runs.display import one_line

        if self._seen.get(key) == phase:
            return
        self._seen[key] = phase
        shown = coloured(phase, COLOURS.get(phase)) if self._colours else str(phase)
        why = f": {one_line(message)}" if message else ""
        print(f"{one_line(name)} {shown}{why}", file=self._stream, flush=True)


def shows_colours(stream: TextIO) -> bool:
    """Whether escape codes are welcome: on a terminal, unless NO_COLOR or TERM=dumb say no."""
    return (
        stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    )


def coloured(text: str, colour: str | None) -> str:
    """The text between the colour's escape codes."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def _node(node: NodeInfo) -> dict[str, Any]:
    return {
        "name": node.name,
        "display_name": node.display_name,
        "type": node.type,
        "phase": str(node.phase),
        "message": node.message,
        "inputs": _values(node.inputs),
        "outputs": _outputs(node.outputs),
        "asks": dict(node.asks),
        "started_at": node.started_at,
        "finished_at": node.finished_at,
    }


def _outputs(outputs: Outputs) -> dict[str, Any]:
    read = dict(outputs)
    if "result" in outputs:
        read["result"] = decoded(outputs["result"])
    if "parameters" in outputs:
        read["parameters"] = _values(outputs["parameters"])
    return read


def _values(texts: Mapping[str, str]) -> dict[str, Any]:
    """What the texts say: a text that is JSON would otherwise be JSON in JSON."""
    return {name: decoded(text) for name, text in texts.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
