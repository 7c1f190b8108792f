"""A `@workflow` function becomes a graph: run once, with handles in place of its parameters."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from couler_jobs.dsl import calls, recorder, steps, values
from couler_jobs.dsl.fits import refuse, refuse_unfit
from couler_jobs.dsl.hooks import EXIT, Hook
from couler_jobs.dsl.locations import Location
from couler_jobs.dsl.place import placed
from couler_jobs.dsl.producers import (
    CallValue,
    FileInput,
    Form,
    InputValue,
    Outputs,
    Path,
    Variable,
    joined,
)
from couler_jobs.dsl.typed import NOTHING, Annotation, encode, part_of
from couler_jobs.dsl.values import Handle
from couler_jobs.dsl.volumes import merged_claims
from couler_jobs.dsl.workflows import Workflow
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import no_parameter
from couler_jobs.spec import model, wire
from couler_jobs.spec.names import parameter_name, template_name
from couler_jobs.spec.overlay import overlaid
from couler_jobs.spec.place import Place


@steps.step
def take(value: Any) -> Any:
    """Only return the value: a part of a parameter, or of a loop's values, is read from here."""
    return value


def _take(scope: recorder.Scope, handle: Handle) -> Handle:
    return calls.record_call(scope, take, {"value": handle})


def declare(workflow: Workflow[..., Any], given: Mapping[str, Any]) -> model.Workflow:
    """The whole workflow; `given` are values of its parameters."""
    declared, recording = record(workflow, given)
    recording.forget()
    return declared


def record(
    workflow: Workflow[..., Any], given: Mapping[str, Any]
) -> tuple[model.Workflow, recorder.Recording]:
    """The whole workflow, and the recording that tells what its templates were made from."""
    options = workflow.options
    with placed(workflow.function):
        parameters, artifacts = _parameters(workflow, given)
    recording = recorder.Recording(_take)
    recording.parameters = tuple(workflow.signature.parameters)
    recording.mounts = tuple(options.mounted.mounts)
    recording.claims = dict.fromkeys(map(json.dumps, options.mounted.claims))
    with placed(workflow.function):
        entrypoint = graph_of(recording, workflow, entry=True).template_name
        hooks = hook_fields(recording, options.hooks, "workflow", "workflow")
        templates = recording.finished()
    on_exit = hooks.pop(EXIT, {}).get("template")
    declared = model.Workflow(
        kind=options.kind,
        name=workflow.name,
        entrypoint=entrypoint,
        templates=templates,
        parameters=parameters,
        artifacts=artifacts,
        on_exit=on_exit,
        parallelism=options.parallelism,
        timeout=options.timeout,
        labels=tuple(options.labels.items()),
        annotations=tuple(options.annotations.items()),
        schedule=options.schedule,
        extra=_spec_extra(options.extra, hooks, recording.claims),
        place=Place(workflow.function.__code__),
    )
    return declared, recording


def _spec_extra(extra: str, hooks: Mapping[str, Any], claims: Iterable[str]) -> str:
    """The spec's further fields, with hooks and claims where there are any."""
    found: dict[str, Any] = {"hooks": hooks} if hooks else {}
    if claims:
        found["volumeClaimTemplates"] = merged_claims(map(json.loads, claims))
    return json.dumps(overlaid(found, json.loads(extra), "spec_extra")) if found else extra


def _parameters(
    workflow: Workflow[..., Any], given: Mapping[str, Any]
) -> tuple[tuple[model.Parameter, ...], tuple[model.Artifact, ...]]:
    """The run's parameters, and the files that it takes."""
    signature, said = workflow.signature, workflow.annotations
    for name in given:
        if name not in signature.parameters:
            owner = f"The workflow {workflow.name}"
            raise DeclarationError(no_parameter(owner, name, signature.parameters))
    parameters = tuple(
        _parameter(parameter, said.parameters.get(name, NOTHING), given)
        for name, parameter in signature.parameters.items()
        if name not in said.files
    )
    for check in workflow.checks:
        if check.name in given:
            refuse(f"The parameter {check.name!r}", check, given[check.name])
    return parameters, tuple(_file(signature.parameters[name], given) for name in said.files)


