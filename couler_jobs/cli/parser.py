"""A parser of command lines that names the nearest word to one that it does not know."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from couler_jobs.nearest import nearest


class Parser(argparse.ArgumentParser):
    """argparse's, whose subcommands refuse what they do not know themselves, with their usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """All arguments; SystemExit for unknown ones, as everywhere in argparse."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = _meant(unknown[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = _meant(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{near}") from None


def _meant(word: str, known: Iterable[str]) -> str:
    near = nearest(word, known)
    return f" - did you mean {near}?" if near else ""
