"""One step as a process of this machine: how it is started, and what is left of it afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from couler_jobs.backends.local import files, memory
from couler_jobs.backends.local.files import FileProblem
from couler_jobs.backends.local.home import full_disk
from couler_jobs.backends.local.kernel import NO_ROOM
from couler_jobs.backends.local.log_limit import LOG_LIMIT, cut, write_all
from couler_jobs.backends.local.private import Views
from couler_jobs.backends.local.programs import NeverRan, program_of
from couler_jobs.backends.local.reports import Reports
from couler_jobs.backends.local.step_folder import StepFolder
from couler_jobs.backends.local.step_views import prepare
from couler_jobs.backends.local.told import told
from couler_jobs.backends.local.values import NOT_RUNNABLE, Ended, Launch
from couler_jobs.errors import ConfigError

MARK = "COULER_JOBS_STEP"
"""The variable that tells whose a process is: `<uid of the run>/<name of the step's folder>`."""

RESULT_LIMIT = 256 * 1024
"""Bytes of standard output that make the result: the last ones, as in Argo."""

_FULL_BELOW = 64 * 1024  # bytes free on a disk that is as good as full

_KEPT = ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR")
_LOG_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class NotNow(Exception):  # noqa: N818  not an error: the supervisor tries again
    """The machine has no room for another process at this moment."""


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a step inherits: no token of this user's session, and this interpreter first on PATH."""
    kept = {k: v for k, v in environ.items() if k in _KEPT or k.startswith("LC_")}
    kept["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), kept.get("PATH", os.defpath)])
    return kept


@dataclass(slots=True)
class Step:
    """A step whose process runs, or has just ended."""

    launch: Launch
    folder: StepFolder
    process: subprocess.Popen[bytes]
    pidfd: int
    log: int  #: where its output goes
    views: Views
    reports: Reports | None = None
    tail: bytearray = field(default_factory=bytearray)
    kill_at: float | None = None  #: when SIGTERM has had its time
    asked: bool = False  #: whether it was told to end
    kills: int = field(default_factory=memory.kills)  #: of the machine, before it ran

    @property
    def stdout(self) -> int | None:
        """The pipe to read, where the result is wanted."""
        return None if self.process.stdout is None else self.process.stdout.fileno()

    def ask_to_end(self, now: float) -> None:
        """SIGTERM to all of it; SIGKILL is due after the grace. Asking twice changes nothing."""
        if not self.asked:
            self.asked, self.kill_at = True, now + self.launch.grace
            self._signal(signal.SIGTERM)

    def end_now(self) -> None:
        """SIGKILL to all of it."""
        self.kill_at = None
        self._signal(signal.SIGKILL)

    def note(self, text: str) -> None:
        """Write something of ours to its log."""
        with contextlib.suppress(OSError):  # a full disk costs the log, not the step
            write_all(self.log, f"[couler-jobs] {text}\n".encode())

    def _signal(self, number: signal.Signals) -> None:
        # its process is not waited for yet, so the group's number is still its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def read(self) -> bool:
        """Take what waits in the pipe: to the log, and to the result. False at its end."""
        assert self.process.stdout is not None  # noqa: S101
        try:
            block = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        self.tail += block
        if len(self.tail) > 4 * RESULT_LIMIT:
            del self.tail[: -RESULT_LIMIT - 1]
        with contextlib.suppress(OSError):  # a full disk costs the log, not the step
            write_all(self.log, block)
        return bool(block)

    def finish(self) -> Ended:
        """Wait for the process, which has ended, and collect what it left."""
        self.end_now()
        code = self.process.wait()
        code = 128 - code if code < 0 else code
        why = self._why(code)
        if self.process.stdout is not None:
            while self.read():
                pass
            self.process.stdout.close()
        if self.reports is not None:
            self.reports.close()
        result = self._result() if self.launch.wants_result else None
        try:
            return self._collect(code, result, why)
        finally:
            self._tidy()

    def _result(self) -> str:
        last = bytes(self.tail[-RESULT_LIMIT - 1 :]).removesuffix(b"\n")
        return last[-RESULT_LIMIT:].decode("utf-8", "replace")

    def _why(self, code: int) -> str:
        """What can be told of an end that the step itself may not have been able to explain."""
        if code == 128 + signal.SIGKILL and not self.asked:
            return memory.sentence(self.kills)
        if code != 0 and _is_full(self.folder.root):
            return full_disk(self.folder.log)
        return ""

    def cut_log(self, limit: int = LOG_LIMIT) -> None:
        """Take the middle out of a log that has grown beyond the limit."""
        cut(self.log, limit)
        for path in self.folder.containers.glob("*.log") if self.launch.containers else ():
            with open(path, "ab+") as log:
                cut(log.fileno(), limit)

    def _collect(self, code: int, result: str | None, why: str) -> Ended:
        node, at = self.launch.node, time.time()
        artifacts, folder = self.folder.run.artifacts, self.folder.name
        more = told(self.folder.root)
        if more is not None:
            return Ended(node=node, at=at, **more)
        try:
            found = files.collect(self.launch, artifacts, folder, self._left_at)
        except FileProblem as problem:
            return Ended(node=node, at=at, exit_code=code, error=str(problem), result=result)
        return Ended(
            node=node,
            at=at,
            exit_code=code,
            error=why,
            result=result,
            parameters=found.parameters,
            artifacts=found.artifacts,
            missing=tuple(found.missing),
        )

    def _left_at(self, path: Path) -> Path:
        """Where the step left the file of a declared path.

        Images mostly start in `/`, so `open("out")` there makes `/out`; here a step without a
        `workingDir` starts in a folder of its own, and that is looked into for it as well.
        """
        found = self.views.locate(path)
        if self.launch.working_dir or not path.is_absolute() or os.path.lexists(found):
            return found
        beside = self.folder.work / path.relative_to("/")
        return beside if os.path.lexists(beside) else found

    def _tidy(self) -> None:
        self.cut_log()
        for lost in self.views.leave():
            self.note(f"could not be kept: {lost}")
        os.close(self.log)
        os.close(self.pidfd)


def start(launch: Launch, folder: StepFolder, mark: str, environ: Mapping[str, str]) -> Step:
    """Start a step's process. `NotNow` if the machine is out of room, `NeverRan` if it cannot be.

    `environ` is what it inherits (`clean_environment`); the manifest's variables come on top.
    """
    try:
        reports = Reports(launch.node) if launch.reports else None
    except OSError as error:
        raise _explained(error, folder) from error
    try:
        return _started(launch, folder, mark, environ, reports)
    except BaseException:
        if reports is not None:
            reports.close()
        raise
    finally:
        if reports is not None:
            reports.close_writing()


def _started(
    launch: Launch,
    folder: StepFolder,
    mark: str,
    environ: Mapping[str, str],
    reports: Reports | None,
) -> Step:
    try:
        cwd, views = prepare(launch, folder)
        inherited = {**environ, MARK: mark}
        end = None if reports is None else reports.writing
        environment, command = program_of(launch, folder, inherited, cwd, views, end)
        log = os.open(folder.log, _LOG_FLAGS, 0o600)
    except (FileProblem, ConfigError) as problem:
        raise NeverRan(str(problem)) from problem
    except OSError as error:
        raise _explained(error, folder) from error
    try:
        process = _spawn(launch, command, environment, cwd, views, log, reports)
        return Step(launch, folder, process, _watched(process, folder), log, views, reports)
    except BaseException:
        os.close(log)
        views.leave()
        raise


def _spawn(
    launch: Launch,
    command: list[str],
    environment: Mapping[str, str],
    cwd: Path,
    views: Views,
    log: int,
    reports: Reports | None,
) -> subprocess.Popen[bytes]:
    def see_its_own() -> None:
        views.enter()
        os.chdir(cwd)  # as it looks from here

    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=None if views.views else cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if launch.wants_result else log,
            stderr=log,
            bufsize=0,
            start_new_session=True,
            pass_fds=() if reports is None else (reports.writing,),
            # without it the kernel need not copy the supervisor; with it is safe: one thread
            preexec_fn=see_its_own if views.views else None,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _refused(error, command) from error
    if process.stdout is not None:
        os.set_blocking(process.stdout.fileno(), False)
    return process


def _watched(process: subprocess.Popen[bytes], folder: StepFolder) -> int:
    """A descriptor that tells its end; a process that has none is ended, as nobody would own it."""
    try:
        return os.pidfd_open(process.pid)
    except OSError as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        raise _explained(error, folder) from error


def _refused(error: Exception, command: list[str]) -> Exception:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return NotNow(f"{error.strerror}")
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return NeverRan(
            "Its command, arguments and environment are longer than this machine takes."
        )
    if isinstance(error, OSError):
        return NeverRan(f"fork/exec {command[0]}: {str(error.strerror).lower()}", NOT_RUNNABLE)
    return NeverRan(f"The step could not be started: {error}.")


def _explained(error: OSError, folder: StepFolder) -> Exception:
    if error.errno in NO_ROOM:
        return NotNow(f"{error.strerror}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NeverRan(f"The step was not started. {full_disk(folder.root)}")
    return NeverRan(f"The step was not started: {error.strerror or error} ({error.filename}).")


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BELOW
    except OSError:
        return False
