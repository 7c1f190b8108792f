"""Watches the process that runs the cells, publishes what it saves, and decides how it ended.

Everything that happens comes to one queue: what the cells' process tells, its end, signals to us.
What is to happen at a time (the time-out, the stall check, the steps of a stop) is in one schedule.
Files are copied and logs passed on in threads, so a slow disk never delays a stop.
"""

from __future__ import annotations

import hashlib
import json
import os
import sched
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from couler_jobs.in_pod import publish
from couler_jobs.in_pod.kernel import Kernel
from couler_jobs.in_pod.masking import Mask
from couler_jobs.in_pod.outcome import EXIT_CODES, ONLY, Attempt, Outcome, Status, now, one_line
from couler_jobs.in_pod.parameters import remarks
from couler_jobs.in_pod.processes import (
    become_subreaper,
    below,
    cpu_seconds,
    end_all,
    is_frozen,
    reap,
    send,
    signal_name,
)
from couler_jobs.in_pod.request import NotebookRequest, Refused
from couler_jobs.in_pod.source import without_outputs
from couler_jobs.in_pod.written import EXECUTED, Log, Publisher, ResultFile

IDLE = 0.01  #: of one processor: what a kernel may use while it does nothing
EXPORT_TIMEOUT = 300.0  #: seconds for reports that a killed process could not make any more
HURRIED_EXPORT_TIMEOUT = 5.0  #: the same when somebody waits for us to go


