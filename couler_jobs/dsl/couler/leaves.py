"""A step's template, and its call: what it takes becomes inputs, what it leaves handles."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from couler_jobs.dsl import recorder, values
from couler_jobs.dsl.couler.artifacts import Artifact, TypedArtifact
from couler_jobs.dsl.couler.order import local
from couler_jobs.dsl.couler.outputs import (
    FileOutput,
    FileValue,
    Outputs,
    OutputValue,
    flat,
    one_text,
)
from couler_jobs.dsl.couler.recording import recording, scope_now
from couler_jobs.dsl.leaves import LeafTemplate
from couler_jobs.dsl.recorder import Recording, Scope
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names, parameter_name, template_name

RESULT = model.Output(task="", name="result", kind="result", missing="")


class Inputs:
    """What one call gives to its template, collected while the template is written."""

    def __init__(self, scope: Scope, step: str) -> None:
        self._scope, self._step = scope, step
        self._names, self._count = Names(), 0
        self.texts: list[tuple[str, model.Text]] = []
        self.files: list[tuple[model.Artifact, model.Artifact | None]] = []
        self.handles: list[Handle] = []

    def arguments(self, args: Any) -> tuple[model.Text, ...]:
        """The container's arguments, an input parameter each; files become input artifacts."""
        found: list[model.Text] = []
        for given in flat_list(args):
            if isinstance(given, FileOutput | TypedArtifact):
                self.add_file(given)
            else:
                found.append(self.parameter(f"para-{self._step}-{self._count}", given))
                self._count += 1
        return tuple(found)

    def parameter(self, name: str, given: Any) -> model.Text:
        """An input parameter with this value; the answer is what reads it."""
        text, handles = self._text(given)
        self.texts.append((name, text))
        self.handles += handles
        return model.Joined(parts=(model.Input(name=name),))

    def _text(self, given: Any) -> tuple[model.Text, list[Handle]]:
        if not isinstance(given, Handle):
            return plain_text(given)
        found = local(self._scope, given)
        if isinstance(found, FileOutput):
            raise DeclarationError(f"{found!r} is a file: pass it in args= or input=.")
        return model.Joined(parts=(values.reference_of(found),)), [found]

    def add_file(self, given: Any, name: str | None = None) -> None:
        """An input artifact: a file that a step leaves, or one that lies in a store."""
        if isinstance(given, TypedArtifact):
            self.files.append((given.input(self._names.take(name or given.name)), None))
            return
        if not isinstance(given, FileOutput):
            raise DeclarationError(
                f"input={given!r}: it takes artifacts and files that other steps leave."
            )
        found = local(self._scope, given)
        reference: Any = values.reference_of(found)
        taken = self._names.take(name or parameter_name(reference.name))
        self.files.append(
            (
                model.Artifact(name=taken, path=given.path),
                model.Artifact(name=taken, source=reference),
            )
        )
        self.handles.append(found)

    def fields(self) -> dict[str, Any]:
        """The inputs as fields of a template."""
        return {
            "inputs": tuple(model.Parameter(name=name) for name, _ in self.texts),
            "artifacts": tuple(taken for taken, _ in self.files),
        }

    def given_files(self) -> tuple[model.Artifact, ...]:
        """What a call gives besides texts."""
        return tuple(given for _, given in self.files if given is not None)


def flat_list(args: Any) -> list[Any]:
    """Arguments one after another; a single one may stand for itself."""
    if args is None:
        return []
    listed = args if isinstance(args, list | tuple) else [args]
    return [one for given in listed for one in flat(given)]


def plain_text(value: Any) -> tuple[model.Text, list[Handle]]:
    """A value as text; what is no text as JSON."""
    if isinstance(value, str):
        return value, []
    if isinstance(value, Condition):
        raise DeclarationError("A condition cannot be an argument: compute it in the step.")
    return values.text(value)


