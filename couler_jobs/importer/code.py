"""Python expressions: values that can be computed, and written as text that reads well. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

WIDTH = 96
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, and what it holds."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Invoke:
    """A call of a function: positional arguments, then keywords."""

    function: Callable[..., Any]
    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


def evaluate(code: Any) -> Any:
    """What the expression gives."""
    match code:
        case Name(value=value):
            return value
        case Invoke(function, arguments, keywords):
            named = {name: evaluate(value) for name, value in keywords.items()}
            return function(*map(evaluate, arguments), **named)
        case list():
            return [evaluate(item) for item in code]
        case dict():
            return {key: evaluate(value) for key, value in code.items()}
        case _:
            return code


def functions(code: Any) -> set[str]:
    """The names of all functions that the expression calls."""
    match code:
        case Invoke(function, arguments, keywords):
            inner = [functions(one) for one in (*arguments, *keywords.values())]
            return {function.__name__}.union(*inner)
        case list():
            return set().union(*map(functions, code))
        case dict():
            return set().union(*map(functions, code.values()))
        case _:
            return set()


def written(code: Any, indent: str = "", before: int = 0) -> str:
    """The expression as text; `before` is the length of what stands before it on its line."""
    line = _line(code)
    if line is not None and len(indent) + before + len(line) < WIDTH:
        return line
    inner = indent + INDENT
    match code:
        case Invoke(function, arguments, keywords) if arguments or keywords:
            parts = [written(one, inner) for one in arguments]
            parts += [_keyword(name, value, inner) for name, value in keywords.items()]
            return _block(f"{function.__name__}(", parts, ")", indent)
        case list() if code:
            return _block("[", [written(one, inner) for one in code], "]", indent)
        case dict() if code:
            parts = [_pair(key, value, inner) for key, value in code.items()]
            return _block("{", parts, "}", indent)
        case str():
            return _text(code)
        case _:
            return line or repr(code)


def _block(opening: str, parts: Sequence[str], closing: str, indent: str) -> str:
    lines = "".join(f"{indent}{INDENT}{part},\n" for part in parts)
    return f"{opening}\n{lines}{indent}{closing}"


def _pair(key: Any, value: Any, indent: str) -> str:
    name = written(key)
    return f"{name}: {written(value, indent, len(name) + 2)}"


def _keyword(name: str, value: Any, indent: str) -> str:
    if _is_word(name):
        return f"{name}={written(value, indent, len(name) + 1)}"
    return "**" + written({name: value}, indent, 2)


def _line(code: Any) -> str | None:
    """The expression on one line; None where it has a text of several lines."""
    match code:
        case Name(name=name):
            return name
        case Invoke(function, arguments, keywords):
            parts = [_line(one) for one in arguments]
            parts += [_line_keyword(name, value) for name, value in keywords.items()]
            return _joined(f"{function.__name__}(", parts, ")")
        case list():
            return _joined("[", [_line(one) for one in code], "]")
        case dict():
            return _joined("{", [_line_pair(key, value) for key, value in code.items()], "}")
        case str() if "\n" in code.rstrip("\n") and len(code) > 40:
            return None
        case str():
            return _quoted(code)
        case _:
            return repr(code)


def _is_word(name: str) -> bool:
    """Whether it can stand before the `=` of a keyword as it is; Python would fold `ﬁ` to `fi`."""
    return name.isascii() and name.isidentifier() and not iskeyword(name)


def _joined(opening: str, parts: Sequence[str | None], closing: str) -> str | None:
    found = [part for part in parts if part is not None]
    return f"{opening}{', '.join(found)}{closing}" if len(found) == len(parts) else None


def _line_pair(key: Any, value: Any) -> str | None:
    text = _line(value)
    return None if text is None else f"{_line(key)}: {text}"


def _line_keyword(name: str, value: Any) -> str | None:
    if not _is_word(name):
        pair = _line_pair(name, value)
        return None if pair is None else f"**{{{pair}}}"
    text = _line(value)
    return None if text is None else f"{name}={text}"


def _quoted(text: str) -> str:
    """The text between double quotes where it holds none, as in hand-written code."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in text else plain


def _text(text: str) -> str:
    """A text of several lines between triple quotes, if it is read back as it is."""
    plain = text.replace("\\", "\\\\")
    escaped = plain.replace('"""', '\\"\\"\\"')
    ways = (f'"""\\\n{plain}"""', f"'''\\\n{plain}'''", f'"""\\\n{escaped}"""')
    return next((way for way in ways if _gives(way, text)), _quoted(text))


def _gives(code: str, text: str) -> bool:
    try:
        return "\r" not in text and bool(ast.literal_eval(code) == text)
    except (SyntaxError, ValueError):
        return False