class Supervisor:
    """One run: `run()` gives its outcome and leaves no process behind."""

    def __init__(self, request: NotebookRequest, kernel: Kernel, scratch: Path, log: Log) -> None:
        self._request, self._kernel, self._scratch, self._log = request, kernel, scratch, log
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._schedule = sched.scheduler(time.monotonic, time.sleep)
        self._publisher = Publisher(scratch / EXECUTED, request.output, log)
        self._position = {"cell": 0, "cells": 0}
        self._ended: dict[str, Any] = {}
        self._unsaved = ""
        self._reports: dict[str, list[dict[str, Any]]] = {}
        self._problems: list[str] = []
        self._stopping: Status | None = None  #: why the cells were stopped, if they were
        self._hurried = False
        self._stop_signal = 0
        self._busy_at = time.monotonic()
        self._cpu = 0.0
        self._stall_told = False

    def run(self) -> Outcome:
        """Start, watch until the end, clean up, publish, judge."""
        become_subreaper()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with self._start() as self._process:
            self._plan()
            exit_code = self._watch()
        end_all(os.getpid(), self._patience)
        reap()
        self._pump.join(timeout=5)
        return self._outcome(exit_code)

    def _on_signal(self, number: int, _: Any) -> None:
        self._events.put({"event": "signal", "number": number})

    @property
    def _patience(self) -> float:
        """Seconds for what a notebook left behind to end by itself."""
        return min(self._request.grace, 0.5 if self._hurried else 2.0)

    # starting

    def _start(self) -> subprocess.Popen[bytes]:
        """The cells' process, in a session of its own: a signal to our group spares it."""
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "couler_jobs.in_pod.cells"),
                *(str(self._scratch), str(writing), str(os.getpid())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[writing],
            env=os.environ | {"JUPYTER_RUNTIME_DIR": str(self._scratch)},
        )
        os.close(writing)
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        self._pump = threading.Thread(target=self._pass_on, args=[process.stdout], daemon=True)
        self._pump.start()
        listener = threading.Thread(target=self._listen, args=[reading, process], daemon=True)
        listener.start()
        return process

    def _pass_on(self, printed: IO[bytes]) -> None:
        while data := os.read(printed.fileno(), 1 << 16):
            self._log.write(data)

    def _listen(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        with open(descriptor, "rb") as told:
            for line in told:
                with suppress(ValueError):  # the process was killed inside a line
                    self._events.put(json.loads(line))
        self._events.put({"event": "exit", "code": process.wait()})

    def _plan(self) -> None:
        if self._request.timeout is not None:
            self._after(self._request.timeout, self._time_out)
        self._after(1.0, self._check_stall)

    def _after(self, seconds: float, action: Any) -> None:
        self._schedule.enter(seconds, 0, action)

    # watching

    def _watch(self) -> int:
        """The cells' process's exit code, when it has one."""
        while True:
            wait = self._schedule.run(blocking=False)
            try:
                event = self._events.get(timeout=wait)
            except Empty:
                continue
            if event["event"] == "exit":
                return int(event["code"])
            getattr(self, f"_on_{event.pop('event')}_event")(**event)

    def _on_signal_event(self, number: int) -> None:
        self._stop_signal = self._stop_signal or number
        self._stop(Status.STOPPED, f"Received {signal_name(number)}.")

    def _on_cell_event(self, cell: int, cells: int) -> None:
        self._position = {"cell": cell, "cells": cells}
        self._busy_at, self._stall_told = time.monotonic(), False
        self._show_progress(Status.RUNNING)

    def _on_saved_event(self) -> None:
        self._unsaved = ""
        self._publisher.soon()

    def _on_unsaved_event(self, reason: str) -> None:
        if not self._unsaved:
            self._log.line(reason)
        self._unsaved = reason

    def _on_ended_event(self, **ended: Any) -> None:
        self._ended = ended

    def _on_exported_event(self, format: str, path: str, target: str) -> None:
        self._reports.setdefault(format, []).append({"path": path, "target": target})

    def _on_unexported_event(self, format: str, reason: str) -> None:
        self._reports.setdefault(format, [])
        self._problems.append(f"The {format} report could not be made: {reason}.")

    def _show_progress(self, status: Status) -> None:
        if self._request.progress is None:
            return
        shown = json.dumps({**self._position, "status": status, "at": now()})
        with suppress(publish.NotPublished):
            publish.write(self._request.progress, shown.encode(), durable=False)

    def _check_stall(self) -> None:
        """Say once a cell that nothing moves: no output and no processor time."""
        self._after(1.0, self._check_stall)
        kernel = below(self._process.pid)
        cpu, moment = cpu_seconds(kernel), time.monotonic()
        if cpu - self._cpu > IDLE * self._request.stall_after:
            self._busy_at, self._cpu = moment, cpu
        quiet = moment - max(self._busy_at, self._log.last_written)
        if quiet >= self._request.stall_after and not self._stall_told and self._position["cell"]:
            self._stall_told = True
            state = "it is frozen (SIGSTOP)" if is_frozen(kernel) else "it waits for something"
            self._log.line(
                f"Cell {self._position['cell']} appears stalled: no output and no processor time "
                f"for {quiet:.0f} s; {state}."
            )

    # stopping

    def _time_out(self) -> None:
        self._stop(Status.TIMED_OUT, f"The time-out of {self._request.timeout:g} s is over.")

    def _stop(self, status: Status, reason: str) -> None:
        """Interrupt; terminate after the grace; kill after another; then give up on the process.

        When all cells have ended, what they came to stays; only the reports have to hurry.
        """
        if self._hurried:
            return
        self._hurried = True
        if self._ended:
            self._after(self._request.grace, self._process.kill)
            return
        self._stopping = status
        self._log.line(f"{reason} Interrupting the kernel.")
        grace = self._request.grace
        self._process.send_signal(signal.SIGTERM)
        self._after(grace, self._terminate_kernel)
        self._after(2 * grace, self._kill_kernel)
        self._after(2 * grace + 2, self._process.kill)

    def _terminate_kernel(self) -> None:
        if not self._ended:
            self._log.line("The kernel did not stop: terminating it.")
            send(below(self._process.pid), signal.SIGTERM)

    def _kill_kernel(self) -> None:
        if not self._ended:
            self._log.line("The kernel is still there: killing it.")
            send(below(self._process.pid), signal.SIGKILL)

    # judging

    def _outcome(self, exit_code: int) -> Outcome:
        found = self._judged(exit_code)
        self._make_missing_reports()
        problem = self._publish()
        if problem:
            found = _unwritten(found, problem)
        if self._problems:
            found["message"] = " ".join(filter(None, [found["message"], *self._problems]))
        status = Status(found.pop("status"))
        if found["message"]:
            self._log.line(found["message"])
        self._show_progress(status)
        return Outcome(
            status=status,
            exit_code=self._exit_code(status),
            message=one_line(found["message"]),
            error_name=found.get("error_name", ""),
            cell=found.get("cell") or (None if status is Status.SUCCEEDED else self._at_cell),
            cells=self._position["cells"],
            traceback=tuple(found.get("traceback", ())),
            kernel=self._kernel.name,
        )

    @property
    def _at_cell(self) -> int | None:
        return self._position["cell"] or None

    def _exit_code(self, status: Status) -> int:
        if status is Status.STOPPED and self._stop_signal:
            return 128 + self._stop_signal
        return EXIT_CODES[status]

    def _judged(self, exit_code: int) -> dict[str, Any]:
        """What the cells' process told, unless we stopped it, or it could not tell."""
        if self._stopping and self._ended.get("status") != Status.SUCCEEDED:
            return {**self._ended, "status": self._stopping, **self._stop_message()}
        if self._ended:
            return dict(self._ended)
        return {
            "status": Status.DIED,
            "error_name": "DeadKernelError",
            "message": f"The program that runs the cells ended{self._where} {_way(exit_code)}.",
        }

    def _stop_message(self) -> dict[str, str]:
        if self._stopping is Status.TIMED_OUT:
            seconds = f"{self._request.timeout:g}"
            message = f"The notebook took longer than its {seconds} s; it was stopped{self._where}."
            return {"error_name": "TimeoutError", "message": message}
        name = signal_name(self._stop_signal)
        return {"error_name": "Stopped", "message": f"Stopped by {name}{self._where}."}

    @property
    def _where(self) -> str:
        return " in cell {cell} of {cells}".format(**self._position) if self._at_cell else ""

    def _make_missing_reports(self) -> None:
        """Reports that the cells' process did not come to."""
        formats = {
            name: path for name, path in self._request.formats.items() if name not in self._reports
        }
        if not formats:
            return
        asked = self._scratch / "export.json"
        asked.write_text(
            json.dumps(
                {
                    "notebook": str(self._scratch / EXECUTED),
                    "name": Path(self._request.output).stem,
                    "formats": formats,
                    "scratch": str(self._scratch),
                }
            )
        )
        for event in self._exported(asked):
            getattr(self, f"_on_{event.pop('event')}_event")(**event)
        for name in sorted(set(formats) - set(self._reports)):
            self._problems.append(f"The {name} report could not be made: it took too long.")

    def _exported(self, asked: Path) -> list[dict[str, Any]]:
        """What the export program tells. It writes to a file: a pipe would be held open by the
        tools it starts."""
        told = self._scratch / "exported.jsonl"
        with (
            asked.open("rb") as stdin,
            told.open("wb") as stdout,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "couler_jobs.in_pod.export"],
                stdin=stdin,
                stdout=stdout,
                start_new_session=True,
            ) as process,
        ):
            self._await_export(process)
            process.kill()
        end_all(os.getpid(), self._patience)
        reap()
        return [json.loads(line) for line in told.read_bytes().split(b"\n")[:-1]]

    def _await_export(self, process: subprocess.Popen[bytes]) -> None:
        """Until it has ended or its time is over, which is soon once somebody wants us to go."""
        seconds = HURRIED_EXPORT_TIMEOUT if self._hurried else EXPORT_TIMEOUT
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(Empty):
                if self._events.get(timeout=0.1)["event"] == "signal":
                    deadline = min(deadline, time.monotonic() + HURRIED_EXPORT_TIMEOUT)

    def _publish(self) -> str:
        """Put the notebook and the reports in their places; why the notebook is not, if so."""
        problem = self._publisher.finish() or self._unsaved
        for files in self._reports.values():
            for file in files:
                self._publish_report(**file)
        return problem

    def _publish_report(self, path: str, target: str) -> None:
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            publish.copy(path, target)
        except (OSError, publish.NotPublished) as error:
            self._problems.append(f"A report is missing: {error}")


