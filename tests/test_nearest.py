"""What was meant by a misspelt word."""

from __future__ import annotations

import pytest

from couler_jobs.nearest import meant, nearest, no_parameter


@pytest.mark.parametrize(
    ("word", "near"),
    [("agrs", "args"), ("retires", "retries"), ("side_cars", "sidecars"), ("zzz", ""), ("", "")],
)
def test_the_nearest_is_the_one_that_is_spelt_most_like_it(word: str, near: str) -> None:
    assert nearest(word, ["args", "retries", "sidecars"]) == near


def test_what_is_hardly_like_it_was_not_meant() -> None:
    assert meant("agrs", ["sidecars"]) == ""
    assert meant("args", ["agrs"]) == "did you mean 'agrs'?"


@pytest.mark.parametrize(
    ("known", "instead"),
    [(["day", "top"], "did you mean 'day'?"), (["top"], "it has top."), ([], "it has none.")],
)
def test_an_unknown_parameter_is_told_with_what_there_is(known: list[str], instead: str) -> None:
    assert no_parameter("f()", "dya", known) == f"f() has no parameter 'dya': {instead}"
