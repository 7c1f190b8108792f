"""What a text from outside says."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.runs.values import decoded


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ('{"a": [1]}', {"a": [1]}),
        ('"3"', "3"),
        ('"\\u007b\\u007bx}}"', "{{x}}"),
        ("2026-01-01", "2026-01-01"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_json_is_decoded_and_anything_else_is_text(text: str, value: Any) -> None:
    assert decoded(text) == value
