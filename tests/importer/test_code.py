"""Values as the text of Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.importer.code import Invoke, Name, evaluate, functions, written

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def call(*arguments: Any, **keywords: Any) -> list[Any]:
    return [*arguments, keywords]


@given(VALUES, st.sampled_from(["", "    "]))
def test_a_value_is_read_back(value: Any, indent: str) -> None:
    assert eval(f"(\n{written(value, indent)})") == value


@given(st.lists(VALUES, max_size=3), st.dictionaries(st.text(), VALUES, max_size=3))
def test_a_call_gives_what_its_text_gives(arguments: list[Any], keywords: dict[str, Any]) -> None:
    code = Invoke(call, arguments, keywords)
    assert eval(written(code), {"call": call}) == evaluate(code)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ('say "hi"', "'say \"hi\"'"),
        (Name("base", {"a": 1}), "base"),
        (
            Invoke(call, [Name("base", 1)], {"x": True, "a-b": 2}),
            'call(base, x=True, **{"a-b": 2})',
        ),
        ({"k": [1, None]}, '{"k": [1, None]}'),
    ],
)
def test_what_is_short_stands_on_one_line(value: Any, text: str) -> None:
    assert written(value) == text


def test_what_is_long_stands_on_a_line_each() -> None:
    code = Invoke(call, ["a" * 60], {"other": "b" * 60})
    assert written(code) == f'call(\n    "{"a" * 60}",\n    other="{"b" * 60}",\n)'


def test_a_text_of_several_lines_is_kept_as_it_is_read() -> None:
    text = "import sys\n\nprint('a long enough line of a script', file=sys.stderr)\n"
    assert written(text) == f'"""\\\n{text}"""'


LINES = ["import sys", "", "print('a long enough line of a script', file=sys.stderr)", ""]


MARKS = ['"""', "'''", "\"\"\"x\"\"\"\n'''y'''", "\\"]


@pytest.mark.parametrize("mark", MARKS, ids=repr)
def test_a_text_of_several_lines_stays_so_whatever_quotes_it_holds(mark: str) -> None:
    text = "\n".join([LINES[0], mark, *LINES[2:]])
    assert len(written(text).splitlines()) >= len(text.splitlines())
    assert eval(written(text)) == text


@given(st.text(alphabet="\"'\\\na{", min_size=50, max_size=90))
def test_any_quotes_in_any_place_are_read_back(text: str) -> None:
    assert eval(written(text)) == text


def test_the_functions_that_are_called_are_known() -> None:
    inner = Invoke(call, [Invoke(evaluate)])
    assert functions([{"a": Invoke(written, [], {"b": inner})}]) == {"written", "call", "evaluate"}
