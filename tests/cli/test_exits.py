"""Errors as exit codes and sentences."""

from __future__ import annotations

import inspect
import os
import signal
import time
from typing import Any

import pytest

from couler_jobs import errors
from couler_jobs.cli.exits import Exit, Terminated, code_of, guarded, terminable

CODES = {
    "WorkflowFailed": 1,
    "DeclarationError": 2,
    "CompileError": 2,
    "LintError": 2,
    "ConfigError": 2,
    "CoulerJobsError": 2,
    "BackendError": 3,
    "NotFound": 3,
    "AlreadyExists": 3,
    "Unauthorized": 3,
    "Forbidden": 3,
    "Unavailable": 3,
    "Rejected": 3,
    "WaitTimeout": 124,
}


def failing(error: BaseException) -> int:
    def call() -> int:
        raise error

    return guarded(call)


def made(name: str) -> errors.CoulerJobsError:
    special: dict[str, tuple[Any, ...]] = {
        "LintError": ([],),
        "WaitTimeout": ("w", 1.0, "Running"),
    }
    arguments = special.get(name, ("why",))
    error: errors.CoulerJobsError = getattr(errors, name)(*arguments)
    return error


def test_every_error_has_its_code() -> None:
    names = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    declared = {n for n in names if issubclass(getattr(errors, n), Exception)}
    assert {name: int(code_of(made(name))) for name in declared} == CODES


def test_a_command_answers_its_own_code() -> None:
    assert guarded(lambda: Exit.OK) == 0


def test_an_error_is_one_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(errors.NotFound("There is no workflow w.")) == 3
    assert capsys.readouterr() == ("", "couler-jobs: There is no workflow w.\n")


def test_debug_shows_where_it_came_up(capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> int:
        raise errors.NotFound("gone")

    assert guarded(call, debug=True) == 3
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.endswith("couler-jobs: gone\n")


def test_a_defect_is_told_apart_from_a_failed_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(ZeroDivisionError("oh")) == 70
    assert "ZeroDivisionError: oh. The option --debug shows where." in capsys.readouterr().err


def test_a_sigterm_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def terminate_me() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def test_sigterm_is_as_it_was_after_a_command() -> None:
    before = signal.signal(signal.SIGTERM, own := lambda *_: None)
    try:
        with pytest.raises(Terminated), terminable():
            terminate_me()
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_interrupt_passes_on_what_the_wait_said(capsys: pytest.CaptureFixture[str]) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.add_note("w goes on.")
    assert failing(interrupt) == 130
    assert capsys.readouterr().err == "Interrupted.\nw goes on.\n"
