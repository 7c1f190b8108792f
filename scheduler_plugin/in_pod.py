"""What a job's own steps run to keep its record: `python -m scheduler_plugin.in_pod record-status`.

It starts quickly (no jupyter import), and the truth is on disk before the database is asked. What
is asked of it lies in a file beside the job's, so that no value of a user and no URL of a database
is in a manifest or in a list of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couler_jobs.errors import CoulerJobsError
from couler_jobs.spec.status import Phase
from scheduler_plugin import notifications, staging, status, ticks
from scheduler_plugin.errors import DatabaseUnavailable, StagingFailed
from scheduler_plugin.records import Records, milliseconds
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.step_requests import RecordStatus
from scheduler_plugin.ticks import Tick


def record_status(request: RecordStatus, phase: Phase) -> bool:
    """Write how the job ended: into the outbox, then (unless that is all) into its record.

    False if the record has ended already or is gone. Raises DatabaseUnavailable.
    """
    outcome = _written(request, phase)
    first = request.outbox_only or Records(request.database()).finish(request.job_id, outcome)
    return _told(request, outcome, first)


def _told(request: RecordStatus, outcome: status.Outcome, first: bool) -> bool:
    """Tell whoever wants to know how the job ended, unless that was known already."""
    if first and request.notice is not None:
        for sentence in notifications.tell(request.notice, outcome, os.environ):
            _say(sentence)
            _say_in_log(request, sentence)
    return first


def _say_in_log(request: RecordStatus, sentence: str) -> None:
    place = request.log or os.devnull
    with contextlib.suppress(OSError), open(place, "a", encoding="utf-8") as log:
        log.write(f"[notification] {sentence}\n")


def _written(request: RecordStatus, phase: Phase) -> status.Outcome:
    outcome = _outcome(request, phase)
    try:
        staging.write_durably(Path(request.outbox), outcome.to_json())
    except OSError as error:  # a full disk is no reason to leave the record as it is
        if request.outbox_only:
            raise StagingFailed(f"{request.outbox} could not be written: {error}.") from error
        _say(f"{request.outbox} could not be written: {error.strerror}.")
    return outcome


def _outcome(request: RecordStatus, phase: Phase) -> status.Outcome:
    outcome = status.outcome(phase, read_report(Path(request.result)), ended_at=milliseconds())
    if request.work is None:
        return outcome
    files = staging.packaged_files(Path(request.work), request.input_filename)
    return status.with_files(outcome, files)


def read_report(path: Path) -> Mapping[str, Any]:
    """The notebook step's result file, or its request; empty if there is none to be read."""
    try:
        return status.read_report(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRun:
    """One run of a definition: by what it was asked, its id, and its workflow's name."""

    tick_file: Path
    job_id: str
    workflow: str

    @property
    def folder(self) -> JobFolder:
        """Where its files lie: beside its definition's."""
        return JobFolder(self.tick_file.parent.parent / self.job_id)

    def create(self) -> None:
        """Make its folder and its record, if they are not there (the server's task if so asked).

        Raises StagingFailed, and the record is FAILED and says so; DatabaseUnavailable; or
        NoSuchDefinition when nobody wants the run any more.
        """
        tick = ticks.read_tick(self.tick_file)
        try:
            ticks.prepare(tick, self.job_id, self.workflow)
        except StagingFailed as error:
            if tick.asked.store.outbox_only:
                raise
            failed = status.Outcome(
                status=status.JobStatus.FAILED,
                message=status.shortened_message(str(error)),
                ended_at=milliseconds(),
            )
            self._record(tick).finish(self.job_id, failed)
            raise
        if not tick.asked.store.outbox_only:
            self._record(tick)

    def finish(self, phase: Phase) -> bool:
        """Write how it ended into its record. Raises as `create` does."""
        if not self.folder.status_request.exists():  # its first step did not come so far
            self.create()
        request = _asked(self.folder.status_request)
        outcome = _written(request, phase)
        return _told(request, outcome, request.outbox_only or self._finish(request, outcome, phase))

    def _finish(self, request: RecordStatus, outcome: status.Outcome, phase: Phase) -> bool:
        records = Records(request.database())
        if phase is not Phase.SUCCEEDED:
            self._record(ticks.read_tick(self.tick_file))
        return records.finish(self.job_id, outcome)

    def _record(self, tick: Tick) -> Records:
        records = Records(tick.asked.store.database())
        ticks.record(tick, self.job_id, records, milliseconds())
        return records


def _asked(path: Path) -> RecordStatus:
    with staging.failing("The run's files cannot be read", path):
        return RecordStatus.from_json(path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when the record is right, 1 when it could not be written."""
    chosen = _parser().parse_args(arguments)
    try:
        written: bool = chosen.run(chosen)
    except CoulerJobsError as error:
        _say(str(error))
        return 1
    if not written:
        _say("The record is final already, or deleted: left alone.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scheduler_plugin.in_pod")
    commands = parser.add_subparsers(required=True)
    status_ = commands.add_parser("record-status", help="write how a job ended into its record")
    status_.add_argument("--request-file", required=True, help="a JSON object, see RecordStatus")
    status_.set_defaults(run=_record_status)
    create = commands.add_parser("create-record", help="make the record of a definition's run")
    create.set_defaults(run=_create_record)
    finish = commands.add_parser("finish-run", help="write how a definition's run ended")
    finish.set_defaults(run=_finish_run)
    for command in (create, finish):
        command.add_argument("--tick-file", required=True, type=Path, help="see ticks.Tick")
        command.add_argument("--job-id", required=True, help="the workflow's uid")
        command.add_argument("--workflow", required=True, help="the workflow's name")
    for command in (status_, finish):
        command.add_argument("--phase", required=True, type=Phase, help="the workflow's phase")
    return parser


def _record_status(chosen: argparse.Namespace) -> bool:
    request = _asked(Path(chosen.request_file))
    try:
        return record_status(request, chosen.phase)
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(f"{error} What happened is in {request.outbox}.") from error


def _create_record(chosen: argparse.Namespace) -> bool:
    _run(chosen).create()
    return True


def _finish_run(chosen: argparse.Namespace) -> bool:
    return _run(chosen).finish(chosen.phase)


def _run(chosen: argparse.Namespace) -> TickRun:
    return TickRun(tick_file=chosen.tick_file, job_id=chosen.job_id, workflow=chosen.workflow)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
