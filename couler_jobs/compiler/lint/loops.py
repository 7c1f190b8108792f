"""Loops of a step or task: which, and what `{{item}}` may name."""

from __future__ import annotations

from typing import Any, Final

from couler_jobs.compiler.lint.report import Report
from couler_jobs.compiler.lint.tags import Scope
from couler_jobs.compiler.lint.timing import advise_loop
from couler_jobs.spec.manifest import Path

_LOOPS: Final = frozenset({"withItems", "withParam", "withSequence"})


def is_loop(node: dict[str, Any]) -> bool:
    """Whether outputs are collected: a sequence does not count, as in Argo's own check."""
    return bool(node.get("withItems") or node.get("withParam"))


def check_loop(node: dict[str, Any], scope: Scope, report: Report, path: Path) -> None:
    """One kind of loop at most; what its items are becomes known to the scope."""
    if _LOOPS.isdisjoint(node):
        return
    items, param, sequence = node.get("withItems"), node.get("withParam"), node.get("withSequence")
    if bool(items) + bool(param) + (sequence is not None) > 1:
        said = "Only one of withItems, withParam and withSequence can be used."
        report.error("loop", path, said)
    if items:
        for item in items:
            _item(item, scope)
    elif param:
        scope.any_item = True
    if sequence is not None and "count" in sequence and "end" in sequence:
        said = "Only one of `count` and `end` can be used."
        report.error("loop", (path, "withSequence"), said)
    advise_loop(node, path, report)


def _item(item: Any, scope: Scope) -> None:
    if isinstance(item, dict):
        scope.items.update(f"item.{key}" for key in item)
    elif isinstance(item, list):
        scope.items.update(f"item.[{index}]" for index in range(len(item)))


def check_hooks(hooks: dict[str, Any], report: Report, path: Path, *, refused: bool = True) -> None:
    """Every hook but `exit` says when it runs; of tasks, Argo lets it pass and never runs it."""
    found = report.error if refused else report.warning
    for name, hook in hooks.items():
        if name != "exit" and not hook.get("expression"):
            where = ((path, name), "expression")
            found("required", where, f"The hook `{name}` needs an `expression`.")


def has_exit_hook(node: dict[str, Any]) -> bool:
    """Whether something runs when the step or task has ended."""
    return bool(node.get("onExit")) or "exit" in node.get("hooks", {})
