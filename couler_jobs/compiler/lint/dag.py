"""Templates of tasks."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.advice import (
    advise_arguments,
    advise_depends,
    advise_skipped,
    advise_when,
    skippable_outputs,
)
from couler_jobs.compiler.lint.arguments import check_arguments
from couler_jobs.compiler.lint.context import Checking, Context
from couler_jobs.compiler.lint.graph import Ancestors, find_cycle
from couler_jobs.compiler.lint.loops import check_hooks, check_loop, is_loop
from couler_jobs.compiler.lint.names import check_field_name
from couler_jobs.compiler.lint.openings import check_closed
from couler_jobs.compiler.lint.report import shown
from couler_jobs.compiler.lint.steps import (
    check_exit,
    defaults_of,
    not_a_leaf,
    with_inline_inputs,
)
from couler_jobs.compiler.lint.tags import Scope, substitute
from couler_jobs.compiler.lint.template import Template, fields_for, is_parameter_tag
from couler_jobs.spec.manifest import Path

_RESULTS: Final = frozenset(
    {
        "Succeeded",
        "Failed",
        "Errored",
        "Skipped",
        "Omitted",
        "Daemoned",
        "AnySucceeded",
        "AllFailed",
    }
)
_OF_LOOPS: Final = frozenset({"AnySucceeded", "AllFailed"})

# How Argo finds the tasks in `depends`: a name with a result, or a name alone.
_TERM: Final = re.compile(
    r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)", re.ASCII
)


class _Status:
    """The tasks whose `.status` one task may name: those before it, and those with hooks."""

    def __init__(self, ancestors: Ancestors, hooked: set[str]) -> None:
        self._ancestors, self._hooked = ancestors, hooked
        self.task = ""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in self._hooked or (bool(self.task) and self._ancestors.has(self.task, name))
        )


def check_dag(
    context: Context, template: Template, scope: Scope, env: Mapping[str, str]
) -> Checking:
    """Tasks, their order, and what each may name."""
    not_a_leaf(context, template)
    tasks: list[dict[str, Any]] = template.body["dag"].get("tasks", [])
    path: Path = ((template.path, "dag"), "tasks")
    if not tasks:
        context.report.error("required", path, "A DAG needs at least one task.")
        return
    names = [_name(context, task, (path, index), env) for index, task in enumerate(tasks)]
    _unique(context, names, path)
    graph = _graph(context, tasks, names, path, env)
    scope.node_prefix = "tasks"
    hooked = {name for name, task in zip(names, tasks, strict=True) if "hooks" in task}
    ancestors = Ancestors(graph)
    status = _Status(ancestors, hooked)
    scope.statuses = status
    called: list[Template | None] = []
    for index, task in enumerate(tasks):
        name = substitute(task.get("template", ""), env)
        found = context.resolve(task, (path, index), name, env)
        called.append(found)
        if found is not None:
            if found.name not in context.seen:
                yield context.deeper(context, found)
            context.export(found, scope)
        if task.get("when"):
            advise_when(task["when"], ((path, index), "when"), context.report)
            scope.skippable[names[index]] = skippable_outputs(found.body) if found else frozenset()
        external = context.is_elsewhere(task, name, env)
        known = fields_for(found, external, is_loop(task))
        scope.nodes[names[index]] = known
    _target(context, template, set(names), scope, env)
    for index, task in enumerate(tasks):
        status.task = names[index]
        _task(context, task, called[index], scope, env, (path, index), status, ancestors)
    status.task = ""


def _name(context: Context, task: dict[str, Any], path: Path, env: Mapping[str, str]) -> str:
    name = substitute(task.get("name", ""), env)
    check_field_name(name, context.report, (path, "name"), "task")
    return name


def _unique(context: Context, names: list[str], path: Path) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            said = f"There are two tasks named {shown(name)}."
            context.report.error("duplicate", ((path, index), "name"), said)
        seen.add(name)


def _graph(
    context: Context,
    tasks: list[dict[str, Any]],
    names: list[str],
    path: Path,
    env: Mapping[str, str],
) -> dict[str, list[str]]:
    """Which tasks each task waits for; what is wrong with that is reported."""
    uses_depends = any(task.get("depends") for task in tasks)
    by_name = dict(zip(names, tasks, strict=True))
    graph: dict[str, list[str]] = {}
    for index, task in enumerate(tasks):
        where = (path, index)
        _mixed(context, task, names[index], uses_depends, where)
        depends = substitute(task.get("depends", ""), env)
        if not depends and not task.get("dependencies"):
            graph[names[index]] = []
            continue
        terms = _terms(depends or _written(task))
        advise_depends(depends, (where, "depends"), context.report)
        _results(context, depends, terms, by_name, where)
        graph[names[index]] = list(terms)
        for need in terms:
            if need not in by_name:
                said = f"The task {shown(names[index])} waits for {shown(need)}, which is no task."
                key = "depends" if depends else "dependencies"
                context.report.error("unknown-dependency", (where, key), said)
    cycle = find_cycle(graph)
    if cycle:
        said = f"The tasks wait for each other: {' -> '.join(cycle[:20])}."
        first: Path = ((path, names.index(cycle[0])), "depends")
        context.report.error("cycle", first, said)
    return graph


def _written(task: dict[str, Any]) -> str:
    """`dependencies` as the `depends` that Argo makes of them."""
    return " && ".join(f"({need}.Succeeded)" for need in task.get("dependencies", []))


@functools.lru_cache(maxsize=8192)
def _terms(text: str) -> Mapping[str, set[str]]:
    """The tasks that a `depends` names, each with the results it asks for."""
    terms: dict[str, set[str]] = {}
    for with_result, alone in _TERM.findall(text):
        if with_result:
            name, _, result = with_result.partition(".")
            terms.setdefault(name, set()).add(result)
        else:
            terms.setdefault(alone, set())
    return terms


def _results(
    context: Context,
    depends: str,
    terms: Mapping[str, set[str]],
    by_name: Mapping[str, dict[str, Any]],
    path: Path,
) -> None:
    if "." not in depends:
        return
    for name, results in terms.items():
        for result in sorted(results - _RESULTS):
            said = f"{shown(result)} is no result of a task; {', '.join(sorted(_RESULTS))} are."
            context.report.error("depends", (path, "depends"), said)
        looped = results & _OF_LOOPS
        task = by_name.get(name)
        if looped and task is not None and not (is_loop(task) or "withSequence" in task):
            said = f"{shown(name)} is no loop, so it has no `{min(looped)}`."
            context.report.error("depends", (path, "depends"), said)


def _mixed(
    context: Context, task: dict[str, Any], name: str, uses_depends: bool, path: Path
) -> None:
    report = context.report
    dependencies = task.get("dependencies")
    if (uses_depends or dependencies) and name[:1].isdigit() and name[:1].isascii():
        said = f"The task name {shown(name)} cannot begin with a digit where `depends` is used."
        report.error("name", (path, "name"), said)
    if uses_depends and dependencies:
        said = "`depends` and `dependencies` exclude each other in one DAG."
        report.error("depends", (path, "dependencies"), said, "Write `depends` everywhere.")
    if uses_depends and "continueOn" in task:
        said = "`continueOn` has no place where `depends` is used."
        fix = f"Write `{name}.Succeeded || {name}.Failed` in what waits for it."
        report.error("depends", (path, "continueOn"), said, fix)


def _target(
    context: Context, template: Template, names: set[str], scope: Scope, env: Mapping[str, str]
) -> None:
    text = template.body["dag"].get("target", "")
    if not text:
        return
    path: Path = ((template.path, "dag"), "target")
    text = substitute(text, env)
    context.check_tags([(path, text)], scope, env)
    for name in text.split(" "):
        if name not in names and not is_parameter_tag(name):
            context.report.error("unknown-task", path, f"There is no task named {shown(name)}.")


def _task(
    context: Context,
    task: dict[str, Any],
    called: Template | None,
    scope: Scope,
    env: Mapping[str, str],
    path: Path,
    status: _Status,
    ancestors: Ancestors,
) -> None:
    report = context.report
    if "hooks" in task or "onExit" in task:
        check_exit(context, task, path)
    if "hooks" in task:
        check_hooks(task["hooks"], report, (path, "hooks"), refused=False)
    check_loop(task, scope, report, path)
    arguments = task.get("arguments", {})
    tags = context.bag(task)
    if tags:
        if "inline" in task:
            with_inline_inputs(task, scope)
        context.check_tags(tags, scope, env)
        check_closed(task, "task", tags, report, env)
        if scope.skippable:
            advise_skipped(tags, scope, defaults_of(called), report)
    if arguments:
        advise_arguments(arguments, (path, "arguments"), report)
        check_arguments(arguments, report, (path, "arguments"), env)
    if tags and arguments:
        _sources(context, arguments, status.task, ancestors, (path, "arguments"))
    if called is not None:
        context.check_supplied(called, arguments, path, env)
    scope.items.clear()
    scope.any_item = False


def _sources(
    context: Context, arguments: dict[str, Any], task: str, ancestors: Ancestors, path: Path
) -> None:
    """An argument that is another task's output needs that task to come before."""
    for word, key in (("parameters", "value"), ("artifacts", "from")):
        for index, item in enumerate(arguments.get(word, ())):
            text = item.get(key, "")
            if text.startswith("{{tasks."):
                source = text.split(".", 2)[1]
                if not ancestors.has(task, source):
                    said = f"The task {shown(task)} uses {shown(source)} and does not wait for it."
                    where = (((path, word), index), key)
                    fix = f"Add `{source}` to its `depends`."
                    context.report.error("missing-dependency", where, said, fix)
