"""`repeat`: call a step again and again until something holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from couler_jobs.dsl import calls, recorder, values
from couler_jobs.dsl.captured import as_template
from couler_jobs.dsl.fits import refuse_unfit
from couler_jobs.dsl.kinds import suspend
from couler_jobs.dsl.producers import CallValue, FileInput, Form, InputValue, Outputs, Path
from couler_jobs.dsl.steps import step
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import ROUNDS_LEFT, parameter_name

R = TypeVar("R")

MOST_ROUNDS = 90
"""Argo's controller nests templates 100 deep (`workflow/controller/operator.go`, maxStackDepth).

Each round is one deeper than the one before it; the rest is for what is around and below it.
"""


def repeat(
    function: Callable[..., R],
    /,
    *args: Any,
    until: Callable[[R], Any],
    at_most: int,
    carry: str | Callable[[R], Mapping[str, Any]] | None = None,
    pause: float | str | None = None,
    or_fail: bool = True,
    after: Any = None,
    **arguments: Any,
) -> R:
    """Call a step (or workflow) until something holds of its value; the answer is its last value.

    `cj.repeat(poll, job, until=lambda state: state["done"], at_most=20, pause="30s")` calls
    `poll(job)`, and where `until` does not hold of its value, waits and calls it again.

    carry: what a round hands to the next one: the name of the parameter that takes the value, or a
    function of the value that returns arguments by name; the others stay as they are.
    at_most: how many rounds there are, 90 at most, as Argo nests templates no deeper than 100: a
    round is a template that calls itself. pause: seconds, or "30s", between two rounds. or_fail:
    the run fails where `until` held in none of them; with False the answer is the last value.
    after, and further keywords: of the first round, as in any call.
    `until` and `carry` may use other values of the workflow. Raises `DeclarationError` for what
    makes no sense.
    """
    scope = recorder.needed("cj.repeat")
    called = as_template(scope, "repeat", function)
    _check_rounds(at_most)
    bound = called.bind(args, arguments)
    template = RepeatTemplate(scope, called, bound if carry is None else _whole(called, bound))
    with recorder.recording_to(template.scope):
        template.record(until, carry, pause, at_most if or_fail else 0)
    found: Any = template.call(at_most, after)
    return found  # type: ignore[no-any-return]


def _whole(function: Any, bound: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the defaults of the others: a round may be handed any of them."""
    defaults = {
        name: parameter.default
        for name, parameter in function.signature.parameters.items()
        if parameter.default is not parameter.empty and name not in function.annotations.files
    }
    return defaults | dict(bound)


def _check_rounds(at_most: Any) -> None:
    is_whole = isinstance(at_most, int) and not isinstance(at_most, bool)
    if not is_whole or not 1 <= at_most <= MOST_ROUNDS:
        raise DeclarationError(
            f"at_most={at_most!r}: it is a number of rounds from 1 to {MOST_ROUNDS}, as Argo nests "
            "templates no deeper than 100: let a round do more, or wait in its step."
        )


@step
def give_up(repeated: str, rounds: int) -> None:
    """Fail, because the condition of a loop held in none of its rounds."""
    raise RuntimeError(
        f"{repeated} was repeated until a condition holds, and it held in none of {rounds} rounds"
    )


