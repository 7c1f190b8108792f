"""Order, conditions, loops, and what runs at the end."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from couler_jobs.dsl import recorder, values
from couler_jobs.dsl.couler.graphs import GraphTemplate, Inside, inside
from couler_jobs.dsl.couler.leaves import asked_of, plain_text, text_of
from couler_jobs.dsl.couler.order import CoulerScope, local
from couler_jobs.dsl.couler.predicates import Repeat, side
from couler_jobs.dsl.couler.recording import couler_scope, recording, scope_now
from couler_jobs.dsl.leaf_values import ItemValue
from couler_jobs.dsl.producers import Variable
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import template_name

Job = Callable[..., Any]


# --- order


def dag(dependency_graph: Sequence[Sequence[Job]]) -> None:
    """Run chains of callables: each follows the one before it in its chain.

    Each callable is called once; calls that say the same (name, template, arguments) are one step.
    """
    scope = couler_scope("dag")
    done: dict[int, list[str]] = {}
    with scope.chains():
        for chain in dependency_graph:
            before: list[str] = []
            for job in chain:
                if id(job) not in done:
                    done[id(job)] = scope.calls_of(_callable("dag", job))
                scope.link(before, done[id(job)])
                before = done[id(job)]


def set_dependencies(step_function: Job, dependencies: str | Sequence[str] | None = None) -> Any:
    """Run a step after the named ones (None: at once), or by an expression of Argo's `depends`.

    Where the function makes several steps, they run one after another.
    """
    scope = couler_scope("set_dependencies")
    _callable("set_dependencies", step_function)
    if isinstance(dependencies, str):
        with scope.after((), dependencies):
            return step_function()
    if not isinstance(dependencies or [], list | tuple):
        raise DeclarationError(f"dependencies={dependencies!r}: it is a list of names or a text.")
    with scope.after([template_name(name) for name in dependencies or ()]):
        return step_function()


def concurrent(function_list: Sequence[Job], subtasks: bool = False) -> list[Any]:
    """Run the callables' steps at the same time.

    With `subtasks` each callable may make several steps, which run one after another.
    """
    scope = couler_scope("concurrent")
    if not isinstance(function_list, list | tuple):
        raise DeclarationError(f"concurrent takes a list of functions, not {function_list!r}.")
    jobs = [_callable("concurrent", job) for job in function_list]
    with scope.together():
        return [_subtask(scope, job) if subtasks else job() for job in jobs]


def _subtask(scope: CoulerScope, job: Job) -> Any:
    return inside(scope, "concurrent", job).call(_name_of(job, "concurrent-task"))


def _name_of(function: Job, default: str) -> str:
    name = str(getattr(function, "__name__", "<lambda>"))
    return default if name == "<lambda>" else template_name(name)


def _callable(what: str, job: Any) -> Job:
    if callable(job):
        return job  # type: ignore[no-any-return]
    raise DeclarationError(f"{what} takes functions that make steps; {job!r} is none.")


# --- conditions


def when(condition: Any, function: Job) -> Any:
    """Run `function`'s steps only if the condition holds."""
    if isinstance(condition, Repeat):
        raise DeclarationError("when needs both sides of a comparison: equal(result, 'heads').")
    _callable("when", function)
    with scope_now().under(_local(values.condition(condition))):
        return function()


def otherwise(function: Job) -> Any:
    """Run `function`'s steps only if the condition of the `when` just before did not hold."""
    scope = scope_now()
    if scope.last_condition is None:
        raise DeclarationError("otherwise(...) stands after no when(...).")
    _callable("otherwise", function)
    with scope.under(~scope.last_condition):
        return function()


def _local(condition: Condition) -> Condition:
    scope = scope_now()
    return scope.condition(condition) if isinstance(scope, CoulerScope) else condition


# --- loops


class Numbers:
    """Numbers to loop over, as Argo counts them."""

    def __init__(self, **fields: Any) -> None:
        self.fields = {name: value for name, value in fields.items() if value is not None}


def sequence(
    count: Any = None, start: Any = None, end: Any = None, format: str | None = None
) -> Numbers:
    """The numbers from `start` (0) on, `count` of them or up to and with `end`, for `map`.

    Each may be another step's output. `format`: how a number is written, such as "%03d".
    """
    if (count is None) == (end is None):
        raise DeclarationError("sequence(...) takes either count= or end=.")
    return Numbers(count=count, start=start, end=end, format=format)


def map(function: Job, *lists: Any) -> Any:
    """Run `function`'s steps once for each item, all rounds at the same time.

    Over a list, a `sequence(...)`, or an output that is a JSON list. Several lists of one length
    give the function one item of each. An output of the answer is the JSON list of all rounds'.
    """
    scope = couler_scope("map")
    rounds = _rounds(scope, lists)
    if rounds is None:
        return []
    found = inside(scope, "map", function, *rounds.items)
    if (call := found.single) is not None:
        return found.inlined(call, rounds.loop, rounds.over)
    name = f"each-{_name_of(function, found.scope.calls[0].name)}"
    asked = [asked_of(scope.recording, one.template).parallelism for one in found.scope.calls]
    limit = min((one for one in asked if one), default=None)
    if limit is None:
        return found.call(name, rounds.loop, rounds.over)
    return _limited(scope, function, lists, name, limit)


