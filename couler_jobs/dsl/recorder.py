"""What is being declared: graphs under construction, and the templates that they call.

Two ContextVars hold the state, so threads, tasks and nested workflows never mix: the graph that
calls go to, and what Couler's names recorded outside of any workflow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import FrameType
from typing import Any, Protocol

from couler_jobs.dsl.leaf_values import TextInput
from couler_jobs.dsl.place import called_from
from couler_jobs.dsl.producers import (
    FileInput,
    Form,
    InputValue,
    Outputs,
    Path,
    Producer,
)
from couler_jobs.dsl.values import (
    Condition,
    Handle,
    capturing,
    file_of,
    is_json,
    path_of,
    producer_of,
)
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names, parameter_name
from couler_jobs.spec.place import Place

Arguments = tuple[tuple[str, model.Text], ...]


class Scope:
    """One graph under construction.

    What stands inside another one's function (`outer`) may use its values: they are captured.
    """

    def __init__(
        self,
        recording: Recording,
        name: str,
        outer: Scope | None = None,
        inputs: Iterable[str] = (),
    ) -> None:
        self.recording, self.name, self.outer = recording, name, outer
        self.captured: dict[tuple[Producer, Path], tuple[str, Handle, Handle]] = {}
        self._inputs = Names(taken=inputs)
        self.names = Names()
        self.calls: list[model.Call] = []
        self.conditions: list[tuple[model.Condition, tuple[str, ...]]] = []
        self.last_condition: Condition | None = None
        self.outputs: dict[str, Outputs] = {}  #: what is asked of single calls of steps
        self._chosen: dict[str, str] = {}  #: the template of those calls
        self._places: dict[int, Place] = {}
        self.unused: dict[object, Place | None] = {}  #: blocks that no `with` has entered yet
        recording.scopes.append(self)

    def choose_templates(self) -> None:
        """Give each call of a step the template that has just the outputs asked of it."""
        for call in self.calls:
            template = self.recording.varying.get(call.template)
            if template is not None:
                outputs = self.outputs.get(call.name)
                self._chosen[call.name] = template.having(outputs.wanted if outputs else {})

    def finished_calls(self) -> tuple[model.Call, ...]:
        """The calls, when all outputs that are asked for are known."""
        if not self._chosen:
            return tuple(self.calls)
        chosen = self._chosen
        return tuple(
            replace(call, template=chosen[call.name]) if call.name in chosen else call
            for call in self.calls
        )

    def record(
        self,
        name: str,
        template: str | model.TemplateRef,
        arguments: Arguments,
        depends: Iterable[str],
        loop: model.Loop | None = None,
        artifacts: tuple[model.Artifact, ...] = (),
        place: Place | None = None,
    ) -> str:
        """Add a call that follows `depends`, under the conditions around it.

        The answer is its name in this graph.
        """
        task = self.names.take(name)
        self.calls.append(
            model.Call(
                name=task,
                template=template,
                arguments=arguments,
                artifacts=artifacts,
                depends=tuple(depends),
                when=self._when() if self.conditions else None,
                loop=loop,
                place=place or self.place(sys._getframe(1)),
            )
        )
        return task

    def place(self, frame: FrameType) -> Place | None:
        """The user's instruction that led to `frame`."""
        return called_from(frame, self._places)

    def refuse_unused(self) -> None:
        """Raise `DeclarationError` for a condition that stands for nothing, with its place."""
        if not self.unused:
            return
        error = DeclarationError(
            "This condition is never used: write `with cj.when(...):`, and the steps that "
            "depend on it below."
        )
        error.place = str(next(iter(self.unused.values())) or "")
        raise error

    def extend(self, **more: Any) -> None:
        """Give the last call further fields."""
        self.calls[-1] = replace(self.calls[-1], **more)

    def _when(self) -> model.Condition:
        terms = tuple(term for term, _ in self.conditions)
        return terms[0] if len(terms) == 1 else model.Every(terms=terms)

    def condition_tasks(self) -> list[str]:
        """The calls whose outputs the conditions around this place read."""
        return [task for _, tasks in self.conditions for task in tasks]

    @contextmanager
    def under(self, found: Condition) -> Iterator[None]:
        """Calls made inside carry the condition."""
        self.conditions.append((found.term, tuple(self.tasks_of(found.handles))))
        try:
            yield
        finally:
            self.conditions.pop()
            self.last_condition = found

    def tasks_of(self, handles: Iterable[Handle]) -> dict[str, None]:
        """The calls of this graph that the handles come from, each once."""
        found: dict[str, None] = {}
        for handle in handles:
            producer = producer_of(handle)
            if producer.scope is not self and producer.scope is not None:
                raise DeclarationError(
                    f"{handle!r} belongs to another workflow than {self.name}: "
                    "pass it as an argument."
                )
            for task in producer.tasks:
                found[task] = None
        return found

    def inside(self, handle: Handle) -> Handle:
        """The value as this graph has it: one of the graph around it comes in as an input."""
        producer, path = producer_of(handle), path_of(handle)
        if producer.scope is None or producer.scope is self:
            return handle
        key = (producer, path)
        if key not in self.captured:
            name = self._inputs.take(parameter_name(producer.name or producer.task or "value"))
            self.captured[key] = (name, handle, Handle(_input(self, name, handle)))
        return self.captured[key][2]

    def captured_inputs(self) -> tuple[tuple[model.Parameter, ...], tuple[model.Artifact, ...]]:
        """The inputs for what was captured."""
        inner = [(name, file_of(found)) for name, _, found in self.captured.values()]
        return (
            tuple(model.Parameter(name=name) for name, file in inner if file is None),
            tuple(model.Artifact(name=name) for name, file in inner if file is not None),
        )

    def captured_values(self) -> tuple[dict[str, Handle], list[str]]:
        """What a call gives to these inputs, and the names of those that are files."""
        found = {name: handle for name, handle, _ in self.captured.values()}
        return found, [name for name, handle in found.items() if file_of(handle) is not None]

    def taken(self, producer: Producer) -> Producer:
        """What a step returns that only reads the value, whatever the conditions around it."""
        around, self.conditions = self.conditions, []
        try:
            return producer_of(self.recording.take(self, Handle(producer)))
        finally:
            self.conditions = around


