"""Further fields laid over those that words give."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.errors import DeclarationError
from couler_jobs.spec.overlay import overlaid


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ({}, {}),
        ({"tty": True}, {"tty": True}),
        ({"image": "a"}, {"image": "a"}),
        ({"limit": 2}, {"limit": 2}),
        ({"resources": {"limits": {"gpu": 1}}}, {"resources": {"limits": {"cpu": "1", "gpu": 1}}}),
        ({"env": [{"name": "B"}]}, {"env": [{"name": "A"}, {"name": "B"}]}),
        ({"args": ["x"]}, {"args": ["x"]}),
    ],
)
def test_further_fields_stand_beside_those_that_are_there(
    extra: dict[str, Any], found: dict[str, Any]
) -> None:
    fields = {
        "image": "a",
        "limit": "2",
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "A"}],
        "args": ["x"],
    }
    assert overlaid(fields, extra, "x_extra") == {**fields, **found}


@pytest.mark.parametrize(
    ("fields", "extra", "sentence"),
    [
        (
            {"resources": {"limits": {"cpu": "1"}}},
            {"resources": {"limits": {"cpu": "2"}}},
            "w: resources.limits.cpu is '1' by memory=, cpu= or gpu= and '2' by x: say it once.",
        ),
        (
            {"args": ["a"]},
            {"args": ["b"]},
            "w: args is ['a'] by args= and ['b'] by x: say it once.",
        ),
        ({"env": {}}, {"env": "a"}, "w: env is {} by the program and 'a' by x: say it once."),
    ],
)
def test_a_field_that_is_said_twice_with_two_values_is_an_error(
    fields: dict[str, Any], extra: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        overlaid(fields, extra, "x", "w")
    assert refused.value.said == sentence


def test_of_a_long_value_an_error_shows_how_it_begins() -> None:
    with pytest.raises(DeclarationError) as refused:
        overlaid({"source": "x" * 500}, {"source": "y"}, "x_extra")
    begun = "'" + "x" * 99 + "..."
    assert (
        refused.value.said == f"source is {begun} by the program and 'y' by x_extra: say it once."
    )


def test_further_fields_are_a_mapping() -> None:
    with pytest.raises(DeclarationError, match=r"^x_extra='image': it is a mapping of Argo's"):
        overlaid({}, "image", "x_extra")  # type: ignore[arg-type]
