"""What makes the values that handles stand for: calls, loops, parameters, Argo's variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from couler_jobs.dsl.typed import part_of
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model, wire
from couler_jobs.spec.names import Names, parameter_name

if TYPE_CHECKING:
    from couler_jobs.dsl.recorder import Scope

Path = tuple[str | int, ...]
Form = Literal["value", "items", "round", "file"]


class Producer:
    """Something that makes a value. `scope` is the graph it belongs to, `task` the call in it.

    `tasks` are the calls that must have ended before the value exists.
    """

    json = True  #: whether the text is JSON (else a container's plain text)
    has_result = True  #: whether there is a value, and not only outputs by name
    is_collected = False  #: whether what is found is a loop's list of JSON texts
    name = ""  #: what an input is called

    @property
    def may_hold_files(self) -> bool:
        """Whether there may be files inside of the value, so that its annotation is looked at."""
        return True

    _text: model.Text | None = None

    def __init__(self, label: str, scope: Scope | None = None, task: str | None = None) -> None:
        self._label, self.scope, self.task = label, scope, task
        self.tasks: tuple[str, ...] = () if task is None else (task,)

    @property
    def label(self) -> str:
        """What errors call it."""
        return self._label

    def part(self, path: Path, key: str | int) -> tuple[Producer, Path]:
        """What a handle stands for that is `key` of this one's part at `path`."""
        return self, (*path, key)

    def listed(self) -> Producer:
        """What can say the items of the value."""
        return self

    def is_json(self, path: Path) -> bool:
        """Whether the text of the part at `path` is JSON."""
        return self.json

    def hint(self, path: Path) -> Any:
        """The annotation of the part at `path`; None where nothing is said."""
        return None

    def written(self, path: Path) -> Any:
        """The same of what a Python function writes as JSON: no text that may say anything."""
        return None

    def file(self, path: Path) -> model.Output | model.Either | model.Input | None:
        """Where the part at `path` is found if it is a file, else None."""
        return None

    def reference(self, path: Path) -> model.Reference:
        """Where the part at `path` is found."""
        raise NotImplementedError

    def items(self, path: Path) -> model.Reference:
        """Where the part at `path`, a list, is found as a JSON list of JSON texts."""
        raise DeclarationError(f"{self.label} is no list that could be looped over.")

    def parts(self, path: Path) -> tuple[str | model.Reference, ...]:
        """JSON text of the part, in pieces."""
        return (self.reference(path),)

    def text(self, path: Path) -> model.Text:
        """JSON text of the part, made once for the whole value."""
        if path:
            return joined(self.parts(path))
        if self._text is None:
            self._text = joined(self.parts(()))
        return self._text


class Variable(Producer):
    """A variable of Argo's, such as `workflow.status`: plain text, or JSON if it says so."""

    def __init__(self, name: str, *, json: bool = False) -> None:
        super().__init__(name)
        self.json = json
        self._name = name

    def reference(self, path: Path) -> model.Reference:
        """The variable; it has no parts."""
        whole(self, path)
        return model.Variable(name=self._name)

    def parts(self, path: Path) -> tuple[str | model.Reference, ...]:
        """JSON text of the variable, whose own text needs no escapes."""
        quote = "" if self.json else '"'
        return (quote, self.reference(path), quote)


class Failures(Variable):
    """`workflow.failures`: a JSON list as a JSON text."""

    def __init__(self) -> None:
        super().__init__("workflow.failures")

    def parts(self, path: Path) -> tuple[str | model.Reference, ...]:
        """JSON text that is read as the list."""
        return _collected(self.reference(path))


class InputValue(Producer):
    """An input parameter of the graph that is being recorded. A step takes it apart if need be."""

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(f"the parameter {name!r}", scope)
        self.name = parameter_name(name)

    def part(self, path: Path, key: str | int) -> tuple[Producer, Path]:
        """A part of what a step says that only reads the parameter."""
        return _take(self).part(path, key)

    def reference(self, path: Path) -> model.Reference:
        """The parameter."""
        return model.Input(name=self.name)

    def listed(self) -> Producer:
        """A step that only reads the parameter, and can say its items."""
        return _take(self)


