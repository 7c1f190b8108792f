"""JUnit reports, read back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.runs.junit import as_xml, report
from couler_jobs.runs.run import Run
from couler_jobs.spec.status import CRON_LABEL, NodeInfo, Phase, RunInfo
from tests.runs.fake import BEGAN, FakeBackend, info, node


def suite_of(run: RunInfo, tail: str = "") -> ET.Element:
    root = ET.fromstring(as_xml(run, lambda node: tail))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    return suite


def counts(suite: ET.Element) -> dict[str, str]:
    return {name: suite.get(name, "") for name in ("tests", "failures", "errors", "skipped")}


def test_there_is_a_case_for_each_step() -> None:
    suite = suite_of(info("w", Phase.SUCCEEDED, node("w", type="DAG"), node("w.a")))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    assert suite[0].attrib == {"name": "a", "classname": "w.t", "time": "2.000"}
    assert (suite.get("time"), suite.get("timestamp")) == ("3.000", "2026-01-02T03:04:05")


GENERATED: dict[str, Any] = {"generate_name": "nightly-"}


def test_cases_are_named_alike_in_each_run_of_a_workflow() -> None:
    def identities(name: str) -> list[tuple[str | None, str | None]]:
        steps = [node(f"{name}.{step}") for step in ("a", "g.f", "h.f")]
        handler = node(f"{name}.onExit", display_name=f"{name}.onExit")
        run = info(name, Phase.SUCCEEDED, *steps, handler, **GENERATED)
        return [(case.get("classname"), case.get("name")) for case in suite_of(run)]

    found = identities("nightly-x7k2p")
    assert found == [("nightly.t", name) for name in ("a", "g.f", "h.f", "nightly.onExit")]
    assert found == identities("nightly-b2c3d")


def test_a_run_that_is_one_step_or_failed_as_a_whole_is_named_by_the_workflow() -> None:
    name = "nightly-x7k2p"
    alone = info(name, Phase.SUCCEEDED, node(name), **GENERATED)
    whole = info(name, Phase.FAILED, node(f"{name}.a"), **GENERATED)
    cases = [suite_of(run)[-1] for run in (alone, whole)]
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("nightly.t", "nightly"),
        ("nightly", "nightly"),
    ]
    assert suite_of(alone).get("name") == name


def test_runs_of_a_schedule_are_named_by_it() -> None:
    tick = info("nightly-1795374420", labels={CRON_LABEL: "nightly"})
    assert tick.workflow == "nightly"


def test_a_failed_step_has_its_message_and_its_last_lines() -> None:
    suite = suite_of(info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="exit 3")), "bang")
    failure = suite[0].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("exit 3", "bang")


def test_a_step_in_error_is_an_error() -> None:
    suite = suite_of(info("w", Phase.ERROR, node("w.a", Phase.ERROR)))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}


def test_a_step_that_was_left_out_is_skipped_and_says_why() -> None:
    message = "when 'false' evaluated false"
    unmet = node("w.a", Phase.SKIPPED, type="Skipped", message=message)
    omitted = node("w.b", Phase.OMITTED, type="Skipped", message="omitted: as it is")
    suite = suite_of(info("w", Phase.SUCCEEDED, unmet, omitted))
    assert counts(suite) == {"tests": "2", "failures": "0", "errors": "0", "skipped": "2"}
    said = [case[0].get("message") for case in suite]
    assert said == ["its condition was false", "omitted: as it is"]


def attempts(*phases: Phase, whole: Phase) -> RunInfo:
    """A step whose attempts ended so, and what tried them."""
    tries = [
        node(f"w.f({n})", phase, message="exit 3", started_at=BEGAN + timedelta(seconds=n))
        for n, phase in enumerate(phases)
    ]
    return info(
        "w", whole, node("w.f", whole, type="Retry", message="No more retries left"), *tries
    )


def test_a_step_that_was_tried_again_is_one_case_that_tells_its_attempts() -> None:
    suite = suite_of(attempts(Phase.FAILED, Phase.SUCCEEDED, whole=Phase.SUCCEEDED))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    assert suite[0].get("name") == "f"
    assert suite[0].findtext("system-out") == (
        "attempt 1: Failed: exit 3\nattempt 2: Succeeded: exit 3"
    )


def test_a_step_whose_attempts_all_failed_fails_once_with_the_last_one() -> None:
    run = attempts(Phase.ERROR, Phase.FAILED, whole=Phase.FAILED)
    root = ET.fromstring(as_xml(run, lambda node: f"of {node.name}"))
    assert counts(root[0]) == {"tests": "1", "failures": "1", "errors": "0", "skipped": "0"}
    failure = root[0][0].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("exit 3", "of w.f(1)")


def test_a_step_that_will_be_tried_again_has_not_failed() -> None:
    suite = suite_of(attempts(Phase.FAILED, whole=Phase.RUNNING))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}


def test_the_steps_of_a_graph_that_is_tried_again_are_one_case_each() -> None:
    later = BEGAN + timedelta(seconds=9)
    nodes = [
        node("w.g", type="Retry"),
        node("w.g(0)", Phase.FAILED, type="DAG"),
        node("w.g(0).a", Phase.FAILED),
        node("w.g(1)", type="DAG", started_at=later),
        node("w.g(1).a", started_at=later),
    ]
    suite = suite_of(info("w", Phase.SUCCEEDED, *nodes))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    assert [case.get("name") for case in suite] == ["a"]


def test_steps_that_are_called_alike_are_told_apart_by_the_way_to_them() -> None:
    suite = suite_of(info("w", Phase.SUCCEEDED, node("w.a.f"), node("w.b.f"), node("w.b.g")))
    assert [case.get("name") for case in suite] == ["a.f", "b.f", "g"]


def test_items_of_a_loop_are_no_attempts() -> None:
    nodes = node("w.f", type="TaskGroup"), node("w.f(0:0)"), node("w.f(1:1)")
    suite = suite_of(info("w", Phase.SUCCEEDED, *nodes))
    assert [case.get("name") for case in suite] == ["f(0:0)", "f(1:1)"]


def test_a_step_that_has_not_ended_is_an_error_with_the_time_it_took_so_far() -> None:
    run = info("w", Phase.RUNNING, node("w.a", Phase.RUNNING), node("w.b"))
    text = as_xml(run, lambda node: "last line", BEGAN + timedelta(seconds=9))
    (suite,) = ET.fromstring(text)
    assert counts(suite) == {"tests": "2", "failures": "0", "errors": "1", "skipped": "0"}
    a = next(case for case in suite if case.get("name") == "a")
    error = a.find("error")
    assert error is not None
    assert (a.get("time"), suite.get("time"), error.text) == ("9.000", "9.000", "last line")
    assert "had not ended" in error.get("message", "")


def test_a_run_that_failed_without_a_failed_step_has_a_case_of_its_own() -> None:
    suite = suite_of(info("w", Phase.FAILED, node("w.a"), message="deadline"))
    error = suite[1].find("error")
    assert error is not None
    assert error.get("message") == "deadline"


def test_a_run_that_never_began_is_reported() -> None:
    suite = suite_of(RunInfo(name="w", uid="u"))
    assert counts(suite)["errors"] == "1"
    assert suite.get("timestamp") is None


@given(st.text(), st.text())
def test_any_text_gives_a_valid_report(message: str, tail: str) -> None:
    step: NodeInfo = node("w.a", Phase.FAILED, display_name=message, message=message)
    assert counts(suite_of(info("w", Phase.FAILED, step, message=message), tail))["tests"] == "1"


def test_the_last_lines_come_from_the_backend() -> None:
    failed = info("w", Phase.FAILED, node("w.a", Phase.FAILED), node("w.b", Phase.FAILED))
    backend = FakeBackend(failed, lines={"w.a": [str(n) for n in range(60)]})
    first, second = ET.fromstring(report(Run(failed, backend)))[0]
    assert (first.findtext("failure") or "").split() == [str(n) for n in range(10, 60)]
    assert not second.findtext("failure")
