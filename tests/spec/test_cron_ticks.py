from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.spec.cron import CronError, next_times, parse

SAMPLES = Path(__file__).parents[1] / "samples" / "cron.jsonl"
"""Random lines, each with the six next ticks (Unix seconds) of robfig/cron 3.0.1; null: refused.

Left out: Australia/Lord_Howe (clocks change by half an hour) and one line in Asia/Tehran (at
midnight), where robfig loses an hour or a day and this project does not follow it.
"""

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def samples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


def ticks(line: str, after: datetime, zone: str = "", count: int = 6) -> list[datetime]:
    return list(islice(next_times(line, after, zone), count))


def answer(sample: dict[str, Any]) -> list[int] | None:
    after = datetime.fromtimestamp(sample["after"], UTC)
    try:
        return [int(tick.timestamp()) for tick in ticks(sample["line"], after, sample["zone"])]
    except CronError:
        return None


def test_every_line_ticks_or_is_refused_as_by_argos_parser() -> None:
    wrong = [sample for sample in samples() if answer(sample) != sample["ticks"]]
    assert wrong == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # 2026-03-29: 02:00 -> 03:00, so 02:30 is skipped
        ("2026-03-28T12:00Z", ["2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00"]),
        # 2026-10-25: 03:00 -> 02:00, so 02:30 comes twice
        ("2026-10-24T12:00Z", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]),
    ],
)
def test_a_skipped_hour_is_skipped_and_a_repeated_one_repeats(
    after: str, expected: list[str]
) -> None:
    found = ticks("30 2 * * *", datetime.fromisoformat(after), "Europe/Paris", 2)
    assert found == [datetime.fromisoformat(text) for text in expected]


def test_a_lines_times_are_of_its_zone() -> None:
    assert str(ticks("0 9 * * *", NOON, "Asia/Tokyo", 1)[0]) == "2026-11-23 00:00:00+00:00"


def test_a_line_that_never_ticks_ends() -> None:
    assert ticks("0 0 30 2 *", NOON) == []


def test_an_interval_counts_from_its_anchor() -> None:
    found = next_times("@every 1h", NOON, anchor=NOON - timedelta(minutes=90))
    assert next(found) == NOON + timedelta(minutes=30)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(CronError):
        parse(line)


@given(
    st.sampled_from(["* * * * *", "*/20 1-4 * * *", "0 */3 * * *", "@every 7m"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
    st.sampled_from(["", "Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo"]),
)
def test_ticks_come_in_order_and_after_the_moment_asked(
    line: str, naive: datetime, zone: str
) -> None:
    after = naive.replace(tzinfo=UTC)
    found = [after, *ticks(line, after, zone)]
    assert all(earlier < later for earlier, later in pairwise(found))
