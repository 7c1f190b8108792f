"""The state of one run, and what starts when: parallelism, depth, timers, ready work."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from couler_jobs.backends.local.engine.calls import Boundary, Call, DepthError
from couler_jobs.backends.local.engine.gate import enter
from couler_jobs.backends.local.engine.plan import plan_of
from couler_jobs.backends.local.engine.records import SKIPPED, Node, Nodes, fnv32a
from couler_jobs.backends.local.engine.scopes import as_artifact
from couler_jobs.backends.local.engine.tags import TagError, Unresolved, replaced
from couler_jobs.backends.local.engine.templates import (
    POD_KINDS,
    Filled,
    Template,
    Templates,
    fill,
    refill,
)
from couler_jobs.backends.local.engine.variables import Flat, Variables
from couler_jobs.backends.local.values import (
    HERE,
    Cached,
    Ended,
    Launch,
    Locked,
    Lookup,
    Remember,
    Reported,
    Wish,
)
from couler_jobs.spec.status import NodeInfo, Phase

MAX_DEPTH = 100
_FAIL_FAST = "template has failed or errored children and failFast enabled"
_Waiting = tuple[Call, Filled]


class Begins(Protocol):
    """What carries a call out once it may start."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None: ...

    def begin(self) -> None:
        """Create the node and begin."""


