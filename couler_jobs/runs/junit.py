"""A run as a JUnit report, which CI systems show as tests: a test case a step that ran."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from couler_jobs.errors import BackendError
from couler_jobs.runs.nodes import BAD, shown_name, steps_of, was_retried
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo

if TYPE_CHECKING:
    from couler_jobs.runs.run import Run

LAST_LINES = 50
#: What XML 1.0 cannot hold, not even escaped (its production 2, `Char`).
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Tail = Callable[[NodeInfo], str]


def report(run: Run) -> str:
    """The report of a run, with the last lines of each failed step."""

    def tail(node: NodeInfo) -> str:
        try:
            lines = deque(run.backend.logs(run.name, node.name), maxlen=LAST_LINES)
        except BackendError:
            return ""
        return "\n".join(line.text for line in lines)

    return as_xml(run.info, tail)


def as_xml(info: RunInfo, tail: Tail) -> str:
    """The report. A run that did not end well always has a test case that says so. Pure."""
    pods = [node for node in steps_of(info.nodes.values()) if node.type == "Pod"]
    cases = [_case(node, info, tail) for node in pods]
    if info.phase is not Phase.SUCCEEDED and not (_count(cases, "failure", "error")):
        cases.append(_whole(info))
    suite = ET.Element("testsuite", name=_legal(info.name), tests=str(len(cases)))
    suite.set("failures", str(_count(cases, "failure")))
    suite.set("errors", str(_count(cases, "error")))
    suite.set("skipped", str(_count(cases, "skipped")))
    suite.set("time", _seconds(info))
    if info.started_at:
        suite.set("timestamp", info.started_at.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n'


def _case(node: NodeInfo, info: RunInfo, tail: Tail) -> ET.Element:
    case = ET.Element("testcase", name=_legal(shown_name(node.display_name)))
    case.set("classname", _legal(f"{info.name}.{node.template_name}".rstrip(".")))
    case.set("time", _seconds(node))
    if was_retried(node, info.nodes):
        # The step succeeded in the end, and a CI system would count a failure.
        ET.SubElement(case, "skipped", message=_legal(f"tried again: {node.message}"))
    elif node.phase in BAD:
        tag = "failure" if node.phase is Phase.FAILED else "error"
        failure = ET.SubElement(case, tag, message=_legal(node.message), type=str(node.phase))
        failure.text = _legal(tail(node))
    elif not node.phase.ended:
        ET.SubElement(case, "skipped", message=f"not ended: {node.phase}")
    return case


def _whole(info: RunInfo) -> ET.Element:
    """What failed is not one of the steps, or it has not ended."""
    case = ET.Element("testcase", name=_legal(info.name), classname=_legal(info.name))
    case.set("time", _seconds(info))
    why = info.message or f"The run's phase is {info.phase}."
    ET.SubElement(case, "error", message=_legal(why), type=str(info.phase))
    return case


def _count(cases: list[ET.Element], *tags: str) -> int:
    return sum(any(case.find(tag) is not None for tag in tags) for case in cases)


def _seconds(of: NodeInfo | RunInfo) -> str:
    if of.started_at is None or of.finished_at is None:
        return "0"
    return f"{max((of.finished_at - of.started_at).total_seconds(), 0.0):.3f}"


def _legal(text: str) -> str:
    return ILLEGAL.sub("\ufffd", text)
