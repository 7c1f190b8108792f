"""`schedule`, and `submit` of what has a schedule, over a backend in memory."""

from __future__ import annotations

from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.errors import CompileError, DeclarationError, LintError
from tests.runs.fake import FakeBackend
from tests.test_submission import HELLO, OtherVersion, doubling

CRON: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "CronWorkflow",
    "metadata": {"name": "hello"},
    "spec": {"schedules": ["@daily"], "workflowSpec": HELLO["spec"]},
}


@cj.step
def triple(number: int) -> int:
    return 3 * number


@cj.workflow(schedule="0 2 * * *", timezone="Europe/Paris")
def nightly(number: int = 1) -> None:
    triple(number)


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend()


def spec_of(backend: FakeBackend) -> dict[str, Any]:
    spec: dict[str, Any] = backend.applied[-1]["spec"]
    return spec


# --- schedule()


def test_a_workflow_on_a_schedule_gives_its_handle(fake: FakeBackend) -> None:
    made = cj.schedule(doubling, "0 2 * * *", timezone="Europe/Paris", backend=fake)
    assert isinstance(made, cj.Schedule)
    assert (made.name, made.info.schedules, made.info.timezone, made.suspended) == (
        "doubling",
        ("0 2 * * *",),
        "Europe/Paris",
        False,
    )


def test_the_defaults_forbid_overlaps_and_keep_four_runs(fake: FakeBackend) -> None:
    cj.schedule(doubling, ["@daily", "@hourly"], backend=fake)
    del (spec := spec_of(fake))["workflowSpec"]
    assert spec == {
        "schedules": ["@daily", "@hourly"],
        "timezone": "UTC",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }


def test_parameters_are_those_of_every_run(fake: FakeBackend) -> None:
    cj.schedule(doubling, "@daily", backend=fake, number=21)
    (parameter,) = spec_of(fake)["workflowSpec"]["arguments"]["parameters"]
    assert parameter == {"name": "number", "value": "21"}


def test_the_same_definition_twice_is_one_schedule(fake: FakeBackend) -> None:
    for _ in range(2):
        cj.schedule(doubling, "@daily", backend=fake)
    assert fake.applied[0] == fake.applied[1]
    assert list(fake.crons) == ["doubling"]


def test_a_manifests_prefix_is_the_schedules_name(fake: FakeBackend) -> None:
    assert cj.schedule(HELLO, "@daily", backend=fake).name == "hello"
    assert cj.schedule(HELLO, "@daily", backend=fake, name="mine").name == "mine"


def test_what_has_no_name_is_refused_since_it_would_never_be_found_again(fake: FakeBackend) -> None:
    nameless = {key: value for key, value in HELLO.items() if key != "metadata"}
    with pytest.raises(CompileError, match="needs a name"):
        cj.schedule(nameless, "@daily", backend=fake)


def test_what_has_been_recorded_is_scheduled_and_forgotten(fake: FakeBackend) -> None:
    couler.run_container(image="alpine", command=["true"], step_name="hello")
    assert cj.schedule(lines="@daily", backend=fake, name="mine").name == "mine"
    with pytest.raises(DeclarationError):
        cj.schedule(lines="@daily", backend=fake, name="mine")


def test_without_a_line_nothing_is_sent(fake: FakeBackend) -> None:
    with pytest.raises(CompileError, match="at least one cron line"):
        cj.schedule(doubling, backend=fake)
    assert fake.applied == []


def test_what_would_be_refused_is_not_sent(fake: FakeBackend) -> None:
    broken = {**CRON, "spec": {**CRON["spec"], "concurrencyPolicy": "Perhaps"}}
    with pytest.raises(LintError, match="Perhaps"):
        cj.schedule(broken, backend=fake)
    assert fake.applied == []


def test_argo_3_5_is_sent_its_one_line() -> None:
    old = OtherVersion("v3.5.15")
    cj.schedule(doubling, "@daily", backend=old)
    assert (spec_of(old)["schedule"], "schedules" in spec_of(old)) == ("@daily", False)
    with pytest.raises(CompileError, match=r"3\.5 knows one line"):
        cj.schedule(doubling, ["@daily", "@hourly"], backend=old)