def _parameter(
    parameter: inspect.Parameter, said: Annotation, given: Mapping[str, Any]
) -> model.Parameter:
    value = given.get(parameter.name, parameter.default)
    try:
        choices = tuple(map(encode, said.choices))
        text = None if value is parameter.empty else encode(value)
    except DeclarationError as error:
        raise DeclarationError(f"The parameter {parameter.name!r}: {error}") from None
    if choices and text is not None and text not in choices:
        raise DeclarationError(
            f"The parameter {parameter.name!r} is {value!r}: it is one of {', '.join(choices)}."
        )
    return model.Parameter(
        name=parameter_name(parameter.name),
        value=text,
        description=said.description,
        enum=choices,
    )


def _file(parameter: inspect.Parameter, given: Mapping[str, Any]) -> model.Artifact:
    """A file that the run takes: where it lies, or still to be said."""
    value = given.get(parameter.name)
    if value is not None and not isinstance(value, Location):
        raise DeclarationError(
            f"The parameter {parameter.name!r} is a file, and {value!r} is none: say where it "
            "lies, such as cj.s3(...)."
        )
    fields = value.fields if value is not None else "{}"
    if value is None and parameter.default is None:
        fields = '{"optional": true}'
    return model.Artifact(name=parameter_name(parameter.name), extra=fields)