def _input(scope: Scope, name: str, handle: Handle) -> Producer:
    """An input of the graph that has the value of the handle."""
    if file_of(handle) is not None:
        return FileInput(scope, name)
    return (InputValue if is_json(handle) else TextInput)(scope, name)


class Finished(Protocol):
    """Something that is made when all calls are known."""

    def settle(self) -> bool:
        """Take up what callers asked for since the last time; whether there was anything."""
        ...

    def templates(self) -> Iterable[model.Template]:
        """The templates as they are then."""
        ...


class Varying(Protocol):
    """A step, of which each set of outputs is a template of its own."""

    def having(self, wanted: Mapping[tuple[Path, Form], str]) -> str:
        """The name of the template with these outputs."""
        ...


class Recording:
    """A workflow under construction: its templates, each once.

    `take` records a call of a step that only returns what it is given.
    """

    def __init__(self, take: Callable[[Scope, Handle], Handle]) -> None:
        self.take = take
        self.names = Names(lower=True)
        self.scopes: list[Scope] = []
        self.made: dict[Any, Any] = {}  #: by what each was made from
        self.templates: list[Finished] = []
        self.varying: dict[object, Varying] = {}  #: by the name that its calls have meanwhile
        self.parameters: tuple[str, ...] = ()  #: the run's own, by their Python names
        self.mounts: tuple[Mapping[str, Any], ...] = ()  #: of every step, in Kubernetes' words
        self.claims: dict[str, None] = {}  #: made for the run, each a JSON text

    def finished(self) -> tuple[model.Template, ...]:
        """All templates, in the order in which they were first used."""
        while any([template.settle() for template in self.templates]):
            pass
        if self.varying:
            for scope in self.scopes:
                scope.choose_templates()
        return tuple(one for template in self.templates for one in template.templates())

    def forget(self) -> None:
        """Let go of all that was recorded: at once, not when cycles are looked for."""
        self.scopes.clear()
        self.made.clear()
        self.templates.clear()
        self.varying.clear()


class Recorded(Protocol):
    """What was recorded outside of any workflow."""

    def finished(self) -> model.Workflow:
        """The workflow that it makes."""
        ...


_scope: ContextVar[Scope | None] = ContextVar("couler_jobs_scope", default=None)
_recorded: ContextVar[Recorded | None] = ContextVar("couler_jobs_recorded", default=None)


def current() -> Scope | None:
    """The graph that calls go to now, or None outside of every workflow."""
    return _scope.get()


def needed(what: str) -> Scope:
    """The graph that calls go to now; `DeclarationError` outside of every workflow."""
    scope = _scope.get()
    if scope is None:
        raise DeclarationError(f"{what} has a meaning only inside a @cj.workflow function.")
    return scope


@contextmanager
def recording_to(scope: Scope | None) -> Iterator[None]:
    """Calls made inside go to `scope`; afterwards, also after an error, where they went before."""
    token = _scope.set(scope)
    captured = capturing.set(None if scope is None or scope.outer is None else scope.inside)
    try:
        yield
    finally:
        capturing.reset(captured)
        _scope.reset(token)


def take_recorded() -> model.Workflow:
    """What Couler's names recorded outside of any workflow; nothing is left, also after an error.

    Raises `DeclarationError` if nothing was recorded.
    """
    found = _recorded.get()
    _recorded.set(None)
    if found is None:
        raise DeclarationError(
            "Nothing was recorded: call couler_jobs.argo.run_container(...) and the like first, "
            "or hand in a @cj.workflow function."
        )
    return found.finished()


def recorded() -> Recorded | None:
    """What Couler's names have recorded so far in this context."""
    return _recorded.get()


def record_into(value: Recorded | None) -> None:
    """Let Couler's names record into `value` from now on."""
    _recorded.set(value)