def test_programs_that_name_nothing_do_not_share_a_schedule(fake: FakeBackend) -> None:
    couler.run_container(image="alpine", command=["true"], step_name="hello")
    with pytest.raises(CompileError, match="needs a name"):
        cj.schedule(lines="@daily", backend=fake)


# --- what has a schedule of its own


def test_a_cron_workflow_manifest_is_applied_as_it_is(fake: FakeBackend) -> None:
    cj.schedule(CRON, backend=fake)
    assert fake.applied == [CRON]


def test_an_argument_wins_over_the_manifest(fake: FakeBackend) -> None:
    cj.schedule(CRON, "@hourly", timezone="Asia/Tokyo", concurrency="Replace", backend=fake)
    assert spec_of(fake) == {
        **CRON["spec"],
        "schedules": ["@hourly"],
        "timezone": "Asia/Tokyo",
        "concurrencyPolicy": "Replace",
    }


def test_a_workflow_with_a_schedule_compiles_to_a_cron_workflow() -> None:
    manifest = nightly.compile(number=2)
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("CronWorkflow", "nightly")
    assert manifest["spec"]["schedules"] == ["0 2 * * *"]
    assert manifest["spec"]["timezone"] == "Europe/Paris"
    assert manifest["spec"]["workflowSpec"]["arguments"]["parameters"][0]["value"] == "2"
    assert cj.compile(nightly, target="3.5")["spec"]["schedule"] == "0 2 * * *"


def test_parameters_of_a_cron_workflow_manifest_are_set_in_a_copy() -> None:
    changed = cj.compile(CRON, who="me")
    assert changed["spec"]["workflowSpec"]["arguments"]["parameters"][0]["value"] == "me"
    assert CRON["spec"]["workflowSpec"] == HELLO["spec"]


def test_a_workflow_with_a_schedule_needs_no_line(fake: FakeBackend) -> None:
    assert cj.schedule(nightly, backend=fake).info.schedules == ("0 2 * * *",)
    assert cj.schedule(nightly, "@daily", backend=fake).info.schedules == ("@daily",)


def test_a_time_zone_without_a_schedule_is_an_error_where_it_is_written() -> None:
    with pytest.raises(DeclarationError, match="goes with schedule="):

        @cj.workflow(timezone="Europe/Paris")
        def odd() -> None:
            triple(1)


@pytest.mark.parametrize("what", [CRON, nightly], ids=["manifest", "declared"])
def test_submit_applies_what_has_a_schedule(fake: FakeBackend, what: object) -> None:
    made = cj.submit(what, backend=fake)
    assert isinstance(made, cj.Schedule)
    assert list(fake.crons) == [made.name]
    assert fake.submitted == []


def test_a_schedule_has_no_end_to_wait_for(fake: FakeBackend) -> None:
    with pytest.raises(DeclarationError, match="no end to wait for"):
        cj.submit(CRON, backend=fake, wait=True)
    assert fake.applied == []


def test_a_cron_workflows_prefix_becomes_its_name(fake: FakeBackend) -> None:
    prefixed = {**CRON, "metadata": {"generateName": "hourly-"}}
    assert cj.submit(prefixed, backend=fake).name == "hourly"
    assert cj.submit(prefixed, backend=fake, name="mine").name == "mine"


# --- paused


def test_an_edit_keeps_a_paused_schedule_paused(fake: FakeBackend) -> None:
    cj.schedule(doubling, "@daily", backend=fake).pause()
    assert cj.schedule(doubling, "@hourly", backend=fake).suspended
    assert cj.schedule({**CRON, "metadata": {"name": "doubling"}}, backend=fake).suspended


def test_an_edit_keeps_a_running_schedule_running(fake: FakeBackend) -> None:
    cj.schedule(doubling, "@daily", backend=fake, suspend=True).resume()
    assert not cj.schedule(doubling, "@hourly", backend=fake).suspended


@pytest.mark.parametrize("suspend", [True, False])
def test_whoever_says_whether_it_is_paused_is_obeyed(fake: FakeBackend, suspend: bool) -> None:
    made = cj.schedule(doubling, "@daily", backend=fake, suspend=not suspend)
    assert made.suspended is not suspend
    assert cj.schedule(doubling, "@daily", backend=fake, suspend=suspend).suspended is suspend