class GraphTemplate(Outputs):
    """A workflow function's template; what it returns is known when the function has been run."""

    def __init__(
        self, name: str, workflow: Workflow[..., Any] | None = None, *, entry: bool = False
    ) -> None:
        super().__init__()
        self.template_name, self.workflow, self.entry = name, workflow, entry
        self.scope: recorder.Scope | None = None
        self.returned: Any = None
        self.results: dict[str, model.Result] = {}
        self.extra = "{}"
        self.parallelism: int | None = None

    def run(self, scope: recorder.Scope, function: Any, arguments: Mapping[str, Any]) -> None:
        """Run the function once and keep what it recorded and returned."""
        self.scope = scope
        with recorder.recording_to(scope), _explained():
            self.returned = function(**arguments)
            scope.refuse_unused()
        if self.entry:
            self._add_entry_results()

    def _add_entry_results(self) -> None:
        several = self.returned if isinstance(self.returned, dict) else {"value": self.returned}
        for key, value in several.items():
            if value is not None:
                self._add(parameter_name(str(key)), value, "value", is_global=True)

    def is_json(self, path: Path) -> bool:
        """Whether the function returns JSON, and no text of a container."""
        value = self.returned
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return not isinstance(value, Handle) or values.is_json(value)

    def hint(self, path: Path) -> Any:
        """What the annotation of its value says of the part at `path`, or that of what it calls."""
        said = None if self.workflow is None else self.workflow.annotations.value.hint
        if said not in (None, Any):
            return part_of(said, path)
        found = self._returned(path)
        return None if found is None else values.said_of(found)

    def file(self, path: Path) -> str | None:
        """The output artifact that is the part at `path`, by an annotation or by what it calls."""
        is_said = self.workflow is not None and path in self.workflow.annotations.kept
        found = None if is_said else self._returned(path)
        if is_said or (found is not None and values.file_of(found) is not None):
            return self.name(path, "file")
        return None

    def _returned(self, path: Path) -> Handle | None:
        """The part at `path` of what the function returned, where a call returns just that."""
        value = self.returned
        for at, key in enumerate(path):
            if isinstance(value, Handle):
                producer = values.producer_of(value)
                rest = (*values.path_of(value), *path[at:])
                return Handle(producer, rest) if isinstance(producer, CallValue) else None
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, Handle) else None

    def output(self, scope: recorder.Scope, task: str, path: Path, form: Form) -> str:
        """The output's name: all calls have the same outputs."""
        return self.name(path, form)

    def settle(self) -> bool:
        """Add the results that callers asked for since the last time."""
        missing = {n: key for key, n in self.wanted.items() if n not in self.results}
        for name, (path, form) in missing.items():
            self._add(name, self._part(path), form, is_global=False)
        return bool(missing)

    def _part(self, path: Path) -> Any:
        value = self.returned
        for key in path:
            try:
                value = value[key]
            except (LookupError, TypeError):
                raise DeclarationError(
                    f"What {self.template_name} returns has no {key!r}, which its caller reads."
                ) from None
        return value

    def _add(self, name: str, value: Any, form: Form, *, is_global: bool) -> None:
        file = values.file_of(value) if isinstance(value, Handle) else None
        if file is not None:
            self._add_file(name, file, is_global=is_global)
            return
        if form == "file":
            raise DeclarationError(
                f"{self.template_name} is annotated to return a file, and returns {value!r}."
            )
        text, handles = _items_text(value) if form == "items" else values.text(value)
        if form == "round":
            parts = (text,) if isinstance(text, str) else text.parts
            text = joined((wire.ROUND, *parts))
        assert self.scope is not None  # noqa: S101  set by run
        self.scope.tasks_of(handles)
        self.results[name] = model.Result(
            name=name, value=text, global_name=name if is_global else None
        )

    def _add_file(
        self, name: str, file: model.Output | model.Either | model.Input, *, is_global: bool
    ) -> None:
        self.results[name] = model.Result(
            name=name,
            value=model.Joined(parts=(file,)),
            kind="artifact",
            global_name=name if is_global else None,
        )

    def templates(self) -> tuple[model.Graph]:
        """The template, with all results that were asked for."""
        assert self.scope is not None  # noqa: S101  set by run
        if not self.scope.calls:
            self._refuse_empty()
        with placed(self.workflow.function if self.workflow else None):
            inputs, artifacts = _inputs(self.workflow)
        more, files = self.scope.captured_inputs()
        graph = model.Graph(
            name=self.template_name,
            calls=self.scope.finished_calls(),
            inputs=(*inputs, *more),
            artifacts=(*artifacts, *files),
            results=tuple(self.results.values()),
            parallelism=self.parallelism,
            extra=self.extra,
            place=None if self.workflow is None else Place(self.workflow.function.__code__),
        )
        return (graph,)

    def around(self) -> tuple[dict[str, Handle], list[str]]:
        """What a call passes of the values around the function, and which of it are files."""
        return self.scope.captured_values() if self.scope else ({}, [])

    def _refuse_empty(self) -> NoReturn:
        with placed(self.workflow.function if self.workflow else None):
            raise DeclarationError(f"The workflow {self.template_name} calls no step.")


@contextmanager
def _explained() -> Iterator[None]:
    """What Python says of a `Handle` is told with what that is."""
    try:
        yield
    except (TypeError, AttributeError) as error:
        if "Handle" in str(error):
            error.add_note(
                "A Handle stands for a value that exists only when the workflow runs: pass it to a "
                "step as it is, and compute in the step."
            )
        raise


def _inputs(
    workflow: Workflow[..., Any] | None,
) -> tuple[tuple[model.Parameter, ...], tuple[model.Artifact, ...]]:
    if workflow is None:
        return (), ()
    signature, said = workflow.signature, workflow.annotations
    return (
        tuple(calls.input_parameters(signature, said, workflow.checks)),
        tuple(calls.input_files(signature, said.files)),
    )


def _items_text(value: Any) -> tuple[model.Text, list[Handle]]:
    """A list as JSON text of JSON texts."""
    if isinstance(value, Handle):
        listed = values.listed(value)
        return model.Joined(parts=(values.items_of(listed),)), [listed]
    if isinstance(value, list | tuple):
        return wire.encode([wire.encode(item) for item in value]), []
    raise DeclarationError(f"{value!r} is no list that could be looped over.")


