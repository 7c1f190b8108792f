"""What runs when a step or a workflow begins, or ends in a certain way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.dsl.place import placed
from couler_jobs.errors import DeclarationError

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")
EXIT = "exit"
"""The hook that runs at the end, however it ended; Argo gives it no condition."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A step or function, and when it runs: in a phase, or when Argo's expression holds."""

    function: Callable[..., Any]
    name: str = ""
    on: str = ""
    expression: str = ""

    def condition(self, subject: str) -> dict[str, str]:
        """The `expression`, of what is about `subject`, such as `workflow`."""
        if self.name == EXIT:
            return {}
        return {"expression": self.expression or f'{subject}.status == "{self.on}"'}


def hook(function: Callable[..., Any], *, on: str = "", expression: str = "") -> Hook:
    """Run a step in this phase: `hooks={"warn": cj.hook(warn, on="Failed")}`.

    on: Pending, Running, Succeeded, Failed or Error. expression: a condition in Argo's words
    instead. The function's parameters get the values of the workflow's parameters of that name.
    Raises `DeclarationError` for another phase, and for neither or both.
    """
    with placed():
        if bool(on) == bool(expression):
            raise DeclarationError("cj.hook needs on= or expression=, to say when it runs.")
        if on and on not in _PHASES:
            raise DeclarationError(f"on={on!r}: it is one of {', '.join(_PHASES)}.")
    return Hook(function, on=on, expression=expression)


def hooks_of(words: Mapping[str, Any]) -> tuple[Hook, ...]:
    """The hooks that `on_exit` and `hooks` ask for, with their names."""
    found = []
    for name, one in (words.get("hooks") or {}).items():
        if not isinstance(one, Hook) or name == EXIT:
            raise DeclarationError(
                f"hooks={{{name!r}: {one!r}}}: it takes cj.hook(function, on=...), "
                "and on_exit= what runs at the end."
            )
        found.append(Hook(one.function, name, one.on, one.expression))
    if words.get("on_exit") is not None:
        found.append(Hook(words["on_exit"], EXIT))
    return tuple(found)
