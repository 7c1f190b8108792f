from __future__ import annotations

import json
import math
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.dsl.calls import WHOLE
from couler_jobs.dsl.footer import step_script
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import wire

TEXTS = st.text() | st.sampled_from(
    ["{{workflow.name}}", "{{=1+1}}", "$(id)", "$$(x)", '\\"{{', "{"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_arrives_equal(value: Any) -> None:
    assert wire.decode(wire.encode(value)) == value


KEYS = st.sampled_from([wire.TEXTS, wire.LITERAL, "a"])
ALIKE = st.recursive(
    st.integers() | st.sampled_from(["[1]", "json:1", wire.ROUND + "1", wire.TEXTS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
)


@given(ALIKE)
def test_values_that_look_like_ours_arrive_equal(value: Any) -> None:
    assert wire.decode(wire.encode(value)) == value


def returned(argument: str, texts: list[str]) -> Any:
    """What a step returns that returns its argument; `texts` are its parameters that are texts."""
    same = "def same(value):\n    return value\n"
    with tempfile.TemporaryDirectory() as folder:
        text = step_script("same", same, ["value"], WHOLE, texts=texts)
        program = text.replace("/tmp/couler-jobs", folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COULER_JOBS_ARG_value", argument)
            patch.setattr(sys, "excepthook", sys.excepthook)  # the step's own is undone
            Path(folder, "step.py").write_text(program, encoding="utf-8")
            runpy.run_path(f"{folder}/step.py")
        return wire.decode(Path(folder, "value").read_text(encoding="utf-8"))


@given(ALIKE)
def test_a_step_reads_and_writes_values_that_look_like_ours(value: Any) -> None:
    assert returned(wire.encode(value), []) == value


AS_TYPED = ("3.10", "007", "true", "1e3", "[1]", '{"a": 1}', "plain", "", "NaN", " 1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, text) for text in AS_TYPED),
        ('"3.10"', "3.10"),
        ("null", None),
        ("couler_jobs.json:3", 3),
        ('couler_jobs.json:"3"', "3"),
    ],
)
def test_a_parameter_that_is_a_text_gets_what_is_no_json_text_as_it_is(
    text: str, value: Any
) -> None:
    assert returned(text, ["value"]) == value
    assert wire.decode_argument(text, is_text=True) == value
    assert returned(text, []) == wire.decode_argument(text, is_text=False) == wire.decode(text)


@given(VALUES)
def test_no_text_holds_a_tag_or_a_variable(value: Any) -> None:
    text = wire.encode(value)
    assert "{{" not in text
    assert "$" not in text


@given(VALUES)
def test_an_encoded_value_is_plain_json(value: Any) -> None:
    assert json.loads(wire.encode(value)) == value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {1: 2}, {"a": [{None: 1}]}, object(), {1, 2}, b"x"]
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(DeclarationError, match="cannot travel as JSON"):
        wire.encode(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(DeclarationError, match="cannot travel as JSON"):
        wire.encode(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01", "2026-01-01"),
        ("NaN", "NaN"),
        ("", ""),
        ("7", 7),
        ('couler_jobs.json:{"a": 1}', {"a": 1}),
        ("couler_jobs.json:a text of a container", "a text of a container"),
        ('{"couler_jobs.texts": ["1", "couler_jobs.json:\\"x\\""]}', [1, "x"]),
        ('{"couler_jobs.texts": "[1]"}', [1]),
        ('{"couler_jobs.texts": [], "b": 1}', {"couler_jobs.texts": [], "b": 1}),
    ],
)
def test_a_text_is_read_as_what_it_says(text: str, value: Any) -> None:
    assert wire.decode(text) == value


def test_json_text_is_for_container_steps() -> None:
    assert wire.json_text({"a": "$(id) {{x}}"}) == '{"a": "\\u0024(id) \\u007b\\u007bx}}"}'
