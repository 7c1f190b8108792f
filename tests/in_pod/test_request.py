from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.in_pod.request import DEEPEST, ENDINGS, NotebookRequest, Refused, ending

PLACES: dict[str, Any] = {"input": "/in.ipynb", "output": "/out.ipynb", "result": "/result.json"}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.from_regex(r"[a-z_]\w{0,9}", fullmatch=True), JSON, max_size=5))
def test_a_request_is_read_back_equal(parameters: dict[str, Any]) -> None:
    request = NotebookRequest(**PLACES, parameters=parameters)
    assert NotebookRequest.from_json(json.dumps(request.as_dict())) == request


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"input": "in.ipynb"}, "input must be an absolute path"),
    ({"output": None}, "output must be an absolute path"),
    ({"log": "/a\0b"}, "log must be an absolute path"),
    ({"formats": {"html": "r.html"}}, "formats.html must be an absolute path"),
    ({"formats": ["html"]}, "formats must be a JSON object"),
    ({"parameters": 1}, "parameters must be a JSON object"),
    ({"timeout": 0}, "timeout must be a positive number"),
    ({"timeout": True}, "timeout must be a positive number"),
    ({"grace": None}, "grace must be a positive number"),
    ({"stall_after": "60"}, "stall_after must be a positive number"),
    ({"publish_every": math.inf}, "publish_every must be a positive number"),
    ({"parameters": {"x; import os": 1}}, "'x; import os' is not a variable name"),
    ({"parameters": {"1x": 1}}, "'1x' is not a variable name"),
    ({"parameters": {"x\n": 1}}, "is not a variable name"),
    ({"parameters": {"x": [math.inf]}}, "x holds a number that is not finite"),
    ({"parameters": {"x": nested(DEEPEST + 1)}}, "x is nested more than 50 levels"),
    ({"parameters": {"x": {1, 2}}}, "x holds set, which is not JSON"),
    ({"kernel": 3}, "kernel must be a text"),
]


@pytest.mark.parametrize(("wrong", "sentence"), REFUSED)
def test_a_wrong_value_is_refused_by_name(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence.replace("(", r"\(")):
        NotebookRequest(**{**PLACES, **wrong})


TEXTS = [
    ("[1]", "not a JSON object"),
    ("{", "not JSON"),
    ("[" * 100_000, "nested too deeply"),
    ('{"input": 1, "input": 2}', "key 'input' twice"),
    (
        json.dumps(PLACES | {"inputs": 1}),
        "unknown key 'inputs'; the keys are environment,",
    ),
    ('{"input": "/a", "output": "/b"}', "lacks 'result'"),
    (json.dumps(PLACES | {"parameters": {"x": math.nan}}), "holds NaN, which JSON does not have"),
    (json.dumps(PLACES)[:-1] + ', "parameters": {"x": 1e999}}', "x holds a number that"),
    (
        json.dumps(PLACES)[:-1] + ', "parameters": {"x": ' + "1" * 5000 + "}}",
        "is not JSON: Exceeds",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), TEXTS)
def test_a_malformed_text_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        NotebookRequest.from_json(text)


def test_the_deepest_value_is_accepted() -> None:
    request = NotebookRequest(**PLACES, parameters={"x": nested(DEEPEST), "y": {"k": []}})
    assert request.parameters["x"] == nested(DEEPEST)


def test_a_value_is_not_part_of_a_refusal() -> None:
    with pytest.raises(Refused) as caught:
        NotebookRequest(**PLACES, parameters={"x": ["secret", math.inf]})
    assert "secret" not in str(caught.value)


def test_cells_run_in_the_inputs_folder_unless_asked_otherwise() -> None:
    inputs = PLACES | {"input": "/a/b/in.ipynb"}
    assert NotebookRequest(**inputs).folder == "/a/b"
    assert NotebookRequest(**inputs, working_dir="/w").folder == "/w"


def test_every_format_of_nbconvert_has_a_file_of_its_own() -> None:
    from importlib.metadata import entry_points

    here = {point.name for point in entry_points(group="nbconvert.exporters")}
    formats = {*here, *ENDINGS, "ipynb", "log"}
    assert len({ending(one) for one in formats}) == len(formats)
