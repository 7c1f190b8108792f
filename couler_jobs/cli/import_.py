"""`couler-jobs import`: a manifest as a Python program."""

from __future__ import annotations

import argparse
from pathlib import Path

from couler_jobs.cli.compile import write
from couler_jobs.cli.options import Commands, command


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands, "import", import_it, "write a manifest as a Python program that gives it back"
    )
    parser.add_argument("manifest", metavar="FILE.yaml", help="or FILE.json, or - for stdin")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file")


def import_it(arguments: argparse.Namespace) -> int:
    """Print the program; comments of the manifest are not kept."""
    from couler_jobs.errors import DeclarationError
    from couler_jobs.importer.program import program
    from couler_jobs.manifests import is_manifest_file, read_manifest

    given = arguments.manifest
    if not is_manifest_file(given):
        raise DeclarationError(f"{given} is no manifest: give a .yaml or .json file, or -.")
    name = "standard input" if given == "-" else Path(given).name
    text = program(read_manifest(Path(given)), name)
    if arguments.output:
        write(arguments.output, text)
    else:
        print(text, end="")
    return 0
