"""What Couler's steps give back: texts and files, each usable as another step's argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl.leaf_values import TextValue
from couler_jobs.dsl.producers import Path, Producer, Variable
from couler_jobs.dsl.values import Handle, producer_of
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model

if TYPE_CHECKING:
    from couler_jobs.dsl.recorder import Scope


class OutputValue(TextValue):
    """Plain text that a step leaves. `everywhere` is its global name, which any graph may read."""

    def __init__(self, scope: Scope, output: model.Output, global_name: str | None = None) -> None:
        super().__init__(scope, output)
        self.everywhere: Variable | None = None
        if global_name is not None:
            self.everywhere = Variable(f"workflow.outputs.parameters.{global_name}")


class InputText(Producer):
    """Plain text that a graph takes from the one around it."""

    json = False

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(f"the input {name!r}", scope)
        self._name = name

    def reference(self, path: Path) -> model.Reference:
        """The input; text has no parts."""
        if path:
            raise DeclarationError(f"{self.label} has no parts: take it apart in a step.")
        return model.Input(name=self._name)

    def items(self, path: Path) -> model.Reference:
        """The text itself: Argo reads it as a JSON list."""
        return self.reference(path)


class FileValue(Producer):
    """A file or folder that a step leaves."""

    json = False

    def __init__(self, scope: Scope, output: model.Output) -> None:
        super().__init__(f"the file {output.name!r} of {output.task}", scope, output.task)
        self.output = output

    def reference(self, path: Path) -> model.Reference:
        """The artifact."""
        return self.output

    def text(self, path: Path) -> model.Text:
        """A file is no text."""
        raise DeclarationError(f"{self.label} is a file: only a container or script step takes it.")


class InputFile(FileValue):
    """A file that a graph takes from the one around it."""

    def __init__(self, scope: Scope, name: str) -> None:
        Producer.__init__(self, f"the input {name!r}", scope)
        self._name = name

    def reference(self, path: Path) -> model.Reference:
        """The artifact."""
        return model.Input(name=self._name, kind="artifact")


class FileOutput(Handle):
    """A file that a step leaves, as an argument: the step that takes it finds it at `path`."""

    __slots__ = ("_where",)

    def __init__(self, producer: Producer, path: str) -> None:
        super().__init__(producer)
        self._where = path

    @property
    def path(self) -> str:  # Couler's programs read it
        """Where the file lies, in the step that leaves it and in the one that takes it."""
        return self._where


class JobOutput(Handle):
    """A Kubernetes object that a step made: its name, and by attribute all that is known of it."""

    __slots__ = ("job_id", "job_name", "job_obj")

    def __init__(self, job_id: Handle, job_name: Handle, job_obj: Handle) -> None:
        super().__init__(producer_of(job_name))
        self.job_id, self.job_name, self.job_obj = job_id, job_name, job_obj


class Outputs(list[Handle]):
    """What a step leaves: a list, and where a text is meant, the first text in it.

    A list that would be compared, added to a text or written into one in silence says what to do;
    `if answer:` asks, as in Couler, whether the step leaves anything.
    """

    __hash__ = None

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            raise DeclarationError(
                f"A step's answer is the list of its outputs, {self!r}, each by its number: "
                f"[0], not [{key!r}]. What is inside one is read in a step."
            )
        return super().__getitem__(key)

    def __eq__(self, other: object) -> Any:
        return super().__eq__(other) if self._is_alike(other) else self._text() == one_text(other)

    def __ne__(self, other: object) -> Any:
        return super().__ne__(other) if self._is_alike(other) else self._text() != one_text(other)

    def __lt__(self, other: Any) -> Any:
        return self._text() < other

    def __le__(self, other: Any) -> Any:
        return self._text() <= other

    def __gt__(self, other: Any) -> Any:
        return self._text() > other

    def __ge__(self, other: Any) -> Any:
        return self._text() >= other

    def __add__(self, other: Any) -> Any:
        return [*self, *other] if isinstance(other, list) else self._text() + other

    def __radd__(self, other: Any) -> Any:
        return [*other, *self] if isinstance(other, list) else other + self._text()

    def _refuse(self, other: Any = None) -> Any:
        return self._text() * other

    __mul__ = __rmul__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = _refuse

    def __str__(self) -> str:
        return str(self._text()) if len(self) else "[]"

    def __format__(self, spec: str) -> str:
        return format(self._text(), spec) if len(self) else "[]"

    def _text(self) -> Any:
        """What is meant where the list is used as a text."""
        return one_text(list(self))

    def _is_alike(self, other: object) -> bool:
        """Whether Python's own comparison is meant."""
        is_list = isinstance(other, list) and not isinstance(other, Outputs)
        return other is None or is_list or not len(self)


def flat(value: Any) -> Iterator[Any]:
    """One argument after another: a step's list of outputs is as many arguments."""
    if isinstance(value, JobOutput):
        yield from (value.job_id, value.job_name, value.job_obj)
    elif isinstance(value, list | tuple) and any(isinstance(one, Handle) for one in value):
        for one in value:
            yield from flat(one)
    else:
        yield value


def one_text(value: Any) -> Any:
    """A step's list of outputs stands for the first of them that is text."""
    if not isinstance(value, list | tuple):
        return value
    handles = [one for one in value if isinstance(one, Handle)]
    texts = (one for one in handles if not isinstance(one, FileOutput))
    return next(texts, handles[0] if handles else value)


def mapped(value: Any, change: Callable[[Handle], Handle]) -> Any:
    """The value with each handle in it changed."""
    if isinstance(value, JobOutput):
        parts = (value.job_id, value.job_name, value.job_obj)
        return JobOutput(*(change(part) for part in parts))
    if isinstance(value, Handle):
        return change(value)
    if isinstance(value, list | tuple):
        found = [mapped(one, change) for one in value]
        return Outputs(found) if isinstance(value, Outputs) else found
    if isinstance(value, dict):
        return {key: mapped(one, change) for key, one in value.items()}
    return value