def _unwritten(found: Mapping[str, Any], problem: str) -> dict[str, Any]:
    """The outcome of a run whose notebook is not where it belongs; what else failed stays told."""
    message = " ".join(filter(None, [problem, found["message"]]))
    status = Status(found["status"])
    if status is not Status.SUCCEEDED:
        return {**found, "message": message}
    name = "DiskFull" if problem.startswith("disk full") else "OSError"
    return {"status": Status.UNWRITTEN, "error_name": name, "message": message}


def _way(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "by SIGKILL, often the sign of too little memory"
    if exit_code < 0:
        return f"by {signal_name(-exit_code)}"
    return f"with exit code {exit_code}; the log says more"


def supervise(
    request: NotebookRequest, kernel: Kernel, snapshot: bytes, attempt: Attempt = ONLY
) -> Outcome:
    """Run the notebook whose bytes are `snapshot`. Raises `Refused` if there is no room to work."""
    mask = Mask(os.environ[name] for name in request.secrets)
    log = Log(request.log, goes_on=attempt.number > 1, mask=mask)
    started, result = now(), ResultFile(request.result)
    if attempt.number > 1:
        log.line(f"Attempt {attempt.number} of {attempt.of}.")
    try:
        scratch = _scratch(request, kernel, snapshot)
    except OSError as error:
        log.close()
        raise Refused(f"There is no room to work in: {error}.") from error
    for remark in remarks(snapshot, {**request.parameters, **request.secret_parameters}):
        log.line(remark)
    try:
        outcome = Supervisor(request, kernel, scratch, log).run()
        outcome = replace(
            outcome,
            attempt=attempt.number,
            message=one_line(attempt.said(outcome.message)),
            started_at=started,
            finished_at=now(),
            input_sha256=hashlib.sha256(snapshot).hexdigest(),
        )
        result.finish(outcome, log)
        return outcome
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        log.close()


def _scratch(request: NotebookRequest, kernel: Kernel, snapshot: bytes) -> Path:
    """A private folder with the input as it is now and what the cells' process needs to know."""
    scratch = Path(tempfile.mkdtemp(prefix="notebook-", dir=request.scratch))
    try:
        (scratch / "input.ipynb").write_bytes(snapshot)
        (scratch / EXECUTED).write_bytes(without_outputs(snapshot))
        asked = {"request": request.as_dict(), "kernel": asdict(kernel)}
        (scratch / "job.json").write_text(json.dumps(asked), encoding="utf-8")
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return scratch