def _limited(scope: CoulerScope, function: Job, lists: Sequence[Any], name: str, limit: int) -> Any:
    """The loop in a graph of its own, which is what Argo can limit."""

    def looped() -> Any:
        own = couler_scope("map")
        rounds = _rounds(own, lists)
        assert rounds is not None  # noqa: S101  it was not before
        found = inside(own, "map", function, *rounds.items)
        if (call := found.plain) is not None:
            return found.inlined(call, rounds.loop, rounds.over)
        return found.call(name, rounds.loop, rounds.over)

    return inside(scope, "map", looped).call(f"{name}-limited", parallelism=limit)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """A loop, what stands for the items of one round, and where the items come from."""

    loop: model.Loop
    items: list[Handle]
    over: list[Handle]


def _rounds(scope: CoulerScope, lists: Sequence[Any]) -> _Rounds | None:
    """What is looped over; None if that is nothing."""
    only = lists[0] if len(lists) == 1 else None
    if isinstance(only, Numbers):
        return _counted(scope, only)
    over = text_of(only)
    if isinstance(over, Handle):
        found = local(scope, over)
        return _Rounds(model.Loop(over=values.items_of(found)), [Handle(ItemValue(scope))], [found])
    keys = [f"item-{index}" for index in range(len(lists))]
    loop = _listed(keys, lists)
    items = [Handle(ItemValue(scope, key)) for key in keys]
    return _Rounds(loop, items, []) if loop.items else None


def _counted(scope: CoulerScope, numbers: Numbers) -> _Rounds:
    fields: list[tuple[str, model.Text]] = []
    over: list[Handle] = []
    for name, value in numbers.fields.items():
        given = text_of(value)
        if isinstance(given, Handle):
            over.append(local(scope, given))
            fields.append((name, model.Joined(parts=(values.reference_of(over[-1]),))))
        else:
            fields.append((name, str(given)))
    return _Rounds(model.Loop(sequence=tuple(fields)), [Handle(ItemValue(scope))], over)


def _listed(keys: Sequence[str], lists: Sequence[Any]) -> model.Loop:
    columns = [items if isinstance(items, list | tuple | range) else [items] for items in lists]
    if len({len(items) for items in columns}) != 1:
        sizes = sorted({len(items) for items in columns})
        raise DeclarationError(f"map needs lists of one length, these have {sizes}.")
    rows = zip(*columns, strict=True)
    return model.Loop(
        items=tuple(tuple(zip(keys, (_item(value) for value in row), strict=True)) for row in rows)
    )


def _item(value: Any) -> str:
    text, handles = plain_text(value)
    if handles or not isinstance(text, str):
        raise DeclarationError(
            "The items of a list cannot be outputs of steps: map over one output."
        )
    return text


def exec_while(condition: Any, inner_while: Job) -> Any:
    """Run `inner_while`'s steps, and again as long as what the last one leaves is as asked.

    `exec_while(equal("tails"), flip_coin)`. The answer is what the last round left. Argo stops a
    loop after 100 rounds.
    """
    if not isinstance(condition, Repeat):
        raise DeclarationError("exec_while takes a comparison with one side: equal('tails').")
    scope = couler_scope("exec_while")
    found = inside(scope, "exec_while", inner_while)
    output = side(found.returned)
    if not isinstance(output, Handle):
        raise DeclarationError("exec_while compares what its function returns: return an output.")
    return _again(scope, found, condition, output)


def _again(scope: CoulerScope, found: Inside, condition: Repeat, output: Handle) -> Any:
    """The loop's last step: a call of the loop itself, if the condition holds."""
    own, value = found.scope, condition.value
    name = f"exec-while-{values.producer_of(output).task or own.calls[0].name}"
    template = scope.recording.names.take(name)
    wanted = own.local(value) if isinstance(value, Handle) else value
    with recorder.recording_to(own), own.under(condition.of(own.local(output), wanted)):
        texts, files = own.passed_on()
        again = own.record("again", template, texts, own.condition_tasks(), artifacts=files)
    made = GraphTemplate(template, own, {}, again)
    scope.recording.templates.append(made)
    return found.called(name, made)


# --- the end


class WFStatus(enum.StrEnum):
    """How a workflow ended."""

    Succeeded = "Succeeded"
    Failed = "Failed"
    Error = "Error"


def set_exit_handler(status: str, exit_handler: Job) -> Any:
    """Run `exit_handler`'s steps when the workflow has ended with `status`.

    They read an output of the workflow's steps that was declared with `is_global=True`.
    """
    if status not in WFStatus.__members__:
        raise DeclarationError(
            f"set_exit_handler({status!r}, ...): it is one of {', '.join(WFStatus.__members__)}."
        )
    _callable("set_exit_handler", exit_handler)
    scope = recording().at_end()
    condition = values.compare(Handle(Variable("workflow.status")), "==", str(status))
    with recorder.recording_to(scope), scope.under(condition):
        return exit_handler()
