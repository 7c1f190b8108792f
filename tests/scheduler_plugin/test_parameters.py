import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.parameters import typed, typed_parameters


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text", "text"),
        ("two words", "two words"),
        ("", ""),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1e308", 1e308),
        ("12345678901234567890123", 12345678901234567890123),
        ("True", True),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": [true]}', {"a": [True]}),
        ('"5"', "5"),
        ('"a\\nb"', "a\nb"),
        ("line 1\nline 2", "line 1\nline 2"),
    ],
)
def test_a_typed_text_means(text: str, value: Any) -> None:
    assert typed(text) == value
    assert type(typed(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "0123",
        "-01",
        "1_000",
        "nan",
        "NaN",
        "Infinity",
        "1e999",
        "[1e999]",
        "[NaN]",
        "٣",
        "2026-11-22",
        "12:30:00",
        "'quoted'",
        "{{workflow.name}}",
        "$(HOME)",
        "{a: 1}",
        "[" * 100_000,
        "1" * 5000,
    ],
)
def test_what_a_number_would_change_and_what_is_no_json_stays_text_or_whole(text: str) -> None:
    value = typed(text)

    assert value == text


@given(st.text())
def test_no_typed_text_is_an_error(text: str) -> None:
    typed(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_every_json_value_arrives_as_itself(value: Any) -> None:
    arrived = typed(json.dumps(value))

    assert arrived == value


@given(st.text())
def test_every_text_arrives_when_it_is_quoted_as_json(text: str) -> None:
    assert typed(json.dumps(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_keeps_its_value(number: float) -> None:
    arrived = typed(repr(number))

    assert math.copysign(1, arrived) == math.copysign(1, number) or arrived == 0
    assert arrived == number


def test_half_a_character_is_refused_by_its_parameter() -> None:
    with pytest.raises(JobRefused, match="'city'"):
        typed_parameters({"city": '"\\ud800"'})
