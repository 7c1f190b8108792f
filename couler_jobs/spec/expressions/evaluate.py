"""The value of a parsed expression in an environment: plain Python values, no Python `eval`.

Numbers keep Go's two kinds, `int` and `float`; a missing key is nil, a member of nil fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import couler_jobs.spec.expressions.gotext as gotext
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.nodes import (
    Array,
    Binary,
    Builtin,
    Call,
    Chain,
    Closure,
    Conditional,
    Let,
    Literal,
    Map,
    Member,
    Name,
    Node,
    Pointer,
    Sequence,
    Slice,
    Unary,
)


class _NilReached(Exception):  # noqa: N818  a signal inside one optional chain, never seen outside
    pass


@dataclass(frozen=True, slots=True)
class Scope:
    """What names and pointers mean at one place of an expression."""

    names: Mapping[str, Any]
    pointers: Mapping[str, Any] = field(default_factory=dict)

    def with_name(self, name: str, value: Any) -> Scope:
        """The scope inside a `let`."""
        return Scope({**self.names, name: value}, self.pointers)

    def with_item(self, item: Any, **more: Any) -> Scope:
        """The scope inside a closure: `#` is the item."""
        return Scope(self.names, {"": item, **more})


def evaluate(node: Node, scope: Scope) -> Any:
    """The node's value; `ExpressionError` says what went wrong."""
    try:
        return _BY_KIND[type(node)](node, scope)
    except ExpressionError as error:
        if error.at is None:
            error.at = getattr(node, "at", None)
        raise


def truth(value: Any) -> bool:
    """The value of a condition, which has to be true or false."""
    if isinstance(value, bool):
        return value
    raise ExpressionError(
        f"interface conversion: interface {{}} is {gotext.type_name(value)}, not bool"
    )


def number(value: Any, operation: str) -> int | float:
    """The value, which has to be a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"invalid operation: {operation} {gotext.type_name(value)}")


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same: numbers by value, anything else by kind and value."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return type(left) is type(right) and bool(left == right)


def fetch(of: Any, key: Any) -> Any:
    """`of[key]`: nil for a missing key, an error for an index out of range or a member of nil."""
    if isinstance(of, Mapping):
        return of.get(key) if isinstance(key, str | int | float) else None
    if isinstance(of, str | list | tuple):
        return _item(of, key)
    raise ExpressionError(f"cannot fetch {gotext.text(key)} from {gotext.type_name(of)}")


def _item(of: Any, key: Any) -> Any:
    if not isinstance(key, int) or isinstance(key, bool):
        raise ExpressionError(f"invalid operation: int({gotext.type_name(key)})")
    index = len(of) + key if key < 0 else key
    if not 0 <= index < len(of):
        raise ExpressionError(f"index out of range: {index} (array length is {len(of)})")
    return of.encode()[index] if isinstance(of, str) else of[index]


def _literal(node: Literal, scope: Scope) -> Any:
    return node.value


def _name(node: Name, scope: Scope) -> Any:
    if node.name == "$env":
        return scope.names
    if node.name not in scope.names:
        raise ExpressionError(f"unknown name {node.name}", node.at)
    return scope.names[node.name]


def _member(node: Member, scope: Scope) -> Any:
    of = evaluate(node.of, scope)
    if of is None and node.optional:
        raise _NilReached
    return fetch(of, evaluate(node.key, scope))


def _chain(node: Chain, scope: Scope) -> Any:
    try:
        return evaluate(node.body, scope)
    except _NilReached:
        return None


def _slice(node: Slice, scope: Scope) -> Any:
    of = evaluate(node.of, scope)
    if not isinstance(of, str | list | tuple):
        raise ExpressionError(f"cannot slice {gotext.text(of)}")
    start = 0 if node.start is None else evaluate(node.start, scope)
    end = len(of) if node.end is None else evaluate(node.end, scope)
    low, high = (len(of) + b if b < 0 else b for b in (number(start, "int"), number(end, "int")))
    return of[int(max(low, 0)) : int(max(high, 0))]


def _unary(node: Unary, scope: Scope) -> Any:
    value = evaluate(node.operand, scope)
    if node.operator in ("!", "not"):
        return not truth(value)
    return -number(value, "-") if node.operator == "-" else number(value, "+")


def _binary(node: Binary, scope: Scope) -> Any:
    left = evaluate(node.left, scope)
    match node.operator:
        case "&&" | "and":
            return truth(left) and truth(evaluate(node.right, scope))
        case "||" | "or":
            return truth(left) or truth(evaluate(node.right, scope))
        case "??":
            return evaluate(node.right, scope) if left is None else left
    return OPERATIONS[node.operator](left, evaluate(node.right, scope))


def _conditional(node: Conditional, scope: Scope) -> Any:
    return evaluate(node.then if truth(evaluate(node.test, scope)) else node.otherwise, scope)


def _call(node: Call, scope: Scope) -> Any:
    function = evaluate(node.function, scope)
    arguments = [evaluate(argument, scope) for argument in node.arguments]
    if not callable(function):
        kind = gotext.type_name(function)
        raise ExpressionError(f"invalid operation: cannot call non-function of type {kind}")
    return guarded(function, arguments)


def _builtin(node: Builtin, scope: Scope) -> Any:
    from couler_jobs.spec.expressions.builtins import BUILTINS, CLOSURES

    if node.name in CLOSURES:
        return guarded(CLOSURES[node.name], [_argument(part, scope) for part in node.arguments])
    if node.name not in BUILTINS:
        raise ExpressionError(f"{node.name} is not available here, as it depends on the clock")
    return guarded(BUILTINS[node.name], [evaluate(part, scope) for part in node.arguments])


def guarded(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call a function of the language; whatever it does not accept is an `ExpressionError`."""
    try:
        return function(*arguments)
    except ExpressionError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, re.error) as error:
        raise ExpressionError(f"invalid arguments: {error}") from None


