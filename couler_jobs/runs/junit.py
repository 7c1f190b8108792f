"""A run as a JUnit report, which CI systems show as tests: a test case a step.

How a step ended is how its last attempt did; what became of each of several stands in its output.
A case is named by the workflow, not by the run, so that its history goes on from run to run; the
suite has the run's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from couler_jobs.runs.display import said_of
from couler_jobs.runs.log import last_lines
from couler_jobs.runs.nodes import BAD, LEFT_OUT, attempts_of, shown_name
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo

if TYPE_CHECKING:
    from couler_jobs.runs.run import Run

LAST_LINES = 50
#: What XML 1.0 cannot hold, not even escaped (its production 2, `Char`).
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Tail = Callable[[NodeInfo], str]


def report(run: Run, info: RunInfo | None = None) -> str:
    """The report of a run, or of what is known of it, with the last lines of each failed step."""

    def tail(node: NodeInfo) -> str:
        return "\n".join(last_lines(run.backend, run.name, node, LAST_LINES))

    return as_xml(info or run.info, tail, datetime.now(UTC))


def as_xml(info: RunInfo, tail: Tail, now: datetime | None = None) -> str:
    """The report. A run that did not end well always has a test case that says so. Pure.

    What has not ended has taken its time until `now`, and is an error.
    """
    steps = attempts_of(info.nodes)
    names = _names(steps, info)
    cases = [_case(step, names[step], tries, info, tail, now) for step, tries in steps.items()]
    if info.phase is not Phase.SUCCEEDED and not (_count(cases, "failure", "error")):
        cases.append(_whole(info, now))
    suite = ET.Element("testsuite", name=_legal(info.name), tests=str(len(cases)))
    suite.set("failures", str(_count(cases, "failure")))
    suite.set("errors", str(_count(cases, "error")))
    suite.set("skipped", str(_count(cases, "skipped")))
    suite.set("time", _seconds(info, now))
    if info.started_at:
        suite.set("timestamp", info.started_at.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n'


def _names(steps: Mapping[str, Sequence[NodeInfo]], info: RunInfo) -> dict[str, str]:
    """What the steps are called: where others are called so, too, with the way to it."""
    short = {step: _whole_of(step, tries, info).display_name for step, tries in steps.items()}
    alike = Counter(short.values())
    return {
        step: shown_name(
            _lasting(name, info) if alike[name] == 1 else step.removeprefix(f"{info.name}.")
        )
        for step, name in short.items()
    }


def _lasting(name: str, info: RunInfo) -> str:
    """A step's name in which the workflow's stands for the run's: `nightly.onExit`."""
    rest = name.removeprefix(info.name)
    return f"{info.workflow}{rest}" if rest != name and rest[:1] in ("", ".", "(") else name


def _whole_of(step: str, attempts: Sequence[NodeInfo], info: RunInfo) -> NodeInfo:
    """The node of a step: of one that has several attempts, that which tried them."""
    return info.nodes.get(step, attempts[-1])


def _case(
    step: str,
    name: str,
    attempts: Sequence[NodeInfo],
    info: RunInfo,
    tail: Tail,
    now: datetime | None,
) -> ET.Element:
    last = attempts[-1]
    whole = _whole_of(step, attempts, info)
    case = ET.Element("testcase", name=_legal(name))
    case.set("classname", _legal(f"{info.workflow}.{whole.template_name}".rstrip(".")))
    case.set("time", _seconds(whole, now))
    if whole.phase in BAD:
        tag = "failure" if whole.phase is Phase.FAILED else "error"
        failure = ET.SubElement(case, tag, message=_legal(last.message), type=str(whole.phase))
        failure.text = _legal(tail(last))
    elif whole.phase in LEFT_OUT:
        ET.SubElement(case, "skipped", message=_legal(said_of(whole)))
    elif not whole.phase.ended:
        said = f"It had not ended when this report was written: its phase was {whole.phase}."
        running = ET.SubElement(case, "error", message=said, type=str(whole.phase))
        running.text = _legal(tail(last))
    if len(attempts) > 1:
        ET.SubElement(case, "system-out").text = _legal(_told(attempts))
    return case


def _told(attempts: Sequence[NodeInfo]) -> str:
    """`attempt 1: Failed: exit code 3` and so on, a line each."""
    lines = [
        ": ".join(filter(None, [f"attempt {number}", str(one.phase), one.message]))
        for number, one in enumerate(attempts, 1)
    ]
    return "\n".join(lines)


def _whole(info: RunInfo, now: datetime | None) -> ET.Element:
    """What failed is not one of the steps, or it has not ended."""
    case = ET.Element("testcase", name=_legal(info.workflow))
    case.set("classname", _legal(info.workflow))
    case.set("time", _seconds(info, now))
    why = info.message or f"The run's phase is {info.phase}."
    ET.SubElement(case, "error", message=_legal(why), type=str(info.phase))
    return case


def _count(cases: list[ET.Element], *tags: str) -> int:
    return sum(any(case.find(tag) is not None for tag in tags) for case in cases)


def _seconds(of: NodeInfo | RunInfo, now: datetime | None) -> str:
    until = of.finished_at or (None if of.phase.ended else now)
    if of.started_at is None or until is None:
        return "0"
    return f"{max((until - of.started_at).total_seconds(), 0.0):.3f}"


def _legal(text: str) -> str:
    return ILLEGAL.sub("\ufffd", text)
