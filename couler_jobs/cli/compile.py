"""`couler-jobs compile`: print the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from couler_jobs.cli.exits import say
from couler_jobs.cli.options import (
    WHAT,
    Commands,
    add_json,
    add_parameters,
    command,
    parameters,
)

if TYPE_CHECKING:
    from couler_jobs.manifests import Manifest

TARGET = "4.1"  #: the newest Argo that the compiler knows


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, "compile", compile_it, "print the manifest of a workflow")
    parser.add_argument("what", metavar="WORKFLOW", help=WHAT)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file")
    parser.add_argument("--target", default=TARGET, metavar="VERSION", help="Argo's version")
    add_parameters(parser)
    add_json(parser)


def compile_it(arguments: argparse.Namespace) -> int:
    """Print the manifest as YAML, or as JSON; 2, and nothing of it, where lint finds an error."""
    from couler_jobs.inputs import read
    from couler_jobs.submission import check

    manifest = read(arguments.what, arguments.target, parameters(arguments))
    for finding in check(manifest, arguments.target):
        say(str(finding))
    text = _text(manifest, arguments.json)
    if arguments.output:
        write(arguments.output, text)
    else:
        print(text, end="")
    return 0


def write(path: Path, text: str) -> None:
    """Write a file, or say in a sentence why not."""
    from couler_jobs.errors import ConfigError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None


def _text(manifest: Manifest, as_json: bool) -> str:
    import json

    from couler_jobs.compiler.yaml import to_yaml

    return json.dumps(manifest, indent=2) + "\n" if as_json else to_yaml(manifest)
