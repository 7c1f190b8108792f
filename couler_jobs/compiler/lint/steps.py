"""Templates of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.compiler.lint.advice import (
    advise_arguments,
    advise_skipped,
    advise_when,
    skippable_outputs,
)
from couler_jobs.compiler.lint.arguments import check_arguments
from couler_jobs.compiler.lint.context import Checking, Context
from couler_jobs.compiler.lint.loops import check_hooks, check_loop, has_exit_hook, is_loop
from couler_jobs.compiler.lint.names import check_field_name
from couler_jobs.compiler.lint.openings import check_closed
from couler_jobs.compiler.lint.report import shown
from couler_jobs.compiler.lint.tags import Scope, substitute
from couler_jobs.compiler.lint.template import Template, fields_for
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V4_1


def check_steps(
    context: Context, template: Template, scope: Scope, env: Mapping[str, str]
) -> Checking:
    """Steps one after another, each with what those before it give."""
    not_a_leaf(context, template)
    scope.node_prefix = "steps"
    statuses: set[str] = set()
    scope.statuses = statuses
    for group, steps in enumerate(template.body["steps"]):
        if not steps:
            _empty_group(context, template, ((template.path, "steps"), group))
        for index, step in enumerate(steps):
            path: Path = (((template.path, "steps"), group), index)
            name = _name(context, step, path, statuses, env)
            statuses.add(name)
            yield from _step(context, step, name, scope, env, path)


def _empty_group(context: Context, template: Template, path: Path) -> None:
    """Argo Server sends an empty group on as null, which the full CRDs refuse where they look."""
    said = "A group of steps is empty."
    if context.of_template or context.of_cron or template.is_inline:
        context.report.warning("empty-group", path, said, "Leave it out.")
    else:
        context.report.from_4_0("empty-group", path, said, "Leave it out.")


def _name(
    context: Context, step: dict[str, Any], path: Path, taken: set[str], env: Mapping[str, str]
) -> str:
    name = substitute(step.get("name", ""), env)
    legal = name.replace(context.placeholder, "x") if context.report.target >= V4_1 else name
    if check_field_name(legal, context.report, (path, "name"), "step") and name in taken:
        said = f"There are two steps named {shown(name)}."
        context.report.error("duplicate", (path, "name"), said)
    return name


def _step(
    context: Context,
    step: dict[str, Any],
    name: str,
    scope: Scope,
    env: Mapping[str, str],
    path: Path,
) -> Checking:
    report = context.report
    check_loop(step, scope, report, path)
    arguments = step.get("arguments", {})
    check_arguments(arguments, report, (path, "arguments"), env)
    wanted = substitute(step.get("template", ""), env)
    called = context.resolve(step, path, wanted, env)
    if called is not None and called.name not in context.seen:
        yield context.deeper(context, called)
    external = context.is_elsewhere(step, wanted, env)
    if has_exit_hook(step):
        scope.nodes[name] = fields_for(called, external, False)
        if called is not None:
            context.export(called, scope)
    if "hooks" in step:
        check_hooks(step["hooks"], report, (path, "hooks"))
    tags = context.bag(step)
    if tags:
        if "inline" in step:
            with_inline_inputs(step, scope)
        context.check_tags(tags, scope, env)
        check_closed(step, "step", tags, report, env)
        if scope.skippable:
            advise_skipped(tags, scope, defaults_of(called), report)
    if step.get("when"):
        advise_when(step["when"], (path, "when"), report)
        scope.skippable[name] = skippable_outputs(called.body) if called else frozenset()
    advise_arguments(arguments, (path, "arguments"), report)
    check_exit(context, step, path)
    known = fields_for(called, external, is_loop(step))
    scope.nodes[name] = scope.nodes.get(name, frozenset()) | known if not external else known
    if called is not None:
        context.export(called, scope)
        context.check_supplied(called, arguments, path, env)


def defaults_of(called: Template | None) -> Mapping[str, bool]:
    """Of each input parameter of a template, whether it has a value of its own."""
    parameters = called.parameters if called is not None else []
    return {
        parameter.get("name", ""): "default" in parameter or "value" in parameter
        for parameter in parameters
    }


def check_exit(context: Context, node: dict[str, Any], path: Path) -> None:
    """Templates of exit handlers and hooks, which Argo looks for when they run."""
    if node.get("onExit"):
        context.advise_template(node["onExit"], (path, "onExit"))
    for name, hook in node.get("hooks", {}).items():
        if hook.get("template"):
            context.advise_template(hook["template"], (((path, "hooks"), name), "template"))


def with_inline_inputs(node: dict[str, Any], scope: Scope) -> None:
    """An inline template may name its own inputs."""
    for parameter in node.get("inline", {}).get("inputs", {}).get("parameters", []):
        scope.items.add(f"inputs.parameters.{parameter.get('name', '')}")


def not_a_leaf(context: Context, template: Template) -> None:
    """What only templates that work themselves have."""
    if "activeDeadlineSeconds" in template.body:
        said = "`activeDeadlineSeconds` is for templates that run something themselves."
        fix = "Set it on the workflow, or on the templates that are called."
        context.report.error("leaf-only", (template.path, "activeDeadlineSeconds"), said, fix)