class RepeatTemplate(Outputs):
    """A graph that is one round and, where the condition does not hold, a call of itself."""

    def __init__(self, scope: recorder.Scope, function: Any, bound: dict[str, Any]) -> None:
        super().__init__()
        self._outer, self._function, self._bound = scope, function, bound
        name = function.name if hasattr(function, "shipped") else function.template_name
        self._repeated = name
        self._name = scope.recording.names.take(f"{name}-repeat")
        self._results: dict[str, model.Result] = {}
        parameters = function.signature.parameters
        self.scope = recorder.Scope(
            scope.recording, self._name, scope, map(parameter_name, parameters)
        )
        self._files = [n for n in function.annotations.files if n in bound]
        self._round: Any = None
        self._again = ""
        scope.recording.templates.append(self)

    # --- what a round is

    def record(self, until: Any, carry: Any, pause: Any, give_up_after: int) -> None:
        """Record a round, and what follows it where `until` does not hold of its value."""
        self._round = self._function(**{name: self._input(name) for name in self._bound})
        carried = _carried(carry, self._round)
        self._check(carried)
        unmet = ~values.condition(until(self._round))
        with self.scope.under(unmet & self._left(">")):
            waited = None if pause is None else suspend(pause, name="pause")
            self._record_next(carried, waited)
        if give_up_after:
            with self.scope.under(unmet & self._left("<=")):
                give_up(self._repeated, give_up_after)

    def _check(self, carried: Mapping[str, Any]) -> None:
        parameters = self._function.signature.parameters
        if unknown := [name for name in carried if name not in parameters]:
            self._function.bind((), dict.fromkeys(unknown))  # raises, and says which there are
        if missing := [name for name in carried if name not in self._bound]:
            raise DeclarationError(
                f"carry hands on the file {missing[0]!r}: the first round has to be given one too."
            )

    def _input(self, name: str) -> Handle:
        return Handle((FileInput if name in self._files else InputValue)(self.scope, name))

    def _left(self, operator: Any) -> Condition:
        left = model.Input(name=ROUNDS_LEFT)
        one = model.Constant(text="1", number=True)
        return Condition(model.Compare(left=left, operator=operator, right=one), ())

    def _record_next(self, carried: Mapping[str, Any], waited: Any) -> None:
        given = {name: carried.get(name, self._input(name)) for name in self._bound}
        left = model.Joined(parts=(model.Less(name=ROUNDS_LEFT),))
        self._again = self._call(self.scope, given, left, waited)

    # --- the call of it

    def call(self, rounds: int, after: Any) -> Handle:
        """Record the call of the first round where the loop stands."""
        refuse_unfit(self._function.function.__name__, self._function.checks, self._bound)
        task = self._call(self._outer, self._bound, str(rounds), after)
        return Handle(CallValue(self._outer, task, self))

    def _call(
        self, scope: recorder.Scope, given: dict[str, Any], left: model.Text, after: Any
    ) -> str:
        """Record a call of this graph in one that it stands in: the one around it, or itself."""
        arguments, artifacts, handles = _texts(self._files, given)
        around, files = self.scope.captured_values()
        if scope is self.scope:
            around = {name: self.scope.inside(handle) for name, handle in around.items()}
        more_arguments, more_artifacts, more_handles = _texts(files, around)
        depends = calls.depends_on(scope, [*handles, *more_handles], after)
        artifacts += more_artifacts
        own = (*arguments, (ROUNDS_LEFT, left), *more_arguments)
        return scope.record(self._name, self._name, own, depends, artifacts=artifacts)

    # --- what it leaves

    def is_json(self, path: Path) -> bool:
        """Whether a round's value is JSON, and no text of a container."""
        return values.producer_of(self._round).is_json(path)

    def hint(self, path: Path) -> Any:
        """What the function's annotations say of the part of its value."""
        return values.producer_of(self._round).hint(path)

    def file(self, path: Path) -> str | None:
        """The output artifact that is the part."""
        is_file = values.producer_of(self._round).file(path) is not None
        return self.name(path, "file") if is_file else None

    def output(self, scope: recorder.Scope, task: str, path: Path, form: Form) -> str:
        """The output's name: all calls have the same outputs."""
        return self.name(path, form)

    def settle(self) -> bool:
        """Add the results that callers asked for since the last time."""
        missing = {n: key for key, n in self.wanted.items() if n not in self._results}
        for name, (path, form) in missing.items():
            self._results[name] = self._result(name, path, form)
        return bool(missing)

    def _result(self, name: str, path: Path, form: Form) -> model.Result:
        """That of the rounds after this one, if there were any, else this one's own."""
        kind: Any = "artifact" if form == "file" else "parameter"
        later = model.Output(task=self._again, name=name, kind=kind)
        own: Any = _part(values.producer_of(self._round), path, form)
        text = model.Joined(parts=(model.Either(outputs=(later, own)),))
        return model.Result(name=name, value=text, kind=kind)

    def templates(self) -> tuple[model.Graph]:
        """The graph, with all results that were asked for."""
        captured, files = self.scope.captured_inputs()
        own = [parameter_name(name) for name in self._bound if name not in self._files]
        graph = model.Graph(
            name=self._name,
            calls=self.scope.finished_calls(),
            inputs=(
                *(model.Parameter(name=name) for name in (*own, ROUNDS_LEFT)),
                *captured,
            ),
            artifacts=(*(model.Artifact(name=parameter_name(n)) for n in self._files), *files),
            results=tuple(self._results.values()),
        )
        return (graph,)


def _texts(
    files: list[str], given: Mapping[str, Any]
) -> tuple[recorder.Arguments, calls.Sources, list[Handle]]:
    """Arguments as texts and as files, and the handles in both."""
    bound, artifacts, sources = calls.file_arguments(files, given)
    arguments, handles = calls.argument_texts(bound)
    return arguments, artifacts, [*handles, *sources]


def _part(producer: Any, path: Path, form: Form) -> model.Reference:
    if form == "file":
        return producer.file(path)  # type: ignore[no-any-return]
    if form == "items":
        return producer.items(path)  # type: ignore[no-any-return]
    return producer.reference(path)  # type: ignore[no-any-return]


def _carried(carry: Any, value: Any) -> dict[str, Any]:
    """The arguments that the next round has of this one's value."""
    if carry is None:
        return {}
    if isinstance(carry, str):
        return {carry: value}
    found = carry(value) if callable(carry) else None
    if isinstance(found, Mapping):
        return dict(found)
    raise DeclarationError(
        f"carry={carry!r}: it is a parameter's name, or a function of the value that returns "
        'arguments by name, such as lambda found: {"model": found.model}.'
    )
