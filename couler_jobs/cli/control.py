"""`couler-jobs stop`, `terminate`, `suspend`, `resume`, `retry`, `delete`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import Commands, add_json, add_run, command, run_of
from couler_jobs.cli.screen import print_json, summary

ABOUT = {
    "stop": "end a run gently: its exit handler runs",
    "terminate": "end a run at once: no exit handler runs",
    "suspend": "start no further step of a run until it is resumed",
    "resume": "let a suspended run go on",
    "retry": "run again what failed in a run; what succeeded is kept",
}


def add(commands: Commands) -> None:
    """Declare the commands."""
    for verb, about in ABOUT.items():
        _declare(command(commands, verb, partial(_ask, verb), about))
    _declare(command(commands, "delete", _delete, "forget a run, its logs and its files"))


def _declare(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_json(parser)


def _ask(verb: str, arguments: argparse.Namespace) -> int:
    """Ask it of the run, and print how it stands."""
    run = run_of(arguments)
    ask: Callable[[], object] = getattr(run, verb)
    ask()
    if arguments.json:
        print_json(summary(run.info))
    else:
        print(f"{run.name} {run.phase}")
    return Exit.OK


def _delete(arguments: argparse.Namespace) -> int:
    run = run_of(arguments)
    run.delete()
    if arguments.json:
        print_json({"name": run.name, "uid": run.uid, "deleted": True})
    else:
        print(f"{run.name} deleted")
    return Exit.OK
