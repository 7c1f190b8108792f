"""A run on the screen: one line, plain text, and a small table for a notebook. Pure."""

from __future__ import annotations

from datetime import datetime
from html import escape

from couler_jobs.runs.nodes import steps_of
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo

MOST_ROWS = 200  #: of steps in a table; a reader of more looks into `run.nodes`
COLOURS = {
    Phase.SUCCEEDED: "#1a7f37",
    Phase.FAILED: "#cf222e",
    Phase.ERROR: "#cf222e",
    Phase.RUNNING: "#0969da",
}


def as_line(info: RunInfo) -> str:
    """`<Run nightly-x7k2p: Running, 3 steps>`."""
    steps = len(steps_of(info.nodes.values()))
    return f"<Run {info.name}: {info.phase}, {steps} step{'' if steps == 1 else 's'}>"


def as_text(info: RunInfo) -> str:
    """The name and phase, then a line a step."""
    rows = _rows(info)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [_heading(info)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[3]]).rstrip())
    return "\n".join([*lines, *_more(info)])


def as_html(info: RunInfo) -> str:
    """The same as a table; everything is escaped, and there is no script in it."""
    head = "".join(f"<th>{title}</th>" for title in ("Step", "Phase", "Duration", "Message"))
    body = "".join(_html_row(row) for row in _rows(info))
    more = "".join(f"<div>{escape(line)}</div>" for line in _more(info))
    title = f"<b>{escape(info.name)}</b> {_html_phase(info.phase)} {escape(info.message)}"
    return f"<div>{title}<table><tr>{head}</tr>{body}</table>{more}</div>"


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


def _heading(info: RunInfo) -> str:
    took = duration(info.started_at, info.finished_at)
    return ": ".join(filter(None, [f"{info.name} {info.phase}", one_line(info.message)])) + (
        f" ({took})" if took else ""
    )


def _rows(info: RunInfo) -> list[tuple[str, str, str, str]]:
    return [_row(node) for node in steps_of(info.nodes.values())[:MOST_ROWS]]


def _row(node: NodeInfo) -> tuple[str, str, str, str]:
    took = duration(node.started_at, node.finished_at)
    return one_line(node.display_name), str(node.phase), took, one_line(node.message)


def _more(info: RunInfo) -> list[str]:
    left_out = len(steps_of(info.nodes.values())) - MOST_ROWS
    return [f"  and {left_out} more steps"] if left_out > 0 else []


def _html_row(row: tuple[str, str, str, str]) -> str:
    step, phase, took, message = row
    cells = [escape(step), _html_phase(Phase(phase)), escape(took), escape(message)]
    return "<tr>" + "".join(f"<td align='left'>{cell}</td>" for cell in cells) + "</tr>"


def _html_phase(phase: Phase) -> str:
    return f'<span style="color:{COLOURS.get(phase, "inherit")}">{escape(phase)}</span>'