class FileInput(Producer):
    """An input of the graph that is being recorded, which is a file."""

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(f"the parameter {name!r}", scope)
        self.name = parameter_name(name)

    def file(self, path: Path) -> model.Input:
        """The input artifact; it has no parts."""
        whole(self, path)
        return model.Input(name=self.name, kind="artifact")

    def reference(self, path: Path) -> NoReturn:
        """A file has no text."""
        refuse_file(self)


class CallValue(Producer):
    """What a call returns: its template gives the parts that others ask for."""

    scope: Scope
    task: str

    def __init__(self, scope: Scope, task: str, called: Called) -> None:
        # A workflow has thousands of these: what can be said of one is worked out when asked for.
        self.scope, self.task, self._called = scope, task, called
        self.tasks = (task,)

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"the value of {self.task}"

    @property
    def may_hold_files(self) -> bool:
        """Whether there may be files inside of the value: said for a whole template at once."""
        return self._called.may_hold_files

    def is_json(self, path: Path) -> bool:
        """Whether it is: what a workflow returns may be a container's text."""
        return self._called.is_json(path)

    def hint(self, path: Path) -> Any:
        """What the annotations of the step or workflow say of the part."""
        return self._called.hint(path)

    def written(self, path: Path) -> Any:
        """The same of a step; what a workflow returns may be anybody's text."""
        return self._called.written(path)

    def file(self, path: Path) -> model.Output | None:
        """The output artifact that is the part."""
        name = self._called.file(path)
        return None if name is None else model.Output(task=self.task, name=name, kind="artifact")

    def reference(self, path: Path) -> model.Output:
        """The output parameter that holds the part."""
        if self._called.file(path) is not None:
            refuse_file(self)
        return self._output(path, "value")

    def parts(self, path: Path) -> tuple[model.Output]:
        """The same, which is all of the text."""
        return (self.reference(path),)

    def text(self, path: Path) -> model.Text:
        """The same as text, made once for the whole value."""
        if path:
            return model.Joined(parts=(self.reference(path),))
        if self._text is None:
            self._text = model.Joined(parts=(self.reference(()),))
        return self._text

    def items(self, path: Path) -> model.Reference:
        """The output parameter that holds the part's items."""
        return self._output(path, "items")

    def _output(self, path: Path, form: Form) -> model.Output:
        return model.Output(
            task=self.task, name=self._called.output(self.scope, self.task, path, form)
        )


class LoopValue(Producer):
    """What a loop returns: Argo collects its values as a JSON list of JSON texts."""

    is_collected = True

    def __init__(self, scope: Scope, task: str, hint: Any, *, is_written: bool) -> None:
        super().__init__(f"the values of {task}", scope, task)
        self._hint, self._is_written = None if hint is None else list[hint], is_written
        self._output = model.Output(task=task, name="round", missing="[]")

    def part(self, path: Path, key: str | int) -> tuple[Producer, Path]:
        """A part of what a step says that only reads the list."""
        return _take(self).part(path, key)

    def hint(self, path: Path) -> Any:
        """A list of what the annotation of the step or workflow says."""
        return part_of(self._hint, path)

    def written(self, path: Path) -> Any:
        """The same of a step; what a workflow returns may be anybody's text."""
        return self._hint if self._is_written and not path else None

    def reference(self, path: Path) -> model.Reference:
        """The collected list."""
        return self._output

    def items(self, path: Path) -> model.Reference:
        """The collected list, whose items are JSON texts already."""
        return self._output

    def parts(self, path: Path) -> tuple[str | model.Reference, ...]:
        """JSON text that is read as the list of the values."""
        return _collected(self._output)


