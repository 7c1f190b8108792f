from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.in_pod.outcome import (
    EXIT_CODES,
    TRACEBACK_LINES,
    Outcome,
    Status,
    one_line,
    plain,
    said,
    tail,
)


@given(st.text())
def test_a_message_is_one_printable_bounded_line(text: str) -> None:
    line = one_line(text, 40)
    assert len(line) <= 40
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line


PLAIN = [
    ("\x1b[0;31mred\x1b[0m", "red"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
    ("a\tb\nc\rd\x00e", "a\tb\ncde"),
    ("\x1bMup", "up"),
]


@pytest.mark.parametrize(("text", "shown"), PLAIN)
def test_plain_text_has_no_terminal_codes(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_the_tail_of_a_traceback_is_its_last_lines() -> None:
    lines = tail(["\n".join(f"line {k}" for k in range(50)), "\x1b[31mValueError\x1b[0m"])
    assert len(lines) == TRACEBACK_LINES
    assert lines[-2:] == ("line 49", "ValueError")


def test_an_error_without_text_is_said_by_its_name() -> None:
    error = {"cell": 2, "cells": 3, "error_name": "KeyError", "value": ""}
    assert said(error) == "Cell 2 of 3 failed: KeyError"


def test_every_end_has_its_own_exit_code() -> None:
    assert set(EXIT_CODES) == set(Status) - {Status.RUNNING}
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_an_outcome_is_json() -> None:
    outcome = Outcome(status=Status.FAILED, traceback=("a",))
    assert json.loads(outcome.as_json())["status"] == "failed"
