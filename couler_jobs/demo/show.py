"""The demo's course: a job and a schedule go on while JupyterLab is dead, their records are right.

Every step reads what really is: the record over REST or from the database, files by download.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couler_jobs.demo.jupyter import DemoError, JupyterLab, wait_until
from couler_jobs.demo.project import write_project

JOB_SECONDS = 180.0
EVERY_MINUTE = "* * * * *"
FINAL = ("COMPLETED", "FAILED", "STOPPED")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo saw. `seconds` is the whole of it, wall time."""

    job_id: str
    status: str
    server_killed_while: str
    files: list[str]
    definition_id: str
    ticked_job_id: str
    ticked_status: str
    seconds: float


def show(lab: JupyterLab, say: Say) -> DemoResult:
    """Run the demo on `lab` and leave it up. Raises DemoError at anything not as promised."""
    begin = time.monotonic()
    notebook = write_project(lab.project)
    say(f"Starting JupyterLab on {lab.url} with the notebook {notebook.name!r} ...")
    lab.start()
    job_id = _create_job(lab, notebook)
    say(f"Created job {job_id}; waiting until its notebook runs ...")
    otherwise = f"The notebook of job {job_id} did not start."
    wait_until(lambda: has_begun(lab, job_id), JOB_SECONDS, otherwise)
    status = lab.get(f"/scheduler/jobs/{job_id}")["status"]
    say(f"The notebook runs and the record says {status}.")
    definition_id = _create_definition(lab, notebook)
    say(f"Created job definition {definition_id}, {EVERY_MINUTE!r}.")
    say("Killing JupyterLab (SIGKILL) ...")
    lab.kill()
    killed_at = time.time()
    _wait_for_end(lab, job_id)
    say("The job has ended without JupyterLab. Waiting for the schedule's next minute ...")
    ticked_id = _wait_for_tick(lab, definition_id, killed_at)
    say(f"The schedule has run job {ticked_id} without JupyterLab. Starting JupyterLab again ...")
    lab.start()
    ticked = lab.get(f"/scheduler/jobs/{ticked_id}")
    say(f"The record of the scheduled job says {ticked['status']}.")
    lab.call("PATCH", f"/scheduler/job_definitions/{definition_id}", {"active": False})
    job = lab.get(f"/scheduler/jobs/{job_id}")
    say(f"The record says {job['status']}.")
    files = _download(lab, job)
    say(f"Downloaded {', '.join(files)}.")
    result = DemoResult(
        job_id=job_id,
        status=job["status"],
        server_killed_while=status,
        files=files,
        definition_id=definition_id,
        ticked_job_id=ticked_id,
        ticked_status=ticked["status"],
        seconds=round(time.monotonic() - begin, 1),
    )
    check(result, job)
    return result


def end(lab: JupyterLab, say: Say) -> None:
    """Stop JupyterLab, then pause its schedules, on which a cluster would go on.

    Nothing else is undone, so that it can be looked at.
    """
    from couler_jobs.backends.local import daemon
    from couler_jobs.backends.local.home import open_home

    try:
        lab.stop()
    finally:  # whoever asks twice to end it does not want its schedules left either
        try:
            _pause_schedules(lab, say)
        finally:
            daemon.stop(open_home(lab.runs))


def _pause_schedules(lab: JupyterLab, say: Say) -> None:
    """Ask the backend itself: JupyterLab may be dead, or starting again, when the demo is ended."""
    from couler_jobs.backends.choose import choose, chosen_name
    from couler_jobs.config import Settings
    from couler_jobs.errors import BackendError, NotFound
    from scheduler_plugin.labels import cron_name

    settings = Settings.load(home=lab.runs)
    for definition_id in _definitions(lab):
        name = cron_name(definition_id)
        try:
            choose(settings=settings).suspend_cron(name)
        except NotFound:  # it was about to be made
            continue
        except BackendError as error:
            say(f"The schedule {name} goes on: {error} Pause it: couler-jobs schedule pause {name}")
            continue
        if chosen_name(settings) != "local":
            say(f"The schedule {name} is paused. Remove it: couler-jobs schedule delete {name}")


def _definitions(lab: JupyterLab) -> list[str]:
    if not lab.database.exists():
        return []
    with closing(sqlite3.connect(lab.database, timeout=30)) as database:
        tables = "SELECT 1 FROM sqlite_master WHERE name = 'job_definitions'"
        if database.execute(tables).fetchone() is None:  # JupyterLab was just making them
            return []
        rows = database.execute("SELECT job_definition_id FROM job_definitions").fetchall()
    return [row[0] for row in rows]


