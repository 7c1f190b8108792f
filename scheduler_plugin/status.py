"""What became of a job: from Argo's phase and the notebook's report to a record's status. Pure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from couler_jobs.spec.status import Phase

LONGEST_MESSAGE = 1024
"""Characters of `jobs.status_message` (jupyter_scheduler/orm.py)."""
LAST_LINES = 6
"""Lines of a traceback that a failed job's message has; its log and its notebook have all."""


class JobStatus(enum.StrEnum):
    """The words of jupyter_scheduler (its `models.Status`, which takes seconds to import)."""

    CREATED = "CREATED"  #: the record exists, nothing runs yet
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"  #: the workflow was accepted
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPING = "STOPPING"  #: somebody asked for its end
    STOPPED = "STOPPED"

    @property
    def ended(self) -> bool:
        """Whether the record never changes again."""
        return self in ENDED


ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED)
ACTIVE = tuple(status for status in JobStatus if status not in ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended. Times are milliseconds since the epoch, UTC, as in jupyter_scheduler."""

    status: JobStatus
    message: str | None
    ended_at: int
    started_at: int | None = None
    files: tuple[str, ...] | None = None  #: everything in the working folder; None: unknown

    def to_json(self) -> str:
        """The text of an outbox file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Read an outbox file's text. Raises ValueError, KeyError or TypeError if it is none."""
        fields = json.loads(text)
        status, files = JobStatus(fields["status"]), fields.get("files")
        return cls(
            status=status,
            message=fields["message"],
            ended_at=int(fields["ended_at"]),
            started_at=fields.get("started_at"),
            files=None if files is None else tuple(files),
        )


def outcome(
    phase: Phase, report: Mapping[str, Any], *, ended_at: int, message: str = "", shutdown: str = ""
) -> Outcome:
    """How a job ended whose workflow is in `phase`.

    `report` is the notebook step's result file (`couler_jobs.in_pod.outcome.Outcome`), empty when
    there is none. `message` and `shutdown` are the workflow's own, where they are known. A notebook
    that ran to its end is COMPLETED whatever failed around it, such as the exit handler, which
    makes the whole workflow Failed; the message says so.
    """
    status = _status(phase, report, shutdown)
    plain = status is JobStatus.COMPLETED and phase is Phase.SUCCEEDED
    return Outcome(
        status=status,
        message=_attempt(report) if plain else _sentence(status, report, message),
        ended_at=ended_at,
        started_at=in_milliseconds(report.get("started_at")),
    )


def with_files(outcome: Outcome, files: tuple[str, ...]) -> Outcome:
    """The outcome of a job whose working folder holds these files."""
    return replace(outcome, files=files)


def read_report(text: str) -> dict[str, Any]:
    """A result file's text as a mapping, an empty one for what is none: a job has to end anyway."""
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def progress(text: str) -> str | None:
    """What a running job says of itself, from its progress file's text; None before its cells."""
    shown = read_report(text)
    cell, cells = shown.get("cell"), shown.get("cells")
    running = shown.get("status") == "running" and isinstance(cell, int)
    return f"Running cell {cell} of {cells}." if running and cell else None


def shortened_message(message: str) -> str:
    """A message that fits its column, which takes nothing but Unicode."""
    message = message.encode("utf-8", "backslashreplace").decode()
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."


def _status(phase: Phase, report: Mapping[str, Any], shutdown: str) -> JobStatus:
    if phase is Phase.SUCCEEDED:
        return JobStatus.COMPLETED
    if shutdown or report.get("status") == "stopped":
        return JobStatus.STOPPED
    return JobStatus.COMPLETED if report.get("status") == "succeeded" else JobStatus.FAILED


def _attempt(report: Mapping[str, Any]) -> str | None:
    """What a notebook says that succeeded when it was tried again."""
    said = report.get("message")
    return said if isinstance(said, str) and report.get("attempt", 1) != 1 else None


def _sentence(status: JobStatus, report: Mapping[str, Any], message: str) -> str:
    why = f" ({message})" if message else ""
    if status is JobStatus.COMPLETED:
        return shortened_message(f"The notebook ran to its end; its workflow failed after it{why}.")
    if report.get("status") == "stopped":
        return _stopped(report)
    said = report.get("message")
    if isinstance(said, str) and said:
        return _with_last_lines(shortened_message(said), report.get("traceback"))
    if status is JobStatus.STOPPED:
        return shortened_message(message) or "Stopped."
    return shortened_message(
        f"The notebook ended without saying why{why}: it ran out of memory, or what ran it was "
        "killed. The log has what it printed."
    )


def _stopped(report: Mapping[str, Any]) -> str:
    """Without the signal and the traceback of the cell that it interrupted: nothing went wrong."""
    cell, cells = report.get("cell"), report.get("cells")
    return f"Stopped while running cell {cell} of {cells}." if cell and cells else "Stopped."


def _with_last_lines(said: str, traceback: object) -> str:
    """The sentence, and below it as many of a traceback's last lines as its column takes."""
    given = traceback if isinstance(traceback, list) else []
    lines = [shortened_message(line) for line in given if _says(line)]
    room = LONGEST_MESSAGE - len(said)
    kept: list[str] = []
    for line in reversed(lines[-LAST_LINES:]):
        room -= len(line) + 1
        if room < 0:
            break
        kept.insert(0, line)
    return "\n".join([said, *kept])


def _says(line: object) -> bool:
    """Whether a traceback's line is more than a blank one or a rule of dashes."""
    return isinstance(line, str) and bool(line.strip(" -"))


def in_milliseconds(moment: object) -> int | None:
    """A moment as jupyter_scheduler counts time, from ISO 8601; None for what is none."""
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1000)
    except ValueError:
        return None
