"""What stands between calls: conditions, loops, and what Argo knows about the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from couler_jobs.dsl import calls, graphs, recorder, steps, values
from couler_jobs.dsl.captured import around, as_template
from couler_jobs.dsl.fits import refuse_items, refuse_unfit
from couler_jobs.dsl.items import Fields, alone, items_of
from couler_jobs.dsl.leaf_values import LeafText
from couler_jobs.dsl.producers import Either, Failures, LoopValue, Variable
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model, wire
from couler_jobs.spec.names import parameter_name

R = TypeVar("R")

LOOP_ITEMS = "loop-items"
"""The input of a loop's graph; no parameter of a function can have this name."""


class Block:
    """What stands behind `with`: calls made inside carry the condition."""

    def __init__(self, scope: recorder.Scope, condition: Condition) -> None:
        self._scope, self._condition = scope, condition
        self._place = scope.place(sys._getframe(2))
        scope.unused[self] = self._place

    def __enter__(self) -> None:
        self._scope.unused.pop(self, None)
        self._under = self._scope.under(self._condition)
        self._under.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._under.__exit__(*error)


def when(condition: object) -> Block:
    """Steps called inside run only if the condition holds: `with cj.when(rows > 0): report(rows)`.

    Conditions are combined with `&`, `|` and `~`. The value of a step that did not run is None.
    """
    scope = recorder.needed("cj.when")
    return Block(scope, values.condition(condition))


def otherwise() -> Block:
    """Steps called inside run only if the condition of the `when` just before did not hold."""
    scope = recorder.needed("cj.otherwise")
    if scope.last_condition is None:
        raise DeclarationError("cj.otherwise() stands after no cj.when(...) of the same workflow.")
    return Block(scope, ~scope.last_condition)


def and_(*terms: object) -> Condition:
    """All of the terms hold."""
    found = [values.condition(term) for term in terms]
    handles = tuple(handle for one in found for handle in one.handles)
    return Condition(model.Every(terms=tuple(one.term for one in found)), handles)


def or_(*terms: object) -> Condition:
    """At least one of the terms holds."""
    found = [values.condition(term) for term in terms]
    handles = tuple(handle for one in found for handle in one.handles)
    return Condition(model.Some(terms=tuple(one.term for one in found)), handles)


def not_(term: object) -> Condition:
    """The term does not hold."""
    return ~values.condition(term)


def _known(choice: Handle) -> model.Reference:
    return values.file_of(choice) or values.reference_of(choice)


def either(*choices: Any) -> Any:
    """The value of the first of several steps that ran, None if none did; or that of loops, [].

    Raises `DeclarationError` for values of loops beside those of single calls.
    """
    scope = recorder.needed("cj.either")
    found: list[model.Output] = []
    for choice in choices or [None]:
        reference = _known(choice) if isinstance(choice, Handle) else None
        if isinstance(reference, model.Either):
            found += reference.outputs
        elif isinstance(reference, model.Output):
            found.append(reference)
        else:
            raise DeclarationError(f"cj.either chooses between steps' values; {choice!r} is none.")
    scope.tasks_of(choices)
    loops = {values.producer_of(choice).is_collected for choice in choices}
    if len(loops) > 1:
        raise DeclarationError(
            "cj.either chooses between the values of single calls, or between those of loops, and "
            "not between both: put each cj.map into a workflow of its own that returns its value."
        )
    made = Either(scope, tuple(found), values.common_hint(choices), is_collected=loops == {True})
    made.json = all(values.is_json(choice) for choice in choices)
    return Handle(made)


