"""A run on the screen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.runs.display import MOST_ROWS, as_html, as_text, duration
from couler_jobs.spec.status import Phase
from tests.runs.fake import BEGAN, info, node

HOSTILE = "<script>alert(1)</script>\n\x1b[31m"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (4.21, "4.2 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (-1, "0.0 s")],
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(BEGAN, BEGAN + timedelta(seconds=seconds)) == text


def test_what_has_not_ended_has_no_duration() -> None:
    assert duration(BEGAN, None) == duration(None, None) == ""


def test_the_text_has_a_line_a_step() -> None:
    run = info("w", Phase.FAILED, node("w.a"), node("w.b", Phase.FAILED, message="no"), message="m")
    assert as_text(run).splitlines() == [
        "w Failed: m (3.0 s)",
        "  a  Succeeded  2.0 s",
        "  b  Failed     2.0 s  no",
    ]


def test_a_run_without_steps_is_one_line() -> None:
    assert as_text(info("w", Phase.PENDING)) == "w Pending"


@given(st.text())
def test_the_text_never_gives_a_terminal_a_control_character(message: str) -> None:
    text = as_text(info("w", Phase.FAILED, node("w.a", message=message), message=message))
    assert len(text.split("\n")) == 2
    assert all(char.isprintable() for line in text.split("\n") for char in line)


def test_the_table_escapes_what_it_shows() -> None:
    step = node("w.a", Phase.ERROR, display_name=HOSTILE, message=HOSTILE)
    html = as_html(info("w", Phase.FAILED, step, message=HOSTILE))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3


def test_a_long_run_is_cut_and_says_so() -> None:
    run = info("w", Phase.SUCCEEDED, *(node(f"w.s{n}") for n in range(MOST_ROWS + 2)))
    assert as_text(run).endswith("and 2 more steps")
    assert "and 2 more steps" in as_html(run)
