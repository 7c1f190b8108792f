"""The templates that have no steps: a process to start, or a pause."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine import downward
from couler_jobs.backends.local.engine.calls import Call
from couler_jobs.backends.local.engine.containers import launch_of
from couler_jobs.backends.local.engine.records import POD, SUSPEND, Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import Filled, seconds, value_text, whole
from couler_jobs.backends.local.values import Ended, Launch, Reported
from couler_jobs.spec.status import Phase

_OVERDUE = "Pod was active on the node longer than the specified deadline"


def began(node: Node, now: float) -> float:
    """When a node began; now, if that is not known."""
    return now if node.started is None else node.started


class Pod:
    """A template that becomes one pod, here one process: `container`, `script`, `data`.

    `ContainerSet` and `Http` differ from it in what they say themselves.
    """

    kind = POD

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled
        self._why: str | None = None

    def begin(self) -> None:
        """Create the node and ask for the process, or go on waiting for one that runs already."""
        node = self._run.nodes.get(self._call.name)
        if node is None or self._run.is_new(node):
            self._start()
            return
        self._watch(node)
        self._stop(node)
        self._call.seen(node)

    def _start(self) -> None:
        run, call = self._run, self._call
        node = run.create(call, self.kind, Phase.RUNNING)
        node.inputs = dict(self._filled.parameters)
        call.linked(node)
        self._created(node)
        if not run.allows(call.on_exit):
            self._finish(node, Phase.FAILED, f"workflow shutdown with strategy: {run.shutdown}")
            return
        if self._is_late():
            self._finish(node, Phase.FAILED, "Step exceeded its deadline")
            return
        try:
            launch = self._launch()
            self._watch(node)
        except TagError as error:
            run.pods.pop(call.name, None)
            self._finish(node, Phase.ERROR, str(error), error)
            return
        run.launches.append(launch)
        call.seen(node)

    def _created(self, node: Node) -> None:
        """Its node is new."""

    def _launch(self) -> Launch:
        run, name, template = self._run, self._call.name, self._filled.template
        pod = downward.Pod(
            run.pod_name(name, template.name),
            name,
            run.nodes.id_of(name),
            run.variables,
            self._filled.body.get("metadata"),
        )
        return launch_of(name, self._filled, pod, wants_result=self._wants_result())

    def _is_late(self) -> bool:
        deadline = self._run.deadline
        late = deadline is not None and deadline - self._run.now < 1
        return late and not self._call.on_exit

    def _watch(self, node: Node) -> None:
        self._run.await_pod(node, lambda ended: self._ended(node, ended))
        self._run.reports[node.name] = lambda reported: self._reported(node, reported)
        self._run.stoppers[node.name] = lambda: self._stop(node)
        limits = self._deadlines(node)
        if limits:
            when, why = min(limits)
            self._run.at(when, lambda: self._overdue(node, why), urgent=True)

    def _deadlines(self, node: Node) -> list[tuple[float, str]]:
        """The ends of its time, and what is said then: its own, the template's, the workflow's."""
        body, start = self._filled.body, began(node, self._run.now)
        own = body.get("activeDeadlineSeconds")
        timeout = body.get("timeout")
        limits = [
            None if own is None else start + whole(own),
            None if not timeout else start + math.floor(seconds(timeout)),
            None if self._call.on_exit else self._run.deadline,
            self._call.until,
        ]
        return [(limit, _OVERDUE) for limit in limits if limit is not None]

    def _overdue(self, node: Node, why: str) -> None:
        if not node.ended and self._why is None:
            self._why = why
            self._run.kills.append(node.name)

    def _stop(self, node: Node) -> None:
        if not self._run.allows(self._call.on_exit) and self._why is None:
            self._why = ""
            self._run.kills.append(node.name)

    def _reported(self, node: Node, _reported: Reported) -> None:
        """It is a daemon, and ready. A stop ends it with what is around it, not by itself."""
        if node.ended or node.daemoned or self._why is not None:
            return
        self._run.stoppers.pop(node.name, None)
        self._run.stand(node)
        self._run.later(lambda: self._call.ended(node, None))

    def _wants_result(self) -> bool:
        """Whether its printed result is referred to by the template around it."""
        boundary = self._call.boundary
        if boundary is None:
            return False
        return step_name(self._call.name) in boundary.template.result_names

    def _ended(self, node: Node, ended: Ended) -> None:
        node.outputs = self._outputs(ended)
        node.finished = ended.at
        phase, message = self._verdict(ended)
        self._run.export(self._filled.body, node.outputs)
        self._finish(node, phase, message)

    def _outputs(self, ended: Ended) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        if ended.result is not None:
            outputs["result"] = ended.result
        if ended.exit_code is not None:
            outputs["exitCode"] = str(ended.exit_code)
        if ended.parameters:
            outputs["parameters"] = dict(ended.parameters)
        if ended.artifacts:
            outputs["artifacts"] = dict(ended.artifacts)
        return outputs

    def _verdict(self, ended: Ended) -> tuple[Phase, str]:
        if self._why:
            return Phase.FAILED, self._why
        if ended.exit_code is None:
            return Phase.ERROR, ended.error or "the process could not be started"
        if ended.exit_code != 0:
            more = f": {ended.error}" if ended.error else ""
            return Phase.FAILED, f"{ended.container}: Error (exit code {ended.exit_code}){more}"
        if self._why is not None:
            return Phase.FAILED, f"workflow shutdown with strategy:  {self._run.shutdown}"
        if self._filled.body.get("daemon"):  # it should have gone on: Argo says no more than that
            return Phase.FAILED, ended.error
        if ended.missing:
            return Phase.ERROR, self._missing(ended.missing[0])
        return (Phase.ERROR, ended.error) if ended.error else (Phase.SUCCEEDED, "")

    def _missing(self, name: str) -> str:
        outputs = self._filled.body.get("outputs") or {}
        for parameter in outputs.get("parameters") or ():
            if parameter["name"] == name:
                path = (parameter.get("valueFrom") or {}).get("path", "")
                return _NOT_THERE.format(verb="open", path=f"/outputs/parameters{path}")
        paths = {a["name"]: a.get("path", "") for a in outputs.get("artifacts") or ()}
        return _NOT_THERE.format(verb="stat", path=f"/outputs/artifacts{paths.get(name, '')}.tgz")

    def _finish(
        self, node: Node, phase: Phase, message: str, error: Exception | None = None
    ) -> None:
        node.daemoned = False
        self._run.daemons.pop(node.name, None)
        for listening in (self._run.pods, self._run.reports, self._run.stoppers):
            listening.pop(node.name, None)
        self._run.end(node, phase, message)
        self._run.later(lambda: self._call.ended(node, error))


_NOT_THERE = "wait: Error (exit code 64): {verb} /var/run/argo{path}: no such file or directory"


def step_name(node: str) -> str:
    """The step's own name in a node's: `a` of `run[0].a(1:x)(0)`."""
    end, depth = len(node), ""
    while end:
        character = node[end - 1]
        if depth:
            depth = "" if character == depth else depth
        elif character in ")]":
            depth = "(" if character == ")" else "["
        else:
            break
        end -= 1
    return node[:end].rpartition(".")[2]


class Suspend:
    """A suspend template: it goes on after its duration, or when it is told to."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled

    def begin(self) -> None:
        """Create the node and wait."""
        node = self._run.nodes.get(self._call.name)
        if node is None or self._run.is_new(node):
            node = self._run.create(self._call, SUSPEND, Phase.RUNNING)
            node.inputs = dict(self._filled.parameters)
            node.asks = self._asks()
            self._call.linked(node)
        self._wait(node)

    def _wait(self, node: Node) -> None:
        run, start = self._run, began(node, self._run.now)
        if not run.allows(self._call.on_exit):
            self._fail(node, f"Stopped with strategy '{run.shutdown}'")
            return
        run.suspended[node.name] = lambda supplied: self._resume(node, supplied)
        run.stoppers[node.name] = lambda: self._stop(node)
        if run.deadline is not None and not self._call.on_exit:
            run.at(run.deadline, lambda: self._fail(node, "Step exceeded its deadline"))
        try:
            duration = self._filled.body["suspend"].get("duration") or ""
            if duration:
                run.at(start + seconds(duration), lambda: self._resume(node, {}))
        except TagError as error:
            self._finish(node, Phase.ERROR, str(error), error)
            return
        self._call.seen(node)

    def _resume(self, node: Node, supplied: Mapping[str, str]) -> None:
        if node.ended:
            return
        try:
            parameters = self._supplied(supplied)
        except TagError as error:
            self._finish(node, Phase.ERROR, str(error), error)
            return
        if parameters:
            node.outputs["parameters"], node.asks = parameters, {}
        self._run.export(self._filled.body, node.outputs)
        self._finish(node, Phase.SUCCEEDED, "")

    def _asks(self) -> dict[str, str | None]:
        """What whoever resumes it is to say, with its default."""
        inputs = self._filled.template.inputs.get("parameters") or ()
        defaults = {p["name"]: p.get("default") for p in inputs}
        found: dict[str, str | None] = {}
        for parameter in (self._filled.body.get("outputs") or {}).get("parameters") or ():
            name, source = parameter["name"], parameter.get("valueFrom") or {}
            if "supplied" in source:
                default = source.get("default", defaults.get(name))
                found[name] = None if default is None else value_text(default)
        return found

    def _supplied(self, supplied: Mapping[str, str]) -> dict[str, str]:
        parameters: dict[str, str] = {}
        for name, default in self._asks().items():
            text = supplied.get(name, default)
            if text is None:
                raise TagError(
                    f"raw output parameter '{name}' has not been set and does not have a default "
                    "value"
                )
            parameters[name] = text
        return parameters

    def _stop(self, node: Node) -> None:
        if not self._run.allows(self._call.on_exit):
            self._fail(node, f"Stopped with strategy '{self._run.shutdown}'")

    def _fail(self, node: Node, message: str) -> None:
        if not node.ended:
            self._finish(node, Phase.FAILED, message)

    def _finish(
        self, node: Node, phase: Phase, message: str, error: Exception | None = None
    ) -> None:
        self._run.suspended.pop(node.name, None)
        self._run.stoppers.pop(node.name, None)
        self._run.end(node, phase, message)
        self._run.later(lambda: self._call.ended(node, error))
