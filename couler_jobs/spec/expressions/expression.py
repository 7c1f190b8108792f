"""An expression that has been read: what it refers to, and what it is worth in an environment."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.evaluate import Scope, evaluate
from couler_jobs.spec.expressions.grammar import parse
from couler_jobs.spec.expressions.nodes import Binary, Let, Literal, Member, Name, Node, parts


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression. `text` is as written; two with the same text are the same."""

    text: str
    node: Node

    @property
    def names(self) -> frozenset[str]:
        """The variables of the environment that it uses: `steps`, `inputs`, `sprig`."""
        return _free_names(self.text)

    @property
    def references(self) -> tuple[str, ...]:
        """Every variable and every path of fixed keys below one: `steps.a`, `steps.a.outputs`.

        A path that `??` or `?.` guards is left out: it may be missing.
        """
        return _references(self.text)

    def keys_below(self, root: str) -> frozenset[str] | None:
        """The fixed keys right below a variable: `a` and `b` for `tasks.a` and `tasks['b']`.

        None if the variable is also used in another way, so that any key could matter.
        """
        return _keys_below(self.text, root)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value where `values` are the variables, nested by their dots.

        `ExpressionError` if a variable is unknown, even one on a branch that is not taken, or if
        something in it cannot be computed.
        """
        environment = {**_functions(), **values}
        for name in _ordered_names(self.text):
            if name.name not in environment and name.name != "$env":
                raise ExpressionError(f"unknown name {name.name}", name.at).shown_in(self.text)
        try:
            return evaluate(self.node, Scope(environment))
        except ExpressionError as error:
            raise error.shown_in(self.text) from None
        except RecursionError:
            raise ExpressionError("the expression is nested too deeply") from None

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Its value, which has to be true or false."""
        try:
            value = self.evaluate(values)
        except ExpressionError as error:
            known = str(error).startswith("unknown name")  # Argo compiles before it evaluates
            before = "" if known else f"unable to evaluate expression '{self.text}': "
            raise ExpressionError(f"{before}{error}") from None
        if not isinstance(value, bool):
            raise ExpressionError(f"unable to cast expression result '{value}' to bool")
        return value


def read(text: str) -> Expression:
    """Read an expression; `ExpressionError` says what is wrong with it and where."""
    return Expression(text, parse(text))


def known_function(name: str) -> bool:
    """Whether Argo brings a function of that name along: `asInt`, `sprig`, `sprig.upper`."""
    space, _, function = name.partition(".")
    functions = _functions()
    return space in functions and (not function or function in functions[space])


def expand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nest names by their dots: `{"a.b": 1}` gives `{"a": {"b": 1}}`. A name with parts
    loses its own value.
    """
    nested: dict[str, Any] = {}
    inner: set[int] = {id(nested)}
    for name in sorted(values):
        *path, last = name.split(".")
        at: Any = nested
        for step in path:
            below = at.get(step)
            if id(below) not in inner:
                below = at[step] = {}
                inner.add(id(below))
            at = below
        at[last] = values[name]
    return nested


@functools.cache
def _functions() -> Mapping[str, Any]:
    from couler_jobs.spec.expressions.builtins import to_float, to_int, to_json
    from couler_jobs.spec.expressions.jsonpath import query
    from couler_jobs.spec.expressions.sprig import SPRIG

    return {
        "asInt": to_int,
        "asFloat": to_float,
        "jsonpath": query,
        "toJson": to_json,
        "sprig": SPRIG,
    }


def _walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(parts(one)))


@functools.lru_cache(maxsize=4096)
def _ordered_names(text: str) -> tuple[Name, ...]:
    node = parse(text)
    declared = {one.name for one in _walk(node) if isinstance(one, Let)}
    return tuple(n for n in _walk(node) if isinstance(n, Name) and n.name not in declared)


@functools.lru_cache(maxsize=4096)
def _free_names(text: str) -> frozenset[str]:
    return frozenset(name.name for name in _ordered_names(text))


@functools.lru_cache(maxsize=4096)
def _references(text: str) -> tuple[str, ...]:
    node = parse(text)
    guarded = _guarded(_walk(node))
    found: dict[str, None] = {}
    for one in _walk(node):
        path = _path(one)
        if path and id(one) not in guarded:
            found[path] = None
    return tuple(found)


def _guarded(nodes: Iterable[Node]) -> set[int]:
    """The members that may be missing: those left of `??`, and what stands before a `?.`."""
    ids: set[int] = set()
    for node in nodes:
        if isinstance(node, Binary) and node.operator == "??":
            ids.update(id(one) for one in _walk(node.left) if isinstance(one, Member))
        if isinstance(node, Member) and node.optional and isinstance(node.of, Member):
            ids.add(id(node.of))
    return ids


def _path(node: Node) -> str | None:
    """`a.b.c` for a name with fixed keys below it, None for anything else."""
    keys: list[str] = []
    while isinstance(node, Member):
        if node.optional or not (isinstance(node.key, Literal) and isinstance(node.key.value, str)):
            return None
        keys.append(node.key.value)
        node = node.of
    return ".".join([node.name, *reversed(keys)]) if isinstance(node, Name) else None


@functools.lru_cache(maxsize=4096)
def _keys_below(text: str, root: str) -> frozenset[str] | None:
    nodes = list(_walk(parse(text)))
    uses = sum(1 for node in nodes if isinstance(node, Name) and node.name == root)
    keys = [
        node.key.value
        for node in nodes
        if isinstance(node, Member)
        and node.of == Name(root)
        and isinstance(node.key, Literal)
        and isinstance(node.key.value, str)
    ]
    return frozenset(keys) if len(keys) == uses else None
