"""What makes the values of templates that are no functions: texts and files of containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from couler_jobs.dsl.producers import Path, Producer, refuse_file, whole
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model

if TYPE_CHECKING:
    from couler_jobs.dsl.recorder import Scope


class TextValue(Producer):
    """Plain text that a container leaves: its standard output, or one of its output files."""

    json = False

    def __init__(self, scope: Scope, output: model.Output) -> None:
        super().__init__(f"the output {output.name!r} of {output.task}", scope, output.task)
        self.output = output

    def reference(self, path: Path) -> model.Reference:
        """The output; text has no parts."""
        whole(self, path)
        return self.output

    def items(self, path: Path) -> model.Reference:
        """The text itself: Argo reads it as a JSON list."""
        return self.reference(path)


class LeafText(TextValue):
    """The same natively: a text, or JSON, which a step that takes it reads as such."""

    def text(self, path: Path) -> model.Joined:
        """The text as it is."""
        return model.Joined(parts=(self.reference(path),))

    def parts(self, path: Path) -> NoReturn:
        """Text that may be no JSON cannot stand in JSON."""
        raise DeclarationError(
            f"{self.label} is text, which cannot stand inside a list or mapping: "
            "pass it as an argument of its own."
        )


class TextInput(LeafText):
    """An input of the graph that is being recorded, which is a container's text."""

    def __init__(self, scope: Scope, name: str) -> None:
        Producer.__init__(self, f"the parameter {name!r}", scope)
        self.name = name

    def reference(self, path: Path) -> model.Input:
        """The parameter; text has no parts."""
        whole(self, path)
        return model.Input(name=self.name)


class LeafFile(Producer):
    """A file that a container leaves."""

    def __init__(self, scope: Scope, task: str, name: str) -> None:
        super().__init__(f"the file {name!r} of {task}", scope, task)
        self._output = model.Output(task=task, name=name, kind="artifact")

    def file(self, path: Path) -> model.Output:
        """The output artifact; it has no parts."""
        whole(self, path)
        return self._output

    def reference(self, path: Path) -> NoReturn:
        """A file has no text."""
        refuse_file(self)


class LeafValue(LeafText):
    """What a template that is no function leaves: its result, and outputs by their names."""

    def __init__(
        self, scope: Scope, task: str, outputs: Sequence[model.OutputFile], *, has_result: bool
    ) -> None:
        super().__init__(scope, model.Output(task=task, name="result", kind="result"))
        self._outputs = {output.name: output for output in outputs}
        self._scope, self._task, self.has_result = scope, task, has_result

    def part(self, path: Path, key: str | int) -> tuple[Producer, Path]:
        """The output of this name."""
        found = self._outputs.get(str(key))
        if found is None:
            raise DeclarationError(
                f"{self._task} has no output {key!r} (it has {', '.join(self._outputs) or 'none'})."
            )
        if found.kind == "artifact":
            return LeafFile(self._scope, self._task, found.name), ()
        return LeafText(self._scope, model.Output(task=self._task, name=found.name)), ()

    def reference(self, path: Path) -> model.Reference:
        """The result, where there is one."""
        if not self.has_result:
            raise DeclarationError(
                f"{self._task} has no value of its own (its outputs by name: "
                f"{', '.join(self._outputs) or 'none'})."
            )
        return super().reference(path)


class ItemValue(Producer):
    """The item that one round of a container's loop is about, or one field of it."""

    json = False

    def __init__(self, scope: Scope, key: str | None = None) -> None:
        super().__init__("the loop's item", scope)
        self._key = key

    def reference(self, path: Path) -> model.Reference:
        """The item, or the field that `path` names."""
        if len(path) == 1 and self._key is None and isinstance(path[0], str):
            return model.Item(key=path[0])
        whole(self, path)
        return model.Item(key=self._key)
