"""A run on the screen: one line, plain text, and a small table for a notebook. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from itertools import islice

from couler_jobs.runs.nodes import shown_name, told_names, told_steps, waiting
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo

MOST_ROWS = 200  #: of steps in a table; a reader of more looks into `run.nodes`
MOST_WAYS = 5  #: of steps that wait, how to resume them
COLOURS = {
    Phase.SUCCEEDED: "#1a7f37",
    Phase.FAILED: "#cf222e",
    Phase.ERROR: "#cf222e",
    Phase.RUNNING: "#0969da",
}


def as_line(info: RunInfo) -> str:
    """`<Run nightly-x7k2p: Running, 3 steps>`."""
    steps = len(told_steps(info.nodes))
    return f"<Run {info.name}: {info.phase}, {steps} step{'' if steps == 1 else 's'}>"


_UNMET = re.compile("when '(.*)' evaluated false", re.DOTALL)

Way = Callable[[RunInfo, NodeInfo], str]
"""How somebody resumes a step that waits: words to type."""


def in_python(info: RunInfo, node: NodeInfo) -> str:
    """In a notebook: `run.resume('approve', answers={'who': ...})`."""
    answers = ", ".join(f"{name!r}: ..." for name in node.asks)
    more = f", answers={{{answers}}}" if answers else ""
    return f"run.resume({_key(info, node)!r}{more})"


def in_shell(info: RunInfo, node: NodeInfo) -> str:
    """On a command line: `couler-jobs resume nightly-x7k2p --node approve --answer who=...`."""
    answers = "".join(f" --answer {shlex.quote(name)}=..." for name in node.asks)
    return f"couler-jobs resume {info.name} --node {shlex.quote(_key(info, node))}{answers}"


def _key(info: RunInfo, node: NodeInfo) -> str:
    """What names the node alone: its display name, if no other has it."""
    alike = [one for one in info.nodes.values() if one.display_name == node.display_name]
    return shown_name(node.display_name if len(alike) == 1 else node.name)


def said_of(node: NodeInfo) -> str:
    """The node's message; for one that waits to be resumed, what it waits for.

    Argo's sentence for a `when` that was false names what it became, which may just be `false`.
    """
    if node.phase is Phase.SKIPPED and (unmet := _UNMET.fullmatch(node.message)):
        known = "" if unmet[1] == "false" else f": {unmet[1]}"
        return f"its condition was false{known}"
    if not node.waits:
        return node.message
    asks = [n if default is None else f"{n} ({default!r})" for n, default in node.asks.items()]
    waits = f"waits for {', '.join(asks)}" if asks else "waits"
    return f"{node.message}: {waits}" if node.message else waits


def as_text(info: RunInfo, way: Way = in_python) -> str:
    """The name and phase, then a line a step, then how to resume those that wait."""
    rows = _rows(info)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [_heading(info)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[3]]).rstrip())
    return "\n".join([*lines, *_more(info, way)])


def as_html(info: RunInfo) -> str:
    """The same as a table; everything is escaped, and there is no script in it."""
    head = "".join(f"<th>{title}</th>" for title in ("Step", "Phase", "Duration", "Message"))
    body = "".join(_html_row(row) for row in _rows(info))
    table = f"<table><tr>{head}</tr>{body}</table>" if body else ""
    more = "".join(f"<div>{escape(line)}</div>" for line in _more(info, in_python))
    title = f"<b>{escape(info.name)}</b> {_html_phase(info.phase)} {escape(info.message)}"
    return f"<div>{title}{table}{more}</div>"


def duration(started: datetime | None, finished: datetime | None) -> str:
    """`4.2 s`, `3 min 5 s`, `2 h 10 min`; "" for what has not started and ended."""
    if started is None or finished is None:
        return ""
    seconds = max((finished - started).total_seconds(), 0.0)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def one_line(text: str) -> str:
    """The text with its line breaks and control characters made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def step_name(name: str) -> str:
    """A node's name as it is shown, on one line."""
    return one_line(shown_name(name))


def _heading(info: RunInfo) -> str:
    took = duration(info.started_at, info.finished_at)
    return ": ".join(filter(None, [f"{info.name} {info.phase}", one_line(info.message)])) + (
        f" ({took})" if took else ""
    )


def _rows(info: RunInfo) -> list[tuple[str, str, str, str]]:
    names = told_names(info.nodes, info.name)
    return [_row(info.nodes[key], name) for key, name in islice(names.items(), MOST_ROWS)]


def _row(node: NodeInfo, name: str) -> tuple[str, str, str, str]:
    took = duration(node.started_at, node.finished_at)
    return one_line(name), str(node.phase), took, one_line(said_of(node))


def _more(info: RunInfo, way: Way) -> list[str]:
    steps = told_steps(info.nodes)
    left_out = len(steps) - MOST_ROWS
    lines = [f"  and {left_out} more steps"] if left_out > 0 else []
    return lines + ways_on(info, waiting(info.nodes), way)


def ways_on(info: RunInfo, nodes: Sequence[NodeInfo], way: Way) -> list[str]:
    """How to go on past these that wait, the first ones, a line each."""
    return [f"  to go on: {one_line(way(info, node))}" for node in nodes[:MOST_WAYS]]


def _html_row(row: tuple[str, str, str, str]) -> str:
    step, phase, took, message = row
    cells = [escape(step), _html_phase(Phase(phase)), escape(took), escape(message)]
    return "<tr>" + "".join(f"<td align='left'>{cell}</td>" for cell in cells) + "</tr>"


def _html_phase(phase: Phase) -> str:
    return f'<span style="color:{COLOURS.get(phase, "inherit")}">{escape(phase)}</span>'
