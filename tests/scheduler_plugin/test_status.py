from typing import Any

import pytest

from couler_jobs.spec.status import Phase
from scheduler_plugin.status import (
    ACTIVE,
    ENDED,
    LONGEST_MESSAGE,
    JobStatus,
    Outcome,
    outcome,
    progress,
    read_report,
)

SUCCEEDED = {"status": "succeeded", "message": ""}
FAILED = {"status": "failed", "message": "Cell 2 of 3 failed: ValueError: no"}


@pytest.mark.parametrize(
    ("phase", "report", "shutdown", "status"),
    [
        (Phase.SUCCEEDED, {}, "", JobStatus.COMPLETED),
        (Phase.SUCCEEDED, FAILED, "", JobStatus.COMPLETED),
        (Phase.FAILED, FAILED, "", JobStatus.FAILED),
        (Phase.FAILED, {}, "", JobStatus.FAILED),
        (Phase.ERROR, {}, "", JobStatus.FAILED),
        (Phase.FAILED, {"status": "running"}, "", JobStatus.FAILED),
        (Phase.FAILED, {"status": "stopped"}, "", JobStatus.STOPPED),
        (Phase.FAILED, FAILED, "Stop", JobStatus.STOPPED),
        (Phase.FAILED, {}, "Terminate", JobStatus.STOPPED),
    ],
)
def test_a_job_ends_as(
    phase: Phase, report: dict[str, Any], shutdown: str, status: JobStatus
) -> None:
    assert outcome(phase, report, ended_at=1, shutdown=shutdown).status is status


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ERROR])
def test_a_notebook_that_ran_to_its_end_is_completed_although_the_exit_handler_failed(
    phase: Phase,
) -> None:
    found = outcome(phase, SUCCEEDED, ended_at=1, message="Pod was deleted")

    assert found.status is JobStatus.COMPLETED
    assert found.message is not None
    assert "Pod was deleted" in found.message


def test_a_stop_counts_although_the_notebook_ran_to_its_end() -> None:
    assert outcome(Phase.FAILED, SUCCEEDED, ended_at=1, shutdown="Stop").status is JobStatus.STOPPED


def test_a_failed_notebook_says_which_cell_and_which_error() -> None:
    assert outcome(Phase.FAILED, FAILED, ended_at=1).message == FAILED["message"]


def test_a_failed_notebook_says_the_last_lines_of_its_traceback() -> None:
    traceback = ["-----", "ValueError   Traceback", "Cell In[2], line 1", "----> 1 f()", "", "last"]
    message = outcome(Phase.FAILED, {**FAILED, "traceback": traceback}, ended_at=1).message

    assert message == (
        "Cell 2 of 3 failed: ValueError: no\nValueError   Traceback\n"
        "Cell In[2], line 1\n----> 1 f()\nlast"
    )


def test_a_tracebacks_last_lines_are_those_that_the_column_takes() -> None:
    traceback = ["a" * 500, "b" * 500, "c" * 400]
    message = outcome(Phase.FAILED, {**FAILED, "traceback": traceback}, ended_at=1).message

    assert message == "\n".join([FAILED["message"], *traceback[1:]])
    assert len(message) <= LONGEST_MESSAGE


def test_half_a_character_in_a_traceback_is_written_as_an_escape() -> None:
    message = outcome(Phase.FAILED, {**FAILED, "traceback": ["a\udc80"]}, ended_at=1).message

    assert message == f"{FAILED['message']}\na\\udc80"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"cell": 2, "cells": 5, "status": "running"}', "Running cell 2 of 5."),
        ('{"cell": 0, "cells": 5, "status": "running"}', None),
        ('{"cell": 5, "cells": 5, "status": "succeeded"}', None),
        ("half of", None),
    ],
)
def test_a_running_job_says_how_far_it_is(text: str, says: str | None) -> None:
    assert progress(text) == says


def test_a_step_that_never_reported_says_what_the_workflow_says() -> None:
    message = outcome(Phase.ERROR, {}, ended_at=1, message="OOMKilled (exit code 137)").message

    assert message is not None
    assert "OOMKilled (exit code 137)" in message


def test_a_completed_job_has_no_message() -> None:
    assert outcome(Phase.SUCCEEDED, {"message": "x"}, ended_at=1).message is None


def test_a_stopped_job_says_so_without_a_report() -> None:
    assert outcome(Phase.FAILED, {}, ended_at=1, shutdown="Stop").message == "Stopped."


def test_a_stopped_job_says_where_it_was_and_shows_no_error() -> None:
    report = {
        "status": "stopped",
        "message": "Stopped by SIGTERM in cell 2 of 3.",
        "traceback": ["KeyboardInterrupt   Traceback", "----> 1 sleep(9)"],
        "cells": 3,
    }
    at_cell = outcome(Phase.FAILED, {**report, "cell": 2}, ended_at=1, shutdown="Stop")
    before = outcome(Phase.FAILED, {**report, "cell": None}, ended_at=1, shutdown="Stop")

    assert at_cell.message == "Stopped while running cell 2 of 3."
    assert before.message == "Stopped."


def test_a_long_message_is_cut_to_its_column() -> None:
    message = outcome(Phase.FAILED, {"message": "x" * 5000}, ended_at=1).message

    assert message is not None
    assert len(message) == LONGEST_MESSAGE
    assert message.endswith("...")


def test_a_message_is_unicode_whatever_the_notebook_said() -> None:
    assert outcome(Phase.FAILED, {"message": "half \ud800"}, ended_at=1).message == "half \\ud800"


def test_the_start_is_the_notebooks_own() -> None:
    report = {"started_at": "2026-11-22T01:02:03.500Z"}

    assert outcome(Phase.SUCCEEDED, report, ended_at=1).started_at == 1795309323500


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"'])
def test_a_broken_report_counts_as_none(text: str) -> None:
    assert read_report(text) == {}


def test_every_status_is_active_or_ended() -> None:
    assert set(ACTIVE) | set(ENDED) == set(JobStatus)
    assert not set(ACTIVE) & set(ENDED)


def test_the_words_are_those_of_jupyter_scheduler() -> None:
    from jupyter_scheduler.models import Status

    assert {one.value for one in Status} == {one.value for one in JobStatus}


@pytest.mark.parametrize("files", [None, (), ("a", "b/c")])
def test_an_outcome_survives_its_outbox(files: tuple[str, ...] | None) -> None:
    before = Outcome(status=JobStatus.FAILED, message="why", ended_at=2, started_at=1, files=files)

    assert Outcome.from_json(before.to_json()) == before


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"status": "?", "message": "", "ended_at": 1}'])
def test_a_text_that_is_no_outbox_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outcome.from_json(text)