class Run:
    """One run while it is driven. `now` and all times are seconds since the epoch."""

    def __init__(
        self,
        name: str,
        templates: Templates,
        variables: dict[str, Any],
        *,
        parallelism: int = 0,
        priority: int = 0,
        deadline: float | None = None,
        stored: Iterable[NodeInfo] = (),
    ) -> None:
        self.name, self.templates, self.variables = name, templates, variables
        self.globals = Flat(variables)
        self.nodes = Nodes(name, stored, self._targets)
        self.now = 0.0
        self.deadline = deadline
        self.shutdown = ""
        self.launches: list[Launch] = []
        self.kills: list[str] = []
        self.pods: dict[str, Callable[[Ended], None]] = {}
        self.reports: dict[str, Callable[[Reported], None]] = {}
        self.daemons: dict[str, Node] = {}  #: those that are ready, and the retries around them
        self.dying: set[str] = set()  #: daemons that are no longer needed, and have not ended yet
        self._early: dict[str, Ended] = {}  #: stored pods that ended before they were looked at
        self.stoppers: dict[str, Callable[[], None]] = {}
        self.suspended: dict[str, Callable[[Mapping[str, str]], None]] = {}
        self.outputs: dict[str, str] = {}
        self.priority = priority
        self.holders: set[str] = set()  #: nodes that hold locks or wait for some
        self.wishes: dict[str, Callable[[Locked], None]] = {}
        self.lookups: dict[str, Callable[[Cached], None]] = {}
        self.asked: list[Lookup] = []
        self.wished: list[Wish] = []
        self.released: list[str] = []
        self.remember: list[Remember] = []
        self.arguments: Mapping[str, Any] = {}
        self._parallelism = parallelism
        self._ready: deque[Callable[[], None]] = deque()
        self._idle: deque[tuple[Call, Node]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None], bool]] = []
        self._order = itertools.count()
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._halted: dict[str, Callable[[str], None]] = {}
        self._freed = False
        self._export_stored()

    # --- work and time

    def later(self, work: Callable[[], None]) -> None:
        """Have this done before the engine answers, but not inside what is being done now."""
        self._ready.append(work)

    def seen_when_idle(self, call: Call, node: Node) -> None:
        """Tell that a node is under way, unless it has ended when nothing else is left to do.

        Argo looks at hooks after it has carried a template out: one that ends at once never ran.
        """
        self._idle.append((call, node))

    def at(self, when: float, work: Callable[[], None], *, urgent: bool = False) -> None:
        """Have this done once it is that time; `urgent` work is done in a suspended run too."""
        heapq.heappush(self._timers, (when, next(self._order), work, urgent))

    def wake_at(self) -> float | None:
        """When the next timer is due."""
        return self._timers[0][0] if self._timers else None

    def due(self) -> None:
        """Queue what the clock has reached."""
        while self._timers and self._timers[0][0] <= self.now:
            _, _, work, urgent = heapq.heappop(self._timers)
            if urgent:
                work()
            else:
                self._ready.append(work)

    def drain(self) -> None:
        """Do all that can be done now."""
        while True:
            while self._ready:
                self._ready.popleft()()
            if self._freed:
                self._freed = False
                self._admit()
            elif self._idle:
                call, node = self._idle.popleft()
                if not node.ended:
                    call.seen(node)
            else:
                return

    # --- templates

    def allows(self, on_exit: bool) -> bool:
        """Whether something may still start: after a stop only exit handlers, then nothing."""
        return not self.shutdown or (self.shutdown == "Stop" and on_exit)

    def execute(self, call: Call) -> None:
        """Run a template; a node that has ended already only reports so."""
        node = self.nodes.get(call.name)
        if node is not None and node.ended:
            self._report(call, node, None)
            return
        try:
            filled = self._filled(call)
        except (TagError, DepthError) as error:
            self.fail(call, error)
            return
        if node is None and self._has_to_wait(call, attempt=False):
            key = call.boundary.node.id if call.boundary else ""
            self._waiting.setdefault(key, deque()).append((call, filled))
            return
        self._open(call, filled)

    def await_pod(self, node: Node, ended: Callable[[Ended], None]) -> None:
        """Have `ended` called when the node's process has ended, soon if it has already."""
        self.pods[node.name] = ended
        early = self._early.pop(node.name, None)
        if early is not None:
            self.later(lambda: ended(early))

    def report(self, ended: Ended) -> None:
        """Tell whoever waits for it that a process has ended; a suspended run may not wait yet."""
        self.dying.discard(ended.node)
        waiting = self.pods.get(ended.node)
        if waiting is not None:
            waiting(ended)
        elif (node := self.nodes.get(ended.node)) is not None and not node.ended:
            self._early[ended.node] = ended

    def stand(self, node: Node) -> None:
        """Let a daemon that is ready stand until what is around it has ended."""
        node.daemoned, node.ip = True, HERE
        self.daemons[node.name] = node
        self._release(node)
        self.nodes.touch(node)

    def end_daemons(self, boundary: Node | None = None) -> None:
        """End those that stand in this template, which has ended; without one, all that stand.

        They have succeeded then (Argo's `killDaemonedChildren`).
        """
        for name, node in list(self.daemons.items()):
            if boundary is None or node.boundary == boundary.id:
                del self.daemons[name]
                node.daemoned = False
                self.end(node, Phase.SUCCEEDED)
                if self.pods.pop(name, None) is not None:
                    self.dying.add(name)
                    self.kills.append(name)

    def fail(self, call: Call, error: Exception) -> None:
        """Report that a call cannot be carried out, as an Error node of its name."""
        node = self.nodes.get(call.name)
        if node is None:
            node = self.create(call, SKIPPED, Phase.ERROR, message=str(error))
            call.linked(node)
        else:
            self.end(node, Phase.ERROR, str(error))
        self._report(call, node, error)

    def create(self, call: Call, kind: str, phase: Phase, *, message: str = "") -> Node:
        """The node of a call; one that is Pending begins now."""
        waiting = self.nodes.get(call.name)
        if waiting is not None:
            waiting.started = self.now
            self.nodes.end(waiting, phase, message, at=self.now)
            return waiting
        return self.nodes.create(
            call.name,
            kind,
            phase,
            at=self.now,
            boundary=call.boundary.node if call.boundary else None,
            template=str(call.step.get("template") or ""),
            message=message,
            hooked=call.hooked,
            retried=call.retried,
        )

    def end(self, node: Node, phase: Phase, message: str | None = None) -> None:
        """Give a node its last phase. What waits for room may have it now."""
        self.nodes.end(node, phase, message, at=self.now)
        if phase.ended:
            self._release(node)
        self._freed = True

    def _release(self, node: Node) -> None:
        if node.name in self.holders:
            self.holders.discard(node.name)
            self.released.append(node.name)

    def is_new(self, node: Node | None) -> bool:
        """Whether a call still has to begin: it has no node, or one that waited so far."""
        return node is None or node.phase is Phase.PENDING

    def wish(self, wish: Wish) -> None:
        """Ask for locks; the answer goes to what stands in `wishes` for the node."""
        self.wished.append(wish)

    def attempt(self, call: Call, filled: Filled, local: Mapping[str, str]) -> None:
        """Run one attempt of a retry, once the workflow's parallelism lets it."""
        try:
            again = refill(filled, self.globals, local)
        except TagError as error:
            self.fail(call, error)
            return
        if self.nodes.get(call.name) is None and self._has_to_wait(call, attempt=True):
            self._waiting.setdefault("", deque()).append((call, again))
            return
        self._dispatch(call, again)

    def export(self, body: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Make outputs with a `globalName` known to the whole workflow."""
        for name, value in _global(body, outputs, "parameters"):
            self.outputs[name] = value
            self.variables[f"workflow.outputs.parameters.{name}"] = value
        for name, value in _global(body, outputs, "artifacts"):
            self.variables[f"workflow.outputs.artifacts.{name}"] = as_artifact(value)

    def _export_stored(self) -> None:
        """The same for the nodes that ended in an earlier process."""
        for node in self.nodes.by_name.values():
            template = self.templates.get(node.template)
            if node.ended and node.outputs and template and "globalName" in template.text:
                inputs = {f"inputs.parameters.{k}": v for k, v in node.inputs.items()}
                variables = Variables(self.globals, inputs)
                body = replaced(template.body, variables, Unresolved.LEFT)
                self.export(body, node.outputs)

    def watch_failures(self, boundary: Boundary, halt: Callable[[str], None]) -> None:
        """Have `halt` called when a template with `failFast` is to end because a child failed."""
        if boundary.template.fail_fast:
            self._halted[boundary.node.id] = halt

    # --- inside

    def _targets(self, node: Node) -> list[str]:
        """The names of the nodes that a stored dag node ended in."""
        template = self.templates.get(node.template)
        if template is None or template.kind != "dag":
            return []
        return [f"{node.name}.{name}" for name in plan_of(template.body["dag"]).targets]

    def _report(self, call: Call, node: Node, error: Exception | None) -> None:
        self.later(lambda: call.ended(node, error))

    def _filled(self, call: Call) -> Filled:
        if call.depth >= MAX_DEPTH:
            raise DepthError
        template = self.templates.of(call.step)
        if template is None:
            raise TagError(f"template {call.step.get('template', '')} not found")
        return fill(template, call.arguments, self.globals, self.local(call, template))

    def local(self, call: Call, template: Template) -> dict[str, str]:
        """The variables that only this call has."""
        values = {"node.name": call.name, f"{call.root}.name": str(call.step.get("name", ""))}
        if template.kind in POD_KINDS and "retryStrategy" not in template.body:
            values["pod.name"] = self.pod_name(call.name, template.name)
        return values

    def pod_name(self, node: str, template: str) -> str:
        """The name that a step's pod would have."""
        if node == self.name:
            return node
        prefix = f"{self.name}-{template}" if template else self.name
        return f"{prefix[:242]}-{fnv32a(node)}"

    def _has_to_wait(self, call: Call, *, attempt: bool) -> bool:
        if self._parallelism and self.nodes.pods >= self._parallelism:
            return True
        if call.boundary is None or attempt:
            return False
        inside = call.boundary.node.id
        if call.boundary.template.fail_fast and self.nodes.bad[inside]:
            return True
        limit = call.boundary.template.parallelism
        return limit > 0 and self.nodes.active[inside] >= limit

    def _admit(self) -> None:
        """Start what waited, boundary by boundary, as long as there is room."""
        for boundary in [*self._halted]:
            if self.nodes.bad[boundary] and not self.nodes.active[boundary]:
                self._waiting.pop(boundary, None)
                self._halted.pop(boundary)(_FAIL_FAST)
        for key in [*self._waiting]:
            if self._parallelism and self.nodes.pods >= self._parallelism:
                return
            self._admit_from(key)

    def _admit_from(self, key: str) -> None:
        queue = self._waiting[key]
        while queue and not self._has_to_wait(queue[0][0], attempt=queue[0][0].retried):
            call, filled = queue.popleft()
            if call.retried:
                self._dispatch(call, filled)
            else:
                self._open(call, filled)
        if not queue:
            del self._waiting[key]

    def _open(self, call: Call, filled: Filled) -> None:
        enter(self, call, filled)

    def begin(self, call: Call, filled: Filled) -> None:
        """Carry a call out that nothing keeps waiting."""
        if filled.body.get("retryStrategy") is not None:
            from couler_jobs.backends.local.engine.retry import Retry

            Retry(self, call, filled).begin()
        else:
            self._dispatch(call, filled)

    def _dispatch(self, call: Call, filled: Filled) -> None:
        from couler_jobs.backends.local.engine.container_sets import ContainerSet
        from couler_jobs.backends.local.engine.dag import DagTemplate
        from couler_jobs.backends.local.engine.http import Http
        from couler_jobs.backends.local.engine.leaves import Pod, Suspend
        from couler_jobs.backends.local.engine.steps import StepsTemplate

        kinds: dict[str, type[Begins]] = {
            "dag": DagTemplate,
            "steps": StepsTemplate,
            "suspend": Suspend,
            "http": Http,
            "containerSet": ContainerSet,
        }
        kind: type[Begins] = kinds.get(filled.template.kind, Pod)
        kind(self, call, filled).begin()


def _global(
    body: Mapping[str, Any], outputs: Mapping[str, Any], kind: str
) -> Iterator[tuple[str, Any]]:
    """The outputs of one kind that have a `globalName`, by that name."""
    values = outputs.get(kind) or {}
    for declared in (body.get("outputs") or {}).get(kind) or ():
        name = declared.get("globalName")
        if name and declared["name"] in values:
            yield name, values[declared["name"]]
