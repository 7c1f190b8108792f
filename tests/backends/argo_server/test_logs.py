from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.backends.argo_server.answers import stream_line
from couler_jobs.backends.argo_server.logs import (
    POD_NAME_FORMAT,
    Resume,
    node_names,
    pod_name,
    user_lines,
    users_part,
)
from couler_jobs.spec.names import is_within
from couler_jobs.spec.parse import run_info
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo
from tests.backends.argo_server import recorded


def node(name: str, id_: str, template: str = "say") -> NodeInfo:
    return NodeInfo(
        name=name,
        display_name=name,
        type="Pod",
        phase=Phase.RUNNING,
        id=id_,
        template_name=template,
    )


def run(**annotations: str) -> RunInfo:
    return RunInfo(name="run", uid="1", annotations=annotations)


@pytest.mark.parametrize(
    ("found", "pod"),
    [
        (node("run", "run"), "run"),
        (node("run[0].one", "run-1506446837"), "run-say-1506446837"),
        (node("run.a", "run-7", template=""), "run-7"),
        (node("run.a", "run-7", template="t" * 250), "run-" + "t" * 238 + "-7"),
    ],
)
def test_a_pod_has_the_name_that_argo_gives_it(found: NodeInfo, pod: str) -> None:
    assert pod_name(run(), found) == pod


def test_a_pod_of_the_first_format_is_called_like_its_node_id() -> None:
    info = RunInfo(name="run", uid="1", annotations={POD_NAME_FORMAT: "v1"})
    assert pod_name(info, node("run.a", "run-7")) == "run-7"


def test_the_pods_of_a_recorded_run_are_found() -> None:
    names = node_names(run_info(recorded.body("status-retries")))
    assert names["st-retries-main-23657882"] == "st-retries(2)"


@pytest.mark.parametrize(
    ("name", "outer", "within"),
    [
        ("run.a", "run.a", True),
        ("run.a(1:x)", "run.a", True),
        ("run.a[0].b", "run.a", True),
        ("run.a.b", "run.a", True),
        ("run.ab", "run.a", False),
        ("run", "run.a", False),
    ],
)
def test_a_node_holds_its_steps_items_and_attempts(name: str, outer: str, within: bool) -> None:
    assert is_within(name, outer) is within


@pytest.mark.parametrize(
    ("line", "users"),
    [
        ("hello", "hello"),
        ("", ""),
        ("pass argo=true to it", "pass argo=true to it"),
        (
            'time=2026-11-22T19:01:49.360Z level=INFO msg="waiting for signals" argo=true x=/y',
            None,
        ),
        ('time=2026-11-22T19:01:55.824Z level=INFO msg="waiting" x=/y argo=true', None),
        (
            'no newlinetime="2026-11-22T20:01:21.178Z" level=info msg="exited" argo=true e="<nil>"',
            "no newline",
        ),
    ],
)
def test_argos_own_lines_are_cut_out(line: str, users: str | None) -> None:
    assert users_part(line) == users


@pytest.mark.parametrize("version", recorded.VERSIONS)
@pytest.mark.parametrize("name", ["log-finished", "log-follow"])
def test_a_recorded_log_holds_the_users_lines_only(name: str, version: str) -> None:
    lines = recorded.body(name, version).encode().splitlines()
    items = (stream_line(line).get("result", {}) for line in lines)
    assert [text for _, text in user_lines(items, Resume())] == [
        *("one line 1", "one line 2", "one line 3", "no newline"),
        *("two line 1", "two line 2", "two line 3", "no newline"),
    ]


def feed(resume: Resume, *contents: str) -> list[str]:
    items: list[dict[str, Any]] = [{"podName": "p", "content": text} for text in contents]
    return [text for _, text in user_lines(iter(items), resume)]


T1, T2, T3 = (f"2026-11-22T19:01:5{i}.1Z" for i in (1, 2, 3))


def test_a_stream_that_starts_again_brings_new_lines_only() -> None:
    resume = Resume()
    assert feed(resume, f"{T1} a", f"{T2} b") == ["a", "b"]
    resume.reconnected()
    assert feed(resume, f"{T1} a", f"{T2} b", f"{T3} c") == ["c"]


def test_equal_lines_of_one_moment_are_told_apart_by_their_count() -> None:
    resume = Resume()
    assert feed(resume, f"{T1} same", f"{T1} same") == ["same", "same"]
    resume.reconnected()
    assert feed(resume, f"{T1} same", f"{T1} same", f"{T1} same") == ["same"]


def test_a_second_stream_that_breaks_earlier_forgets_nothing() -> None:
    resume = Resume()
    feed(resume, f"{T1} a", f"{T2} b")
    resume.reconnected()
    feed(resume, f"{T1} a")
    resume.reconnected()
    assert feed(resume, f"{T1} a", f"{T2} b", f"{T3} c") == ["c"]


def test_fractions_of_seconds_sort_by_their_value() -> None:
    resume = Resume()
    feed(resume, "2026-11-22T19:01:51.5Z a")
    resume.reconnected()
    late, early = "2026-11-22T19:01:51.55Z late", "2026-11-22T19:01:51Z early"
    assert feed(resume, early, late) == ["late"]


def test_pieces_of_a_long_line_without_a_time_belong_to_the_line_before() -> None:
    resume = Resume()
    assert feed(resume, f"{T1} start", "rest") == ["start", "rest"]
    resume.reconnected()
    assert feed(resume, f"{T1} start", "rest", f"{T2} next") == ["next"]


def test_an_empty_line_is_a_line() -> None:
    assert feed(Resume(), f"{T1} ", T2) == ["", ""]
