"""Several steps as one: a graph of its own, and the call of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from couler_jobs.dsl import recorder
from couler_jobs.dsl.couler.leaves import asked_of
from couler_jobs.dsl.couler.order import CoulerScope, is_file
from couler_jobs.dsl.couler.outputs import FileOutput, FileValue, OutputValue, mapped
from couler_jobs.dsl.producers import Path
from couler_jobs.dsl.recorder import Scope
from couler_jobs.dsl.values import Handle, producer_of, reference_of
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names


def inside(scope: Scope, what: str, function: Callable[..., Any], *args: Any) -> Inside:
    """Call the function; what it records goes to a graph of its own."""
    if not callable(function):
        raise DeclarationError(f"{what} calls {function!r}, which is no function.")
    own = CoulerScope(scope.recording, what, outer=scope)
    with recorder.recording_to(own):
        returned = function(*args)
    if not own.calls:
        raise DeclarationError(f"{what}: its function makes no step.")
    return Inside(own, returned)


class Inside:
    """What a function recorded in a graph of its own, and what it returned."""

    def __init__(self, scope: CoulerScope, returned: Any) -> None:
        self.scope, self.returned = scope, returned

    @property
    def plain(self) -> model.Call | None:
        """The only call, where a loop can be put on the call itself."""
        call = self.scope.calls[0]
        bare = call.when is None and call.loop is None and call.depends_on is None
        return call if len(self.scope.calls) == 1 and bare and not self.scope.outputs else None

    @property
    def single(self) -> model.Call | None:
        """The same, if nothing limits how many of its rounds run at the same time."""
        call = self.plain
        if call is None or asked_of(self.scope.recording, call.template).parallelism:
            return None
        return call

    def call(
        self,
        name: str,
        loop: model.Loop | None = None,
        over: Sequence[Handle] = (),
        **fields: Any,
    ) -> Any:
        """Add the call of the graph to the one around it; the answer is what it returns there.

        `over` is what the loop's items come from, `fields` are further ones of `model.Graph`.
        """
        return self.called(name, self._template(name, fields), loop, over)

    def called(
        self,
        name: str,
        template: GraphTemplate,
        loop: model.Loop | None = None,
        over: Sequence[Handle] = (),
    ) -> Any:
        """The same with the template that was made for it."""
        scope = self._outer
        texts, files, depends = self._given(over)
        task = scope.record(name, template.name, texts, depends, loop, files)
        return mapped(self.returned, lambda one: template.seen(self.scope, scope, task, one))

    @property
    def _outer(self) -> Scope:
        assert self.scope.outer is not None  # noqa: S101  it was made with one
        return self.scope.outer

    def _given(
        self, over: Sequence[Handle]
    ) -> tuple[recorder.Arguments, tuple[model.Artifact, ...], dict[str, None]]:
        texts, files, handles = self.scope.given()
        scope = self._outer
        depends = [*scope.tasks_of([*over, *handles]), *scope.condition_tasks()]
        return texts, files, dict.fromkeys(depends)

    def _template(self, name: str, fields: dict[str, Any]) -> GraphTemplate:
        """The template that says the same, made at its first use."""
        recording = self.scope.recording
        key = ("graph", name, self.scope.order(), *self.scope.taken_in().values(), *fields.items())
        found: GraphTemplate | None = recording.made.get(key)
        if found is None:
            found = GraphTemplate(recording.names.take(name), self.scope, fields)
            recording.made[key] = found
            recording.templates.append(found)
        return found

    def inlined(self, call: model.Call, loop: model.Loop, over: Sequence[Handle]) -> Any:
        """Add the only call itself to the graph around it, as a loop."""
        scope = self._outer
        meant = {name: reference for reference, (name, _) in self.scope.inputs.items()}
        texts = tuple((name, _text(text, meant)) for name, text in call.arguments)
        files = tuple(_file(artifact, meant) for artifact in call.artifacts)
        depends = self._given(over)[2]
        template: Any = call.template
        task = scope.record(call.name, template, texts, depends, loop, files)
        return mapped(self.returned, lambda handle: self._outside(scope, task, handle))

    def _outside(self, scope: Scope, task: str, handle: Handle) -> Handle:
        producer = producer_of(handle)
        if producer.scope is not self.scope:
            return handle
        if isinstance(producer, OutputValue):
            return Handle(OutputValue(scope, replace(producer.output, task=task)))
        raise DeclarationError(f"{handle!r}: Argo collects no files of a loop. Read them in it.")


def _text(text: model.Text, meant: dict[str, model.Reference]) -> model.Text:
    """The text with what its inputs stand for in place of them."""
    if isinstance(text, str):
        return text
    parts = tuple(
        meant.get(part.name, part) if isinstance(part, model.Input) else part for part in text.parts
    )
    return model.Joined(parts=parts)


def _file(artifact: model.Artifact, meant: dict[str, model.Reference]) -> model.Artifact:
    source: Any = artifact.source
    if isinstance(source, model.Input):
        source = meant.get(source.name, source)
    return replace(artifact, source=source)


class GraphOutput(OutputValue):
    """What one step of a graph leaves, for the graph around it. The graph gives it when asked."""

    def __init__(self, scope: Scope, task: str, template: GraphTemplate, inner: Handle) -> None:
        super().__init__(scope, model.Output(task=task, name=producer_of(inner).label, missing=""))
        self._template, self._inner = template, inner

    def reference(self, path: Path) -> model.Reference:
        """The output parameter that holds it."""
        super().reference(path)
        return replace(self.output, name=self._template.result(self._inner))


class GraphFile(FileValue):
    """The same for a file."""

    def __init__(self, scope: Scope, task: str, template: GraphTemplate, inner: Handle) -> None:
        output = model.Output(task=task, name=producer_of(inner).label, kind="artifact", missing="")
        super().__init__(scope, output)
        self._template, self._inner = template, inner

    def reference(self, path: Path) -> model.Reference:
        """The output artifact that holds it."""
        return replace(self.output, name=self._template.result(self._inner))


class GraphTemplate:
    """A graph's template. It gives those outputs that somebody asks for.

    `again` is the call of itself, where it has one.
    """

    def __init__(
        self, name: str, scope: CoulerScope, fields: dict[str, Any], again: str | None = None
    ) -> None:
        self.name, self._scope, self._fields, self._again = name, scope, fields, again
        self._results: dict[model.Reference, model.Result] = {}
        self._names = Names()

    def seen(self, own: Scope, scope: Scope, task: str, handle: Handle) -> Handle:
        """What a handle of the graph `own` is in the graph `scope`, which calls it."""
        if producer_of(handle).scope is not own:
            return handle
        if isinstance(handle, FileOutput):
            return FileOutput(GraphFile(scope, task, self, handle), handle.path)
        return Handle(GraphOutput(scope, task, self, handle))

    def result(self, handle: Handle) -> str:
        """The name of the output that holds it, made at the first request."""
        reference = reference_of(handle)
        if reference not in self._results:
            kind: Any = "artifact" if is_file(reference) else "parameter"
            name = self._names.take(_result_name(reference))
            found: model.Reference = reference
            if self._again is not None and isinstance(reference, model.Output):
                later = model.Output(task=self._again, name=name, kind=kind, missing="")
                found = model.Either(outputs=(later, reference))
            value = model.Joined(parts=(found,))
            self._results[reference] = model.Result(name=name, value=value, kind=kind)
        return self._results[reference].name

    def settle(self) -> bool:
        """Nothing is open."""
        return False

    def templates(self) -> tuple[model.Template]:
        """The template, with all outputs that were asked for."""
        calls, groups = self._scope.order()
        graph = model.Graph(
            name=self.name,
            calls=calls,
            groups=groups,
            results=tuple(self._results.values()),
            **self._scope.taken_in(),
            **self._fields,
        )
        return (graph,)


def _result_name(reference: model.Reference) -> str:
    if isinstance(reference, model.Output):
        return f"{reference.task}-{reference.name}"
    return reference.name if isinstance(reference, model.Input) else "value"
