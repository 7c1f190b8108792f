"""Values become source text in the notebook: whatever they are, they arrive equal."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couler_jobs.in_pod.request import NotebookRequest

SHELL = ["{{x}}", "$(id)", "%magic", "!ls", "a?", "%%bash\nid", "# type: int", "{x}"]
QUOTES = ["\\", "'''", '"""', "\r\n", "\u2028", "\ud800", "\0", "\\N{DASH}", "\x1b[0m"]
YAML = ["NaN", "017", "12:30:00", "no"]
TRICKY = st.sampled_from([*SHELL, *QUOTES, *YAML])
TEXTS = st.text() | st.lists(TRICKY | st.text(max_size=3), max_size=6).map("".join)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3)
)


def source_of(value: Any) -> str:
    """What papermill injects for the parameter `x` of a request that came as JSON."""
    from papermill.translators import translate_parameters

    places = {"input": "/i", "output": "/o", "result": "/r"}
    request = NotebookRequest.from_json(json.dumps(places | {"parameters": {"x": value}}))
    return str(translate_parameters("python3", "python", dict(request.parameters)))


def exactly(value: Any) -> str:
    """Tells apart what `==` does not: 1, 1.0 and True, 0.0 and -0.0."""
    return repr(value)


@settings(deadline=None)  # the first example imports papermill
@given(JSON)
def test_a_value_is_equal_after_being_source_text(value: Any) -> None:
    assignment = ast.parse(source_of(value)).body[0]
    assert isinstance(assignment, ast.Assign)
    assert exactly(ast.literal_eval(assignment.value)) == exactly(value)


@pytest.fixture(scope="module")
def execute() -> Iterator[Callable[[str], str]]:
    """Runs source in one real kernel; the answer is what it prints."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")

    def printed(source: str) -> str:
        parts: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            if message["msg_type"] == "error":
                raise AssertionError(message["content"])
            parts.append(message["content"].get("text", ""))

        client.execute_interactive(source, output_hook=collect, timeout=60, allow_stdin=False)
        return "".join(parts)

    try:
        yield printed
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=JSON)
def test_a_value_is_equal_in_a_real_kernel(execute: Callable[[str], str], value: Any) -> None:
    assert execute(f"{source_of(value)}\nprint(ascii(x))").strip() == ascii(value)


def test_a_megabyte_of_text_is_equal_in_a_real_kernel(execute: Callable[[str], str]) -> None:
    text = "é'\"\n{{x}}" * 120_000
    assert execute(f"{source_of(text)}\nprint(len(x), x == {text[:9]!r} * 120_000)").split() == [
        str(len(text)),
        str(text == text[:9] * 120_000),
    ]
