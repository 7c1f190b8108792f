"""Handles: what a call returns while a workflow is being recorded, and what conditions are made of.

A handle stands for a value that exists only once the workflow runs. It can be passed on, indexed
and compared; everything that would need the value now is a `DeclarationError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

from couler_jobs.dsl.producers import Producer, joined
from couler_jobs.dsl.typed import encode, fields_of, holds_file, key_of, lacks
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import meant
from couler_jobs.spec import model, wire

_SCALARS = (str, int, float)

_NOW = (
    "{what} needs {handle} while the workflow is being recorded, and that exists only "
    "when it runs: {instead}."
)


class Condition:
    """Something that is true or false when the workflow runs: combine with `&`, `|` and `~`."""

    __slots__ = ("handles", "term")

    def __init__(self, term: model.Condition, handles: tuple[Handle, ...]) -> None:
        self.term, self.handles = term, handles

    def __and__(self, other: object) -> Condition:
        right = condition(other)
        return Condition(model.Every(terms=(self.term, right.term)), self.handles + right.handles)

    def __or__(self, other: object) -> Condition:
        right = condition(other)
        return Condition(model.Some(terms=(self.term, right.term)), self.handles + right.handles)

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Condition:
        return Condition(model.Not(term=self.term), self.handles)

    def __bool__(self) -> NoReturn:
        raise DeclarationError(
            "A condition is known only when the workflow runs: write `with cj.when(...)` instead "
            "of `if` (in a program for Couler: couler.when(couler.equal(...), function)), and `&`, "
            "`|`, `~` instead of `and`, `or`, `not`."
        )


class Handle:
    """The value that a call, a parameter or a loop will have when the workflow runs."""

    __slots__ = ("_path", "_producer")

    def __init__(self, producer: Producer, path: tuple[str | int, ...] = ()) -> None:
        self._producer, self._path = producer, path

    def __getitem__(self, key: str | int) -> Handle:
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise DeclarationError(
                f"{self!r} can be indexed with a key or a number, not with {key!r}: "
                "take it apart in a step."
            )
        if instead := lacks(self._producer.hint(self._path), key):
            raise DeclarationError(f"{self!r} has no {key!r}: {instead}")
        return Handle(*self._producer.part(self._path, key))

    def __getattr__(self, name: str) -> Handle:
        hint = None if name.startswith("_") else self._producer.hint(self._path)
        if hint is not None and name in fields_of(hint):
            return self[key_of(hint, name)]
        if name.startswith("_"):
            raise AttributeError(name)
        instead = hint is not None and meant(name, fields_of(hint))
        raise DeclarationError(
            f"{self!r} has no attribute {name!r} that is known: "
            + (
                instead
                or "annotate what the step returns with a class that has it, or take it apart in "
                "a step."
            )
        )

    def __repr__(self) -> str:
        return self._producer.label + "".join(f"[{key!r}]" for key in self._path)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return compare(self, "==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return compare(self, "!=", other)

    def __lt__(self, other: object) -> Condition:
        return compare(self, "<", other)

    def __le__(self, other: object) -> Condition:
        return compare(self, "<=", other)

    def __gt__(self, other: object) -> Condition:
        return compare(self, ">", other)

    def __ge__(self, other: object) -> Condition:
        return compare(self, ">=", other)

    def __and__(self, other: object) -> Condition:
        return condition(self) & other

    def __or__(self, other: object) -> Condition:
        return condition(self) | other

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Condition:
        return ~condition(self)

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise DeclarationError(_NOW.format(what=what, handle=repr(self), instead=instead))

    def __bool__(self) -> NoReturn:
        self._refuse(
            "`if` (or `and`, `or`, `not`)",
            "use `with cj.when(...)` (in a program for Couler: couler.when(...)), and `&`, `|`, "
            "`~`; whether there is a value at all is asked with `is not None`",
        )

    def __iter__(self) -> NoReturn:
        self._refuse("A loop", "use `cj.map(step, ...)`, or take its parts with value[0], value[1]")

    def __len__(self) -> NoReturn:
        self._refuse("`len`", "count in a step")

    def __hash__(self) -> int:
        self._refuse("A key of a mapping, or a set,", "use a list")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        self._refuse("An assignment", "let a step return the changed value")

    def __contains__(self, item: object) -> NoReturn:
        self._refuse("`in`", "look in a step")

    def __str__(self) -> str:
        self._refuse("Text", "build the text in a step")

    def __format__(self, spec: str) -> str:
        self._refuse("An f-string", "build the text in a step")

    def __index__(self) -> int:
        self._refuse("`range` or an index", "use `cj.map(step, ...)`, or compute in a step")

    def __int__(self) -> int:
        self._refuse("`int`", "compute in a step")

    def __float__(self) -> float:
        self._refuse("`float`", "compute in a step")

    def _arithmetic(self, other: object = None) -> NoReturn:
        self._refuse("Arithmetic", "compute in a step")

    __neg__ = __pos__ = __abs__ = __round__ = __divmod__ = __rdivmod__ = _arithmetic
    __matmul__ = __rmatmul__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _arithmetic
    __rfloordiv__ = __rpow__ = __xor__ = __rxor__ = _arithmetic
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _arithmetic
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __rmod__ = __pow__ = _arithmetic


# What the compiler asks of a handle is no attribute of it: those are the fields of the value.


def producer_of(handle: Handle) -> Producer:
    """What makes the value."""
    return handle._producer


def path_of(handle: Handle) -> tuple[str | int, ...]:
    """Which part of what the producer makes."""
    return handle._path


def reference_of(handle: Handle) -> model.Reference:
    """Where the compiler finds the value, as JSON text."""
    return handle._producer.reference(handle._path)


def text_of(handle: Handle) -> model.Text:
    """The value as JSON text, or as what a container left."""
    return handle._producer.text(handle._path)


def has_value(handle: Handle) -> bool:
    """Whether there is a value beside the outputs by name; a pause has none."""
    return handle._producer.has_result


def is_json(handle: Handle) -> bool:
    """Whether the text of the value is JSON; else it is a container's own text."""
    return handle._producer.is_json(handle._path)


