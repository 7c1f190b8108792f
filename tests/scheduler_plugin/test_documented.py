"""The documentation has every key of a job and every setting of an operator, in our own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduler_plugin.config import Options
from scheduler_plugin.runtime_parameters import KEYS, Key

DOCS = Path(__file__).parents[2] / "docs"


def row(key: Key) -> str:
    """The table's row of a key."""
    return f"| `{key.name}` | {key.does} | {key.kind.what} |"


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_a_key_of_a_job_is_documented(key: Key) -> None:
    assert row(key) in (DOCS / "notebook-jobs.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", sorted(Options.class_own_traits()))
def test_a_setting_is_documented_in_its_own_words(name: str) -> None:
    text = (DOCS / "operators.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {Options.class_own_traits()[name].help} |" in text.splitlines()


def test_nothing_is_documented_that_is_gone() -> None:
    known = {*KEYS, *Options.class_own_traits()}
    pages = (
        (DOCS / name).read_text(encoding="utf-8") for name in ("notebook-jobs.md", "operators.md")
    )
    found = {name for text in pages for name in re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)}
    assert found <= known
