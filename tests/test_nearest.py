"""What was meant by a misspelt word."""

from __future__ import annotations

import pytest

from couler_jobs.nearest import meant, nearest


@pytest.mark.parametrize(
    ("word", "near"),
    [("agrs", "args"), ("retires", "retries"), ("side_cars", "sidecars"), ("zzz", ""), ("", "")],
)
def test_the_nearest_is_the_one_that_is_spelt_most_like_it(word: str, near: str) -> None:
    assert nearest(word, ["args", "retries", "sidecars"]) == near


def test_what_is_hardly_like_it_was_not_meant() -> None:
    assert meant("agrs", ["sidecars"]) == ""
    assert meant("args", ["agrs"]) == "did you mean 'agrs'?"
