"""Start a run; and where that was asked for, show how it goes on and say how it ended."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from couler_jobs.cli.exits import Exit, say
from couler_jobs.cli.screen import (
    Progress,
    output_lines,
    print_json,
    print_log,
    run_as_json,
    schedule_as_json,
    state_of,
)
from couler_jobs.errors import (
    BackendError,
    ConfigError,
    CoulerJobsError,
    Unavailable,
    WaitTimeout,
    WorkflowFailed,
)

if TYPE_CHECKING:
    from couler_jobs.backends.base import Backend
    from couler_jobs.compiler.origin import Origin
    from couler_jobs.manifests import Manifest
    from couler_jobs.runs.run import Run
    from couler_jobs.spec.status import RunInfo

LOGS_LAG = 10.0  #: seconds for the last lines to arrive after the run's end


def check_waiting(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything is sent.

    A report of an earlier run goes: whatever happens now, nobody takes it for this run's.
    """
    if not arguments.wait and (arguments.junit or arguments.timeout):
        raise ConfigError("--junit and --timeout go with --wait: nothing is waited for without it.")
    if not arguments.junit:
        return
    folder = arguments.junit.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{arguments.junit} cannot be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{arguments.junit} cannot be written: its folder is not writable.")
    try:
        arguments.junit.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{arguments.junit} cannot be written: {error.strerror}.") from None


def start(
    manifest: Manifest,
    arguments: argparse.Namespace,
    place: Backend,
    origin: Origin | None = None,
) -> int:
    """Check the manifest, send it, and wait where that was asked for.

    A CronWorkflow is made or changed; ConfigError if its end is to be waited for. A
    WorkflowTemplate is stored, where it is to be applied. `origin` says where in the program a
    part of the manifest was declared.
    """
    from couler_jobs.submission import check, has_schedule, is_template, send, target_of

    if has_schedule(manifest):
        return apply_schedule(manifest, arguments, place, origin)
    if is_template(manifest) and arguments.applies:
        return apply_template(manifest, arguments, place, origin)
    for finding in check(manifest, target_of(place), origin):
        say(str(finding))
    run = send(manifest, place)
    if not arguments.json and not arguments.stream:
        print(run.name, flush=True)
    if arguments.wait:
        return wait(run, arguments)
    if arguments.json:
        print_json(run_as_json(run))
    return Exit.OK


def apply_schedule(
    manifest: Manifest, arguments: argparse.Namespace, place: Backend, origin: Origin | None
) -> int:
    """Make or change the schedule, and print its name; when it runs next goes to stderr."""
    from couler_jobs.submission import apply, target_of

    if arguments.wait:
        raise ConfigError(
            "This has a schedule, and no end to wait for: couler-jobs apply sets it up."
        )
    schedule = apply(manifest, place, target_of(place), origin=origin)
    if arguments.json:
        print_json(schedule_as_json(schedule))
    else:
        print(schedule.name, flush=True)
        say(f"{schedule.name}: {state_of(schedule)}")
    return Exit.OK


def apply_template(
    manifest: Manifest, arguments: argparse.Namespace, place: Backend, origin: Origin | None
) -> int:
    """Store the template, and print its name."""
    from couler_jobs.submission import store_template, target_of

    name = store_template(manifest, place, target_of(place), origin=origin)
    if arguments.json:
        print_json({"name": name, "kind": manifest["kind"], "backend": place.name})
    else:
        print(name, flush=True)
    return Exit.OK


def wait(run: Run, arguments: argparse.Namespace) -> int:
    """Show its progress to its end, write the reports, raise what `Run.wait` would.

    With `--until-asked` only until a step of it asks for an answer.
    """
    try:
        _watch(run, arguments)
    except WaitTimeout:
        _report(run, arguments)
        raise
    except Unavailable as error:
        _report_as_known(run, arguments, error)
        raise
    except KeyboardInterrupt as interrupt:
        _report_as_known(run, arguments, interrupt)
        interrupt.add_note(f"{run.name} goes on. To end it: couler-jobs stop {run.name}")
        raise
    _report(run, arguments)
    if _asks(run.info, arguments):
        return Exit.OK
    if run.phase != "Succeeded":
        raise WorkflowFailed(run.failure(), run)
    if not arguments.json:
        for line in output_lines(run):
            say(line)
    return Exit.OK


def _watch(run: Run, arguments: argparse.Namespace) -> None:
    progress = Progress()
    logs = LogReader(run, sys.stderr if arguments.json else sys.stdout)
    if arguments.stream:
        logs.start()
    for info in run.changes(arguments.timeout):
        progress.show(info)
        logs.raise_error()
        if _asks(info, arguments):
            return
    logs.finish()


def _asks(info: RunInfo, arguments: argparse.Namespace) -> bool:
    """Whether it has come as far as it is to be watched: to a step that asks for an answer."""
    wanted = bool(getattr(arguments, "until_asked", False))
    return wanted and any(node.waits and node.asks for node in info.nodes.values())


def _report(run: Run, arguments: argparse.Namespace) -> None:
    if arguments.junit:
        write_junit(run, arguments.junit)
    files = written(arguments)
    if arguments.json:
        print_json({**run_as_json(run), **({"files": files} if files else {})})
    for name, path in files.items():
        say(f"{name}: {path}")


def _report_as_known(run: Run, arguments: argparse.Namespace, ended_by: BaseException) -> None:
    """Write the JUnit report of a run that goes on; an error of that does not hide why."""
    if not arguments.junit:
        return
    try:
        write_junit(run, arguments.junit, run.seen())
    except CoulerJobsError as error:
        ended_by.add_note(str(error))


def written(arguments: argparse.Namespace) -> dict[str, str]:
    """The files that the run was to write and has written: a failed one has them too."""
    files: dict[str, Path] = getattr(arguments, "files", {})
    return {name: str(path) for name, path in files.items() if path.exists()}


def write_junit(run: Run, path: Path, info: RunInfo | None = None) -> None:
    """Write the report; a reader never sees half of it."""
    from couler_jobs.runs.junit import report

    try:
        beside = path.with_name(f".{path.name}.part")
        beside.write_text(report(run, info), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None


class LogReader(threading.Thread):
    """Prints a run's lines as they come, beside whoever watches its phases."""

    def __init__(self, run: Run, stream: TextIO) -> None:
        super().__init__(daemon=True, name=f"logs of {run.name}")
        self._run, self._stream = run, stream
        self._error: BaseException | None = None

    def run(self) -> None:
        """Print to the end. An error is kept for the thread that can tell it."""
        try:
            for line in self._run.logs(follow=True):
                print_log(line, self._stream)
        except (BackendError, OSError) as error:
            self._error = error

    def raise_error(self) -> None:
        """Raise what ended the reading: a reader of ours that left, a backend that is away."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait for the last lines."""
        if self.ident is not None:
            self.join(LOGS_LAG)
        self.raise_error()
