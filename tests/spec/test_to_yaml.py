"""Manifests as YAML: what is written is read back as it was, by Go's YAML too."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.spec.manifest import load_with_lines
from couler_jobs.spec.to_yaml import to_yaml


@pytest.mark.parametrize(
    "text",
    ["y", "N", "yes", "08", "1e3", "12e45", "0o17", "0X1f", "1_0.5", "-.5", "5", "null", ""],
)
def test_a_text_that_argo_would_read_as_something_else_is_quoted(text: str) -> None:
    assert to_yaml({"a": text}) in (f"a: '{text}'\n", f'a: "{text}"\n')
    assert to_yaml({text: "a"}) in (f"'{text}': a\n", f'"{text}": a\n')


@pytest.mark.parametrize(
    "text", ["a", "1.2.3", "12:30", "2e", "x08", "a b", "{{=1}}", "é", "1e400"]
)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    assert load_with_lines(to_yaml({"a": text}))[0] == [{"a": text}]


@pytest.mark.parametrize("value", [5, 1.5, True, None, [1, "1"], {"b": "two\nlines"}])
def test_what_is_no_text_is_read_back_as_it_was(value: Any) -> None:
    assert load_with_lines(to_yaml({"a": value}))[0] == [{"a": value}]
