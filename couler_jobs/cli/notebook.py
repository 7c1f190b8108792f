"""`couler-jobs notebook`: run one notebook, with parameters, to its end."""

from __future__ import annotations

import argparse
from pathlib import Path

from couler_jobs.cli.exits import say
from couler_jobs.cli.options import (
    Commands,
    add_parameters,
    add_waiting,
    command,
    parameters,
    place,
)
from couler_jobs.cli.waiting import check_waiting, start


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, "notebook", run_it, "run a notebook, and wait for its end")
    parser.add_argument("notebook", type=Path, metavar="FILE.ipynb")
    parser.add_argument("--name", help="the run's name")
    parser.add_argument("--environment", metavar="PREFIX", help="a conda or virtual environment")
    parser.add_argument("--kernel", metavar="NAME", help="a kernelspec in that environment")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE.ipynb",
        help="the executed notebook, or its folder",
    )
    parser.add_argument(
        "--format", dest="formats", action="append", default=[], help="html, pdf, script, ..."
    )
    parser.set_defaults(stream=True, wait=True)
    add_parameters(parser)
    add_waiting(parser)


def run_it(arguments: argparse.Namespace) -> int:
    """Send the notebook as a workflow of one step, and follow it."""
    from couler_jobs.notebooks import NotebookOptions, files_of, notebook_manifest, remarks_on
    from couler_jobs.runs.values import decoded_values

    check_waiting(arguments)
    options = NotebookOptions(
        parameters=decoded_values(parameters(arguments)),
        name=arguments.name,
        environment=arguments.environment,
        kernel=arguments.kernel,
        output=arguments.output,
        formats=tuple(arguments.formats),
    )
    manifest = notebook_manifest(arguments.notebook, options)
    for remark in remarks_on(arguments.notebook, options.parameters):
        say(remark)
    arguments.files = files_of(manifest)
    return start(manifest, arguments, place(arguments))
