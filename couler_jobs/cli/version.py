"""`couler-jobs version`."""

from __future__ import annotations

import argparse

from couler_jobs.cli.options import Commands, add_json, command


def add(commands: Commands) -> None:
    """Declare the command."""
    add_json(command(commands, "version", show, "print the version of this program"))


def show(arguments: argparse.Namespace) -> int:
    """Print it."""
    from couler_jobs._version import __version__
    from couler_jobs.cli.screen import print_json

    if arguments.json:
        print_json({"version": __version__})
    else:
        print(__version__)
    return 0
