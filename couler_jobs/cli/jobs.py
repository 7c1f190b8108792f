"""`couler-jobs jobs`: the notebook jobs of JupyterLab's scheduler, also without a JupyterLab."""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couler_jobs.cli.exits import Exit, say
from couler_jobs.cli.options import Commands, add_json, command, count, pair
from couler_jobs.cli.screen import print_json

if TYPE_CHECKING:
    from scheduler_plugin.definition_records import Definition
    from scheduler_plugin.ended_records import Selection
    from scheduler_plugin.records import Job
    from scheduler_plugin.scheduler import ArgoScheduler

SHOWN = 25
FINAL = ("completed", "failed", "stopped")
STATUSES = ("created", "queued", "in_progress", "stopping", *FINAL)
UNITS = {"m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser(
        "jobs",
        help="list, run, delete or clean up notebook jobs",
        description="The notebook jobs of JupyterLab's scheduler, whether or not it runs.",
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = command(inner, "list", list_jobs, "list notebook jobs, the newest first")
    _add_which(listing, STATUSES)
    listing.add_argument("--limit", type=count, default=SHOWN, metavar="N", help="at most so many")
    add_json(listing)
    add_json(command(inner, "definitions", list_definitions, "list job definitions, by name"))
    deleting = command(
        inner, "delete", delete, "delete jobs with their files and workflows; downloads stay"
    )
    deleting.add_argument(
        "ids", nargs="*", metavar="JOB", help="a job's id; it is ended if it runs"
    )
    _add_which(deleting, FINAL)
    deleting.add_argument(
        "--older-than", type=age, metavar="AGE", help="ended longer ago: 30d, 12h, 2w"
    )
    pruning = command(
        inner, "prune", prune, "delete the ended jobs that the settings keep no longer"
    )
    fetching = command(
        inner, "download", download, "copy a job's files to where JupyterLab shows them"
    )
    fetching.add_argument("id", metavar="JOB", help="the job's id; it may still run")
    again = command(inner, "rerun", rerun, "run a past job again, with its input and parameters")
    again.add_argument("id", metavar="JOB", help="the job's id")
    now = command(inner, "run", run_now, "run a job definition now")
    now.add_argument(
        "definition",
        metavar="DEFINITION",
        help="a job definition's id, or its name if no other has it; see `jobs definitions`",
    )
    now.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        type=pair,
        action="append",
        help="a parameter instead of all that the definition has; read as in JupyterLab's form",
    )
    for one in (fetching, again, now):
        add_json(one)
    for one in (deleting, pruning):
        one.add_argument("--dry-run", action="store_true", help="say how many it would be")
        add_json(one)


def _add_which(parser: argparse.ArgumentParser, statuses: tuple[str, ...]) -> None:
    parser.add_argument("--status", choices=statuses, help="only jobs of this status")
    parser.add_argument("--definition", metavar="ID", help="only jobs of this job definition")
    parser.add_argument("--name", metavar="TEXT", help="only jobs whose name begins with this")


def age(text: str) -> float:
    """Seconds: "30d" are thirty days."""
    found = re.fullmatch(r"([0-9]+)([mhdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no age: a number and m, h, d or w, such as 30d"
        )
    return float(int(found[1]) * UNITS[found[2]])


def list_jobs(arguments: argparse.Namespace) -> int:
    """Print a line a job."""
    from scheduler_plugin.records import JobsQuery
    from scheduler_plugin.status import JobStatus

    query = JobsQuery(
        status=JobStatus(arguments.status.upper()) if arguments.status else None,
        job_definition_id=arguments.definition,
        name=arguments.name,
        limit=arguments.limit,
    )
    page = _scheduler().jobs.list(query)
    if arguments.json:
        print_json({"jobs": [_as_json(job) for job in page.jobs], "total": page.total})
        return Exit.OK
    for job in page.jobs:
        print(f"{job.job_id}  {_moment(job.create_time)}  {job.status:<11}  {job.name}")
    if page.total > len(page.jobs):
        say(f"{len(page.jobs)} of {page.total} jobs: --limit shows more.")
    return Exit.OK


def list_definitions(arguments: argparse.Namespace) -> int:
    """Print a line a job definition."""
    from scheduler_plugin.definition_records import DefinitionsQuery

    query = DefinitionsQuery(sort_by=[("name", False)], limit=sys.maxsize)
    found = _scheduler().definitions.list(query).definitions
    if arguments.json:
        print_json([_definition_as_json(one) for one in found])
        return Exit.OK
    for one in found:
        state = "" if one.active else " (paused)"
        when = f"{one.schedule}  {one.timezone or 'UTC'}{state}" if one.schedule else "by hand"
        print(f"{one.job_definition_id}  {when}  {one.name}")
    return Exit.OK