def graph_of(
    recording: recorder.Recording,
    workflow: Workflow[..., Any],
    *,
    entry: bool = False,
    outer: recorder.Scope | None = None,
) -> GraphTemplate:
    """The workflow's template in this recording, recorded at its first call.

    A call of it from its own function finds it here already: so a workflow may call itself. One
    that stands inside the function of another graph, `outer`, may use its values.
    """
    found: GraphTemplate | None = recording.made.get(workflow)
    if found is None:
        name = recording.names.take(workflow.template_name)
        found = GraphTemplate(name, workflow, entry=entry)
        if not entry:
            found.extra, found.parallelism = workflow.options.locks, workflow.options.parallelism
        recording.made[workflow] = found
        recording.templates.append(found)
        inputs = map(parameter_name, workflow.signature.parameters)
        scope = recorder.Scope(recording, workflow.function.__name__, outer, inputs)
        files = workflow.annotations.files
        handles = {
            name: Handle((FileInput if name in files else InputValue)(scope, name))
            for name in workflow.signature.parameters
        }
        found.run(scope, workflow.function, handles)
    return found


def hook_fields(
    recording: recorder.Recording, hooks: Sequence[Hook], subject: str, owner: str
) -> dict[str, Any]:
    """Argo's `hooks` by name; `subject` is what their conditions are about."""
    return {
        hook.name: {"template": _hook_graph(recording, hook, owner)} | hook.condition(subject)
        for hook in hooks
    }


def _hook_graph(recording: recorder.Recording, hook: Hook, owner: str) -> str:
    """The name of the template that a hook runs; its parameters are the run's own."""
    word = "on_exit" if hook.name == EXIT else f"the hook {hook.name}"
    function = hook.function.function if isinstance(hook.function, Workflow) else hook.function
    if not callable(function):
        raise DeclarationError(f"{word}={function!r} is neither a step nor a function.")
    found: str | None = recording.made.get((EXIT, owner == "workflow", hook))
    if found is None:
        graph = GraphTemplate(recording.names.take(_hook_name(hook, owner)))
        recording.templates.append(graph)
        found = recording.made[EXIT, owner == "workflow", hook] = graph.template_name
        scope = recorder.Scope(recording, word)
        graph.run(scope, function, _run_parameters(recording, function, word))
    return found


def _hook_name(hook: Hook, owner: str) -> str:
    name = "on-exit" if hook.name == EXIT else template_name(hook.name)
    return name if owner == "workflow" else f"{owner}-{name}"


def _run_parameters(
    recording: recorder.Recording, function: Callable[..., Any], word: str
) -> dict[str, Handle]:
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in recording.parameters:
            tag = f"workflow.parameters.{parameter_name(name)}"
            arguments[name] = Handle(Variable(tag, json=True))
        elif parameter.default is parameter.empty:
            raise DeclarationError(f"{word} takes {name!r}, but the run has no such parameter.")
    return arguments


def call_workflow(
    scope: recorder.Scope,
    workflow: Workflow[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Handle:
    """Record a call of a workflow in another one, or in itself."""
    after = kwargs.pop("after", None)
    bound = workflow.bind(args, kwargs)
    template = graph_of(scope.recording, workflow)
    around, files = template.around()
    files += workflow.annotations.files
    bound, artifacts, sources = calls.file_arguments(files, bound | around)
    arguments, handles = calls.argument_texts(bound)
    refuse_unfit(workflow.function.__name__, workflow.checks, bound)
    depends = calls.depends_on(scope, [*handles, *sources], after)
    name = template.template_name
    task = scope.record(workflow.template_name, name, arguments, depends, artifacts=artifacts)
    if workflow.options.hooks:
        calls.add_hooks(scope, task, workflow.options.hooks)
    return Handle(CallValue(scope, task, template))
