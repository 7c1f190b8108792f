"""`couler-jobs`: parses what was typed, calls the library, prints.

One file a command, or a few that belong together. Each has `add(commands)`, which declares its
arguments and imports nothing heavy, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from couler_jobs._version import __version__
from couler_jobs.cli import (
    cache,
    compile,
    control,
    demo,
    diff,
    doctor,
    import_,
    jobs,
    lint,
    local,
    logs,
    notebook,
    schedule,
    status,
    submit,
    version,
)
from couler_jobs.cli.exits import CODES, guarded, terminable
from couler_jobs.cli.parser import Parser

COMMANDS = (
    compile,
    lint,
    diff,
    import_,
    submit,
    notebook,
    status,
    logs,
    control,
    schedule,
    jobs,
    cache,
    local,
    doctor,
    demo,
    version,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and answer the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # What a step printed must reach a terminal of any encoding.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(argv)
    with terminable():
        return guarded(
            lambda: int(arguments.call(arguments)), debug=arguments.debug, as_json=arguments.json
        )


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    root = Parser(
        prog="couler-jobs",
        description="Compile, check and run workflows, on this machine or on Argo Workflows.",
        epilog="Exit codes: " + "; ".join(f"{code:d} {text}" for code, text in CODES.items()) + ".",
    )
    root.set_defaults(debug=False, json=False)
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return root
