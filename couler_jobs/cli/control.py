"""`couler-jobs stop`, `terminate`, `suspend`, `resume`, `retry`, `delete`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import Commands, add_json, add_run, command, pair, run_of
from couler_jobs.cli.screen import print_json, summary

if TYPE_CHECKING:
    from couler_jobs.runs.run import Run

ABOUT = {
    "stop": "end a run gently: its exit handler runs",
    "terminate": "end a run at once: no exit handler runs",
    "suspend": "start no further step of a run until it is resumed",
    "retry": "run again what failed in a run; what succeeded is kept",
}


def add(commands: Commands) -> None:
    """Declare the commands."""
    for verb, about in ABOUT.items():
        _declare(command(commands, verb, partial(_ask, verb), about))
    resume = command(commands, "resume", _resume, "let a suspended run go on")
    _declare(resume)
    resume.add_argument("--node", metavar="STEP", help="past this suspend step only")
    resume.add_argument(
        "--answer",
        dest="answers",
        metavar="NAME=VALUE",
        type=pair,
        action="append",
        default=[],
        help="what a suspend step asks for, a text as it is",
    )
    _declare(command(commands, "delete", _delete, "forget a run, its logs and its files"))


def _declare(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_json(parser)


def _ask(verb: str, arguments: argparse.Namespace) -> int:
    """Ask it of the run, and print how it stands."""
    run = run_of(arguments)
    ask: Callable[[], object] = getattr(run, verb)
    ask()
    return _show(arguments, run)


def _resume(arguments: argparse.Namespace) -> int:
    run = run_of(arguments)
    return _show(arguments, run.resume(arguments.node, dict(arguments.answers)))


def _show(arguments: argparse.Namespace, run: Run) -> int:
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
