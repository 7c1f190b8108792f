"""A workflow beyond Argo's limits as one within them that does the same in the same order. Pure.

Templates that differ only in their names become one, and if they are still too many, those that are
called once move into their call. A DAG of too many tasks becomes a DAG of parts, each a DAG of its
own. Where that is too large as well, parts that look alike share a template: their tasks get names
that are counted within the part, and texts that differ become parameters.
"""

from __future__ import annotations

from dataclasses import replace

from couler_jobs.compiler.cut import MOST_TASKS, Cut
from couler_jobs.compiler.merge import inlined, merged
from couler_jobs.errors import CompileError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names

MOST_TEMPLATES = 200
"""Argo's CRDs since 4.0 have `maxItems: 200` on templates."""


def fits(workflow: model.Workflow) -> bool:
    """Whether Argo takes as many templates and tasks."""
    return len(workflow.templates) <= MOST_TEMPLATES and not _big(workflow, MOST_TASKS)


def _big(workflow: model.Workflow, most: int) -> dict[str, model.Graph]:
    """The DAGs of more than `most` tasks, by name."""
    return {
        template.name: template
        for template in workflow.templates
        if isinstance(template, model.Graph) and template.groups is None
        if len(template.calls) > most
    }


def split(
    workflow: model.Workflow, *, shared: bool = False, most: int = MOST_TASKS
) -> model.Workflow:
    """The workflow within the limits; `shared` gives parts that look alike one template.

    Raises CompileError for what does not fit, or cannot be cut: a step that depends on how one in
    another part ended, or reads the first of several values in different parts.
    """
    workflow = _with_few_templates(workflow, most)
    templates = workflow.templates
    names = Names(lower=True, taken=(template.name.lower() for template in templates))
    big = _big(workflow, most)
    room = (MOST_TEMPLATES - len(templates)) // max(1, len(big))
    found: list[model.Template] = []
    for template in templates:
        graph = big.get(template.name)
        found += Cut(graph, names, most, room).graphs(shared) if graph else [template]
    if len(found) > MOST_TEMPLATES:
        raise CompileError(
            f"The workflow {workflow.name} needs {len(found)} templates, and Argo takes "
            f"{MOST_TEMPLATES}: give steps that are alike one name, or loop with map."
        )
    return replace(workflow, templates=tuple(found))


def _with_few_templates(workflow: model.Workflow, most: int) -> model.Workflow:
    """The workflow with no more templates than leave room for the parts of big graphs."""
    if len(workflow.templates) > MOST_TEMPLATES:
        workflow = merged(workflow)
    parts = sum(2 * len(graph.calls) // most for graph in _big(workflow, most).values())
    room = max(MOST_TEMPLATES // 2, MOST_TEMPLATES - parts)
    return inlined(workflow, room) if len(workflow.templates) > room else workflow
