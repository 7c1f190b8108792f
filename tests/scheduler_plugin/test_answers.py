from __future__ import annotations

import pytest
from jupyter_scheduler.exceptions import SchedulerError

from couler_jobs.errors import CoulerJobsError, Unavailable
from scheduler_plugin.answers import code_of
from scheduler_plugin.errors import InputMissing, JobRefused, NoSuchDefinition, NoSuchJob


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (NoSuchJob("1-2"), 404),
        (NoSuchDefinition("1-2"), 404),
        (JobRefused("no"), 400),
        (InputMissing("nb.ipynb"), 400),
        (Unavailable("away"), 500),
        (KeyError("a defect"), 500),
    ],
)
def test_the_status_of_an_answer_tells_whose_fault_it_is(cause: Exception, code: int) -> None:
    error = SchedulerError("x")
    error.__cause__ = cause

    assert code_of(error) == code


def test_a_refusal_by_what_comes_after_the_request_is_no_fault_of_the_client() -> None:
    error = CoulerJobsError("The job could not be sent.")
    error.__cause__ = JobRefused("no secret")

    assert code_of(error) == 500
