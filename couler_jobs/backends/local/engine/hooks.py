"""What hangs on a step: its lifecycle hooks and its exit handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from couler_jobs.backends.local.engine.calls import Boundary, Call
from couler_jobs.backends.local.engine.records import Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.scopes import (
    find_artifacts,
    last_attempt,
    mark_absent,
    output_values,
)
from couler_jobs.backends.local.engine.tags import TagError, Unresolved, replaced
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.expressions import ExpressionError, expand, read

Settled = Callable[[Node, Exception | None], None]


def exit_hook(owner: Mapping[str, Any], arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A step's or workflow's exit handler as a hook; without its own it takes `arguments`."""
    if owner.get("onExit"):
        return {"template": owner["onExit"], "arguments": arguments}
    hook = (owner.get("hooks") or {}).get("exit")
    return hook and {**hook, "arguments": hook.get("arguments") or arguments}


def lifecycle_hooks(owner: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The hooks of a step or workflow but the exit handler, by name."""
    return {name: hook for name, hook in (owner.get("hooks") or {}).items() if name != "exit"}


class HookError(Exception):
    """A lifecycle hook cannot be carried out; what holds the step ends with this message."""


class Follower:
    """Follows one step's node; `settled` is called when it has ended and its hooks have too."""

    def __init__(
        self,
        run: Run,
        step: Mapping[str, Any],
        *,
        root: str,
        boundary: Boundary | None,
        variables: Callable[[], Variables],
        settled: Settled,
    ) -> None:
        self._run, self._step, self._root, self._boundary = run, step, root, boundary
        self._variables, self._settled = variables, settled
        self._hooks = lifecycle_hooks(step)
        self._open: set[str] = set()
        self._end: tuple[Node, Exception | None] | None = None

    def seen(self, node: Node) -> None:
        """The node is under way."""
        self._observe(node)

    def ended(self, node: Node, error: Exception | None) -> None:
        """The node has ended; its hooks may start now.

        With an error its template could not be carried out, and Argo goes no further then.
        """
        self._end = (node, error)
        if error is not None:
            self._settle()
            return
        self._observe(node)
        exit_ = exit_hook(self._step, self._run.arguments)
        if exit_ is not None and node.completed and self._run.allows(True):
            self._begin_exit(node, exit_)
        self._settle()

    def _observe(self, node: Node) -> None:
        for name, hook in self._hooks.items():
            hook_name = f"{node.name}.hooks.{name}"
            try:
                wanted = self._wanted(node, hook) or self._run.nodes.get(hook_name) is not None
                if wanted and hook_name not in self._open:
                    self._begin(node, hook_name, hook, on_exit=False)
            except (TagError, ExpressionError) as error:
                self._end = (node, HookError(str(error)))

    def _begin_exit(self, node: Node, hook: Mapping[str, Any]) -> None:
        try:
            if not hook.get("expression") or self._wanted(node, hook):
                self._begin(node, f"{node.name}.onExit", hook, on_exit=True)
        except (TagError, ExpressionError) as error:
            self._end = (node, error)

    def _wanted(self, node: Node, hook: Mapping[str, Any]) -> bool:
        expression = read(str(hook["expression"]))
        variables = Variables(self._variables(), self._status(node))
        return expression.holds(expand(variables.under(expression)))

    def _status(self, node: Node) -> dict[str, str]:
        names = (self._step.get("name"), node.display_name)
        return {f"{self._root}.{name}.status": node.phase.value for name in names}

    def _begin(self, node: Node, name: str, hook: Mapping[str, Any], *, on_exit: bool) -> None:
        self._open.add(name)
        self._run.execute(
            Call(
                name=name,
                step={"template": hook.get("template", "")},
                arguments=self._arguments(node, hook.get("arguments") or {}),
                boundary=self._boundary,
                on_exit=on_exit or bool(self._boundary and self._boundary.on_exit),
                hooked=True,
                linked=lambda child: self._run.nodes.link(node, child),
                ended=self._hook_ended,
            )
        )

    def _arguments(self, node: Node, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not arguments:
            return arguments
        outputs = (last_attempt(node, self._run.nodes) or node).outputs
        known: dict[str, Any] = {
            key: outputs[key] for key in ("parameters", "artifacts") if key in outputs
        }
        own = output_values(f"{self._root}.{self._step.get('name')}", known)
        variables = Variables(self._variables(), self._status(node), own)
        filled = replaced(mark_absent(arguments, variables), variables, Unresolved.LEFT)
        artifacts = find_artifacts(
            filled.get("artifacts") or [], variables, problem="unable to resolve references: "
        )
        return {**filled, "artifacts": artifacts}

    def _hook_ended(self, node: Node, error: Exception | None) -> None:
        self._open.discard(node.name)
        if error is not None and self._end is not None:
            self._end = (self._end[0], error)
        self._settle()

    def _settle(self) -> None:
        if self._end is not None and self._end[0].settled and not self._open:
            self._settled(*self._end)
