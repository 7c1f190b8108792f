"""Fewer templates: those that differ only in names are one, others move into their call. Pure.

A template of a WorkflowTemplate would not count either, but Argo copies it into the status of the
run, which has the same limit of size; one that stands `inline` in its call is copied nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from couler_jobs.spec import model


def merged(workflow: model.Workflow) -> model.Workflow:
    """The workflow with one template of each kind of those that differ only in their names."""
    kept_by_name = _named_elsewhere(workflow)
    first: dict[model.Template, str] = {}
    named: dict[str, str] = {}
    for template in workflow.templates:
        key = template if template.name in kept_by_name else replace(template, name="")
        named[template.name] = first.setdefault(key, template.name)
    kept = [template for template in workflow.templates if named[template.name] == template.name]
    return replace(
        workflow,
        entrypoint=named[workflow.entrypoint],
        on_exit=named[workflow.on_exit] if workflow.on_exit else None,
        templates=tuple(_calling(template, named) for template in kept),
    )


def inlined(workflow: model.Workflow, most: int) -> model.Workflow:
    """The workflow with templates that are called once inside their call, until `most` are left."""
    calls = Counter(call.template for call in _calls(workflow) if isinstance(call.template, str))
    kept = {workflow.entrypoint, workflow.on_exit, *_named_elsewhere(workflow)}
    leaves = [t for t in workflow.templates if isinstance(t, model.Pod | model.Plain)]
    once = [leaf for leaf in leaves if calls[leaf.name] == 1 and leaf.name not in kept]
    moved = {leaf.name: leaf for leaf in once[: len(workflow.templates) - most]}
    rest = [template for template in workflow.templates if template.name not in moved]
    return replace(workflow, templates=tuple(_calling(template, moved) for template in rest))


def _calls(workflow: model.Workflow) -> Iterator[model.Call]:
    for template in workflow.templates:
        if isinstance(template, model.Graph):
            yield from template.calls


def _named_elsewhere(workflow: model.Workflow) -> set[str]:
    """Templates that fields in Argo's own words may name, such as hooks."""
    texts = {workflow.extra, *(t.extra for t in workflow.templates)}
    texts |= {call.extra for call in _calls(workflow)}
    said = "".join(texts - {"{}"})
    return {t.name for t in workflow.templates if f'"{t.name}"' in said} if said else set()


def _calling(
    template: model.Template, named: Mapping[str, str | model.Pod | model.Plain]
) -> model.Template:
    if not isinstance(template, model.Graph):
        return template
    return replace(template, calls=tuple(_renamed(call, named) for call in template.calls))


def _renamed(call: model.Call, named: Mapping[str, str | model.Pod | model.Plain]) -> model.Call:
    if not isinstance(call.template, str):
        return call
    return replace(call, template=named.get(call.template, call.template))