# --- loops


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers to loop over, as many as the value of a step says."""

    count: Any
    start: int


def sequence(count: Any, *, start: int = 0) -> Any:
    """As many numbers as a step says, for `cj.map`: `cj.map(load, cj.sequence(pages(day)))`.

    They begin with start. Raises `DeclarationError` for a start that is no whole number.
    """
    if isinstance(start, bool) or not isinstance(start, int):
        raise DeclarationError(f"start={start!r}: it is a whole number.")
    return Numbers(count, start) if isinstance(count, Handle) else range(start, start + count)


def map(function: Callable[..., R], *lists: Any, after: Any = None, **constants: Any) -> list[R]:
    """Call a step (or workflow) once for each item; the answer stands for the list of the values.

    Lists give the step's first parameters, one item of each; a single one may also be the value of
    another step, which is a list when it exists. Keyword arguments are the same in every round.
    The rounds run at the same time. A plain function may call containers and the like:
    `cj.map(lambda day: cj.container("alpine", command=["wc"], args=[day]), days())`.
    """
    scope = recorder.needed("cj.map")
    called = as_template(scope, "map", function)
    more = {"after": after, **constants}
    found: Any = _map(scope, called, [values.inside(one) for one in lists], more)
    return found  # type: ignore[no-any-return]


def _map(scope: recorder.Scope, function: Any, lists: Sequence[Any], more: dict[str, Any]) -> Any:
    if len(lists) == 1 and isinstance(lists[0], Handle):
        return _map_value(scope, function, values.listed(lists[0]), more)
    if len(lists) == 1 and isinstance(lists[0], Numbers):
        return _map_numbers(scope, function, lists[0], more)
    if not lists or any(isinstance(items, Handle | Numbers) for items in lists):
        raise DeclarationError(
            "cj.map takes lists, or the value of one step: put several together in a step."
        )
    columns = [_column(items) for items in lists]
    if len({len(items) for items in columns}) > 1:
        sizes = ", ".join(str(len(items)) for items in columns)
        raise DeclarationError(f"cj.map takes lists of one length; these have {sizes} items.")
    rows = list(zip(*columns, strict=True))
    if any(isinstance(item, Handle) for row in rows for item in row):
        return [function(*row, **more) for row in rows]
    return _map_rows(scope, function, rows, more) if rows else []


def _column(items: Any) -> list[Any]:
    if isinstance(items, str | set | frozenset | Mapping):
        raise DeclarationError(
            f"cj.map takes lists, and {items!r} is a {type(items).__name__}: make a list of it."
        )
    try:
        return list(items)
    except TypeError:
        raise DeclarationError(
            f"cj.map takes lists, or the value of a step, and {items!r} is neither: pass what is "
            "the same in every round by its name."
        ) from None


def _map_rows(
    scope: recorder.Scope, function: Any, rows: Sequence[Sequence[Any]], more: dict[str, Any]
) -> Handle:
    """A loop over items that are known now; under a condition it needs a graph of its own."""
    names = _mapped(function, len(rows[0]), more)
    items, fields = items_of(names, rows)
    for row in rows:
        bound = dict(zip(names, row, strict=True))
        refuse_unfit(function.function.__name__, function.checks, bound)
    if scope.conditions:
        listed = wire.encode([one if isinstance(one, str) else dict(one) for one in items])
        return _loop_graph_call(scope, function, fields, listed, [], more)
    constants, artifacts, sources = _constants(scope, function, more)
    arguments, handles = calls.argument_texts(constants)
    depends = scope.tasks_of([*handles, *sources, *_after(more)])
    loop = model.Loop(items=items)
    task = _record_loop(scope, function, loop, ((*fields, *arguments), artifacts), depends)
    return _loop_value(scope, function, task)


def _loop_value(scope: recorder.Scope, function: Any, task: str) -> Handle:
    is_step = isinstance(function, steps.Step)
    template = (calls.template_of if is_step else graphs.graph_of)(scope.recording, function)
    return Handle(LoopValue(scope, task, template.hint(()), is_written=is_step))


def _record_loop(
    scope: recorder.Scope,
    function: Any,
    loop: model.Loop,
    given: tuple[recorder.Arguments, calls.Sources],
    depends: Iterable[str],
) -> str:
    """Add a call that is a loop, and ask it for what Argo can collect."""
    arguments, artifacts = given
    if isinstance(function, steps.Step):
        template = calls.template_of(scope.recording, function)
        task = scope.record(function.name, template.name, arguments, depends, loop, artifacts)
        template.output(scope, task, (), "round")
        return task
    graph = graphs.graph_of(scope.recording, function)
    graph.name((), "round")
    name = function.template_name
    return scope.record(name, graph.template_name, arguments, depends, loop, artifacts)


def _constants(
    scope: recorder.Scope, function: Any, more: Mapping[str, Any]
) -> tuple[dict[str, Any], calls.Sources, list[Handle]]:
    """What is the same in every round: values, files, and the handles of these."""
    constants = {name: value for name, value in more.items() if name != "after"}
    refuse_unfit(function.function.__name__, function.checks, constants)
    taken, files = around(scope, function)
    return calls.file_arguments([*function.annotations.files, *files], constants | taken)


def _map_value(scope: recorder.Scope, function: Any, over: Handle, more: dict[str, Any]) -> Handle:
    """A loop over a value, which may turn out to have no item, or not to exist."""
    names = _mapped(function, 1, more)
    refuse_items(function.function.__name__, function.checks, names[0], over)
    items = values.items_of(over)
    terms = [_is(items, text) for text in ("[]", wire.NULL)]
    some = Condition(model.Not(term=model.Some(terms=tuple(terms))), (over,))
    text = model.Joined(parts=(items,))
    with scope.under(some):
        return _loop_graph_call(scope, function, alone(*names), text, [over], more)


def _map_numbers(
    scope: recorder.Scope, function: Any, numbers: Numbers, more: dict[str, Any]
) -> Handle:
    """A loop over numbers, of which there may turn out to be none."""
    text, handles = values.text(numbers.count)
    with scope.under(values.compare(numbers.count, ">", 0)):
        fields = alone(*_mapped(function, 1, more))
        return _loop_graph_call(scope, function, fields, text, handles, more, numbers.start)


def _is(value: model.Reference, text: str) -> model.Condition:
    return model.Compare(left=value, operator="==", right=model.Constant(text=text))


def _loop_graph_call(
    scope: recorder.Scope,
    function: Any,
    fields: Fields,
    items: model.Text,
    handles: Sequence[Handle],
    more: dict[str, Any],
    start: int | None = None,
) -> Handle:
    """A loop in a graph of its own, over items, or with `start` over as many numbers as they say.

    Argo gives a loop without items no outputs, and one whose items are all skipped neither outputs
    nor a status, so that nobody could refer to them; a graph that is skipped has a status.
    """
    constants, artifacts, sources = _constants(scope, function, more)
    passed = tuple(constants), tuple(artifact.name for artifact in artifacts)
    template = _loop_graph(scope.recording, function, fields, passed, start)
    arguments, found = calls.argument_texts(constants)
    before = [*handles, *found, *sources, *_after(more)]
    depends = [*scope.tasks_of(before), *scope.condition_tasks()]
    own = ((LOOP_ITEMS, items), *arguments)
    task = scope.record(template, template, own, dict.fromkeys(depends), artifacts=artifacts)
    return _loop_value(scope, function, task)


class LoopTemplate:
    """A graph that is one loop over its input `loop-items`."""

    def __init__(
        self, name: str, scope: recorder.Scope, inputs: Sequence[str], files: Sequence[str]
    ) -> None:
        self._name, self._scope, self._inputs, self._files = name, scope, inputs, files

    def settle(self) -> bool:
        """Nothing is open."""
        return False

    def templates(self) -> tuple[model.Graph]:
        """The graph."""
        calls = self._scope.finished_calls()
        collected = model.Joined(parts=(model.Output(task=calls[0].name, name="round"),))
        graph = model.Graph(
            name=self._name,
            calls=calls,
            inputs=tuple(model.Parameter(name=name) for name in (LOOP_ITEMS, *self._inputs)),
            artifacts=tuple(model.Artifact(name=name) for name in self._files),
            results=(model.Result(name="round", value=collected),),
        )
        return (graph,)


def _loop_graph(
    recording: recorder.Recording,
    function: Any,
    fields: Fields,
    passed: tuple[tuple[str, ...], tuple[str, ...]],
    start: int | None,
) -> str:
    """The name of the graph that loops over the function, made at its first use.

    `passed` are the constants that are values, and those that are files.
    """
    key = (function, fields, passed, start)
    found: str | None = recording.made.get(key)
    if found is None:
        target = function.name if isinstance(function, steps.Step) else function.template_name
        found = recording.names.take(f"{target}-map")
        recording.made[key] = found
        constants, files = passed
        inputs = [parameter_name(constant) for constant in constants]
        scope = recorder.Scope(recording, found)
        own = ((name, model.Joined(parts=(model.Input(name=name),))) for name in inputs)
        arguments = (*fields, *own)
        artifacts = tuple(
            model.Artifact(name=name, source=model.Input(name=name, kind="artifact"))
            for name in files
        )
        recording.templates.append(LoopTemplate(found, scope, inputs, files))
        _record_loop(scope, function, _loop(start), (arguments, artifacts), ())
    return found


def _loop(start: int | None) -> model.Loop:
    """The loop over the input `loop-items`: items, or how many numbers there are from `start`."""
    given = model.Input(name=LOOP_ITEMS)
    if start is None:
        return model.Loop(over=given)
    return model.Loop(sequence=(("count", model.Joined(parts=(given,))), ("start", str(start))))


def _after(more: Mapping[str, Any]) -> list[Handle]:
    after = more.get("after")
    return [] if after is None else calls.followed(after)


def _mapped(function: Any, count: int, more: Mapping[str, Any]) -> list[str]:
    """The parameters that the lists give; wrong arguments are refused as in any call."""
    function.bind([None] * count, {name: v for name, v in more.items() if name != "after"})
    names = list(function.signature.parameters)[:count]
    if files := [name for name in names if name in function.annotations.files]:
        raise DeclarationError(
            f"cj.map gives values, and {files[0]!r} is a file: give it as a keyword, the same in "
            "every round."
        )
    return names


# --- what Argo knows about the run and its steps


def ip(daemon: Any) -> Any:
    """Where a step with `daemon=True` can be reached: `cj.http(["http://", cj.ip(db), ":80/"])`.

    It is a text, known once the daemon is ready: what takes it starts then. Raises
    `DeclarationError` for what is no call.
    """
    scope = recorder.needed("cj.ip")
    task = values.producer_of(daemon).task if isinstance(daemon, Handle) else None
    if task is None:
        raise DeclarationError(f"cj.ip({daemon!r}): it takes what the call of a daemon returned.")
    return Handle(LeafText(scope, model.Output(task=task, name="ip", kind="ip")))


def workflow_status() -> Any:
    """How the workflow ended: "Succeeded", "Failed" or "Error". Only `on_exit` can know it."""
    return Handle(Variable("workflow.status"))


def workflow_failures() -> Any:
    """The failed steps, dicts in a list, None if there are none. Only `on_exit` can know it."""
    return Handle(Failures())


def workflow_name() -> Any:
    """The run's name."""
    return Handle(Variable("workflow.name"))


def workflow_uid() -> Any:
    """The run's uid."""
    return Handle(Variable("workflow.uid"))
