"""Plain functions inside a workflow: graphs of their own that may use the values around them."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from couler_jobs.dsl import recorder
from couler_jobs.dsl.graphs import graph_of
from couler_jobs.dsl.steps import Step
from couler_jobs.dsl.values import Handle, has_value
from couler_jobs.dsl.workflows import Workflow, WorkflowOptions
from couler_jobs.errors import DeclarationError


def as_template(
    scope: recorder.Scope, what: str, function: Callable[..., Any]
) -> Step[..., Any] | Workflow[..., Any]:
    """A step or workflow as it is; a plain function as a workflow, recorded now.

    `what` is the word that takes it, for the name of a lambda and for an error.
    """
    if isinstance(function, Step | Workflow):
        return function
    if not isinstance(function, types.FunctionType):
        raise DeclarationError(
            f"cj.{what} calls a step, a workflow or a function that calls some; {function!r} is "
            "none of them."
        )
    name = f"{what}-round" if function.__name__ == "<lambda>" else function.__name__
    made: Workflow[..., Any] = Workflow(function, WorkflowOptions(name=name))
    graph = graph_of(scope.recording, made, outer=scope)
    if isinstance(graph.returned, Handle) and not has_value(graph.returned):
        graph.returned = None  # a lambda returns what it calls, also what leaves nothing
    return made


def around(scope: recorder.Scope, function: Any) -> tuple[dict[str, Handle], list[str]]:
    """What a call of the function passes of the values around it, and which of it are files."""
    if not isinstance(function, Workflow):
        return {}, []
    return graph_of(scope.recording, function).around()
