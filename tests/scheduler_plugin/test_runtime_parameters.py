"""What a job may ask for in its runtime environment parameters."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.runtime_parameters import (
    KEYS,
    Json,
    Text,
    Truth,
    Whole,
    check,
    check_limits,
)


def test_every_key_has_a_value_when_nothing_is_asked_for() -> None:
    assert check(None, {}) == {name: key.default for name, key in KEYS.items()}


def test_what_is_asked_for_goes_before_the_operators_default_and_that_before_ours() -> None:
    defaults = {"retries": 1, "timeout_seconds": 60}
    found = check({"retries": 2}, defaults)

    assert (found["retries"], found["timeout_seconds"]) == (2, 60)
    assert found["concurrency_policy"] == "Forbid"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"timeout_seconds": 60}, 60),
        ({"timeout_seconds": "60"}, 60),
        ({"concurrency_policy": "replace"}, "Replace"),
        ({"retries": 0}, 0),
    ],
)
def test_a_value_is_read_as_it_was_meant(given: dict[str, Any], read: Any) -> None:
    (name,) = given
    assert check(given, {})[name] == read


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"retry": 1}, "no runtime environment parameter 'retry': there are timeout_seconds, "),
        ({"timeout_seconds": 0}, "timeout_seconds is to be a whole number from 1 to "),
        ({"timeout_seconds": -1}, "timeout_seconds is to be a whole number"),
        ({"timeout_seconds": 1.5}, "timeout_seconds is to be a whole number"),
        ({"timeout_seconds": "soon"}, "timeout_seconds is to be a whole number"),
        ({"timeout_seconds": None}, "timeout_seconds is to be a whole number"),
        ({"retries": True}, "retries is to be a whole number from 0 to 20"),
        ({"concurrency_policy": "never"}, "one of Forbid, Allow, Replace"),
        ({"timeout_seconds": "1" * 2000}, "longer than 1024 characters: shorten"),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_is_to_be(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(JobRefused, match=sentence):
        check(given, {})


def test_no_value_is_quoted_in_a_refusal() -> None:
    with pytest.raises(JobRefused) as refused:
        check({"retries": "canary"}, {})

    assert "canary" not in str(refused.value)


def test_a_number_above_the_operators_limit_is_refused() -> None:
    assert check({"retries": 3}, {}, {"retries": 3})["retries"] == 3
    with pytest.raises(JobRefused, match="retries may be 3 at most on this server"):
        check({"retries": 4}, {}, {"retries": 3})


def test_with_a_limit_no_job_is_without_a_timeout() -> None:
    assert check({}, {}, {"timeout_seconds": 60})["timeout_seconds"] == 60
    assert check({}, {"timeout_seconds": 90}, {"timeout_seconds": 60})["timeout_seconds"] == 60
    assert check({}, {"timeout_seconds": 30}, {"timeout_seconds": 60})["timeout_seconds"] == 30


def test_a_limit_does_not_turn_on_what_is_off() -> None:
    found = check({}, {}, {"starting_deadline_seconds": 60})
    assert found["starting_deadline_seconds"] is None


def test_limits_are_numbers_of_known_keys() -> None:
    assert check_limits({"retries": "5"}) == {"retries": 5}
    with pytest.raises(JobRefused, match="concurrency_policy is no number"):
        check_limits({"concurrency_policy": "Allow"})


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Truth(), True, True),
        (Truth(), 0, False),
        (Truth(), "TRUE", True),
        (Text("text"), 5, "5"),
        (Json("an object", dict), '{"a": 1}', {"a": 1}),
        (Json("an object", dict), {"a": 1}, {"a": 1}),
        (Whole(0, 9), "07", 7),
    ],
)
def test_a_kind_reads_what_jupyter_scheduler_hands_over(kind: Any, value: Any, read: Any) -> None:
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Truth(), 2), (Truth(), "yes"), (Json("", dict), "[" * 100_000), (Json("", dict), "{")],
)
def test_a_kind_refuses_what_it_cannot_read(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the text is the key's
        kind.read(value)
