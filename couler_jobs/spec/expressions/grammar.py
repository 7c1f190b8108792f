"""From the text of an expression to its nodes.

The language is expr-lang (https://expr-lang.org/docs/language-definition), which Argo uses in
`{{=...}}`, `retryStrategy.expression`, `valueFrom.expression` and hooks. The grammar reads operands
and operators as a flat list; `climb` then groups them, because this language gives a prefix
operator the right to swallow every stronger operator that follows, which no LALR grammar can say.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from couler_jobs.spec.expressions.climb import Climber
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.nodes import (
    Array,
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
)

GRAMMAR = r"""
?start: seq
seq: expr | expr ";" | expr ";" seq -> more | "let" NAME "=" expr ";" seq -> let
?expr: conditional | branch
branch: "if" expr "{" seq "}" "else" (branch | "{" seq "}")
?conditional: flat
    | flat "?" expr ":" expr -> ternary
    | flat "?" ":" expr -> elvis
flat: operand tail*
?tail: BINARY operand -> infix
    | SIGN operand -> infix
    | NEGATABLE operand -> infix
    | "not" NEGATABLE operand -> negated
    | "|" NAME "(" [arguments] ")" -> pipe
operand: prefix* postfix
prefix: SIGN | NOT | "not"
?postfix: primary
    | postfix "." NAME -> member
    | postfix "." NAME "(" [arguments] ")" -> method
    | postfix "?." NAME -> optional
    | postfix "?." NAME "(" [arguments] ")" -> optional_method
    | postfix "[" expr "]" -> index
    | postfix "?." "[" expr "]" -> optional_index
    | postfix "[" [low] ":" [high] "]" -> slice
low: expr
high: expr
?primary: NUMBER -> number
    | STRING -> string
    | RAW -> raw
    | NAME -> name
    | NAME "(" [arguments] ")" -> call
    | "::" NAME "(" [arguments] ")" -> call
    | "(" seq ")"
    | POINTER -> pointer
    | "." NAME -> field
    | "[" [items] "]" -> array
    | "{" [pairs] "}" -> map
items: expr ("," expr)* [","]
pairs: pair ("," pair)* [","]
pair: key ":" expr
key: NAME -> key_text | NUMBER -> key_text | STRING -> key_string | "(" seq ")" -> key_node
arguments: argument ("," argument)* [","]
?argument: expr | "{" seq "}" -> closure

NEGATABLE: "in" | "matches" | "contains" | "startsWith" | "endsWith"
BINARY: "or" | "||" | "and" | "&&" | "==" | "!=" | "<=" | ">=" | "<" | ">" | ".." | "**" | "*"
    | "/" | "%" | "^" | "??"
SIGN: "+" | "-"
NOT: "!"
POINTER: /#[A-Za-z_$]*/
NAME: /(?!(?:in|matches|contains|startsWith|endsWith|or|and|not|let|if|else)(?![\w$]))[^\W\d][\w$]*/
    | /\$[\w$]*/
    | /(?<=\.)(?:in|matches|contains|startsWith|endsWith|or|and|not|let|if|else)(?![\w$])/
NUMBER: /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+/
    | /\d[\d_]*(?:\.(?!\.)[\d_]*)?(?:[eE][+-]?[\d_]+)?(?!\w)/ | /\.\d[\d_]*(?:[eE][+-]?[\d_]+)?/
