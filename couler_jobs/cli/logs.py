"""`couler-jobs logs`: what the steps of a run printed."""

from __future__ import annotations

import argparse
import json

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import Commands, add_json, add_run, command, run_of
from couler_jobs.cli.screen import print_log


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, "logs", show, "print what the steps of a run printed")
    add_run(parser)
    add_json(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run's end")
    parser.add_argument("--node", metavar="STEP", help="one step's alone, without its name before")


def show(arguments: argparse.Namespace) -> int:
    """Print the lines as they are; of one step alone, nothing is added to them."""
    for line in run_of(arguments).logs(follow=arguments.follow, node=arguments.node):
        if arguments.json:
            print(json.dumps({"node": line.node, "text": line.text}), flush=arguments.follow)
        elif arguments.node:
            print(line.text, flush=arguments.follow)
        else:
            print_log(line)
    return Exit.OK
