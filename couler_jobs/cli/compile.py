"""`couler-jobs compile`: print the manifest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from couler_jobs.cli.exits import say
from couler_jobs.cli.options import (
    WHAT,
    Commands,
    add_couler,
    add_json,
    add_parameters,
    command,
    manifests,
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
    add_couler(parser)
    add_parameters(parser)
    add_json(parser)


def compile_it(arguments: argparse.Namespace) -> int:
    """Print the manifest as YAML, or as JSON; 2, and nothing of it, where lint finds an error."""
    from couler_jobs.submission import check

    found = manifests(arguments, arguments.target)
    for given in found:
        for finding in check(given.manifest, arguments.target, given.origin, unset="warning"):
            say(str(finding))
    text = _text([given.manifest for given in found], arguments.json)
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


def _text(found: Sequence[Manifest], as_json: bool) -> str:
    """One manifest as it is; several as documents of one stream, or a list."""
    import json

    from couler_jobs.spec.to_yaml import to_yaml

    if as_json:
        return json.dumps(found[0] if len(found) == 1 else found, indent=2) + "\n"
    return "---\n".join(to_yaml(manifest) for manifest in found)
