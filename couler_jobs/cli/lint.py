"""`couler-jobs lint`: everything that would be refused or is unwise, before anything runs."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.cli.compile import TARGET
from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import (
    WHAT,
    Commands,
    add_couler,
    add_json,
    add_parameters,
    command,
    parameters,
    printing_aside,
)
from couler_jobs.errors import CompileError, DeclarationError

if TYPE_CHECKING:
    from couler_jobs.spec.finding import Finding

Values = Mapping[str, Any]

_PLACE = re.compile(r"^(.+), line (\d+)$")


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, "lint", lint_all, "say what is wrong in workflows")
    parser.add_argument("what", metavar="WORKFLOW", nargs="+", help=WHAT)
    parser.add_argument("--target", default=TARGET, metavar="VERSION", help="Argo's version")
    add_couler(parser)
    add_parameters(parser)
    add_json(parser)


def lint_all(arguments: argparse.Namespace) -> int:
    """Print each finding of each file on a line; 2 where one of them is an error."""
    from couler_jobs.cli.screen import print_json

    values = parameters(arguments)
    look = _in_program if arguments.couler else _findings
    with printing_aside():
        found = [
            each
            for what in arguments.what
            for each in _all(what, lambda one: look(one, arguments.target, values))
        ]
    if arguments.json:
        print_json([{"file": _file(what, one), **asdict(one)} for what, one in found])
    else:
        for what, finding in found:
            print(f"{what}: {finding}")
    return Exit.USAGE if any(f.severity == "error" for _, f in found) else Exit.OK


def _all(what: str, look: Callable[[str], Iterator[Finding]]) -> Iterator[tuple[str, Finding]]:
    """The findings, each with what it was found in: of several workflows of a program, in which.

    What keeps a file from being read, declared or compiled is one of them.
    """
    from couler_jobs.inputs import SeveralWorkflows

    try:
        for finding in look(what):
            yield what, finding
    except SeveralWorkflows as several:
        for one in several.workflows:
            yield from _all(one, look)
    except (DeclarationError, CompileError) as error:
        yield what, _finding(error)


def _file(what: str, finding: Finding) -> str:
    """The file whose line the finding has: what was asked about, or a file that it imports."""
    there = _PLACE.search(finding.place)
    if there is None or finding.line is None:
        return what
    asked = f"{os.path.realpath(what)}:"  # of `flow.py:nightly` it is flow.py
    return what if asked.startswith(f"{os.path.realpath(there[1])}:") else there[1]


def _finding(error: DeclarationError | CompileError) -> Finding:
    from couler_jobs.spec.finding import Finding

    code = "compile" if isinstance(error, CompileError) else "declaration"
    there = _PLACE.search(error.place)
    return Finding(
        severity="error",
        code=code,
        path="",
        message=error.said,
        line=int(there[2]) if there else error.line,
        place=error.place,
    )


def _in_program(what: str, target: str, values: Values) -> Iterator[Finding]:
    """What is wrong in what a program for Couler would submit."""
    from couler_jobs.build import placed as compiled
    from couler_jobs.couler_programs import workflows_of
    from couler_jobs.findings import findings_in

    for workflow in workflows_of(Path(what)):
        yield from findings_in(*compiled(workflow, target, values), target)


def _findings(what: str, target: str, values: Values) -> Iterator[Finding]:
    """What is wrong in one of them; in a file of several manifests, in each."""
    from couler_jobs.findings import findings_in
    from couler_jobs.inputs import read_placed
    from couler_jobs.manifests import filled, is_manifest_file, read_documents

    if not is_manifest_file(what):
        yield from findings_in(*read_placed(what, target, values), target)
        return
    documents = read_documents(Path(what))
    if not documents:
        # A file that was emptied by mistake must not pass as one in which nothing is wrong.
        raise DeclarationError(f"{what} holds 0 manifests: there is nothing to check.")
    for manifest, lines in documents:
        yield from findings_in(filled(manifest, values), None, target, lines)