def outputs_of(output: Any) -> tuple[model.OutputFile, ...]:
    """What a step leaves; names that repeat get an ordinal."""
    names = Names()
    found = []
    listed = output if isinstance(output, list | tuple) else [] if output is None else [output]
    for one in listed:
        if not isinstance(one, Artifact):
            raise DeclarationError(
                f"output={one!r}: declare it with create_parameter_artifact(path) or the like."
            )
        found.append(one.output(names.take(one.name)))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a template asks of its surroundings: of the site's plug-in, and of loops over it."""

    pool: Any = None
    enable_ulogfs: bool = True
    parallelism: int | None = None


def record_leaf(
    name: str,
    leaf: model.Pod | model.Plain,
    inputs: Inputs,
    asked: Asked | None = None,
    default: Sequence[model.Output] = (RESULT,),
) -> Outputs:
    """Add a call of the template to where calls go now; the answer is its outputs.

    `default` are those of a template that declares none.
    """
    scope = scope_now()
    place = scope.place(sys._getframe(1))
    made = _template(scope.recording, name, replace(leaf, place=place), asked)
    task = record_call(scope, name, made.name, inputs)
    outputs = Outputs(_handle(scope, task, output) for output in made.outputs)
    is_script = isinstance(leaf, model.Pod) and leaf.container.source is not None
    if is_script or not len(outputs):
        outputs += [Handle(OutputValue(scope, replace(one, task=task))) for one in default]
    remember(name, task, outputs)
    return outputs


def record_call(
    scope: Scope,
    name: str,
    template: str | model.TemplateRef,
    inputs: Inputs,
) -> str:
    """Add a call that is given these inputs; the answer is its name."""
    depends = dict.fromkeys([*scope.tasks_of(inputs.handles), *scope.condition_tasks()])
    files = inputs.given_files()
    return scope.record(name, template, tuple(inputs.texts), depends, artifacts=files)


def remember(name: str, task: str, outputs: Outputs) -> None:
    """Keep a step's outputs for `get_step_output`."""
    found = recorder.recorded()
    if found is not None:
        known = recording().outputs
        known[name] = known[task] = outputs


def _handle(scope: Scope, task: str, made: model.OutputFile) -> Handle:
    output = model.Output(task=task, name=made.name, kind=made.kind, missing="")
    if made.kind == "artifact":
        return FileOutput(FileValue(scope, output), made.path or "")
    return Handle(OutputValue(scope, output, made.global_name))


def _template(
    recorded: Recording, name: str, leaf: model.Pod | model.Plain, asked: Asked | None
) -> model.Pod | model.Plain:
    """The template that says the same, made at its first use."""
    key = (name, leaf, asked)
    found: LeafTemplate | None = recorded.made.get(key)
    if found is None:
        named = replace(leaf, name=recorded.names.take(name))
        found = LeafTemplate(replace(named, outputs=_global_names(recorded, named.outputs)))
        recorded.made[key] = found
        recorded.templates.append(found)
        if asked is not None:
            recorded.made["asked", found.leaf.name] = asked
    return found.leaf


def asked_of(recorded: Recording, template: object) -> Asked:
    """What the template of this name asks of its surroundings."""
    found: Asked = recorded.made.get(("asked", template), Asked())
    return found


def _global_names(
    recorded: Recording, outputs: Iterable[model.OutputFile]
) -> tuple[model.OutputFile, ...]:
    """The outputs, those that are global with a name that no other of the workflow has."""
    names: Names = recorded.made.setdefault("global names", Names())
    return tuple(
        replace(one, global_name=names.take(one.global_name)) if one.global_name else one
        for one in outputs
    )


def get_step_output(step_name: str) -> Outputs:
    """What the step of this name leaves. Raises `DeclarationError` where there is none yet."""
    known = recording().outputs
    found = known.get(step_name, known.get(template_name(step_name)))
    if found is None:
        names = ", ".join(known) or "none"
        raise DeclarationError(
            f"There is no step {step_name!r} so far (there are: {names}): declare it before, with "
            "step_name=."
        )
    return found


def text_of(value: Any) -> Any:
    """The text that a step's list of outputs stands for; other values stay."""
    found = one_text(value)
    if isinstance(found, FileOutput):
        raise DeclarationError(f"{found!r} is a file, and this takes text: read it in a step.")
    return found
