"""Scripts without `{{`: Argo expands its tags in a script too, also in the user's strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from couler_jobs.errors import DeclarationError

_QUOTES = ('"', "'", '"""', "'''")


def without_tags(text: str, name: str) -> str:
    """A script that means the same and holds no `{{`.

    Each is rewritten in the first of several ways after which the script still parses to the same
    tree. `name` is the step's, for the `DeclarationError` where there is no such way.
    """
    at = text.find("{{")
    while at >= 0:
        text = _rewritten(text, at, name)
        at = text.find("{{", at)
    return text


def _rewritten(text: str, at: int, name: str) -> str:
    meaning = ast.dump(ast.parse(text))
    for replacement in _ways():
        candidate = f"{text[:at]}{replacement}{text[at + 2 :]}"
        if _meaning(candidate) == meaning:
            return candidate
    line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()
    raise DeclarationError(
        f"The step {name} holds '{{{{' in {line!r}, which Argo would expand: build that text from "
        "two pieces."
    )


def _ways() -> Iterator[str]:
    yield "{ {"  # code, comments
    yield "{\\x7b"  # a string
    yield "\\x7b"  # an f-string, in which two braces stand for one
    for quote in _QUOTES:
        for prefix in ("r", "rb", "rf"):
            yield f"{{{quote} {prefix}{quote}{{"  # a raw string, as two


def _meaning(text: str) -> str:
    try:
        return ast.dump(ast.parse(text))
    except SyntaxError:
        return ""