def _argument(part: Node, scope: Scope) -> Any:
    if not isinstance(part, Closure):
        return evaluate(part, scope)

    def closure(item: Any, **more: Any) -> Any:
        return evaluate(part.body, scope.with_item(item, **more))

    return closure


def _closure(node: Closure, scope: Scope) -> Any:
    raise ExpressionError("a closure can only be the argument of filter, map and the like")


def _pointer(node: Pointer, scope: Scope) -> Any:
    if node.name not in scope.pointers:
        raise ExpressionError(f"unexpected token '#{node.name}' outside of a closure")
    return scope.pointers[node.name]


def _array(node: Array, scope: Scope) -> Any:
    return [evaluate(item, scope) for item in node.items]


def _map(node: Map, scope: Scope) -> Any:
    pairs = ((evaluate(key, scope), evaluate(value, scope)) for key, value in node.pairs)
    return {key if isinstance(key, str) else gotext.text(key): value for key, value in pairs}


def _let(node: Let, scope: Scope) -> Any:
    return evaluate(node.body, scope.with_name(node.name, evaluate(node.value, scope)))


def _sequence(node: Sequence, scope: Scope) -> Any:
    return [evaluate(part, scope) for part in node.parts][-1]


_BY_KIND: Mapping[type, Callable[[Any, Scope], Any]] = {
    Literal: _literal,
    Name: _name,
    Member: _member,
    Chain: _chain,
    Slice: _slice,
    Unary: _unary,
    Binary: _binary,
    Conditional: _conditional,
    Call: _call,
    Builtin: _builtin,
    Closure: _closure,
    Pointer: _pointer,
    Array: _array,
    Map: _map,
    Let: _let,
    Sequence: _sequence,
}


def _mismatch(left: Any, operator: str, right: Any) -> ExpressionError:
    kinds = f"{gotext.type_name(left)} {operator} {gotext.type_name(right)}"
    return ExpressionError(f"invalid operation: {kinds}")


def _numbers(left: Any, right: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))


def _ordering(operator: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def operation(left: Any, right: Any) -> bool:
        if _numbers(left, right) or (isinstance(left, str) and isinstance(right, str)):
            return compare(left, right)
        raise _mismatch(left, operator, right)

    return operation


def _arithmetic(operator: str, compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def operation(left: Any, right: Any) -> Any:
        texts = isinstance(left, str) and isinstance(right, str) and operator == "+"
        if not (texts or _numbers(left, right)):
            raise _mismatch(left, operator, right)
        try:
            return compute(left, right)
        except (ArithmeticError, ValueError):
            raise ExpressionError(f"{gotext.text(left)} {operator} {right} has no value") from None

    return operation


def _remainder(left: Any, right: Any) -> int:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise _mismatch(left, "%", right)
    if right == 0:
        raise ExpressionError("integer divide by zero")
    return abs(left) % abs(right) * (-1 if left < 0 else 1)


def _quotient(left: Any, right: Any) -> float:
    if right == 0:
        return float("nan") if left == 0 else float("inf") * (1 if left > 0 else -1)
    return float(left / right)


def _power(left: Any, right: Any) -> float:
    value = float(left) ** float(right)
    return value if isinstance(value, float) else float("nan")


def _wrapped(value: Any) -> Any:
    """Whole numbers have 64 bits and wrap around."""
    return (value + 2**63) % 2**64 - 2**63 if isinstance(value, int) else value


def _range(left: Any, right: Any) -> list[int]:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise _mismatch(left, "..", right)
    if right - left > 1_000_000:
        raise ExpressionError("memory budget exceeded")
    return list(range(left, right + 1))


def _within(left: Any, right: Any) -> bool:
    if right is None:
        return False
    if isinstance(right, Mapping):
        return left in right if isinstance(left, str | int | float) else False
    if isinstance(right, list | tuple):
        return any(equal(left, item) for item in right)
    raise ExpressionError(f'operator "in" not defined on {gotext.type_name(right)}')


def _of_texts(operator: str, check: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def operation(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        if not (isinstance(left, str) and isinstance(right, str)):
            raise _mismatch(left, operator, right)
        return check(left, right)

    return operation


def pattern(text: str) -> re.Pattern[str]:
    """A compiled regular expression."""
    try:
        return re.compile(text.replace(r"\z", r"\Z"))
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpressionError(f"error parsing regexp: {error}: `{text}`") from None


OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordering("<", lambda left, right: left < right),
    ">": _ordering(">", lambda left, right: left > right),
    "<=": _ordering("<=", lambda left, right: left <= right),
    ">=": _ordering(">=", lambda left, right: left >= right),
    "+": _arithmetic("+", lambda left, right: _wrapped(left + right)),
    "-": _arithmetic("-", lambda left, right: _wrapped(left - right)),
    "*": _arithmetic("*", lambda left, right: _wrapped(left * right)),
    "/": _arithmetic("/", _quotient),
    "%": _arithmetic("%", _remainder),
    "**": _arithmetic("**", _power),
    "^": _arithmetic("^", _power),
    "..": _range,
    "in": _within,
    "matches": _of_texts("matches", lambda left, right: bool(pattern(right).search(left))),
    "contains": _of_texts("contains", lambda left, right: right in left),
    "startsWith": _of_texts("startsWith", str.startswith),
    "endsWith": _of_texts("endsWith", str.endswith),
}
