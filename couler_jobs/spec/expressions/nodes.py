"""The parts of a parsed expression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false or nil."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable: `steps`, `inputs`, or one that `let` declared."""

    name: str
    at: int = field(default=0, compare=False)  #: its place in the text, counted from 0


@dataclass(frozen=True, slots=True)
class Member:
    """`of.key`, `of[key]` or, optional, `of?.key`."""

    of: Node
    key: Node
    optional: bool = False
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """A run of members that ends in nil as soon as an optional one finds nil."""

    body: Node


@dataclass(frozen=True, slots=True)
class Slice:
    """`of[start:end]`."""

    of: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Unary:
    """`!`, `not`, `-` or `+`."""

    operator: str
    operand: Node
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and what stands between them."""

    operator: str
    left: Node
    right: Node
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : otherwise`, also written with `if` and `else`."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the environment: `asInt(x)`, `sprig.upper(x)`."""

    function: Node
    arguments: tuple[Node, ...]
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of the language: `len(x)`, `filter(x, # > 1)`."""

    name: str
    arguments: tuple[Node, ...]
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Closure:
    """What a function such as `filter` evaluates for each item."""

    body: Node


@dataclass(frozen=True, slots=True)
class Pointer:
    """`#`, `#index` or `#acc` in a closure."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """`{a: 1, "b": 2, (c): 3}`."""

    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence:
    """`a; b`: the last one counts."""

    parts: tuple[Node, ...]


Node = (
    Literal
    | Name
    | Member
    | Chain
    | Slice
    | Unary
    | Binary
    | Conditional
    | Call
    | Builtin
    | Closure
    | Pointer
    | Array
    | Map
    | Let
    | Sequence
)


def parts(node: Node) -> tuple[Node, ...]:  # noqa: C901  one line a kind of node
    """The nodes directly below one."""
    match node:
        case Member(of, key):
            return (of, key)
        case Chain(body) | Closure(body):
            return (body,)
        case Slice(of, start, end):
            return tuple(part for part in (of, start, end) if part is not None)
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Conditional(test, then, otherwise):
            return (test, then, otherwise)
        case Call(function, arguments):
            return (function, *arguments)
        case Builtin(_, arguments):
            return arguments
        case Array(items):
            return items
        case Map(pairs):
            return tuple(part for pair in pairs for part in pair)
        case Let(_, value, body):
            return (value, body)
        case Sequence(inner):
            return inner
        case _:
            return ()
