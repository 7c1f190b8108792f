"""Which pod belongs to which node, and which of its lines are the user's and new. Pure.

Pod names: Argo's `workflow/util/pod_name.go` (format v2: workflow, template, the hash of the node's
name; v1: the node's id).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from couler_jobs.spec.status import NodeInfo, RunInfo

POD_NAME_FORMAT = "workflows.argoproj.io/pod-name-format"
_LONGEST_PREFIX = 242  # 253 of a Kubernetes name, less a dash and a hash of ten digits

# Argo's executor writes among the user's lines, and right behind an unfinished last one:
#   time=2026-11-22T19:01:49.360Z level=INFO msg="waiting for signals" argo=true signalPath=...
#   time="2026-11-22T20:01:21.178Z" level=info msg="sub-process exited" argo=true error="<nil>"
_OWN_LINE = re.compile(r'time="?\d{4}-\d\d-\d\dT[\d:.]+Z?"? level=\w+ msg="[^"]*".*\bargo=true\b')
_FRACTION = re.compile(r"\.\d+")


def pod_name(run: RunInfo, node: NodeInfo) -> str:
    """The name of the pod that a node of type Pod runs in."""
    if run.annotations.get(POD_NAME_FORMAT, "v2") == "v1" or node.name == run.name:
        return node.id
    prefix = f"{run.name}-{node.template_name}" if node.template_name else run.name
    return f"{prefix[:_LONGEST_PREFIX]}-{_hash(node.id)}"


def node_names(run: RunInfo) -> dict[str, str]:
    """The node of each pod that is known, by the pod's name."""
    pods = (node for node in run.nodes.values() if node.type == "Pod")
    return {pod_name(run, node): node.name for node in pods}


def users_part(text: str) -> str | None:
    """A line without what Argo wrote into it; None if all of it is Argo's."""
    if "argo=true" not in text:
        return text
    own = _OWN_LINE.search(text)
    if own is None:
        return text
    return text[: own.start()] or None


@dataclass(slots=True)
class Resume:
    """Drops the lines that an earlier stream has brought already.

    Kubernetes gives the lines of a pod in order and each its time, so a line is known by its pod,
    its time, and how many of the same time came before it. A line without a time (the later piece
    of one that is longer than the server's buffer) has that of the one before.
    """

    _done: dict[str, tuple[str, int]] = field(default_factory=dict)  # pod -> time, lines of it
    _now: dict[str, list[Any]] = field(default_factory=dict)  # likewise, of this stream

    def reconnected(self) -> None:
        """A new stream begins: it starts from the first line of each pod again."""
        for pod, (stamp, count) in self._now.items():
            here = (_sortable(stamp), count)
            self._done[pod] = max(here, self._done.get(pod, here))
        self._now.clear()

    def new(self, pod: str, content: str) -> str | None:
        """The line without its time, if it has not been seen; else None."""
        here = self._now.get(pod)
        if here is None:
            here = self._now[pod] = ["", 0]
        stamp, _, text = content.partition(" ")
        if stamp[10:11] != "T" or stamp[4:5] != "-":
            text = content  # no time
            here[1] += 1
        elif stamp == here[0]:
            here[1] += 1
        else:
            here[:] = stamp, 1
        done = self._done.get(pod)
        return text if done is None or (_sortable(here[0]), here[1]) > done else None


def user_lines(items: Iterator[Mapping[str, Any]], resume: Resume) -> Iterator[tuple[str, str]]:
    """Pod and text of each line of a log stream that is the user's and new."""
    for item in filter(None, items):
        pod = item.get("podName", "")
        text = resume.new(pod, item.get("content", ""))
        own = None if text is None else users_part(text)
        if own is not None:
            yield pod, own


def _sortable(stamp: str) -> str:
    """RFC 3339 times as texts that sort by time: Kubernetes cuts trailing zeros of the fraction."""
    fraction = _FRACTION.match(stamp, 19)
    return f"{stamp[:19]}{fraction[0] if fraction else '.':0<10}"


def _hash(node_id: str) -> str:
    return node_id.rpartition("-")[2]