def hint_of(handle: Handle) -> Any:
    """What the annotation of the Python step that returns the value says; None where none does."""
    return handle._producer.written(handle._path)


def file_of(handle: Handle) -> model.Output | model.Either | model.Input | None:
    """Where the compiler finds the value if it is a file, else None."""
    return handle._producer.file(handle._path)


def said_of(handle: Handle) -> Any:
    """What the annotation of the step or workflow that returns the value says, or None."""
    return handle._producer.hint(handle._path)


def common_hint(handles: Sequence[Handle]) -> Any:
    """The annotation that all of the values have, or None."""
    first, *others = map(said_of, handles)
    return first if all(one == first for one in others) else None


def refuse_files_inside(handle: Handle) -> None:
    """Raise `DeclarationError` for a value with files in it: their paths alone would travel."""
    if handle._producer.may_hold_files and holds_file(said_of(handle)):
        raise DeclarationError(
            f"in {handle!r} there are files by its annotation, and a file does not travel inside a "
            "value: give each to a parameter of its own that is annotated with Path. A path that "
            "only names a place on a volume is a str."
        )


def items_of(handle: Handle) -> model.Reference:
    """Where the compiler finds the value, a list, as a JSON list of JSON texts."""
    return handle._producer.items(handle._path)


capturing: ContextVar[Callable[[Handle], Handle] | None] = ContextVar(
    "couler_jobs_capturing", default=None
)
"""What makes a value of the graph around the one that is being recorded an input of it."""


def inside(value: Any) -> Any:
    """A handle as the graph that is being recorded has it; anything else as it is."""
    capture = capturing.get()
    return capture(value) if capture is not None and isinstance(value, Handle) else value


def listed(handle: Handle) -> Handle:
    """The same value, from what can say its items."""
    producer = handle._producer.listed()
    return handle if producer is handle._producer else Handle(producer, handle._path)


def condition(value: object) -> Condition:
    """`value` as a condition: one already, a handle (its truth), or a constant."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, Handle):
        here: Handle = inside(value)
        return Condition(model.Truth(of=reference_of(here)), (here,))
    if isinstance(value, bool):
        return Condition(model.Every(terms=()) if value else model.Some(terms=()), ())
    raise DeclarationError(
        f"{value!r} is no condition: compare the value of a step, such as `count(day) > 0`."
    )


def compare(left: Handle, operator: Any, right: object) -> Condition:
    """`left operator right`, decided when the workflow runs."""
    left, right = inside(left), inside(right)
    json = is_json(left)
    if isinstance(right, Handle):
        term = model.Compare(
            left=reference_of(left),
            operator=operator,
            right=reference_of(right),
            json=json and is_json(right),
        )
        return Condition(term, (left, right))
    term = model.Compare(
        left=reference_of(left), operator=operator, right=constant(right, operator, json), json=json
    )
    return Condition(term, (left,))


def constant(value: object, operator: str, json: bool) -> model.Constant:
    """A value known now, for a comparison with `operator`; `json` says what it is compared with."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return model.Constant(text=wire.encode(value), number=True)
    if operator not in ("==", "!="):
        raise DeclarationError(
            f"{value!r} is no number, and only numbers can be compared with {operator}: "
            "compare in a step and return True or False."
        )
    if isinstance(value, str) and not json:
        return model.Constant(text=value)
    if value is None or isinstance(value, bool | str):
        return model.Constant(text=wire.encode(value))
    raise DeclarationError(
        f"A {type(value).__name__} cannot be compared with the value of a step: compare one of its "
        "fields, or compare in a step and return True or False."
    )


def text(value: Any) -> tuple[model.Text, list[Handle]]:
    """`value`, which may have handles inside, as JSON text, and the handles that it has."""
    if isinstance(value, Handle):
        value = inside(value)
        return text_of(value), [value]
    if isinstance(value, _SCALARS) or value is None:
        return wire.encode(value), []
    handles: list[Handle] = []
    parts: list[str | model.Reference] = []
    _write(value, parts, handles)
    return (joined(parts) if handles else str(parts[0])), handles


def _write(value: Any, parts: list[str | model.Reference], handles: list[Handle]) -> None:
    if isinstance(value, Handle):
        here: Handle = inside(value)
        handles.append(here)
        parts += here._producer.parts(here._path)
    elif isinstance(value, Condition):
        raise DeclarationError(
            "A condition cannot be passed to a step: compute it in the step, from the values."
        )
    elif isinstance(value, dict) and any(map(holds_handle, value.values())):
        _write_all("{", value.items(), "}", parts, handles)
    elif isinstance(value, list | tuple) and any(map(holds_handle, value)):
        _write_all("[", ((None, item) for item in value), "]", parts, handles)
    else:
        parts.append(encode(value))


def _write_all(
    opening: str, items: Any, closing: str, parts: list[Any], handles: list[Any]
) -> None:
    separator = opening
    for key, item in items:
        parts.append(separator if key is None else f"{separator}{wire.encode(key)}: ")
        _write(item, parts, handles)
        separator = ", "
    parts.append(closing)


def holds_handle(value: Any) -> bool:
    """Whether a list or mapping has something in it that is known only when the workflow runs."""
    if isinstance(value, dict):
        return any(map(holds_handle, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_handle, value))
    return isinstance(value, Handle | Condition)
