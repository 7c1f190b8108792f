"""`couler-jobs diff`: what differs between two manifests."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from typing import Any

from couler_jobs.cli.compile import TARGET
from couler_jobs.cli.options import (
    WHAT,
    Commands,
    add_json,
    add_parameters,
    command,
    parameters,
    printing_aside,
)


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands, "diff", diff, "say what differs between two workflows; 1 if anything does"
    )
    parser.add_argument("old", metavar="OLD", help=WHAT)
    parser.add_argument("new", metavar="NEW", help="the same")
    parser.add_argument("--target", default=TARGET, metavar="VERSION", help="Argo's version")
    add_parameters(parser)
    add_json(parser)


def diff(arguments: argparse.Namespace) -> int:
    """Print the lines that differ, as `diff -u` does; the order of keys makes no difference."""
    import json

    from couler_jobs.inputs import read
    from couler_jobs.spec.to_yaml import to_yaml

    values = parameters(arguments)
    with printing_aside():
        old, new = (
            to_yaml(_sorted(read(what, arguments.target, values)))
            for what in (arguments.old, arguments.new)
        )
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), arguments.old, arguments.new, lineterm=""
    )
    found = list(lines)
    if arguments.json:
        print(json.dumps({"equal": not found, "diff": found}))
    elif found:
        print("\n".join(found))
    return 1 if found else 0


def _sorted(value: Any) -> Any:
    """The same with its keys in order, also inside."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