def delete(arguments: argparse.Namespace) -> int:
    """Delete the jobs that are named, or those that ended and fit."""
    chosen = (arguments.older_than, arguments.status, arguments.definition, arguments.name)
    if bool(arguments.ids) is any(one is not None for one in chosen):
        say("couler-jobs jobs delete: name jobs, or say which by --older-than, --status and so on.")
        return Exit.USAGE
    scheduler = _scheduler()
    if not arguments.ids:
        found = scheduler.housekeeper.find(_selection(arguments))
        return _delete_ended(scheduler, found, arguments)
    for job_id in arguments.ids:
        if arguments.dry_run:
            scheduler.jobs.get(job_id)
        else:
            scheduler.jobs.delete(job_id)
    return _tell(len(arguments.ids), len(arguments.ids), arguments)


def prune(arguments: argparse.Namespace) -> int:
    """Delete what the server's timer would delete by and by."""
    scheduler = _scheduler()
    return _delete_ended(scheduler, scheduler.housekeeper.expired(), arguments)


def download(arguments: argparse.Namespace) -> int:
    """Print the folder that has them now."""
    from scheduler_plugin.downloads import local_folder

    jobs = _scheduler().jobs
    jobs.download(arguments.id, again=False)
    folder = local_folder(jobs.settings, jobs.get(arguments.id))
    if not folder.is_dir():
        say(f"The job {arguments.id} has no files: it has not begun, or they were deleted.")
        return Exit.FAILED
    if arguments.json:
        print_json({"folder": str(folder)})
    else:
        print(folder)
    return Exit.OK


def rerun(arguments: argparse.Namespace) -> int:
    """Print the id of the new job."""
    from scheduler_plugin.reruns import rerun as run_again

    return _tell_started(run_again(_scheduler().definitions, arguments.id), arguments)


def run_now(arguments: argparse.Namespace) -> int:
    """Print the id of the new job."""
    from scheduler_plugin.errors import NoSuchDefinition

    given = None if arguments.parameters is None else dict(arguments.parameters)
    definitions = _scheduler().definitions
    try:
        chosen = definitions.records.find(arguments.definition).job_definition_id
    except NoSuchDefinition:
        say(
            f"There is no job definition {arguments.definition}: "
            "`couler-jobs jobs definitions` lists them."
        )
        return Exit.USAGE
    return _tell_started(definitions.run_now(chosen, given), arguments)


def _tell_started(job_id: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"job_id": job_id})
    else:
        print(job_id)
    return Exit.OK


def _delete_ended(
    scheduler: ArgoScheduler, found: tuple[str, ...], arguments: argparse.Namespace
) -> int:
    def progress(deleted: int) -> None:
        if sys.stderr.isatty():
            say(f"{deleted} of {len(found)} deleted")

    deleted = 0 if arguments.dry_run else scheduler.housekeeper.delete(found, progress)
    return _tell(len(found), deleted, arguments)


def _tell(found: int, deleted: int, arguments: argparse.Namespace) -> int:
    """Say what was done; 1 if something is left that was to be deleted."""
    if arguments.json:
        print_json({"found": found, "deleted": deleted})
    elif arguments.dry_run:
        print(f"{found} jobs would be deleted.")
    else:
        print(
            f"{deleted} of {found} jobs deleted." if deleted < found else f"{found} jobs deleted."
        )
    return Exit.OK if arguments.dry_run or deleted == found else Exit.FAILED


def _selection(arguments: argparse.Namespace) -> Selection:
    from scheduler_plugin.ended_records import Selection
    from scheduler_plugin.status import ENDED, JobStatus

    since = arguments.older_than
    return Selection(
        statuses=[JobStatus(arguments.status.upper())] if arguments.status else ENDED,
        before=None if since is None else int((time.time() - since) * 1000),
        job_definition_id=arguments.definition,
        name=arguments.name,
    )


def _scheduler() -> ArgoScheduler:
    from scheduler_plugin.standalone import open_scheduler

    return open_scheduler()


def _as_json(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "name": job.name,
        "status": str(job.status),
        "status_message": job.status_message,
        "job_definition_id": job.job_definition_id,
        "input_filename": job.input_filename,
        "create_time": _moment(job.create_time),
        "start_time": job.start_time and _moment(job.start_time),
        "end_time": job.end_time and _moment(job.end_time),
    }


def _definition_as_json(definition: Definition) -> dict[str, Any]:
    return {
        "job_definition_id": definition.job_definition_id,
        "name": definition.name,
        "input_filename": definition.input_filename,
        "schedule": definition.schedule,
        "timezone": definition.timezone,
        "active": definition.active,
    }


def _moment(milliseconds: int) -> str:
    """In UTC, as everything that is printed for programs."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
