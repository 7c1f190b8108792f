"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from couler_jobs.backends.base import Backend
    from couler_jobs.compiler.origin import Origin
    from couler_jobs.runs.run import Run
    from couler_jobs.runs.schedule import Schedule
    from couler_jobs.runs.values import Said
    from couler_jobs.spec.secret import Secret

Commands = Any  #: argparse's action for subcommands has no public name
WHAT = "FILE.py, FILE.py:NAME, FILE.yaml, FILE.json, FILE.ipynb, or - for a manifest on stdin"


def command(
    commands: Commands, name: str, call: Callable[[argparse.Namespace], int], about: str
) -> argparse.ArgumentParser:
    """Declare one command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + "."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came up")
    parser.set_defaults(call=call)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for another program")


def add_couler(parser: argparse.ArgumentParser) -> None:
    """`--couler`."""
    parser.add_argument(
        "--couler",
        action="store_true",
        help="FILE.py is a program for Couler: take what it would submit with couler.run()",
    )


@contextmanager
def printing_aside() -> Iterator[None]:
    """What a program prints while it is read goes to stderr: stdout is the command's answer."""
    with redirect_stdout(sys.stderr):
        yield


class Given(NamedTuple):
    """One manifest that the arguments name, and what is to be known beside it."""

    manifest: dict[str, Any]
    origin: Origin | None  #: says where in the program a part of it was declared
    secrets: Sequence[Secret] = ()  #: what has to be in the cluster before it runs


@printing_aside()
def manifests(arguments: argparse.Namespace, target: str) -> list[Given]:
    """The manifest of the argument; with `--couler` each that the program would submit."""
    from couler_jobs.inputs import read_placed

    values = parameters(arguments)
    if not arguments.couler:
        return [Given(*read_placed(arguments.what, target, values))]
    from couler_jobs.couler_programs import workflows_of

    declared = workflows_of(Path(arguments.what))
    return [Given(*read_placed(one, target, values), one.secrets) for one in declared]


def add_backend(parser: argparse.ArgumentParser) -> None:
    """`--backend` and `--namespace`."""
    parser.add_argument("--backend", metavar="NAME", help="local, argo-server or kubernetes")
    parser.add_argument("--namespace", metavar="NAME", help="the Kubernetes namespace")


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """`-p name=value` and `--parameters-file`."""
    parser.add_argument(
        "-p",
        "--parameter",
        dest="parameters",
        metavar="NAME=VALUE",
        type=parameter,
        action="append",
        default=[],
        help="a parameter; the value is JSON where it can be read as such, else text",
    )
    parser.add_argument(
        "--parameters-file", type=Path, metavar="FILE", help="parameters as a YAML or JSON mapping"
    )


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """What every command has that starts a run and may wait for its end."""
    parser.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="wait no longer: seconds, or such as 10m"
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write a JUnit report at the end"
    )
    add_backend(parser)
    add_json(parser)


def add_run(parser: argparse.ArgumentParser) -> None:
    """The name of a run that exists, and where it is."""
    parser.add_argument("name", metavar="RUN", help="the run's name")
    add_backend(parser)


def add_schedule(parser: argparse.ArgumentParser) -> None:
    """The name of a schedule that exists, and where it is."""
    parser.add_argument("name", metavar="SCHEDULE", help="the schedule's name")
    add_backend(parser)
    add_json(parser)


def seconds(text: str) -> float:
    """A time above zero in seconds, or with a unit as the time-outs of steps have it."""
    from couler_jobs.dsl.units import UNITS

    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS else (text, "")
    try:
        value = float(number) * UNITS[unit]
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: give a number of seconds, or such as 90s, 10m, 2h"
        )
    return value


def parameter(text: str) -> tuple[str, Said]:
    """`name=value`: papermill's rule, JSON where it can be read as such, else text."""
    from couler_jobs.runs.values import Said

    name, value = pair(text)
    return name, Said(value)


def pair(text: str) -> tuple[str, str]:
    """`name=value`, both as they are."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def count(text: str) -> int:
    """A number that is not negative."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the file, then those of the command line, which win."""
    from couler_jobs.manifests import read_mapping

    given = read_mapping(arguments.parameters_file) if arguments.parameters_file else {}
    return {**given, **dict(arguments.parameters)}


def place(arguments: argparse.Namespace) -> Backend:
    """The backend that the arguments and the settings lead to."""
    from couler_jobs.backends.choose import choose
    from couler_jobs.config import Settings

    return choose(arguments.backend, Settings.load(namespace=arguments.namespace))


def run_of(arguments: argparse.Namespace) -> Run:
    """The run that was named."""
    from couler_jobs.runs.run import Run

    return Run.of(arguments.name, place(arguments))


def schedule_of(arguments: argparse.Namespace) -> Schedule:
    """The schedule that was named."""
    from couler_jobs.runs.schedule import Schedule

    return Schedule.of(arguments.name, place(arguments))
