"""The nodes of a run while the engine works on them: mutable, indexed, with what changed since."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from couler_jobs.spec.status import NodeInfo, Outputs, Phase

POD, STEPS, STEP_GROUP, DAG = "Pod", "Steps", "StepGroup", "DAG"
TASK_GROUP, RETRY, SUSPEND, SKIPPED = "TaskGroup", "Retry", "Suspend", "Skipped"
HTTP, CONTAINER = "HTTP", "Container"
STARTED = frozenset((POD, HTTP))
"""The types of those that a process of this machine stands for."""
_COUNTED = frozenset((POD, STEPS, DAG))
_SEPARATOR = re.compile(r"^(\[\d+\])?\.")


@dataclass(slots=True, kw_only=True)
class Node:
    """One node. Times are seconds since the epoch; successors hang on the ids in `outbound`."""

    name: str
    display_name: str
    type: str
    phase: Phase
    id: str
    boundary: str
    message: str = ""
    template: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    children: dict[str, None] = field(default_factory=dict)
    outbound: list[str] | None = None
    hooked: bool = False
    retried: bool = False
    daemoned: bool = False  #: whether it is a daemon that is ready, and not ended since
    ip: str = ""  #: where a daemon is, or was
    memoization: dict[str, Any] | None = None
    asks: dict[str, str | None] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.phase.ended

    @property
    def settled(self) -> bool:
        """Whether what waits for it may go on: it has ended, or is a daemon that is ready."""
        return self.phase.ended or self.daemoned

    @property
    def bad(self) -> bool:
        """Whether it failed, or could not be run."""
        return self.phase in (Phase.FAILED, Phase.ERROR)

    @property
    def completed(self) -> bool:
        """Whether it ran to an end of its own: not skipped, not omitted."""
        return self.phase is Phase.SUCCEEDED or self.bad

    def info(self) -> NodeInfo:
        """What is stored of it."""
        outputs = {key: dict(v) if isinstance(v, dict) else v for key, v in self.outputs.items()}
        return NodeInfo(
            name=self.name,
            display_name=self.display_name,
            type=self.type,
            phase=self.phase,
            id=self.id,
            message=self.message,
            template_name=self.template,
            inputs=dict(self.inputs),
            outputs=Outputs(**outputs),  # type: ignore[typeddict-item]
            started_at=moment(self.started),
            finished_at=moment(self.finished),
            boundary=self.boundary,
            children=tuple(self.children),
            memoization=self.memoization,
            asks=dict(self.asks),
        )


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as a UTC time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as Argo writes a time: `2026-01-02T03:04:05Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fnv32a(text: str) -> int:
    """The hash that ends a node's id."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


