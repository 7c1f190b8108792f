"""Runs one notebook: `python -m couler_jobs.in_pod.notebook --request-file FILE`.

    --request JSON        the request (see `NotebookRequest`), or
    --request-file FILE   the same in a file, `-` for stdin: for values that are not for everybody
                          who lists processes
    --check               look whether it could be run, and run nothing
    --attempt K           that it was tried K times before, of --attempts N in all: its log goes on,
                          and the outcome says so

What follows from a run:

* the executed notebook at `output`, also when a cell fails, at a time-out and on SIGTERM;
* every report of `formats`, also then;
* the log, at `log` and on stdout, as the cells print: never the parameters' values;
* the outcome at `result` (see `Outcome`) and in the exit code: 0 succeeded, 1 a cell failed,
  2 the request is malformed, 3 refused (no such notebook, environment, kernel, format; nothing
  was run), 4 the kernel died, 5 the notebook could not be written, 124 time-out, 128 + the signal
  that stopped it (143 for SIGTERM).

`sys.exit()` and `sys.exit(0)` in a cell end the notebook there, as a success; with another value
as a failure. `os._exit()` is a death of the kernel, with whatever code; so is `exit()` when
other cells follow.
Cells are counted from 1 among the code cells of the input, as its author sees them. The parameters
cell that is injected when the notebook is run is not counted, and said to be that one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from couler_jobs.in_pod import publish
from couler_jobs.in_pod.export import check_formats
from couler_jobs.in_pod.kernel import Kernel, find_kernel
from couler_jobs.in_pod.outcome import EXIT_CODES, ONLY, Attempt, Outcome, Status, now
from couler_jobs.in_pod.request import NotebookRequest, Refused
from couler_jobs.in_pod.source import LARGEST, read_source

MALFORMED = 2  #: exit code


def check(request: NotebookRequest) -> Kernel:
    """The kernel that would run the request. Raises `Refused` with what is in the way.

    Looks and changes nothing, so it can be asked when a job is created. The places to write to are
    not looked at: they may be made later, or elsewhere.
    """
    return _checked(request)[0]


def _checked(request: NotebookRequest) -> tuple[Kernel, bytes]:
    data = _read(request.input)
    source = read_source(data, request.input)
    check_formats(request.formats)
    if not os.path.isdir(request.folder):
        raise Refused(f"The working folder {request.folder} does not exist.")
    kernel = find_kernel(
        request.environment, request.kernel, suggested=source.kernel, language=source.language
    )
    return kernel, data


def _check_secrets(request: NotebookRequest) -> None:
    wanted = {**request.secret_parameters, **request.secret_variables}
    if missing := [name for name, variable in wanted.items() if variable not in os.environ]:
        raise Refused(
            f"The secret for {missing[0]} did not reach the notebook's step: create the job again."
        )


def _read(path: str) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):
        raise Refused(f"{path} is not a file.")
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Refused(f"There is no notebook at {path}.") from None
    except OSError as error:
        raise Refused(f"The notebook {path} cannot be read: {error.strerror}.") from None


def _check_place(path: str) -> None:
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"The folder {folder} cannot be made: {error.strerror}.") from None
    try:
        tempfile.TemporaryFile(dir=folder).close()  # only trying shows quotas and read-only mounts
    except OSError as error:
        raise Refused(f"The folder {folder} cannot be written to: {error.strerror}.") from None
    if os.path.isdir(path):
        raise Refused(f"{path} is a folder; a file is to be written there.")


def run(request: NotebookRequest, attempt: Attempt = ONLY) -> int:
    """Run the request; the exit code. The outcome, also a refusal, is in the result file."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_early)
    try:
        _check_place(request.result)
        kernel, data = _checked(request)
        _check_secrets(request)
        for path in filter(None, [request.output, request.log, *request.formats.values()]):
            _check_place(path)
        from couler_jobs.in_pod.supervisor import supervise

        return int(supervise(request, kernel, data, attempt).exit_code or 0)
    except (Refused, publish.NotPublished) as error:
        return _end_early(
            request, attempt.said(str(error)), Status.REFUSED, EXIT_CODES[Status.REFUSED]
        )
    except _StoppedEarly as stop:
        sentence = f"Stopped by {stop.signal.name} before the first cell."
        return _end_early(request, sentence, Status.STOPPED, 128 + stop.signal)


class _StoppedEarly(BaseException):
    """A signal before the supervisor is there to receive it."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


def _stop_early(number: int, _: object) -> NoReturn:
    raise _StoppedEarly(number)


def _end_early(request: NotebookRequest, sentence: str, status: Status, code: int) -> int:
    print(sentence, file=sys.stderr, flush=True)
    moment = now()
    outcome = Outcome(
        status=status, exit_code=code, message=sentence, started_at=moment, finished_at=moment
    )
    for path, text in ((request.result, outcome.as_json()), (request.log, sentence + "\n")):
        try:
            if path:
                publish.write(path, text.encode("utf-8", "backslashreplace"))
        except publish.NotPublished as error:
            print(error, file=sys.stderr, flush=True)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(prog="couler_jobs.in_pod.notebook", description=__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--request", metavar="JSON")
    given.add_argument("--request-file", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--attempt", metavar="K", type=int, default=0)
    parser.add_argument("--attempts", metavar="N", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        request = NotebookRequest.from_json(_request_text(options))
    except (Refused, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return MALFORMED
    attempt = Attempt(number=options.attempt + 1, of=options.attempts)
    return _show_check(request) if options.check else run(request, attempt)


def _request_text(options: argparse.Namespace) -> str:
    if options.request is not None:
        return str(options.request)
    if options.request_file == "-":
        return sys.stdin.read()
    return Path(options.request_file).read_text(encoding="utf-8")


def _show_check(request: NotebookRequest) -> int:
    try:
        kernel = check(request)
    except Refused as error:
        print(error, file=sys.stderr)
        return EXIT_CODES[Status.REFUSED]
    print(json.dumps({"kernel": kernel.name, "language": kernel.language, "argv": kernel.argv}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