STRING: /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/
RAW: /`(?:[^`]|``)*`/
COMMENT: /\/\/[^\n]*|\/\*[\s\S]*?\*\//
%ignore /\s+/
%ignore COMMENT
"""

_CLOSURE_ARGUMENT = {
    **dict.fromkeys(("all", "none", "any", "one", "filter", "map", "find", "findIndex"), 1),
    **dict.fromkeys(
        ("findLast", "findLastIndex", "count", "sum", "groupBy", "sortBy", "reduce"), 1
    ),
}
BUILTINS = frozenset(
    [
        "all",
        "none",
        "any",
        "one",
        "filter",
        "map",
        "find",
        "findIndex",
        "findLast",
        "findLastIndex",
        "count",
        "sum",
        "groupBy",
        "sortBy",
        "reduce",
        "len",
        "type",
        "abs",
        "ceil",
        "floor",
        "round",
        "int",
        "float",
        "string",
        "trim",
        "trimPrefix",
        "trimSuffix",
        "upper",
        "lower",
        "split",
        "splitAfter",
        "replace",
        "repeat",
        "join",
        "indexOf",
        "lastIndexOf",
        "hasPrefix",
        "hasSuffix",
        "max",
        "min",
        "mean",
        "median",
        "toJSON",
        "fromJSON",
        "toBase64",
        "fromBase64",
        "now",
        "duration",
        "date",
        "timezone",
        "first",
        "last",
        "get",
        "take",
        "keys",
        "values",
        "toPairs",
        "fromPairs",
        "reverse",
        "uniq",
        "concat",
        "flatten",
        "sort",
        "bitand",
        "bitor",
        "bitxor",
        "bitnand",
        "bitshl",
        "bitshr",
        "bitushr",
        "bitnot",
    ]
)
_CONSTANTS = {"true": True, "false": False, "nil": None}
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The nodes of an expression; `ExpressionError` names what is unexpected and where."""
    from lark.exceptions import LarkError

    try:
        return _Builder().build(_parser().parse(text))
    except LarkError as error:
        raise _explained(text, error).shown_in(text) from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


@functools.cache
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=True, cache=False)


def _explained(text: str, error: Any) -> ExpressionError:
    token = getattr(error, "token", None)
    if token is None:
        at = getattr(error, "pos_in_stream", 0) or 0
        if text[at : at + 1] in ("'", '"', "`"):
            return ExpressionError("literal not terminated", len(text))
        return ExpressionError(f"unrecognized character: {text[at : at + 1]!r}", at)
    if token.type == "$END":
        return ExpressionError("unexpected token EOF", len(text) - 1 if text else None)
    return ExpressionError(f"unexpected token {str(token)!r}", _place(token))


def _place(token: Any) -> int:
    return token.start_pos or 0


