"""`couler-jobs status`, `list`, `watch`: how runs stand."""

from __future__ import annotations

import argparse
from itertools import islice

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import (
    Commands,
    add_backend,
    add_json,
    add_run,
    command,
    count,
    pair,
    place,
    run_of,
    seconds,
)
from couler_jobs.cli.screen import output_lines, print_json, run_as_json, summary


def add(commands: Commands) -> None:
    """Declare the commands."""
    status = command(commands, "status", show, "show how a run stands")
    add_run(status)
    add_json(status)
    watch = command(commands, "watch", watch_it, "show how a run goes on, to its end")
    add_run(watch)
    watch.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="no longer: seconds, or such as 10m"
    )
    watch.add_argument(
        "--until-asked", action="store_true", help="end, with 0, when a step asks for an answer"
    )
    watch.set_defaults(junit=None, stream=False)
    add_json(watch)
    listing = command(commands, "list", list_runs, "list runs, newest first")
    listing.add_argument(
        "-l", "--label", metavar="NAME=VALUE", type=pair, action="append", default=[]
    )
    listing.add_argument("-n", "--limit", type=count, metavar="COUNT", help="no more than this")
    add_backend(listing)
    add_json(listing)


def show(arguments: argparse.Namespace) -> int:
    """Print the run and its steps. How the run ended is no failure of this command."""
    from couler_jobs.runs import display

    run = run_of(arguments)
    if arguments.json:
        print_json(run_as_json(run))
    else:
        shown = display.as_text(run.info, display.in_shell)
        print("\n".join([shown, *output_lines(run)]))
    return Exit.OK


def watch_it(arguments: argparse.Namespace) -> int:
    """Show the phases as they change, and answer how it ended."""
    from couler_jobs.cli.waiting import wait

    return wait(run_of(arguments), arguments)


def list_runs(arguments: argparse.Namespace) -> int:
    """Print a line a run."""
    found = [*islice(place(arguments).list(dict(arguments.label) or None), arguments.limit)]
    if arguments.json:
        print_json([summary(info) for info in found])
        return Exit.OK
    names = max((len(info.name) for info in found), default=0)
    phases = max((len(info.phase) for info in found), default=0)
    for info in found:
        created = f"{info.created_at:%Y-%m-%d %H:%M:%S %Z}" if info.created_at else ""
        print(f"{info.name:{names}}  {info.phase:{phases}}  {created}".rstrip())
    return Exit.OK
