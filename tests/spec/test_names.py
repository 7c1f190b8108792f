from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.spec.names import (
    PARAMETER_NAME,
    TEMPLATE_NAME,
    WORKFLOW_NAME,
    Names,
    parameter_name,
    template_name,
    workflow_name,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("count_rows", "count-rows"),
        ("_private_", "private"),
        ("2nd", "n2nd"),
        ("--x--", "x"),
        ("zählen", "zahlen"),
        ("数", "step"),
        ("", "step"),
    ],
)
def test_a_text_becomes_a_template_name(text: str, name: str) -> None:
    assert template_name(text) == name


def test_a_long_name_keeps_its_beginning_and_stays_unlike_others() -> None:
    names = {template_name("x" * 200 + end) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) == 128 and name.startswith("xxxx") for name in names)


@given(st.text())
def test_every_text_becomes_a_legal_name_of_each_kind(text: str) -> None:
    assert TEMPLATE_NAME.fullmatch(template_name(text))
    assert WORKFLOW_NAME.fullmatch(workflow_name(text))
    assert PARAMETER_NAME.fullmatch(parameter_name(text))


@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "x" * 128])))
def test_names_are_handed_out_once(texts: list[str]) -> None:
    names = Names()
    taken = [names.take(text) for text in texts]
    assert len(set(taken)) == len(texts)
    assert all(TEMPLATE_NAME.fullmatch(name) and name in names for name in taken)


def test_a_repeated_name_gets_an_ordinal() -> None:
    names = Names()
    assert [names.take("a") for _ in range(3)] == ["a", "a-2", "a-3"]


def test_names_of_templates_have_no_capitals() -> None:
    names = Names(lower=True)
    assert [names.take(text) for text in ("Count", "count", "COUNT")] == [
        "count",
        "count-2",
        "count-3",
    ]
