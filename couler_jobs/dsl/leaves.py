"""Templates that are no Python functions: what a call gives them, and what it gets back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from couler_jobs.dsl import calls, recorder, values
from couler_jobs.dsl.hooks import Hook
from couler_jobs.dsl.leaf_values import LeafValue, TextValue
from couler_jobs.dsl.locations import Location
from couler_jobs.dsl.producers import Path, Producer
from couler_jobs.dsl.units import literal
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name
from couler_jobs.spec.tags import plain_text

EXPANDED = (
    "{what} holds '{{{{', which Argo would expand: let it come from a step, or leave a file that "
    "holds it to the container."
)


class LeafTemplate:
    """A template that is known from its first call on."""

    def __init__(self, leaf: model.Pod | model.Plain) -> None:
        self.leaf = leaf

    def settle(self) -> bool:
        """Nothing is open."""
        return False

    def templates(self) -> tuple[model.Template]:
        """The template."""
        return (self.leaf,)


class TagValue(Producer):
    """What one of Argo's tags stands for, which is JSON."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._tag = tag

    def parts(self, path: Path) -> tuple[str]:
        """The tag."""
        return (self._tag,)


class Inputs:
    """What one call gives to its template, collected while the template is written."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, model.Text]] = []
        self.files: list[tuple[model.Artifact, model.Artifact | None]] = []
        self.handles: list[Handle] = []

    def text(self, what: str, name: str, value: Any) -> model.Text:
        """A text of the container: what is known now itself, else an input parameter `name`.

        A text arrives as it is, other values as JSON. `what` is how an error calls it.
        """
        if isinstance(value, str):
            return literal(EXPANDED.format(what=what), value)
        value = values.inside(value)
        text, handles = values.text(value)
        if not handles:
            return text
        self.texts.append((name, text))
        self.handles += handles
        plain = isinstance(value, Handle) and not _is_text(value)
        return model.Joined(parts=(model.Input(name=name, plain=plain),))

    def tagged(self, what: str, name: str, value: Any) -> str:
        """The same as the text of a field that is no container's, with Argo's tag in it."""
        if isinstance(value, str):
            return unexpanded(what, value)
        value = values.inside(value)
        if not isinstance(value, Handle):
            raise DeclarationError(f"{what} is {value!r}: it is a text, or the value of a step.")
        found = self._taken(name, value)
        if _is_text(value):
            return "{{inputs.parameters." + found + "}}"
        return "{{=" + plain_text(f"inputs.parameters['{found}']") + "}}"

    def within(self, what: str, value: Any) -> Any:
        """Fields of a template, at any depth, in which the values of steps are texts."""
        if isinstance(value, Mapping):
            return {unexpanded(what, str(k)): self.within(what, one) for k, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(what, one) for one in value]
        if isinstance(value, str | Handle):
            return self.tagged(what, f"value-{len(self.texts) + 1}", value)
        return value

    def argument(self, name: str, value: Any) -> None:
        """An argument of a template known by name only: texts as they are, other values as JSON."""
        text, handles = values.text(value)
        self.texts.append((name, unexpanded(name, value) if isinstance(value, str) else text))
        self.handles += handles

    def document(self, value: Any) -> str:
        """JSON text in which the values of steps stand by Argo's tags."""
        text = values.text(self._with_tags(value))[0]
        return text if isinstance(text, str) else "".join(map(str, text.parts))

    def _with_tags(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._with_tags(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._with_tags(one) for one in value]
        if not isinstance(value, Handle):
            return value
        value = values.inside(value)
        name = self._taken(f"value-{len(self.texts) + 1}", value)
        is_text = _is_text(value)
        tag = f"=toJson(inputs.parameters['{name}'])" if is_text else f"inputs.parameters.{name}"
        return Handle(TagValue("{{" + tag + "}}"))

    def _taken(self, name: str, value: Handle) -> str:
        """The input parameter that has the value."""
        self.texts.append((name, values.text(value)[0]))
        self.handles.append(value)
        return name

    def file(self, path: str, value: Any) -> None:
        """A file that the container finds at `path`."""
        name = f"file-{len(self.files) + 1}"
        value = values.inside(value)
        source = values.file_of(value) if isinstance(value, Handle) else None
        if source is not None:
            taken = model.Artifact(name=name, path=path)
            self.files.append((taken, model.Artifact(name=name, source=source)))
            self.handles.append(value)
        elif isinstance(value, Location):
            self.files.append((model.Artifact(name=name, path=path, extra=value.fields), None))
        else:
            raise DeclarationError(
                f"files={{{path!r}: {value!r}}}: give a file that a step leaves, or where one "
                "lies, such as cj.s3(...)."
            )

    def fields(self) -> dict[str, Any]:
        """The inputs as fields of a template."""
        return {
            "inputs": tuple(model.Parameter(name=name) for name, _ in self.texts),
            "artifacts": tuple(taken for taken, _ in self.files),
        }

    def given_files(self) -> tuple[model.Artifact, ...]:
        """The files that a call gives."""
        return tuple(one for _, one in self.files if one is not None)


def record(
    scope: recorder.Scope,
    leaf: model.Pod | model.Plain,
    inputs: Inputs,
    after: Any = None,
    hooks: tuple[Hook, ...] = (),
) -> Handle:
    """Add a call of the template, which is called as the leaf; the answer is what it leaves."""
    place = scope.place(sys._getframe(1))
    made = _shared(scope.recording, replace(leaf, place=place, **inputs.fields()))
    has_result = isinstance(leaf, model.Pod) or leaf.kind in ("http", "plugin", "data")
    return record_call(
        scope, leaf.name, made.name, inputs, leaf.outputs, after, hooks, has_result=has_result
    )


def record_call(
    scope: recorder.Scope,
    name: str,
    template: str | model.TemplateRef,
    inputs: Inputs,
    outputs: Iterable[model.OutputFile],
    after: Any = None,
    hooks: tuple[Hook, ...] = (),
    *,
    has_result: bool = False,
) -> Handle:
    """Add a call that is given these inputs; the answer is its result, and its outputs by name."""
    depends = calls.depends_on(scope, inputs.handles, after)
    task = scope.record(
        name, template, tuple(inputs.texts), depends, artifacts=inputs.given_files()
    )
    if hooks:
        calls.add_hooks(scope, task, hooks)
    return Handle(LeafValue(scope, task, tuple(outputs), has_result=has_result))


def _shared(recording: recorder.Recording, leaf: model.Pod | model.Plain) -> model.Template:
    """The template that says the same, made at its first use."""
    found: LeafTemplate | None = recording.made.get(leaf)
    if found is None:
        found = LeafTemplate(replace(leaf, name=recording.names.take(leaf.name)))
        recording.made[leaf] = found
        recording.templates.append(found)
    return found.leaf


def _is_text(value: Handle) -> bool:
    """Whether the value is a container's text, and not JSON."""
    return isinstance(values.producer_of(value), TextValue)


def unexpanded(what: str, text: str) -> str:
    """The text, in which there is no tag. Raises `DeclarationError` where Argo would see one."""
    if "{{" in text:
        raise DeclarationError(EXPANDED.format(what=what))
    return text


def output_files(outputs: Mapping[str, Any] | None) -> tuple[model.OutputFile, ...]:
    """Outputs by name: the path of a text, or `cj.file(path)`, which is left as a file."""
    return tuple(_output_file(parameter_name(name), one) for name, one in (outputs or {}).items())


def _output_file(name: str, given: Any) -> model.OutputFile:
    if isinstance(given, str):
        return model.OutputFile(name=name, path=given)
    if isinstance(given, Location) and given.path:
        return model.OutputFile(name=name, path=given.path, kind="artifact", extra=given.fields)
    raise DeclarationError(
        f"outputs={{{name!r}: {given!r}}}: it is the path of a text, or cj.file(path) for a file."
    )
