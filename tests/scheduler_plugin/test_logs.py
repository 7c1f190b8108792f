"""Reading a log that grows, is begun anew, or is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_plugin import logs
from scheduler_plugin.logs import Piece


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\ntwo\nthree")
    return path


def test_reading_goes_on_where_it_ended(log: Path) -> None:
    first = logs.read(log, 0)
    with log.open("ab") as more:
        more.write(b"\nfour\n")

    assert first == Piece(b"one\ntwo\nthree", 13)
    assert logs.read(log, first.next_offset) == Piece(b"\nfour\n", 19)
    assert logs.read(log, 19) == Piece(b"", 19)


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(log: Path) -> None:
    log.write_bytes(b"again\n")

    assert logs.read(log, 13) == Piece(b"again\n", 6)


def test_there_is_nothing_to_read_before_the_log_is_made(tmp_path: Path) -> None:
    assert logs.read(tmp_path / "output.log", 5) == Piece(b"", 0)
    assert logs.offset_of_last(tmp_path / "output.log", 3) == 0


def test_one_answer_is_not_longer_than_a_megabyte(log: Path) -> None:
    log.write_bytes(b"x" * (logs.AT_ONCE + 1))

    assert logs.read(log, 0).next_offset == logs.AT_ONCE
    assert logs.read(log, logs.AT_ONCE) == Piece(b"x", logs.AT_ONCE + 1)


@pytest.mark.parametrize(("lines", "offset"), [(0, 13), (1, 8), (2, 4), (3, 0), (9, 0)])
def test_the_last_lines_begin_at_their_first(log: Path, lines: int, offset: int) -> None:
    assert logs.offset_of_last(log, lines) == offset
