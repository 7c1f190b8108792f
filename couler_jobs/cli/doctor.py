"""`couler-jobs doctor`: what would be used, and what is wrong, in sentences."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import Commands, add_backend, add_json, command


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, "doctor", examine, "say what would be used, and what is wrong")
    add_backend(parser)
    add_json(parser)


def examine(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 when one of them keeps something from working."""
    from couler_jobs.cli.checks import examine_all
    from couler_jobs.cli.screen import print_json

    found = list(examine_all(arguments.backend, arguments.namespace))
    well = all(finding.status != "error" for finding in found)
    if arguments.json:
        print_json({"ok": well, "findings": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            print(f"{finding.status:7}  {finding.about}: {finding.message}")
    return Exit.OK if well else Exit.FAILED
