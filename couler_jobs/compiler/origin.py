"""From a path into a manifest back to where in the program that part was declared. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from couler_jobs.errors import CompileError, DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.place import Place

Origin: TypeAlias = Callable[[str], str]
"""Says `flow.py, line 3: the call tell` for a path like `spec.templates[0].dag.tasks[2].when`."""

_TEMPLATE = re.compile(r"spec\.(?:workflowSpec\.)?templates\[(\d+)\]")
_CALL = re.compile(r"\.(?:dag\.tasks\[(\d+)\]|steps\[(\d+)\]\[(\d+)\])")
_ARGUMENT = re.compile(r"\.arguments\.(parameters|artifacts)\[(\d+)\]")


def origin_in(workflow: model.Workflow) -> Origin:
    """What says it for the manifest that `workflow` was written as; empty where nobody knows."""
    return lambda path: _origin(workflow, path)


def _origin(workflow: model.Workflow, path: str) -> str:
    found = _TEMPLATE.match(path)
    if found is None or int(found[1]) >= len(workflow.templates):
        return _said(workflow.place, "the workflow", workflow.name)
    template = workflow.templates[int(found[1])]
    if not isinstance(template, model.Graph):
        return _said(template.place, "the step", template.name)
    call = _call(template, path[found.end() :])
    if call is None:
        kind = "workflow" if template.place is not None else "template"
        return _said(place_of(template), f"the {kind}", template.name)
    argument = _argument(call, path)
    return _said(call.place or place_of(template), f"{argument}the call", call.name)


def place_of(template: model.Template) -> Place | None:
    """Where a template was declared; a graph without a function: where its first call was."""
    if template.place is not None or not isinstance(template, model.Graph):
        return template.place
    return next((call.place for call in template.calls if call.place is not None), None)


def _call(graph: model.Graph, rest: str) -> model.Call | None:
    found = _CALL.match(rest)
    if found is None:
        return None
    task, group, member = found.groups()
    index = int(task) if task else sum((graph.groups or ())[: int(group)]) + int(member)
    return graph.calls[index] if index < len(graph.calls) else None


def _argument(call: model.Call, path: str) -> str:
    found = _ARGUMENT.search(path)
    if found is None:
        return ""
    names: Sequence[str] = [name for name, _ in call.arguments]
    if found[1] == "artifacts":
        names = [artifact.name for artifact in call.artifacts]
    index = int(found[2])
    return f"the argument {names[index]} of " if index < len(names) else ""


def _said(place: Place | None, what: str, name: str) -> str:
    return f"{place}: {what} {name}" if place is not None else ""


@contextmanager
def blamed(place: Callable[[], Place | None]) -> Iterator[None]:
    """An error of the program from inside names the line, unless it names one already."""
    try:
        yield
    except (CompileError, DeclarationError) as error:
        error.place = error.place or str(place() or "")
        raise
