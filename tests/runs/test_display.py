"""A run on the screen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.runs.display import (
    MOST_ROWS,
    Way,
    as_html,
    as_text,
    duration,
    in_python,
    in_shell,
    said_of,
)
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


def test_a_run_without_steps_has_no_table() -> None:
    assert "<table" not in as_html(info("w", Phase.PENDING))


def test_a_long_run_is_cut_and_says_so() -> None:
    run = info("w", Phase.SUCCEEDED, *(node(f"w.s{n}") for n in range(MOST_ROWS + 2)))
    assert as_text(run).endswith("and 2 more steps")
    assert "and 2 more steps" in as_html(run)


WAITS = info(
    "w",
    Phase.RUNNING,
    node("w.ask", Phase.RUNNING, type="Suspend", asks={"ok": None, "who": "nobody"}),
)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (in_python, "run.resume('ask', answers={'ok': ..., 'who': ...})"),
        (in_shell, "couler-jobs resume w --node ask --answer ok=... --answer who=..."),
    ],
)
def test_a_step_that_waits_says_for_what_and_how_to_answer(way: Way, words: str) -> None:
    assert as_text(WAITS, way).splitlines() == [
        "w Running",
        "  ask  Running    waits for ok, who ('nobody')",
        f"  to go on: {words}",
    ]


def test_the_item_of_a_loop_is_shown_as_a_reader_writes_it() -> None:
    ask = node(r"w.ask(0:\"x\")", Phase.RUNNING, type="Suspend")
    assert as_text(info("w", Phase.RUNNING, ask), in_shell).splitlines() == [
        "w Running",
        "  ask(0:x)  Running    waits",
        "  to go on: couler-jobs resume w --node 'ask(0:x)'",
    ]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("when 'false' evaluated false", "its condition was false"),
        ("when 'fine == nope' evaluated false", "its condition was false: fine == nope"),
        ("omitted: depends condition not met", "omitted: depends condition not met"),
    ],
)
def test_a_skipped_step_says_why_in_words(message: str, said: str) -> None:
    skipped = node("w.a", Phase.SKIPPED, type="Skipped", message=message)
    assert said_of(skipped) == said
    assert as_text(info("w", Phase.SUCCEEDED, skipped)).endswith(said)


def test_one_of_several_steps_that_wait_is_named_in_full() -> None:
    loop = [node(f"w.l({n}).p", Phase.RUNNING, type="Suspend") for n in range(2)]
    text = as_text(info("w", Phase.RUNNING, *loop))
    assert "  to go on: run.resume('w.l(1).p')" in text.splitlines()


def test_the_table_says_how_to_go_on() -> None:
    assert "to go on: run.resume(&#x27;ask&#x27;" in as_html(WAITS)
