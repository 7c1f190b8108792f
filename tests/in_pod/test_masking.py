"""What is hidden of secrets, as values and as bytes that come piece by piece."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.in_pod.masking import HIDDEN, Mask, StreamMask

SECRET = "ca\"na'ry\\7\né"
MASK = Mask([SECRET])


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        f"https://x/?token={quote(SECRET, safe='')}",
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_value_is_hidden_however_it_is_written(written: str) -> None:
    masked = MASK.text(f"before {written} after")

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert HIDDEN in masked
    assert "na" not in masked


def test_a_long_line_of_a_value_is_hidden_by_itself() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----"
    assert Mask([key]).text("it has MIIEvQIBADAN in it") == f"it has {HIDDEN} in it"


def test_a_value_with_a_newline_at_its_end_is_hidden_without_it() -> None:
    assert Mask(["canary\n"]).text("canary!") == f"{HIDDEN}!"


def test_a_short_value_hides_nothing() -> None:
    assert Mask(["1", "", "abc"]).text("1 abc") == "1 abc"


def test_a_value_that_holds_another_is_hidden_whole() -> None:
    assert Mask(["canary", "canary-and-more"]).text("canary-and-more") == HIDDEN


def test_without_secrets_nothing_changes() -> None:
    assert not Mask([])
    assert Mask([]).text("text") == "text"


def output(**values: Any) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": "canary", "outputs": [values]}]}


@pytest.mark.parametrize(
    "shown",
    [
        {"output_type": "stream", "name": "stdout", "text": "canary"},
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "canary\n"]},
        {"output_type": "error", "ename": "canary", "evalue": "canary", "traceback": ["canary"]},
        {"output_type": "display_data", "data": {"text/html": "<b>canary</b>"}, "metadata": {}},
        {"output_type": "display_data", "data": {"application/json": {"a": ["canary"]}}},
        {"output_type": "display_data", "data": {"image/svg+xml": "<svg>canary</svg>"}},
    ],
)
def test_every_text_of_an_output_is_masked(shown: dict[str, Any]) -> None:
    masked = Mask(["canary"]).notebook(output(**shown))

    assert "canary" not in json.dumps(masked["cells"][0]["outputs"])
    assert masked["cells"][0]["outputs"][0]["output_type"] == shown["output_type"]


def test_a_picture_is_left_as_it_is() -> None:
    shown = output(output_type="display_data", data={"image/png": "canary=="})
    assert Mask(["canary"]).notebook(shown)["cells"][0]["outputs"][0]["data"] == {
        "image/png": "canary=="
    }


def test_what_widgets_show_is_masked() -> None:
    shown = {"cells": [], "metadata": {"widgets": {"state": {"value": "canary"}}}}
    assert Mask(["canary"]).notebook(shown)["metadata"]["widgets"]["state"] == {"value": HIDDEN}


@given(pieces=st.lists(st.sampled_from(["ca", "n", "ary", "canary", "x", "c", "aca", "\n", ""])))
def test_a_stream_is_masked_like_the_whole_text(pieces: list[str]) -> None:
    stream = StreamMask(Mask(["canary"]))
    shown = b"".join([*(stream.feed(piece.encode()) for piece in pieces), stream.rest()])

    assert shown.decode() == "".join(pieces).replace("canary", HIDDEN)


def test_only_what_may_begin_a_value_is_held_back() -> None:
    stream = StreamMask(Mask(["canary"]))

    assert (stream.feed(b"see: can"), stream.feed(b"did\n")) == (b"see: ", b"candid\n")
