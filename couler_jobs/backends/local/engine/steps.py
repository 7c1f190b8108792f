"""The steps template: groups one after another, the steps of a group side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.calls import Boundary, Call, DepthError
from couler_jobs.backends.local.engine.hooks import Follower, HookError
from couler_jobs.backends.local.engine.leaves import step_name
from couler_jobs.backends.local.engine.loops import aggregated, expanded, loops
from couler_jobs.backends.local.engine.records import SKIPPED, STEP_GROUP, STEPS, Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.scopes import (
    find_artifacts,
    mark_absent,
    node_values,
    skipped_values,
    template_outputs,
)
from couler_jobs.backends.local.engine.tags import (
    TagError,
    Unresolved,
    parsed,
    replace_tags,
    replaced,
)
from couler_jobs.backends.local.engine.templates import Filled
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.expressions import ExpressionError, should_run
from couler_jobs.spec.status import Phase

Step = dict[str, Any]


def continues(step: Mapping[str, Any], phase: Phase) -> bool:
    """Whether `continueOn` makes a step that ended like this count as good."""
    on = step.get("continueOn") or {}
    return bool(
        (phase is Phase.FAILED and on.get("failed")) or (phase is Phase.ERROR and on.get("error"))
    )


def resolved(step: Mapping[str, Any], variables: Variables, *, problem: str) -> Step:
    """A step with the outputs of others in place; `TagError` if one will never be there.

    `when` comes first: a step that is not to run needs no outputs.
    """
    kept = {key: step[key] for key in ("hooks", "onExit") if key in step}
    rest: Step = {key: value for key, value in step.items() if key not in kept}
    if rest.get("when"):
        when = replaced(str(rest["when"]), variables, Unresolved.STEPS_FAIL)
        if not _may_run(when, rest):
            return {**step, "when": when}
    if rest.get("arguments"):
        rest["arguments"] = mark_absent(rest["arguments"], variables)
    text = json.dumps(rest, ensure_ascii=False)
    new: Step = (
        parsed(replace_tags(text, variables, Unresolved.STEPS_FAIL)) if "{{" in text else rest
    )
    arguments = dict(new.get("arguments") or {})
    if arguments.get("artifacts"):
        arguments["artifacts"] = find_artifacts(arguments["artifacts"], variables, problem=problem)
    return {**new, "arguments": arguments, **kept}


def _may_run(when: str, step: Mapping[str, Any]) -> bool:
    try:
        return should_run(when)
    except ExpressionError as error:
        if loops(step):  # the item may be what is missing
            return True
        raise TagError(str(error)) from None


class StepsTemplate:
    """One steps node that is under way."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled
        self._groups = [_group_steps(group) for group in filled.body["steps"]]
        self._scope: dict[str, Any] = {
            **{f"inputs.parameters.{k}": v for k, v in filled.parameters.items()},
            **{f"inputs.artifacts.{k}": v for k, v in filled.artifacts.items()},
        }
        self._variables = Variables(run.globals, self._scope)
        self._at = -1
        self._group: Node | None = None
        self._steps: dict[str, Step] = {}
        self._open: set[str] = set()
        self._broken: str | None = None
        self._lost: dict[str, Node] = {}  #: daemons that are tried again -> their groups
        self._held = False  #: whether a group waits for these
        self._over = False

    def begin(self) -> None:
        """Create the node and begin its first group."""
        run, call = self._run, self._call
        node = run.nodes.get(call.name)
        if node is None or run.is_new(node):
            node = run.create(call, STEPS, Phase.RUNNING)
            node.inputs = dict(self._filled.parameters)
            call.linked(node)
        self._node = node
        self._boundary = Boundary(
            node=node, template=self._filled.template, depth=call.depth, on_exit=call.on_exit
        )
        run.watch_failures(self._boundary, self._halt)
        run.seen_when_idle(call, node)
        run.later(self._next_group)

    def _next_group(self) -> None:
        if self._lost:
            self._held = True
            return
        self._at += 1
        if self._over:
            return
        if self._at == len(self._groups):
            self._succeed()
            return
        group = self._group_node()
        if group.ended:
            self._after_group(group)
        else:
            self._begin_group(group)

    def _group_node(self) -> Node:
        nodes, name = self._run.nodes, f"{self._node.name}[{self._at}]"
        self._before, group = self._group, nodes.get(name)
        if group is None:
            group = nodes.create(
                name, STEP_GROUP, Phase.RUNNING, at=self._run.now, boundary=self._node
            )
            for parent in self._parents():
                nodes.link(parent, group)
        self._group = group
        return group

    def _parents(self) -> list[Node]:
        if self._before is None:
            return [self._node]
        if not self._before.children:
            return [self._before]
        nodes = self._run.nodes
        children = [nodes.by_id[child] for child in self._before.children]
        return [nodes.by_id[i] for child in children for i in nodes.outbound(child)]

    # --- one group

    def _begin_group(self, group: Node) -> None:
        self._steps, self._open, self._broken = {}, set(), None
        try:
            steps = self._expanded(group)
        except TagError as error:
            self._end_group(group, Phase.ERROR, str(error))
            return
        for step in steps:
            if not self._begin_step(group, step):
                break
        self._close_if_done()

    def _expanded(self, group: Node) -> list[Step]:
        try:
            steps = [
                resolved(step, self._variables, problem="unable to resolve references: ")
                for step in self._groups[self._at]
            ]
        except TagError as error:
            raise TagError(f"failed to resolve references: {error}") from None
        found: list[Step] = []
        for step in steps:
            several = expanded(step, self._variables) if loops(step) else [step]
            if not several:
                self._skip(group, f"{group.name}.{step['name']}", step, "Skipped, empty params")
            found += several
        return found

    def _begin_step(self, group: Node, step: Step) -> bool:
        """Whether the steps after it may begin."""
        name = f"{group.name}.{step['name']}"
        try:
            runs = should_run(str(step.get("when", "")))
        except ExpressionError as error:
            self._skip(group, name, step, str(error), Phase.ERROR)
            self._broken = str(error)
            return False
        if not runs:
            self._skip(group, name, step, f"when '{step['when']}' evaluated false")
            return True
        self._steps[name] = step
        self._open.add(name)
        follower = self._follower(step)
        self._run.execute(
            Call(
                name=name,
                step=step,
                arguments=step.get("arguments") or {},
                boundary=self._boundary,
                on_exit=self._call.on_exit,
                linked=lambda node: self._run.nodes.link(group, node),
                seen=follower.seen,
                lost=lambda node: self._lose(group, node),
                ended=follower.ended,
            )
        )
        # Argo leaves the group at the first step whose template cannot be filled in.
        node = self._run.nodes.get(name)
        return node is None or node.type != SKIPPED or node.phase is not Phase.ERROR

    def _follower(self, step: Step) -> Follower:
        return Follower(
            self._run,
            step,
            root="steps",
            boundary=self._boundary,
            variables=lambda: self._variables,
            settled=self._step_settled,
        )

    def _skip(
        self, group: Node, name: str, step: Step, why: str, phase: Phase = Phase.SKIPPED
    ) -> None:
        run = self._run
        if run.nodes.get(name) is None:
            node = run.nodes.create(
                name,
                SKIPPED,
                phase,
                at=run.now,
                boundary=self._node,
                template=str(step.get("template") or ""),
                message=why,
            )
            run.nodes.link(group, node)

    def _lose(self, group: Node, node: Node) -> None:
        """A daemon has ended and is tried again: its group runs again, and none begins meanwhile.

        Argo goes through all groups each time, and stops at the first that has not ended.
        """
        if not group.ended:
            self._open.add(node.name)
            return
        self._lost[node.name] = group
        group.finished = None
        self._run.end(group, Phase.RUNNING)

    def _regain(self, group: Node, node: Node) -> None:
        """It is ready again, or has ended for good."""
        if node.bad and not continues(self._named(node), node.phase):
            self._run.end(group, Phase.FAILED, f"child '{node.id}' failed")
            self._finish(Phase.FAILED, group.message)
            return
        if group not in self._lost.values():
            self._run.end(group, Phase.SUCCEEDED)
        if self._held and not self._lost:
            self._held = False
            self._run.later(self._next_group)

    def _named(self, node: Node) -> Step:
        name = step_name(node.name)
        return next(step for group in self._groups for step in group if step["name"] == name)

    def _step_settled(self, node: Node, error: Exception | None) -> None:
        group = self._lost.pop(node.name, None)
        if group is not None:
            if not self._over:
                self._regain(group, node)
            return
        self._open.discard(node.name)
        if error is not None and not isinstance(error, DepthError):
            child = f"step group deemed errored due to child {node.name} error: "
            self._broken = f"{'' if isinstance(error, HookError) else child}{error}"
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._open or self._over or self._group is None or self._group.ended:
            return
        if self._broken is not None:
            self._end_group(self._group, Phase.ERROR, self._broken)
            return
        for child in (self._run.nodes.by_id[child] for child in self._group.children):
            if child.bad and not continues(self._steps.get(child.name, {}), child.phase):
                self._end_group(self._group, Phase.FAILED, f"child '{child.id}' failed")
                return
        self._end_group(self._group, Phase.SUCCEEDED, None)

    def _end_group(self, group: Node, phase: Phase, message: str | None) -> None:
        self._run.end(group, phase, message)
        self._after_group(group)

    def _after_group(self, group: Node) -> None:
        if group.bad:
            self._finish(Phase.FAILED, group.message)
            return
        try:
            for step in self._groups[self._at]:
                self._remember(group, step)
        except TagError as error:
            self._finish(Phase.ERROR, str(error), error)
            return
        self._run.later(self._next_group)

    def _remember(self, group: Node, step: Step) -> None:
        """Make the outputs of a step known to the groups after it."""
        nodes, name = self._run.nodes, step["name"]
        child = nodes.get(f"{group.name}.{name}")
        if child is not None:
            self._scope |= node_values("steps", name, child, nodes)
            self._scope |= skipped_values("steps", name, child, self._run.templates.of(step))
            return
        prefix = f"{group.name}.{name}("
        children = (nodes.by_id[child] for child in group.children)
        ran = [c for c in children if c.name.startswith(prefix) and c.type != SKIPPED]
        self._scope |= aggregated("steps", name, ran)
        self._scope |= node_values("steps", name, group, nodes)

    # --- the end

    def _succeed(self) -> None:
        try:
            parameters, artifacts = template_outputs(self._filled, self._variables)
        except (TagError, ExpressionError) as error:
            self._finish(Phase.ERROR, str(error), error)
            return
        if parameters:
            self._node.outputs["parameters"] = parameters
        if artifacts:
            self._node.outputs["artifacts"] = artifacts
        self._run.export(self._filled.body, self._node.outputs)
        self._finish(Phase.SUCCEEDED, None)

    def _halt(self, why: str) -> None:
        if not self._over:
            if self._group is not None and not self._group.ended:
                self._run.end(self._group, Phase.FAILED, why)
            self._finish(Phase.FAILED, why)

    def _finish(self, phase: Phase, message: str | None, error: Exception | None = None) -> None:
        self._over = True
        nodes = self._run.nodes
        if self._group is not None:
            children = [nodes.by_id[child] for child in self._group.children]
            self._node.outbound = [i for child in children for i in nodes.outbound(child)]
        self._run.end(self._node, phase, message)
        self._run.end_daemons(self._node)
        self._run.later(lambda: self._call.ended(self._node, error))


def _group_steps(group: Any) -> list[Step]:
    return list(group or ())
