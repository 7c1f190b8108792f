"""Whether the calls of a workflow's graphs can be put into an order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from couler_jobs.errors import CompileError
from couler_jobs.spec import graph as order
from couler_jobs.spec import model


def check_order(workflow: model.Workflow) -> None:
    """Raise CompileError, with the place of a call, for what could not run, or would never end."""
    for template in workflow.templates:
        if isinstance(template, model.Graph):
            _check(template)
    _refuse_endless(workflow)


def _check(graph: model.Graph) -> None:
    """Refuse a DAG that could not run: equal names, unknown dependencies, cycles."""
    terms = {call.name: order.names_of(call.depends) for call in graph.calls}
    if len(terms) < len(graph.calls):
        name = next(n for n, count in Counter(c.name for c in graph.calls).items() if count > 1)
        said = f"Two calls in {graph.name} have the name {name}: give one of them another."
        raise _refusal(graph, name, said)
    if order.is_ordered(terms):
        return
    if missing := order.unknown(terms):
        name, before = missing
        said = f"{name} in {graph.name} follows {before}, which is no step of it."
        raise _refusal(graph, name, said)
    if ring := order.cycle(terms):
        said = f"The steps of {graph.name} wait for each other: {' -> '.join(ring)}."
        raise _refusal(graph, ring[0], said)


def _refuse_endless(workflow: model.Workflow) -> None:
    """Refuse graphs that call each other in a ring in which nothing is decided."""
    graphs = {one.name: one for one in workflow.templates if isinstance(one, model.Graph)}
    called = {name: list(_called_in_any_case(graph, graphs)) for name, graph in graphs.items()}
    if ring := order.cycle({name: [str(one.template) for one in c] for name, c in called.items()}):
        call = next(one for name in ring for one in called[name] if one.template in ring)
        error = CompileError(
            f"The workflow {ring[0]} calls itself ({' -> '.join(ring)}) and nothing ends that: "
            "call it under a condition."
        )
        error.place = str(call.place or "")
        raise error


def _called_in_any_case(
    graph: model.Graph, graphs: Mapping[str, model.Graph]
) -> Iterator[model.Call]:
    """The calls of graphs that nothing but an error keeps from being made."""
    for call in graph.calls:
        is_graph = isinstance(call.template, str) and call.template in graphs
        if is_graph and call.when is None and call.loop is None and call.depends_on is None:
            yield call


def _refusal(graph: model.Graph, name: str, message: str) -> CompileError:
    """The error with the place of the last call of this name."""
    error = CompileError(message)
    *_, place = (call.place for call in graph.calls if call.name == name)
    error.place = str(place or "")
    return error