def unescape(body: str) -> str:
    """The text that a quoted one stands for: the escapes of Go."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(min(int(code[1:], 16), 0x10FFFF))
        if len(code) == 3:
            return chr(int(code, 8))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, body)


class _Builder:
    """Turns a lark tree into nodes, one small method a rule."""

    def build(self, tree: Any) -> Node:
        node: Node = getattr(self, f"_{tree.data}")(*tree.children)
        return node

    def _maybe(self, tree: Any) -> Node | None:
        return None if tree is None else self.build(tree)

    def _seq(self, first: Any) -> Node:
        return self.build(first)

    def _more(self, first: Any, rest: Any) -> Node:
        after = self.build(rest)
        inner = after.parts if isinstance(after, Sequence) else (after,)
        return Sequence((self.build(first), *inner))

    def _let(self, name: Any, value: Any, body: Any) -> Node:
        return Let(str(name), self.build(value), self.build(body))

    def _branch(self, test: Any, then: Any, otherwise: Any) -> Node:
        return Conditional(self.build(test), self.build(then), self.build(otherwise))

    _ternary = _branch

    def _elvis(self, test: Any, otherwise: Any) -> Node:
        node = self.build(test)
        return Conditional(node, node, self.build(otherwise))

    def _flat(self, first: Any, *tails: Any) -> Node:
        items: list[Any] = self._operand_items(first)
        for tail in tails:
            items.extend(getattr(self, f"_{tail.data}_items")(*tail.children))
        return Climber(items).climb(0)

    def _operand_items(self, tree: Any) -> list[Any]:
        *prefixes, body = tree.children
        signs = [sign.children[0] if sign.children else "not" for sign in prefixes]
        return [*(("prefix", sign) for sign in signs), ("value", self.build(body))]

    def _infix_items(self, operator: Any, operand: Any) -> list[Any]:
        return [("infix", operator), *self._operand_items(operand)]

    def _negated_items(self, operator: Any, operand: Any) -> list[Any]:
        return [("negated", operator), *self._operand_items(operand)]

    def _pipe_items(self, name: Any, arguments: Any) -> list[Any]:
        return [("pipe", lambda left: self._invoke(name, arguments, (left,)))]

    def _member(self, of: Any, name: Any) -> Node:
        return self._access(of, name, optional=False)

    def _optional(self, of: Any, name: Any) -> Node:
        return self._access(of, name, optional=True)

    def _optional_index(self, of: Any, key: Any) -> Node:
        return Chain(Member(self.build(of), self.build(key), optional=True))

    def _index(self, of: Any, key: Any) -> Node:
        return Member(self.build(of), self.build(key))

    def _access(self, of: Any, name: Any, *, optional: bool) -> Node:
        base, key, at = self.build(of), Literal(str(name)), _place(name)
        if isinstance(base, Chain):
            return Chain(Member(base.body, key, optional, at))
        return Chain(Member(base, key, True, at)) if optional else Member(base, key, at=at)

    def _method(self, of: Any, name: Any, arguments: Any) -> Node:
        function = self._member(of, name)
        if isinstance(function, Chain):
            return Chain(Call(function.body, self._arguments_of(arguments), _place(name)))
        return Call(function, self._arguments_of(arguments), _place(name))

    def _optional_method(self, of: Any, name: Any, arguments: Any) -> Node:
        function = self._optional(of, name)
        body = function.body if isinstance(function, Chain) else function
        return Chain(Call(body, self._arguments_of(arguments)))

    def _slice(self, of: Any, low: Any, high: Any) -> Node:
        return Slice(self.build(of), self._maybe(low), self._maybe(high))

    def _low(self, bound: Any) -> Node:
        return self.build(bound)

    _high = _low

    def _number(self, token: Any) -> Node:
        text = str(token).replace("_", "").lower()
        if text.startswith(("0x", "0o", "0b")):
            return Literal(int(text, 0))
        if "." in text or "e" in text:
            return Literal(float(text))
        if int(text) > 2**63 - 1:
            raise ExpressionError(f"invalid integer literal: {text} is out of range")
        return Literal(int(text))

    def _string(self, token: Any) -> Node:
        return Literal(unescape(str(token)[1:-1]))

    def _raw(self, token: Any) -> Node:
        return Literal(str(token)[1:-1].replace("``", "`"))

    def _name(self, token: Any) -> Node:
        if str(token) in _CONSTANTS:
            return Literal(_CONSTANTS[str(token)])
        return Name(str(token), _place(token))

    def _call(self, name: Any, arguments: Any) -> Node:
        return self._invoke(name, arguments, ())

    def _invoke(self, name: Any, arguments: Any, first: tuple[Node, ...]) -> Node:
        values = first + self._arguments_of(arguments, closures=str(name) in _CLOSURE_ARGUMENT)
        if str(name) not in BUILTINS:
            return Call(Name(str(name), _place(name)), values, _place(name))
        if (
            str(name) in _CLOSURE_ARGUMENT
            and len(values) > 1
            and not isinstance(values[1], Closure)
        ):
            values = (values[0], Closure(values[1]), *values[2:])
        return Builtin(str(name), values, _place(name))

    def _arguments_of(self, tree: Any, *, closures: bool = False) -> tuple[Node, ...]:
        values = () if tree is None else tuple(self.build(part) for part in tree.children if part)
        if not closures and any(isinstance(value, Closure) for value in values):
            raise ExpressionError(
                "unexpected token '{': only filter, map and the like take a closure"
            )
        return values

    def _closure(self, body: Any) -> Node:
        return Closure(self.build(body))

    def _pointer(self, token: Any) -> Node:
        return Pointer(str(token)[1:])

    def _field(self, name: Any) -> Node:
        return Member(Pointer(""), Literal(str(name)))

    def _array(self, items: Any) -> Node:
        return Array(() if items is None else tuple(self.build(i) for i in items.children if i))

    def _map(self, pairs: Any) -> Node:
        trees = () if pairs is None else tuple(pair for pair in pairs.children if pair)
        return Map(tuple((self.build(p.children[0]), self.build(p.children[1])) for p in trees))

    def _key_text(self, token: Any) -> Node:
        return Literal(str(token))

    def _key_string(self, token: Any) -> Node:
        return self._string(token)

    def _key_node(self, body: Any) -> Node:
        return self.build(body)
