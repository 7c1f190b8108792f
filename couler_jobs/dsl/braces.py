"""Scripts without what is expanded in them: a script's text is not the program's own on the way.

Argo expands `{{tag}}` in it. It then hands the script to the pod in an environment variable, in
which Kubernetes expands `$(NAME)` and makes one `$` of `$$`
(https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from couler_jobs.errors import DeclarationError

EXPANDED = re.compile(r"\{\{|\$\$|\$\([-._a-zA-Z][-._a-zA-Z0-9]*\)")
_QUOTES = ('"', "'", '"""', "'''")


def without_tags(text: str, name: str) -> str:
    """A script that means the same and holds nothing that is expanded.

    Each is rewritten in the first of several ways after which the script still parses to the same
    tree. `name` is the step's, for the `DeclarationError` where there is no such way.
    """
    found = EXPANDED.search(text)
    while found:
        text = _rewritten(text, found.start(), name)
        found = EXPANDED.search(text, found.start())
    return text


def _rewritten(text: str, at: int, name: str) -> str:
    meaning = ast.dump(ast.parse(text))
    for replacement in _ways(*text[at : at + 2]):
        candidate = f"{text[:at]}{replacement}{text[at + 2 :]}"
        if _meaning(candidate) == meaning:
            return candidate
    line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()
    raise DeclarationError(
        f"The step {name} holds {text[at : at + 2]!r} in {line!r}, which would be expanded on the "
        "way: build that text from two pieces."
    )


def _ways(first: str, second: str) -> Iterator[str]:
    yield f"{first} {second}"  # code, comments
    yield f"{first}\\x{ord(second):x}"  # a string
    if first == second == "{":
        yield "\\x7b"  # an f-string, in which two braces stand for one
    for quote in _QUOTES:
        for prefix in ("r", "rb", "rf"):
            yield f"{first}{quote} {prefix}{quote}{second}"  # a raw string, as two


def _meaning(text: str) -> str:
    try:
        return ast.dump(ast.parse(text))
    except SyntaxError:
        return ""
