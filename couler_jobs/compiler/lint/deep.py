"""One template looked at from inside, the first time it is called."""

from __future__ import annotations

from typing import Any

from couler_jobs.compiler.lint.artifacts import check_location
from couler_jobs.compiler.lint.context import Checking, Context
from couler_jobs.compiler.lint.dag import check_dag
from couler_jobs.compiler.lint.leaf import check_leaf
from couler_jobs.compiler.lint.metrics import check_metrics
from couler_jobs.compiler.lint.openings import check_closed
from couler_jobs.compiler.lint.outputs import check_outputs
from couler_jobs.compiler.lint.steps import check_steps
from couler_jobs.compiler.lint.template import Template


def check_deep(
    context: Context, template: Template, arguments: dict[str, Any] | None = None
) -> Checking:
    """Check a template's inside, unless that was done; `arguments` are None where any may come.

    Argo remembers templates by name, so of all inline templates it looks into the first only.
    """
    if template.name in context.seen:
        return
    context.seen.add(template.name)
    if not template.kind:
        return
    scope = context.scope_of(template)
    env = context.environment(template, arguments)
    check_closed(template.body, "template", context.bag(template.body), context.report, env)
    if template.kind == "steps":
        yield from check_steps(context, template, scope, env)
    elif template.kind == "dag":
        yield from check_dag(context, template, scope, env)
    else:
        check_leaf(context, template, scope, env, arguments)
    check_outputs(context, template, scope, env)
    if "archiveLocation" in template.body:
        check_location(
            template.body["archiveLocation"], context.report, (template.path, "archiveLocation")
        )
    check_metrics(template.body.get("metrics", {}), context.report, (template.path, "metrics"))
