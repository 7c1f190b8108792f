"""Reading a log that grows: whole lines, once each, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from couler_jobs.backends.local.logs import LogFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def texts(log: LogFile, *, ended: bool = False) -> list[str]:
    return [line.text for line in log.lines(ended=ended)]


def test_a_log_that_is_not_there_yet_is_empty(path: Path) -> None:
    assert texts(LogFile("n", path)) == []


def test_a_line_comes_when_it_is_whole(path: Path) -> None:
    log = LogFile("n", path)
    path.write_bytes(b"one\ntw")
    assert texts(log) == ["one"]
    path.write_bytes(b"one\ntwo\nthree")
    assert texts(log) == ["two"]
    assert texts(log) == []
    assert texts(log, ended=True) == ["three"]
    assert texts(log, ended=True) == []


def test_a_letter_that_is_cut_in_two_arrives_whole(path: Path) -> None:
    log = LogFile("n", path)
    path.write_bytes("é".encode()[:1])
    assert texts(log) == []
    path.write_bytes("é\n".encode())
    assert texts(log) == ["é"]


def test_bytes_that_are_no_text_are_shown_as_such(path: Path) -> None:
    path.write_bytes(b"\xff\n")
    assert texts(LogFile("n", path)) == ["\ufffd"]


@pytest.mark.parametrize("size", [262143, 262144, 262145, 600_000])
def test_a_long_last_line_arrives_in_one_piece(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size)
    assert texts(LogFile("n", path), ended=True) == ["x" * size]


def test_an_endless_line_arrives_in_pieces(path: Path) -> None:
    path.write_bytes(b"x" * 5_000_000 + b"\nnext\n")
    log = LogFile("n", path)
    *pieces, last = texts(log)
    assert "".join(pieces) == "x" * 5_000_000
    assert max(map(len, pieces)) < 2_000_000
    assert last == "next"


def test_a_log_that_was_cut_goes_on_at_its_end(path: Path) -> None:
    log = LogFile("n", path)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert texts(log) == ["one", "two", "three"]
    path.write_bytes(b"one\n")
    assert texts(log) == []
    path.write_bytes(b"one\nfour\n")
    assert texts(log) == ["four"]