def _marker(lab: JupyterLab) -> Path:
    return lab.home / "first cell has run"


def has_begun(lab: JupyterLab, job_id: str) -> bool:
    """Whether the first cell has run. Raises DemoError where the job failed without it."""
    job = lab.get(f"/scheduler/jobs/{job_id}")
    if _marker(lab).exists():
        return True
    if job["status"] in ("FAILED", "STOPPED"):
        why = job.get("status_message") or "its record does not say why"
        raise DemoError(f"Job {job_id} is {job['status']} before its notebook ran: {why}")
    return False


def _create_job(lab: JupyterLab, notebook: Path) -> str:
    job = lab.post(
        "/scheduler/jobs",
        {
            "name": "sales report",
            "input_uri": notebook.name,
            "runtime_environment_name": _environment(lab),
            "output_formats": ["ipynb", "html"],
            "parameters": {
                "region": "Île-de-France",
                "days": 6,
                "seconds_per_day": 1.0,
                "started_file": str(_marker(lab)),
            },
        },
    )
    job_id: str = job["job_id"]
    return job_id


def _environment(lab: JupyterLab) -> str:
    name: str = lab.get("/scheduler/runtime_environments")[0]["name"]
    return name


def _create_definition(lab: JupyterLab, notebook: Path) -> str:
    definition: dict[str, str] = lab.post(
        "/scheduler/job_definitions",
        {
            "name": "sales report, every minute",
            "input_uri": notebook.name,
            "runtime_environment_name": _environment(lab),
            "output_formats": ["ipynb"],
            "parameters": {"region": "Bretagne", "days": "1", "seconds_per_day": "0.1"},
            "schedule": EVERY_MINUTE,
            "timezone": "UTC",
        },
    )
    return definition["job_definition_id"]


def _wait_for_tick(lab: JupyterLab, definition_id: str, after: float) -> str:
    """The first job that the schedule began after a moment, once it has ended."""

    def found() -> str | None:
        with closing(sqlite3.connect(lab.database, timeout=30)) as database:
            query = (
                "SELECT job_id, status FROM jobs WHERE job_definition_id = ? AND create_time > ? "
                "ORDER BY create_time"
            )
            row = database.execute(query, (definition_id, int(after * 1000))).fetchone()
        return row[0] if row and row[1] in FINAL else None

    wait_until(
        lambda: found() is not None, JOB_SECONDS, f"Definition {definition_id} did not tick."
    )
    return found() or ""


def _wait_for_end(lab: JupyterLab, job_id: str) -> None:
    """Read the database itself: no server is up to be asked."""

    def ended() -> bool:
        with closing(sqlite3.connect(lab.database, timeout=30)) as database:
            query = "SELECT status FROM jobs WHERE job_id = ?"
            return database.execute(query, (job_id,)).fetchone()[0] in FINAL

    wait_until(ended, JOB_SECONDS, f"Job {job_id} did not end within {JOB_SECONDS:g} s.")


def _download(lab: JupyterLab, job: dict[str, Any]) -> list[str]:
    """Bring the job's files into the project folder, as the UI's button does, and read each."""
    lab.call("GET", f"/scheduler/jobs/{job['job_id']}/download_files")

    def listed() -> list[str]:
        files = lab.get(f"/scheduler/jobs/{job['job_id']}")["job_files"]
        return [file["file_path"] for file in files if file["file_path"]]

    wait_until(
        lambda: len(listed()) >= len(job["job_files"]), 30, "Not all of the job's files came down."
    )
    return sorted(Path(path).name for path in listed() if lab.download(path))


def check(result: DemoResult, job: dict[str, Any]) -> None:
    """Raise DemoError naming the first thing that is not as promised."""
    suffixes = {Path(name).suffix for name in result.files}
    wrong = [
        (result.status != "COMPLETED", f"the record says {result.status}, not COMPLETED"),
        (result.server_killed_while != "IN_PROGRESS", "JupyterLab was not killed mid-run"),
        (not job.get("end_time"), "the record has no end time"),
        (result.ticked_status != "COMPLETED", f"its schedule's says {result.ticked_status}"),
        (not suffixes >= {".ipynb", ".html", ".log"}, f"only {result.files} could be downloaded"),
    ]
    for is_wrong, sentence in wrong:
        if is_wrong:
            reason = job.get("status_message") or "no status message"
            raise DemoError(f"Job {result.job_id}: {sentence} ({reason}).")
