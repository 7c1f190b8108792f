"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.cli.options import parameter, parameters, seconds
from couler_jobs.runs.values import decoded_values


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("n=3", ("n", 3)),
        ("day=2026-01-02", ("day", "2026-01-02")),
        ('text="3"', ("text", "3")),
        ("empty=", ("empty", "")),
        ("sum=a=b", ("sum", "a=b")),
        ("list=[1, null]", ("list", [1, None])),
    ],
)
def test_a_parameter_is_json_where_it_can_be_read_as_such(text: str, pair: tuple[str, Any]) -> None:
    assert decoded_values(dict([parameter(text)])) == dict([pair])


@pytest.mark.parametrize("text", ["n", "=3", ""])
def test_a_parameter_needs_a_name_and_an_equals_sign(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=VALUE"):
        parameter(text)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan"])
def test_seconds_are_a_number_above_zero(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of seconds"):
        seconds(text)
    assert seconds("2.5") == 2.5


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: 1\nb: 2\n", encoding="utf-8")
    given = argparse.Namespace(parameters_file=file, parameters=[("b", 3)])
    assert parameters(given) == {"a": 1, "b": 3}
