"""What a run leaves while it goes on: the log, the published notebook, the result file.

None of them ends the run when it cannot be written.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from couler_jobs.in_pod import publish
from couler_jobs.in_pod.masking import Mask, StreamMask
from couler_jobs.in_pod.outcome import Outcome, Status, now

EXECUTED = "executed.ipynb"  #: the running notebook, in the scratch folder
LARGEST_LOG = 256 * 2**20  #: bytes
NOTHING_HIDDEN = Mask(())
RESERVED = 4096  #: bytes that the result file takes from the start, so that a full disk has room


class Log:
    """The log file and stdout, written as text comes, from any thread; failing neither."""

    def __init__(
        self, path: str | None, *, goes_on: bool = False, mask: Mask = NOTHING_HIDDEN
    ) -> None:
        self._mask, self._stream = mask, StreamMask(mask)
        self._lock = threading.Lock()
        mode = "ab" if goes_on else "wb"
        self._file = open(path, mode, 0) if path else None  # noqa: SIM115  for the whole run
        self._room = LARGEST_LOG
        self._at_line_start = True
        self.last_written = time.monotonic()  #: of what the cells' process printed

    def write(self, data: bytes) -> None:
        """Pass on what was printed; past the bound only a remark."""
        self.last_written = time.monotonic()
        with self._lock:
            if self._room > 0:
                self._put(self._stream.feed(data))
                self._room -= len(data)
                if self._room <= 0:
                    self._put(b"\n[the log is cut here: it has reached its limit]\n")

    def line(self, text: str) -> None:
        """A line of the supervisor's own."""
        with self._lock:
            self._put(self._stream.rest())
            text = self._mask.text(text)
            start = "" if self._at_line_start else "\n"
            self._put(f"{start}[notebook] {text}\n".encode("utf-8", "backslashreplace"))

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._at_line_start = data.endswith(b"\n")
        with suppress(OSError):  # a full disk: the run goes on, and ends with its own message
            if self._file:
                self._file.write(data)
        with suppress(OSError, ValueError):  # nobody reads stdout any more
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def close(self) -> None:
        """Close the file."""
        self._put(self._stream.rest())
        if self._file:
            self._file.close()


class Publisher:
    """Copies the executed notebook to its place, in a thread, whenever there is a new one."""

    def __init__(self, source: Path, target: str, log: Log) -> None:
        self._source, self._target, self._log = source, target, log
        self._new = threading.Event()
        self._ending = False
        self._problem = ""
        self._thread = threading.Thread(target=self._copy_always, daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """There is a new version."""
        self._new.set()

    def finish(self) -> str:
        """Copy the last version; the answer says why that failed, or is empty."""
        self._ending = True
        self._new.set()
        self._thread.join()
        if self._source.exists():
            self._copy()
        return self._problem

    def _copy_always(self) -> None:
        while self._new.wait() and not self._ending:
            self._new.clear()
            self._copy()

    def _copy(self) -> None:
        before = self._problem
        try:
            publish.copy(self._source, self._target)
        except publish.NotPublished as error:
            self._problem = str(error)
        else:
            self._problem = ""
        if self._problem and not before:
            self._log.line(f"{self._problem} The last good copy is kept.")


class ResultFile:
    """The result, there from the start with `running`, so that its room on the disk is sure."""

    def __init__(self, path: str) -> None:
        self._path = path
        publish.write(path, _padded(Outcome(status=Status.RUNNING, started_at=now())))

    def finish(self, outcome: Outcome, log: Log) -> None:
        """Replace it, or on a full disk write over it."""
        try:
            publish.write(self._path, outcome.as_json().encode())
        except publish.NotPublished as error:
            short = replace(outcome, traceback=())
            try:
                with open(self._path, "r+b") as file:
                    file.write(_padded(short))
            except OSError:
                log.line(f"The result was not stored: {error}")


def _padded(outcome: Outcome) -> bytes:
    return outcome.as_json().encode().ljust(RESERVED)
