"""The tokens of a bare `when`, and which may follow which, as govaluate has it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import couler_jobs.spec.expressions.gotext as gotext
from couler_jobs.spec.expressions.errors import ExpressionError

_VALUES = ("NUMERIC", "BOOLEAN", "VARIABLE", "ACCESSOR", "STRING", "TIME", "CLAUSE")
_AFTER_VALUE = ("MODIFIER", "COMPARATOR", "LOGICALOP", "CLAUSE_CLOSE", "TERNARY", "SEPARATOR")
_AFTER_TIME = tuple(kind for kind in _AFTER_VALUE if kind != "TERNARY")
_OPERANDS = ("PREFIX", *_VALUES)
_NEXT: Mapping[str, tuple[str, ...]] = {
    "UNKNOWN": (*_OPERANDS, "PATTERN"),
    "CLAUSE": (*_OPERANDS, "PATTERN", "CLAUSE_CLOSE"),
    "CLAUSE_CLOSE": (*_AFTER_VALUE, *(k for k in _VALUES if k != "ACCESSOR"), "PATTERN"),
    **dict.fromkeys(("NUMERIC", "BOOLEAN", "STRING", "VARIABLE"), _AFTER_VALUE),
    **dict.fromkeys(("TIME", "PATTERN"), _AFTER_TIME),
    "ACCESSOR": ("CLAUSE", *_AFTER_VALUE),
    "MODIFIER": (*(k for k in _OPERANDS if k != "TIME"), "CLAUSE_CLOSE"),
    "COMPARATOR": (*_OPERANDS, "CLAUSE_CLOSE", "PATTERN"),
    "LOGICALOP": (*_OPERANDS, "CLAUSE_CLOSE"),
    "PREFIX": (*(k for k in _VALUES if k not in ("STRING", "TIME")), "CLAUSE_CLOSE"),
    "TERNARY": (*_OPERANDS, "SEPARATOR"),
    "SEPARATOR": _OPERANDS,
}
_MAY_END = frozenset(
    ("CLAUSE_CLOSE", "NUMERIC", "BOOLEAN", "STRING", "TIME", "PATTERN", "VARIABLE", "ACCESSOR")
)
_PREFIXES = ("-", "!", "~")
SYMBOLS: Mapping[str, str] = {
    **dict.fromkeys(("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"), "MODIFIER"),
    **dict.fromkeys(("&&", "||"), "LOGICALOP"),
    **dict.fromkeys(("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"), "COMPARATOR"),
    **dict.fromkeys(("?", ":", "??"), "TERNARY"),
}
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d[AP]M"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the text: its kind, in govaluate's word, and its value."""

    kind: str
    value: Any

    def __str__(self) -> str:
        shown = ord(self.value) if self.kind.startswith("CLAUSE") else self.value
        return f"{self.kind} [{gotext.text(shown)}]"


@functools.lru_cache(maxsize=1024)
def tokens_of(when: str) -> tuple[Token, ...]:
    """The tokens of a `when` whose tags are replaced; `ExpressionError` if it cannot be read."""
    try:
        tokens = tuple(_Lexer(when).tokens())
        if sum({"CLAUSE": 1, "CLAUSE_CLOSE": -1}.get(token.kind, 0) for token in tokens):
            raise ExpressionError("Unbalanced parenthesis")
        check(tokens)
    except ExpressionError as error:
        wrapped = ' (hint: try wrapping the affected expression in quotes ("))'
        hint = wrapped if "Invalid token" in str(error) else ""
        raise ExpressionError(f"Invalid 'when' expression '{when}': {error}{hint}") from None
    return tokens


def check(tokens: Sequence[Token]) -> None:
    """Raise `ExpressionError` if a token cannot follow the one before it, or cannot be the last."""
    last = Token("UNKNOWN", None)
    for token in tokens:
        if token.kind not in _NEXT[last.kind]:
            if (last.kind, token.kind) == ("VARIABLE", "CLAUSE"):
                raise ExpressionError(f"Undefined function {last.value}")
            raise ExpressionError(f"Cannot transition token types from {last} to {token}")
        last = token
    if last.kind not in _MAY_END:
        raise ExpressionError("Unexpected end of expression")


