"""`couler-jobs submit`, `apply` and `run`: from a file to a run or a schedule."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import (
    WHAT,
    Commands,
    Given,
    add_backend,
    add_couler,
    add_json,
    add_parameters,
    add_waiting,
    command,
    manifests,
    place,
)
from couler_jobs.cli.waiting import check_waiting, start


def add(commands: Commands) -> None:
    """Declare the commands."""
    submit = command(commands, "submit", submit_it, "start a workflow, and print the run's name")
    submit.add_argument("--wait", action="store_true", help="wait for its end")
    submit.set_defaults(stream=False, applies=False)
    run = command(commands, "run", submit_it, "start a workflow, print its logs, wait for its end")
    run.set_defaults(stream=True, wait=True, applies=False)
    apply = command(
        commands,
        "apply",
        submit_it,
        "store a schedule or template like the file says; start any other",
    )
    apply.set_defaults(wait=False, stream=False, timeout=None, junit=None, applies=True)
    for parser in (submit, run, apply):
        parser.add_argument("what", metavar="WORKFLOW", help=WHAT)
        parser.add_argument("--name", help="the run's name, the schedule's or the template's")
        add_couler(parser)
        add_parameters(parser)
    add_waiting(submit)
    add_waiting(run)
    add_backend(apply)
    add_json(apply)


def submit_it(arguments: argparse.Namespace) -> int:
    """Compile, check, send; then wait where that was asked for.

    Of a program that submits several, each is started when the one before it is; nothing is
    started before all of them are checked.
    """
    from couler_jobs.errors import ConfigError
    from couler_jobs.submission import prepare, target_of

    check_waiting(arguments)
    where = place(arguments)
    target = target_of(where)
    found = manifests(arguments, target)
    if len(found) > 1 and arguments.name:
        raise ConfigError(f"--name names one run, and {arguments.what} submits {len(found)}.")
    ready = [
        one._replace(manifest=prepare(one.manifest, target=target, name=arguments.name)[0])
        for one in found
    ]
    _check_all(ready, arguments, target)
    for given in ready:
        for secret in given.secrets:
            where.make_secret(secret)
        start(given.manifest, arguments, where, given.origin)
    return Exit.OK


def _check_all(ready: Sequence[Given], arguments: argparse.Namespace, target: str) -> None:
    from couler_jobs.submission import check, refuse_template

    if not arguments.applies:
        for given in ready:
            refuse_template(given.manifest)
    if len(ready) > 1:
        for given in ready:
            check(given.manifest, target, given.origin)
