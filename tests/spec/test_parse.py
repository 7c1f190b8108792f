from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couler_jobs.spec.parse import cron_info, node_info, run_info
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.argo_server import recorded

ENDS = [
    ("status-succeeded", Phase.SUCCEEDED, ""),
    ("status-failed", Phase.FAILED, ""),
    ("status-error", Phase.FAILED, ""),
    ("status-deadline", Phase.FAILED, ""),
    ("status-retries", Phase.SUCCEEDED, ""),
    ("status-pending", Phase.RUNNING, ""),
    ("status-stopped", Phase.FAILED, "Stop"),
    ("status-terminated", Phase.FAILED, "Terminate"),
    ("workflow-create", Phase.PENDING, ""),
    ("workflow-retry", Phase.PENDING, ""),
]


def run(name: str, version: str = recorded.NEWEST) -> RunInfo:
    return run_info(recorded.body(name, version))


@pytest.mark.parametrize(("name", "phase", "shutdown"), ENDS)
def test_a_recorded_workflow_has_its_phase_and_how_it_was_shut_down(
    name: str, phase: Phase, shutdown: str
) -> None:
    assert (run(name).phase, run(name).shutdown) == (phase, shutdown)


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_nodes_are_found_by_argos_node_names_on_every_version(version: str) -> None:
    assert set(run("status-outputs", version).nodes) == {
        "st-outputs",
        "st-outputs[0]",
        "st-outputs[0].make",
        "st-outputs[1]",
        "st-outputs[1].use",
    }


def test_outputs_have_the_parts_that_exist_and_no_others() -> None:
    nodes = run("status-outputs").nodes
    assert nodes["st-outputs[0].make"].outputs == {
        "exitCode": "0",
        "parameters": {"o": "a value", "d": "dflt"},
    }
    assert nodes["st-outputs[1].use"].outputs == {"result": "got a value", "exitCode": "0"}
    assert nodes["st-outputs[1]"].outputs == {}


def test_global_outputs_are_the_runs_own() -> None:
    assert run("status-outputs").outputs == {"parameters": {"the-o": "a value"}}


def test_a_nodes_inputs_parents_and_children_are_kept() -> None:
    node = run("status-outputs").nodes["st-outputs[1].use"]
    assert dict(node.inputs) == {"x": "a value"}
    assert (node.type, node.template_name, node.boundary) == ("Pod", "use", "st-outputs")
    group = run("status-outputs").nodes["st-outputs[1]"]
    assert group.children == (node.id,)


def test_an_output_that_waits_to_be_supplied_is_not_there_yet() -> None:
    node = run("status-suspended").nodes["st-suspended[0].approve"]
    assert (node.outputs, node.asks, node.waits) == ({}, {"ok": None}, True)
    done = run("status-suspended-resumed").nodes["st-suspended[0].approve"]
    assert (done.asks, done.waits) == ({}, False)


def test_a_run_that_waits_at_a_suspend_template_is_suspended() -> None:
    assert run("status-suspended").suspended
    assert not run("status-suspended-resumed").suspended


def test_a_run_whose_spec_says_so_is_suspended() -> None:
    assert run("workflow-suspend").suspended


@pytest.mark.parametrize(("given", "found"), [(60, 60), (None, None), ("60", None), (True, None)])
def test_a_run_says_how_many_seconds_it_may_run(given: object, found: int | None) -> None:
    assert run_info({"spec": {"activeDeadlineSeconds": given}}).active_deadline == found


def test_times_are_utc_and_null_is_none() -> None:
    found = run("status-suspended")
    assert found.started_at == datetime(2026, 11, 22, 19, 0, 32, tzinfo=UTC)
    assert found.finished_at is None


@pytest.mark.parametrize("text", ["soon", 7, "", None, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_read_is_none(text: object) -> None:
    assert node_info({"startedAt": text}).started_at is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert node_info({"startedAt": "2026-01-01T00:00:00"}).started_at == datetime(
        2026, 1, 1, tzinfo=UTC
    )


def test_the_defaults_of_a_workflow_template_are_its_runs_parameters() -> None:
    spec = {"arguments": {"parameters": [{"name": "a", "value": "mine"}]}}
    defaults = [{"name": "a", "value": "theirs"}, {"name": "b", "value": 2}, {"name": "c"}]
    stored = {"storedWorkflowTemplateSpec": {"arguments": {"parameters": defaults}}}
    assert run_info({"spec": spec, "status": stored}).parameters == {"a": "mine", "b": "2"}


def test_artifacts_are_kept_by_name() -> None:
    artifact = {"name": "out", "s3": {"key": "k"}}
    assert node_info({"outputs": {"artifacts": [artifact]}}).outputs == {
        "artifacts": {"out": artifact}
    }


def test_the_template_of_another_object_has_its_own_name() -> None:
    assert node_info({"templateRef": {"name": "lib", "template": "t"}}).template_name == "t"


def test_a_cron_workflow_has_its_schedules_and_runs() -> None:
    cron = cron_info(recorded.body("cron-get-after-run"))
    assert cron.schedules == ("* * * * *",)
    assert cron.active == ("rec-tick-1795374420",)
    assert cron.last_scheduled_at is not None


def test_the_single_schedule_of_old_versions_is_read_too() -> None:
    assert cron_info(recorded.body("cron-create-singular", "v3.5.15")).schedules == ("*/5 * * * *",)


def test_a_cron_workflow_without_any_schedule_has_none() -> None:
    assert cron_info(recorded.body("cron-create-no-schedule", "v3.7.18")).schedules == ()


def test_a_suspended_cron_workflow_is_suspended() -> None:
    assert cron_info(recorded.body("cron-suspend")).suspended
    assert not cron_info(recorded.body("cron-resume")).suspended


def test_what_a_cron_workflow_suffers_from_is_told() -> None:
    conditions = [
        {"type": "SubmissionError", "status": "True", "message": "no such template"},
        {"type": "SpecError", "status": "False", "message": "it was one"},
    ]
    assert cron_info({"status": {"conditions": conditions}}).conditions == (
        "SubmissionError: no such template",
    )


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_everything_recorded_can_be_read(version: str) -> None:
    for name in recorded.names(version):
        found = recorded.body(name, version)
        if isinstance(found, dict):
            assert run_info(found).name == cron_info(found).name


WORDS = ("metadata", "spec", "status", "nodes", "outputs", "parameters", "arguments", "name")
MORE = ("value", "phase", "labels", "conditions", "active", "schedules", "startedAt", "children")
KEYS = st.sampled_from([*WORDS, *MORE, "inputs"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("aT:-2", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(KEYS, JUNK, max_size=4))
def test_no_answer_makes_the_parser_fail(answer: dict[str, Any]) -> None:
    run_info(answer)
    cron_info(answer)
    node_info(answer)
