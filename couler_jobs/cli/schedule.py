"""`couler-jobs schedule`: list, show, pause, resume, trigger and delete what runs by itself."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import (
    Commands,
    add_backend,
    add_json,
    add_schedule,
    command,
    place,
    schedule_of,
)
from couler_jobs.cli.screen import print_json, run_as_json, schedule_as_json, state_of, summary

if TYPE_CHECKING:
    from couler_jobs.runs.schedule import Schedule

RUNS_SHOWN = 10


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser(
        "schedule",
        help="list, show, pause, resume, trigger or delete schedules",
        description="What runs by itself. A schedule is made, and changed, by couler-jobs apply.",
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = command(inner, "list", list_schedules, "list schedules, and when each runs next")
    add_backend(listing)
    add_json(listing)
    add_schedule(command(inner, "show", show, "show a schedule, its next times and its runs"))
    pause, resume = "start no run until it is resumed", "start runs again from the next tick on"
    add_schedule(command(inner, "pause", partial(_ask, "pause"), pause))
    add_schedule(command(inner, "resume", partial(_ask, "resume"), resume))
    add_schedule(command(inner, "trigger", trigger, "start one run now, also while it is paused"))
    add_schedule(command(inner, "delete", delete, "remove a schedule; its runs stay"))


def list_schedules(arguments: argparse.Namespace) -> int:
    """Print a line a schedule."""
    from couler_jobs.runs.schedule import Schedule

    where = place(arguments)
    found = [Schedule(info, where) for info in where.list_crons()]
    if arguments.json:
        print_json([schedule_as_json(schedule) for schedule in found])
    else:
        for schedule in found:
            print(_line(schedule))
    return Exit.OK


def show(arguments: argparse.Namespace) -> int:
    """Print the schedule, its next times, what its controller complains of, and its runs."""
    schedule = schedule_of(arguments)
    runs = [run.info for run in schedule.runs[:RUNS_SHOWN]]
    if arguments.json:
        print_json(schedule_as_json(schedule) | {"runs": [summary(run) for run in runs]})
        return Exit.OK
    print(_line(schedule))
    for time in schedule.next_times():
        print(f"  next {time:%Y-%m-%d %H:%M %Z}")
    for condition in schedule.info.conditions:
        print(f"  {condition}")
    for run in runs:
        print(f"  {run.name} {run.phase}")
    return Exit.OK


def trigger(arguments: argparse.Namespace) -> int:
    """Start one run now, and print its name."""
    run = schedule_of(arguments).trigger()
    if arguments.json:
        print_json(run_as_json(run))
    else:
        print(run.name)
    return Exit.OK


def delete(arguments: argparse.Namespace) -> int:
    """Remove it."""
    schedule_of(arguments).delete()
    if arguments.json:
        print_json({"name": arguments.name, "deleted": True})
    else:
        print(f"{arguments.name} deleted")
    return Exit.OK


def _ask(verb: str, arguments: argparse.Namespace) -> int:
    schedule = schedule_of(arguments)
    getattr(schedule, verb)()
    if arguments.json:
        print_json(schedule_as_json(schedule))
    else:
        print(f"{schedule.name} {state_of(schedule)}")
    return Exit.OK


def _line(schedule: Schedule) -> str:
    lines = ", ".join(schedule.info.schedules)
    return f"{schedule.name}  {lines}  {schedule.info.timezone or 'UTC'}  {state_of(schedule)}"