class Nodes:
    """All nodes of one run, by name and by id."""

    def __init__(
        self,
        run: str,
        stored: Iterable[NodeInfo] = (),
        targets: Callable[[Node], list[str]] = lambda node: [],
    ) -> None:
        self.run, self._targets = run, targets
        self.by_name: dict[str, Node] = {}
        self.by_id: dict[str, Node] = {}
        self.pods = 0  #: how many pods are under way
        self.active: Counter[str] = Counter()  #: by boundary: pods, steps and DAGs under way
        self.bad: Counter[str] = Counter()  #: by boundary: pods, steps and DAGs that failed
        self._changed: dict[str, Node] = {}
        for info in stored:
            self._insert(_restored(info))
        for node in list(self.by_name.values()):
            if node.type == RETRY:
                self._mark_attempts(node)

    def id_of(self, name: str) -> str:
        """The id of the node of that name, whether it exists or not."""
        return name if name == self.run else f"{self.run}-{fnv32a(name)}"

    def get(self, name: str) -> Node | None:
        """The node of that name, if it exists."""
        return self.by_name.get(name)

    def create(
        self,
        name: str,
        kind: str,
        phase: Phase,
        *,
        at: float,
        boundary: Node | None = None,
        **more: Any,
    ) -> Node:
        """A new node; one that is born ended is finished at once."""
        shown = name.removeprefix(boundary.name) if boundary else name
        node = Node(
            name=name,
            display_name=_SEPARATOR.sub("", shown) if boundary else name,
            type=kind,
            phase=phase,
            id=self.id_of(name),
            boundary=boundary.id if boundary else "",
            started=at,
            finished=at if phase.ended else None,
            **more,
        )
        self._insert(node)
        self.touch(node)
        return node

    def end(self, node: Node, phase: Phase, message: str | None = None, *, at: float) -> None:
        """Give a node its phase, and its message unless that is None."""
        self._count(node, -1)
        node.phase = phase
        if message is not None:
            node.message = message
        if phase.ended and node.finished is None:
            node.finished = at
        self._count(node, 1)
        self.touch(node)

    def link(self, parent: Node, child: Node) -> None:
        """Make one node the child of another."""
        if child.id not in parent.children:
            parent.children[child.id] = None
            self.touch(parent)

    def touch(self, node: Node) -> None:
        """Have it stored again."""
        self._changed[node.name] = node

    def take_changed(self) -> tuple[NodeInfo, ...]:
        """What changed since this was last asked, as it is now."""
        changed, self._changed = self._changed, {}
        return tuple(node.info() for node in changed.values())

    def outbound(self, node: Node) -> list[str]:
        """The ids of the nodes that a successor of this one becomes a child of."""
        if node.type in (SKIPPED, SUSPEND, HTTP):
            return [node.id]
        if node.type in (POD, CONTAINER):
            return self._after_containers(node)
        if node.type == TASK_GROUP:
            ids = node.children or {node.id: None}
            return [
                i for c in ids for i in (self.outbound(self.by_id[c]) if node.children else [c])
            ]
        if node.type == RETRY and node.children:
            return [next(reversed(node.children))]
        if node.outbound is None and node.ended:
            node.outbound = self._restored_outbound(node)
        return node.outbound or []

    def _after_containers(self, node: Node) -> list[str]:
        """A pod's own id; where it is one of a set, those of the containers that none waits for."""
        pod = node.id if node.type == POD else node.boundary
        children = [self.by_id[child] for child in node.children]
        inside = [c for c in children if c.type == CONTAINER and c.boundary == pod]
        return [i for child in inside for i in self._after_containers(child)] or [node.id]

    def _restored_outbound(self, node: Node) -> list[str]:
        """The same for a steps or dag node that ended in an earlier process."""
        if node.type == DAG:
            ends = [self.get(name) for name in self._targets(node)]
        else:
            at = 0
            while self.get(f"{node.name}[{at + 1}]"):
                at += 1
            last = self.get(f"{node.name}[{at}]")
            ends = [self.by_id[child] for child in last.children] if last else []
        return [i for end in ends if end is not None for i in self.outbound(end)]

    def _insert(self, node: Node) -> None:
        self.by_name[node.name] = self.by_id[node.id] = node
        self._count(node, 1)

    def _mark_attempts(self, retry: Node) -> None:
        for child in retry.children:
            if child in self.by_id and self.by_id[child].name.startswith(f"{retry.name}("):
                self.by_id[child].retried = True

    def _count(self, node: Node, step: int) -> None:
        if node.type not in _COUNTED:
            return
        if not node.ended:
            self.active[node.boundary] += step
            self.pods += step if node.type == POD else 0
        elif node.bad:
            self.bad[node.boundary] += step


def _restored(info: NodeInfo) -> Node:
    return Node(
        name=info.name,
        display_name=info.display_name,
        type=info.type,
        phase=info.phase,
        id=info.id,
        boundary=info.boundary,
        message=info.message,
        template=info.template_name,
        inputs=dict(info.inputs),
        outputs=dict(info.outputs),
        started=info.started_at.timestamp() if info.started_at else None,
        finished=info.finished_at.timestamp() if info.finished_at else None,
        children=dict.fromkeys(info.children),
        memoization=dict(info.memoization) if info.memoization else None,
        asks=dict(info.asks),
        hooked=info.name.endswith(".onExit") or ".hooks." in info.name.rpartition("]")[2],
    )
