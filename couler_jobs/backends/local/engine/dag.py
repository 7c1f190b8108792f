"""The dag template: each task starts as soon as what it depends on allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.calls import Boundary, Call, DepthError
from couler_jobs.backends.local.engine.hooks import Follower
from couler_jobs.backends.local.engine.loops import aggregated, expanded, loops
from couler_jobs.backends.local.engine.outcome import dag_phase
from couler_jobs.backends.local.engine.plan import Plan, plan_of
from couler_jobs.backends.local.engine.records import DAG, SKIPPED, TASK_GROUP, Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.scopes import (
    TaskLayer,
    node_values,
    skipped_values,
    template_outputs,
)
from couler_jobs.backends.local.engine.steps import resolved
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import Filled
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.expressions import ExpressionError, Result, holds, should_run
from couler_jobs.spec.status import Phase

Task = dict[str, Any]
_RESULT_OF = {
    Phase.SUCCEEDED: "Succeeded",
    Phase.FAILED: "Failed",
    Phase.ERROR: "Errored",
    Phase.SKIPPED: "Skipped",
    Phase.OMITTED: "Omitted",
}


class DagTemplate:
    """One dag node that is under way."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled
        self._inputs: dict[str, Any] = {
            **{f"inputs.parameters.{k}": v for k, v in filled.parameters.items()},
            **{f"inputs.artifacts.{k}": v for k, v in filled.artifacts.items()},
        }
        self._values: dict[str, Mapping[str, Any]] = {}
        self._groups: dict[str, set[str]] = {}
        self._followers: dict[str, Follower] = {}
        self._settled: set[str] = set()
        self._started: set[str] = set()
        self._over = False

    def begin(self) -> None:
        """Create the node and begin the tasks that wait for nothing."""
        run, call = self._run, self._call
        node = run.nodes.get(call.name)
        if node is None or run.is_new(node):
            node = run.create(call, DAG, Phase.RUNNING)
            node.inputs = dict(self._filled.parameters)
            call.linked(node)
        self._node = node
        self._boundary = Boundary(
            node=node, template=self._filled.template, depth=call.depth, on_exit=call.on_exit
        )
        run.watch_failures(self._boundary, self._halt)
        run.seen_when_idle(call, node)
        self._plan = plan_of(self._filled.body["dag"])
        self._unmet = {name: len(self._plan.dependencies[name]) for name in self._plan.order}
        for name in self._plan.tasks:
            if self._unmet.get(name) == 0:
                run.later(lambda name=name: self._ready(name))  # type: ignore[misc]
        if not self._may_start():
            run.later(self.stopped)

    # --- one task

    def _ready(self, name: str) -> None:
        if self._over or name in self._started or self._unmet[name] or not self._may_start():
            return
        self._started.add(name)
        task = dict(self._plan.tasks[name])
        node = self._run.nodes.get(self._full(name))
        if node is not None and node.ended:
            self._follower(task).ended(node, None)
            return
        try:
            if node is None and not self._is_due(name):
                self._omit(name, task)
                return
            variables = self._variables(name)
            task = resolved(task, variables, problem="")
            several = expanded(task, variables) if loops(task) else [task]
        except (TagError, ExpressionError) as error:
            self._skip(self._full(name), task, Phase.ERROR, str(error), name)
            return
        if loops(task):
            self._begin_group(name, task, several)
        else:
            self._begin_task(name, task)

    def _may_start(self) -> bool:
        return self._run.allows(self._call.on_exit)

    def _full(self, name: str) -> str:
        return f"{self._node.name}.{name}"

    def _is_due(self, name: str) -> bool:
        condition = self._plan.conditions.get(name)
        return condition is None or holds(condition, self._answer)

    def _answer(self, asked: Result) -> bool:
        node = self._run.nodes.by_name[self._full(asked.task)]
        result = "Daemoned" if node.daemoned else _RESULT_OF.get(node.phase)
        if asked.result is None:
            return result in self._plan.accepts(asked.task)
        if asked.result in ("AnySucceeded", "AllFailed"):
            return self._answer_for_items(node, asked.result)
        return result == asked.result

    def _answer_for_items(self, node: Node, result: str) -> bool:
        if node.type != TASK_GROUP:
            return False
        phases = [self._run.nodes.by_id[child].phase for child in node.children]
        if result == "AnySucceeded":
            return Phase.SUCCEEDED in phases
        return bool(phases) and all(phase is Phase.FAILED for phase in phases)

    def _variables(self, name: str) -> Variables:
        def values_of(task: str) -> Mapping[str, Any] | None:
            return self._task_values(task) if self._plan.is_ancestor(task, name) else None

        layer = TaskLayer(lambda: self._plan.ancestors(name), values_of)
        return Variables(self._run.globals, self._inputs, layer)

    def _task_values(self, name: str) -> Mapping[str, Any]:
        """The variables of a task that has ended."""
        if name not in self._values:
            nodes = self._run.nodes
            node = nodes.by_name[self._full(name)]
            values: dict[str, Any] = {}
            if node.type == TASK_GROUP:
                prefix = f"{node.name}("
                children = (nodes.by_id[child] for child in node.children)
                values = aggregated(
                    "tasks", name, [c for c in children if c.name.startswith(prefix)]
                )
            values |= node_values("tasks", name, node, nodes)
            task = self._plan.tasks[name]
            values |= skipped_values("tasks", name, node, self._run.templates.of(task))
            self._values[name] = values
        return self._values[name]

    def _omit(self, name: str, task: Task) -> None:
        message = "omitted: depends condition not met"
        self._skip(self._full(name), task, Phase.OMITTED, message, name)

    def _skip(
        self,
        node_name: str,
        task: Task,
        phase: Phase,
        why: str,
        name: str,
        group: Node | None = None,
    ) -> Node:
        run = self._run
        node = run.nodes.create(
            node_name,
            SKIPPED,
            phase,
            at=run.now,
            boundary=self._node,
            template=str(task.get("template") or ""),
            message=why,
        )
        self._link(node, name, group)
        if group is None:
            self._settle(node, None)
        return node

    def _link(self, node: Node, name: str, group: Node | None = None) -> None:
        """Hang a task's node below those of the tasks that it waited for."""
        nodes = self._run.nodes
        dependencies = self._plan.dependencies[name]
        if group is not None or not dependencies:
            nodes.link(group or self._node, node)
            return
        for dependency in dependencies:
            for parent in nodes.outbound(nodes.by_name[self._full(dependency)]):
                nodes.link(nodes.by_id[parent], node)

    def _begin_task(self, name: str, task: Task) -> None:
        if self._run.nodes.get(self._full(name)) is None:
            try:
                if not should_run(str(task.get("when", ""))):
                    why = f"when '{task['when']}' evaluated false"
                    self._skip(self._full(name), task, Phase.SKIPPED, why, name)
                    return
            except ExpressionError as error:
                self._skip(self._full(name), task, Phase.ERROR, str(error), name)
                return
        follower = self._follower({**task, "name": name})
        self._execute(name, task, None, follower.seen, follower.ended)

    def _execute(self, name: str, task: Task, group: Node | None, seen: Any, ended: Any) -> None:
        full = self._full(task["name"])

        def finished(node: Node, error: Exception | None) -> None:
            if error is not None and not isinstance(error, DepthError):
                self._run.end(node, Phase.ERROR, f"task '{full}' errored: {error}")
            ended(node, None)

        self._run.execute(
            Call(
                name=full,
                step=task,
                root="tasks",
                arguments=task.get("arguments") or {},
                boundary=self._boundary,
                on_exit=self._call.on_exit,
                linked=lambda node: self._link(node, name, group),
                seen=seen,
                lost=lambda node: None if group else self._lost(name),
                ended=finished,
            )
        )

    def _follower(self, task: Task) -> Follower:
        name = task["name"]
        return Follower(
            self._run,
            task,
            root="tasks",
            boundary=self._boundary,
            variables=lambda: self._variables(name),
            settled=self._settle,
        )

    # --- loops

    def _begin_group(self, name: str, task: Task, several: list[Task]) -> None:
        full = self._full(name)
        if not several:
            self._skip(full, task, Phase.SKIPPED, "Skipped, empty params", name)
            return
        group = self._run.nodes.get(full)
        if group is None:
            group = self._run.nodes.create(
                full,
                TASK_GROUP,
                Phase.RUNNING,
                at=self._run.now,
                boundary=self._node,
                template=str(task.get("template") or ""),
            )
            self._link(group, name)
        self._followers[name] = self._follower({**task, "name": name})
        self._followers[name].seen(group)
        self._groups[name] = {self._full(item["name"]) for item in several}
        for item in several:
            self._begin_item(name, item, group)
        self._close_group(name, group)

    def _begin_item(self, name: str, item: Task, group: Node) -> None:
        full = self._full(item["name"])
        node = self._run.nodes.get(full)
        if node is None:
            phase, why = Phase.SKIPPED, f"when '{item.get('when')}' evaluated false"
            try:
                runs = should_run(str(item.get("when", "")))
            except ExpressionError as error:
                runs, phase, why = False, Phase.ERROR, str(error)
            if not runs:
                self._skip(full, item, phase, why, name, group)
                self._groups[name].discard(full)
                return
        follower = Follower(
            self._run,
            {"name": name, "onExit": item.get("onExit"), "hooks": _exit_only(item)},
            root="tasks",
            boundary=self._boundary,
            variables=lambda: self._variables(name),
            settled=lambda node, error: self._item_settled(name, node, group),
        )
        self._execute(name, item, group, lambda node: None, follower.ended)

    def _item_settled(self, name: str, node: Node, group: Node) -> None:
        self._groups[name].discard(node.name)
        self._close_group(name, group)

    def _close_group(self, name: str, group: Node) -> None:
        if self._groups[name] or group.ended:
            return
        children = [self._run.nodes.by_id[child] for child in group.children]
        bad = [child.phase for child in children if child.bad and not child.hooked]
        self._run.end(group, bad[-1] if bad else Phase.SUCCEEDED)
        self._run.later(lambda: self._followers[name].ended(group, None))

    # --- the end

    def _settle(self, node: Node, error: Exception | None) -> None:
        name = node.name.removeprefix(self._node.name + ".")
        if error is not None:
            self._run.nodes.end(node, Phase.ERROR, str(error), at=self._run.now)
        if name in self._settled or self._over:
            return
        self._settled.add(name)
        for dependent in self._plan.dependents[name]:
            self._unmet[dependent] -= 1
            if not self._unmet[dependent]:
                self._run.later(lambda name=dependent: self._ready(name))  # type: ignore[misc]
        if len(self._settled) == len(self._plan.order):
            self._run.later(self._assess)
        elif not self._may_start():
            self._run.later(self.stopped)

    def _lost(self, name: str) -> None:
        """A daemon has ended and is tried again: what has not started yet waits once more."""
        if name in self._settled:
            self._settled.discard(name)
            self._values.pop(name, None)
            for dependent in self._plan.dependents[name]:
                self._unmet[dependent] += dependent not in self._started

    def stopped(self) -> None:
        """End it after a stop, once no task of it is under way."""
        if self._over or self._may_start():
            return
        if self._started <= self._settled or not self._alive():
            self._finish(Phase.FAILED, None)

    def _alive(self) -> bool:
        nodes = self._run.nodes
        names = (self._full(name) for name in self._started - self._settled)
        return any(not nodes.by_name[n].ended for n in names if n in nodes.by_name)

    def _assess(self) -> None:
        if self._over or len(self._settled) < len(self._plan.order):
            return
        if not self._may_start():
            self._finish(Phase.FAILED, None)
            return
        phase = dag_phase(self._run.nodes, self._node, self._plan, self._filled.body["dag"])
        if phase is not Phase.SUCCEEDED:
            self._finish(phase, None)
            return
        try:
            self._give_outputs()
        except (TagError, ExpressionError) as error:
            self._finish(Phase.ERROR, str(error), error)
            return
        self._finish(Phase.SUCCEEDED, None)

    def _give_outputs(self) -> None:
        for name in self._plan.order:
            self._task_values(name)  # a loop whose results are no JSON fails its DAG
        layer = TaskLayer(lambda: self._plan.order, self._known_values)
        variables = Variables(self._run.globals, self._inputs, layer)
        parameters, artifacts = template_outputs(self._filled, variables)
        if parameters:
            self._node.outputs["parameters"] = parameters
        if artifacts:
            self._node.outputs["artifacts"] = artifacts
        self._run.export(self._filled.body, self._node.outputs)

    def _known_values(self, name: str) -> Mapping[str, Any] | None:
        return self._task_values(name) if name in self._unmet else None

    def _halt(self, why: str) -> None:
        if not self._over:
            self._finish(Phase.FAILED, why)

    def _finish(self, phase: Phase, message: str | None, error: Exception | None = None) -> None:
        self._over = True
        nodes = self._run.nodes
        self._node.outbound = outbound(nodes, self._node, self._plan)
        self._run.end(self._node, phase, message)
        self._run.end_daemons(self._node)
        self._run.later(lambda: self._call.ended(self._node, error))


def outbound(nodes: Any, node: Node, plan: Plan) -> list[str]:
    """The ids that a successor of a dag node becomes a child of: its targets'."""
    targets = (nodes.get(f"{node.name}.{name}") for name in plan.targets)
    return [i for target in targets if target is not None for i in nodes.outbound(target)]


def _exit_only(item: Mapping[str, Any]) -> dict[str, Any]:
    hooks = item.get("hooks") or {}
    return {"exit": hooks["exit"]} if "exit" in hooks else {}
