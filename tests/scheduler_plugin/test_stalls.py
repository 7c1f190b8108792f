from datetime import UTC, datetime
from typing import Any

import pytest

from couler_jobs.spec.status import Phase, RunInfo
from scheduler_plugin.stalls import GRACE_MILLISECONDS, stall

BEGAN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
END = 3600
"""Seconds after its beginning."""
WELL_PAST = END * 1000 + GRACE_MILLISECONDS + 1
REPORT = {"status": "running", "started_at": BEGAN.isoformat()}


def at(milliseconds: int) -> int:
    return int(BEGAN.timestamp() * 1000) + milliseconds


def run(deadline: int | None, phase: Phase = Phase.RUNNING, **more: Any) -> RunInfo:
    times = {"started_at": BEGAN, **more}
    return RunInfo(name="job-1-2", uid="u", phase=phase, active_deadline=deadline, **times)


def test_a_workflow_well_past_its_deadline_has_stalled_and_is_to_be_stopped() -> None:
    said = stall(run(END), {}, {}, now=at(WELL_PAST))

    assert said is not None
    assert "Stalled" in said
    assert "job-1-2 was to end by 2026-03-01 09:00 UTC" in said
    assert "stop it" in said


def test_the_sentence_does_not_change_with_time() -> None:
    sentences = {stall(run(END), {}, {}, now=at(more * WELL_PAST)) for more in (1, 2, 9)}

    assert len(sentences) == 1


def test_an_attempt_well_past_its_timeout_has_stalled() -> None:
    assert stall(run(None), {"timeout": END}, REPORT, now=at(WELL_PAST))


def test_a_workflow_that_was_never_started_counts_from_when_it_was_made() -> None:
    pending = run(END, Phase.PENDING, started_at=None, created_at=BEGAN)

    assert stall(pending, {}, {}, now=at(WELL_PAST))


@pytest.mark.parametrize(
    ("found", "request_", "report", "now"),
    [
        (run(END), {}, {}, WELL_PAST - 1),  # it may still be writing its results
        (run(None), {"timeout": END}, REPORT, WELL_PAST - 1),
        (run(None), {}, REPORT, WELL_PAST),  # it may run for ever
        (run(None), {"timeout": None}, REPORT, WELL_PAST),
        (run(None), {"timeout": END}, {}, WELL_PAST),  # its pod waits for a node
        (run(None), {"timeout": END}, {**REPORT, "status": "timed out"}, WELL_PAST),  # its retry
        (run(None), {"timeout": END}, {**REPORT, "started_at": "?"}, WELL_PAST),
        (run(None), {"timeout": "x"}, REPORT, WELL_PAST),
        (run(END, Phase.FAILED), {}, {}, WELL_PAST),
        (run(END, started_at=None), {}, {}, WELL_PAST),
    ],
)
def test_a_run_that_may_go_on_has_not_stalled(
    found: RunInfo, request_: dict[str, Any], report: dict[str, Any], now: int
) -> None:
    assert stall(found, request_, report, now=at(now)) is None
