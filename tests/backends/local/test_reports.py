"""What a step's process tells while it runs, at the supervisor's end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from couler_jobs.backends.local.reports import Reports, report


@pytest.fixture
def reports() -> Iterator[Reports]:
    both = Reports("n")
    yield both
    both.close_writing()
    both.close()


def test_what_is_told_arrives_once_its_line_is_whole(reports: Reports) -> None:
    noted: list[str] = []
    os.write(reports.writing, b'{"container": "a", ')
    assert reports.read(noted.append) == []
    os.write(reports.writing, b'"exit_code": 3}\n')
    (told,) = reports.read(noted.append)
    assert (told.node, told.container, told.exit_code, noted) == ("n", "a", 3, [])


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[1]", b'{"nothing": 1}', b"3", b""])
def test_a_line_that_is_no_report_is_noted_and_the_next_one_counts(
    reports: Reports, line: bytes
) -> None:
    noted: list[str] = []
    os.write(reports.writing, line + b"\n")
    report(reports.writing, container="b")
    assert [told.container for told in reports.read(noted.append)] == ["b"]
    assert noted == [f"reported what cannot be understood: {line!r}"]