class _Lexer:
    """Cuts the text into tokens."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def tokens(self) -> list[Token]:
        found: list[Token] = []
        while self._at < len(self._text):
            if self._text[self._at].isspace():
                self._at += 1
                continue
            found.append(self._token(found[-1].kind if found else "UNKNOWN"))
        return found

    def _token(self, before: str) -> Token:
        character = self._text[self._at]
        if character.isdecimal() or character == ".":
            return Token("NUMERIC", self._number())
        if character in ",()":
            self._at += 1
            return Token(
                {",": "SEPARATOR", "(": "CLAUSE", ")": "CLAUSE_CLOSE"}[character], character
            )
        if character == "[":
            return Token("VARIABLE", self._quoted("]", "Unclosed parameter bracket"))
        if character in "'\"":
            return self._literal()
        return self._word() if character.isalpha() else self._symbol(before)

    def _run(self, accept: Callable[[str], bool]) -> str:
        """Everything from here on that is accepted; a backslash lets any character in."""
        taken: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "\\":
                taken.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
                continue
            if character.isspace() or not accept(character):
                break
            taken.append(character)
            self._at += 1
        return "".join(taken)

    def _quoted(self, ends: str, error: str) -> str:
        self._at += 1
        taken: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ends:
            escaped = self._text[self._at] == "\\"
            taken.append(self._text[self._at + escaped : self._at + escaped + 1])
            self._at += 1 + escaped
        if self._at >= len(self._text):
            raise ExpressionError(error)
        self._at += 1
        return "".join(taken)

    def _number(self) -> float:
        if self._text.startswith("0x", self._at):
            self._at += 2
            digits = self._run(lambda c: c.isdecimal() or c.lower() in "abcdef")
            return float(_converted(lambda: int(digits, 16), f"hex value '{digits}' to uint64"))
        digits = self._run(lambda c: c.isdecimal() or c == ".")
        return _converted(lambda: float(digits), f"numeric value '{digits}' to float64")

    def _literal(self) -> Token:
        value = self._quoted("'\"", "Unclosed string literal")
        seconds = _seconds(value) if _TIME.fullmatch(value) else None
        return Token("STRING", value) if seconds is None else Token("TIME", seconds)

    def _word(self) -> Token:
        word = self._run(lambda c: c.isalnum() or c in "_.")
        if word in ("true", "false"):
            return Token("BOOLEAN", word == "true")
        if word in ("in", "IN"):
            return Token("COMPARATOR", "in")
        return _accessor(word) if "." in word[1:] else Token("VARIABLE", word)

    def _symbol(self, before: str) -> Token:
        symbol = self._run(lambda c: not (c.isalnum() or c in "()[]'\""))
        if symbol in _PREFIXES and "PREFIX" in _NEXT[before]:
            return Token("PREFIX", symbol)
        if symbol not in SYMBOLS:
            raise ExpressionError(f"Invalid token: '{symbol}'")
        return Token(SYMBOLS[symbol], symbol)


def _converted(convert: Callable[[], float], what: str) -> float:
    try:
        return convert()
    except ValueError:
        raise ExpressionError(f"Unable to parse {what}\n") from None


def _accessor(word: str) -> Token:
    if word.endswith("."):
        raise ExpressionError(f"Hanging accessor on token '{word}'")
    pieces = word.split(".")
    for piece in pieces[1:]:
        if piece[:1].upper() != piece[:1]:
            sentence = f"Unable to access unexported field '{piece}' in token '{word}'"
            raise ExpressionError(sentence)
    return Token("ACCESSOR", pieces)


def _seconds(text: str) -> float | None:
    """A quoted date becomes its seconds since the epoch, read as UTC."""
    try:
        if text.endswith("M"):
            clock = datetime.strptime(f"0001 {text}", "%Y %I:%M%p").replace(tzinfo=UTC)
            return clock.timestamp() - 366 * 86400
        moment = datetime.fromisoformat(text)
        return float(int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return None
