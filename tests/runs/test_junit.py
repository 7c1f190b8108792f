"""JUnit reports, read back."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from couler_jobs.runs.junit import as_xml, report
from couler_jobs.runs.run import Run
from couler_jobs.spec.status import NodeInfo, Phase, RunInfo
from tests.runs.fake import FakeBackend, info, node


def suite_of(run: RunInfo, tail: str = "") -> ET.Element:
    root = ET.fromstring(as_xml(run, lambda node: tail))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    return suite


def counts(suite: ET.Element) -> dict[str, str]:
    return {name: suite.get(name, "") for name in ("tests", "failures", "errors", "skipped")}


def test_there_is_a_case_for_each_step_that_ran() -> None:
    skipped = node("w.s", Phase.SKIPPED, type="Skipped")
    suite = suite_of(info("w", Phase.SUCCEEDED, node("w", type="DAG"), node("w.a"), skipped))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    assert suite[0].attrib == {"name": "a", "classname": "w.t", "time": "2.000"}
    assert (suite.get("time"), suite.get("timestamp")) == ("3.000", "2026-01-02T03:04:05")


def test_a_failed_step_has_its_message_and_its_last_lines() -> None:
    suite = suite_of(info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="exit 3")), "bang")
    failure = suite[0].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("exit 3", "bang")


def test_a_step_in_error_is_an_error() -> None:
    suite = suite_of(info("w", Phase.ERROR, node("w.a", Phase.ERROR)))
    assert counts(suite) == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}


def test_an_attempt_that_was_made_good_is_no_failure() -> None:
    nodes = node("w.f", type="Retry"), node("w.f(0)", Phase.FAILED), node("w.f(1)")
    suite = suite_of(info("w", Phase.SUCCEEDED, *nodes))
    assert counts(suite) == {"tests": "2", "failures": "0", "errors": "0", "skipped": "1"}


def test_a_step_that_has_not_ended_is_skipped_and_the_run_an_error() -> None:
    suite = suite_of(info("w", Phase.RUNNING, node("w.a", Phase.RUNNING)))
    assert counts(suite) == {"tests": "2", "failures": "0", "errors": "1", "skipped": "1"}


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