class Either(Producer):
    """The value of the first of several calls that ran: all of them loops, or none."""

    def __init__(
        self,
        scope: Scope | None,
        found: tuple[model.Output, ...],
        hint: Any,
        *,
        is_collected: bool,
    ) -> None:
        super().__init__("one of several values", scope)
        self._hint, self.is_collected = hint, is_collected
        self._found = model.Either(outputs=found, missing="[]" if is_collected else wire.NULL)
        self.tasks = tuple(dict.fromkeys(output.task for output in found))
        self._is_file = any(output.kind == "artifact" for output in found)

    def hint(self, path: Path) -> Any:
        """The annotation that all of them have."""
        return part_of(self._hint, path)

    def file(self, path: Path) -> model.Either | None:
        """The first that ran, where they are files."""
        return self._found if self._is_file else None

    def part(self, path: Path, key: str | int) -> tuple[Producer, Path]:
        """A part of what a step says that only reads the value."""
        return _take(self).part(path, key)

    def listed(self) -> Producer:
        """A step that only reads the value, and can say its items, as a loop can itself."""
        return self if self.is_collected else _take(self)

    def reference(self, path: Path) -> model.Reference:
        """The first that ran."""
        if self._is_file:
            refuse_file(self)
        return self._found

    def items(self, path: Path) -> model.Reference:
        """What a loop collected, whose items are JSON texts already."""
        return self._found

    def text(self, path: Path) -> model.Text:
        """The same, or a container's text as it is."""
        return super().text(path) if self.json else model.Joined(parts=(self.reference(path),))

    def parts(self, path: Path) -> tuple[str | model.Reference, ...]:
        """JSON text of the value; a container's text, which may be no JSON, cannot stand in it."""
        if not self.json:
            raise DeclarationError(
                f"{self.label} is text, which cannot stand inside a list or mapping: "
                "pass it as an argument of its own."
            )
        found = self.reference(path)
        return _collected(found) if self.is_collected else (found,)


class Called(Protocol):
    """The template of a step or workflow, as a call of it sees it."""

    @property
    def may_hold_files(self) -> bool:
        """Whether there may be files inside of what it returns, in any part."""
        ...

    def is_json(self, path: Path) -> bool:
        """Whether the text of the part at `path` is JSON."""
        ...

    def hint(self, path: Path) -> Any:
        """The annotation of the part at `path`; None where nothing is said."""
        ...

    def written(self, path: Path) -> Any:
        """The annotation of the part at `path` as far as it tells what JSON has there, or None."""
        ...

    def file(self, path: Path) -> str | None:
        """The name of the output artifact that is the part at `path`; None if it is no file."""
        ...

    def output(self, scope: Scope, task: str, path: Path, form: Form) -> str:
        """The name of the output that gives the part to those who follow this call."""
        ...


class Outputs:
    """The outputs that callers ask of a template, each in one of three forms.

    `value` is JSON text. `items` is a JSON list of JSON texts, for a loop over it. `round` is JSON
    text behind `json:`, for what a loop collects: Argo would decode a mapping or list, and with it
    the escapes that keep `{{` from being expanded.
    """

    may_hold_files = True

    def __init__(self) -> None:
        self.wanted: dict[tuple[Path, Form], str] = {}
        self._names = Names()

    def written(self, path: Path) -> Any:
        """Only what a step returns is known to be JSON of its annotation."""
        return None

    def name(self, path: Path, form: Form) -> str:
        """The output's name, made at the first request: `value`, `value-key`, `items`."""
        key = (path, form)
        if key not in self.wanted:
            words = [form, *(parameter_name(str(part)) for part in path)]
            self.wanted[key] = self._names.take("-".join(words))
        return self.wanted[key]


def joined(parts: Sequence[str | model.Reference]) -> model.Joined:
    """The parts, neighbouring texts in one."""
    if len(parts) == 1:
        return model.Joined(parts=tuple(parts))
    merged: list[str | model.Reference] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            merged.append(text)
            text = ""
        merged.append(part)
    if text:
        merged.append(text)
    return model.Joined(parts=tuple(merged))


def _collected(found: model.Reference) -> tuple[str | model.Reference, ...]:
    """JSON text that is read as the list of a loop's values."""
    return (f'{{"{wire.TEXTS}": ', found, " }")


def whole(producer: Producer, path: Path) -> None:
    """Raise `DeclarationError` for a part of what has none."""
    if path:
        raise DeclarationError(f"{producer.label} has no parts: take it apart in a step.")


def refuse_file(producer: Producer) -> NoReturn:
    """Raise `DeclarationError`, as a file has no text."""
    raise DeclarationError(
        f"{producer.label} is a file: a step takes it by a parameter that is annotated with Path."
    )


def _take(producer: Producer) -> Producer:
    """What a step returns that only reads the value: that can be taken apart."""
    if producer.scope is None:
        raise DeclarationError(f"{producer.label} has no parts: take it apart in a step.")
    return producer.scope.taken(producer)
