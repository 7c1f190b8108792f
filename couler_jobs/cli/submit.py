"""`couler-jobs submit`, `apply` and `run`: from a file to a run or a schedule."""

from __future__ import annotations

import argparse

from couler_jobs.cli.options import (
    WHAT,
    Commands,
    add_backend,
    add_json,
    add_parameters,
    add_waiting,
    command,
    parameters,
    place,
)
from couler_jobs.cli.waiting import check_waiting, start


def add(commands: Commands) -> None:
    """Declare the commands."""
    submit = command(commands, "submit", submit_it, "start a workflow, and print the run's name")
    submit.add_argument("--wait", action="store_true", help="wait for its end")
    submit.set_defaults(stream=False)
    run = command(commands, "run", submit_it, "start a workflow, print its logs, wait for its end")
    run.set_defaults(stream=True, wait=True)
    apply = command(
        commands, "apply", submit_it, "make a schedule like the file says; start what has none"
    )
    apply.set_defaults(wait=False, stream=False, timeout=None, junit=None)
    for parser in (submit, run, apply):
        parser.add_argument("what", metavar="WORKFLOW", help=WHAT)
        parser.add_argument("--name", help="the run's name, or the schedule's")
        add_parameters(parser)
    add_waiting(submit)
    add_waiting(run)
    add_backend(apply)
    add_json(apply)


def submit_it(arguments: argparse.Namespace) -> int:
    """Compile, check, send; then wait where that was asked for."""
    from couler_jobs.submission import prepare, target_of

    check_waiting(arguments)
    where = place(arguments)
    target = target_of(where)
    manifest = prepare(
        arguments.what, target=target, name=arguments.name, parameters=parameters(arguments)
    )
    return start(manifest, arguments, where)
