"""Drive the engine in a test without processes: what a step is to report is written in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from couler_jobs.backends.local.engine import Engine
from couler_jobs.backends.local.values import (
    Cached,
    Decision,
    Ended,
    Event,
    Launch,
    Locked,
    Reported,
    Request,
    Wish,
)
from couler_jobs.spec.status import NodeInfo, Phase

RUN = "run-x1"
Answer = Callable[[Launch], Mapping[str, Any]]


def script(name: str, **more: Any) -> dict[str, Any]:
    """A script template."""
    source = more.pop("source", "true")
    return {"name": name, "script": {"image": "x", "command": ["sh"], "source": source}, **more}


def echo(name: str = "echo") -> dict[str, Any]:
    """A script template with one input, `m`."""
    return script(name, inputs={"parameters": [{"name": "m"}]}, source="{{inputs.parameters.m}}")


def step(name: str, template: str = "ok", **more: Any) -> dict[str, Any]:
    """A step or task; `m` is its argument."""
    given = {"parameters": [{"name": "m", "value": more.pop("m")}]} if "m" in more else {}
    return {"name": name, "template": template, "arguments": given, **more}


def workflow(main: dict[str, Any], *templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A manifest whose entrypoint has this body."""
    listed = [{"name": "main", **main}, script("ok"), echo(), *templates]
    return {"kind": "Workflow", "spec": {"entrypoint": "main", "templates": listed, **spec}}


def steps(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a steps template."""
    return {"steps": list(groups)}


def dag(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of a dag template."""
    return {"dag": {"tasks": list(tasks), **more}}


class Drive:
    """One engine, its clock, and all that it decided."""

    def __init__(
        self,
        manifest: dict[str, Any],
        nodes: Iterable[NodeInfo] = (),
        cache: dict[tuple[str, str], Cached] | None = None,
        **more: Any,
    ) -> None:
        self.engine = Engine(manifest, name=RUN, uid="uid-1", created_at=0, nodes=nodes, **more)
        self.nodes = {node.name: node for node in nodes}
        self.now, self.launched, self.running = 0.0, [], {}  # type: ignore[var-annotated]
        self.killed: list[str] = []
        self.cache: dict[tuple[str, str], Cached] = {} if cache is None else cache
        self.wishes: dict[str, Wish] = {}
        self.decision = Decision()
        self.tick()

    def tick(self, *events: Event, at: float | None = None) -> Decision:
        """Let the engine take in these events."""
        self.now = self.now if at is None else at
        self.decision = self.engine.advance(self.now, events)
        self.nodes |= {node.name: node for node in self.decision.changed}
        self.launched += self.decision.launch
        self.running |= {launch.node: launch for launch in self.decision.launch}
        self.killed += self.decision.kill
        self.wishes |= {wish.node.removeprefix(RUN): wish for wish in self.decision.wishes}
        for node in self.decision.released:
            self.wishes.pop(node.removeprefix(RUN), None)
        for found in self.decision.remember:
            entry = Cached(node="", at=0, outputs=found.outputs, created_at=self.now)
            self.cache[found.cache, found.key] = entry
        return self._look_up()

    def _look_up(self) -> Decision:
        nothing = Cached(node="", at=0)
        answers = [
            replace(self.cache.get((asked.cache, asked.key), nothing), node=asked.node)
            for asked in self.decision.lookups
        ]
        return self.tick(*answers) if answers else self.decision

    def lock(self, name: str, **answer: Any) -> Decision:
        """Answer the wish of a node for its locks."""
        node = RUN + name if name else ""
        return self.tick(Locked(node=node, at=self.now, **answer))

    def end(self, name: str, exit_code: int | None = 0, **more: Any) -> Decision:
        """Report that the process of a node has ended; its name is given without the run's."""
        node = RUN + name
        self.running.pop(node, None)
        return self.tick(Ended(node=node, at=self.now, exit_code=exit_code, **more))

    def report(self, name: str, **told: Any) -> Decision:
        """Report what the process of a node tells: without more, that its daemon is ready."""
        return self.tick(Reported(node=RUN + name, at=self.now, **told))

    def ask(self, action: Any, **more: Any) -> Decision:
        """Make a request."""
        return self.tick(Request(action=action, at=self.now, **more))

    def all(self, answer: Answer = lambda launch: {}) -> Decision:
        """End every process as soon as it runs, and let time pass, until nothing is left to do."""
        for _ in range(10_000):
            if self.decision.ended:
                break
            if self.running:
                name, launch = next(iter(self.running.items()))
                self.end(name.removeprefix(RUN), **{"exit_code": 0, **answer(launch)})
            elif self.decision.wake_at is not None:
                self.tick(at=max(self.now, self.decision.wake_at))
            else:
                break
        return self.decision

    def nodes_by_id(self) -> dict[str, NodeInfo]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes.values()}

    def phases(self) -> dict[str, str]:
        """The phase of each node, by its name without the run's."""
        return {n.name.removeprefix(RUN): n.phase.value for n in self.nodes.values()}

    def phase(self, name: str) -> Phase:
        """The phase of one node."""
        return self.nodes[RUN + name].phase

    def message(self, name: str) -> str:
        """The message of one node."""
        return self.nodes[RUN + name].message

    def inputs(self, name: str) -> dict[str, str]:
        """The inputs of one node."""
        return dict(self.nodes[RUN + name].inputs)

    def started(self) -> list[str]:
        """The names of all nodes that a process was started for, in that order."""
        return [launch.node.removeprefix(RUN) for launch in self.launched]
