from __future__ import annotations

import json
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.compiler.targets import fitted
from couler_jobs.errors import CompileError
from couler_jobs.spec.versions import TARGETS, parse_target


@cj.step
def same(value: Any) -> Any:
    return value


LOCK, OTHER = {"name": "a"}, {"name": "b"}


@pytest.mark.parametrize("written", [{"mutex": LOCK}, {"mutexes": [LOCK]}])
@pytest.mark.parametrize(
    ("target", "found"),
    [("3.5", {"mutex": LOCK}), ("3.6", {"mutexes": [LOCK]}), ("4.1", {"mutexes": [LOCK]})],
)
def test_a_lock_is_written_as_the_version_has_it(
    written: dict[str, Any], target: str, found: dict[str, Any]
) -> None:
    version = parse_target(target)
    given = {"synchronization": written}
    assert fitted("WorkflowSpec", given, version, "spec") == {"synchronization": found}


def test_locks_in_both_ways_are_all_kept() -> None:
    given = {"semaphore": {"namespace": "x"}, "semaphores": [{"namespace": "y"}]}
    found = fitted("Synchronization", given, parse_target("4.0"), "spec.synchronization")
    assert found == {"semaphores": [{"namespace": "x"}, {"namespace": "y"}]}


@pytest.mark.parametrize(
    ("kind", "given", "target", "sentence"),
    [
        ("WorkflowSpec", {"synchronization": {"mutexes": [LOCK, OTHER]}}, "3.5", "2 mutexes"),
        ("WorkflowSpec", {"podPriority": 3}, "3.7", "spec.podPriority is gone after Argo 3.6"),
        ("WorkflowSpec", {"podPriority": 3}, "4.1", "Use podPriorityClassName"),
        ("Template", {"priority": 3}, "4.1", "Use priorityClassName"),
        ("Template", {"annotations": {"a": "b"}}, "3.6", "there from Argo 3.7 on"),
        (
            "Template",
            {"pendingTimeout": "1m"},
            "4.0",
            "there from Argo 4.1 on, and this is for 4.0",
        ),
        ("WorkflowSpec", {"executorPlugins": []}, "4.0", "there from Argo 4.1 on"),
        ("Synchronization", {"mutexes": [{"database": True}]}, "3.6", r"mutexes\[0\]\.database"),
        ("RetryStrategy", {"backoff": {"cap": "1m"}}, "3.6", "spec.backoff.cap"),
    ],
)
def test_what_a_version_does_not_have_is_refused(
    kind: str, given: dict[str, Any], target: str, sentence: str
) -> None:
    with pytest.raises(CompileError, match=sentence):
        fitted(kind, given, parse_target(target), "spec")


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        ("Parameter", {"value": 5}, {"value": "5"}),
        ("Parameter", {"value": True}, {"value": "true"}),
        ("Parameter", {"value": ["{{x}}"]}, {"value": '["\\u007b\\u007bx}}"]'}),
        ("Parameter", {"enum": [1, "b"]}, {"enum": ["1", "b"]}),
        ("Parameter", {"value": None}, {"value": None}),
        ("EnvVar", {"name": "N", "value": 1.5}, {"name": "N", "value": "1.5"}),
        ("RetryStrategy", {"limit": 3}, {"limit": "3"}),
        ("Sequence", {"count": 3}, {"count": "3"}),
        ("Metadata", {"labels": {"a": "b"}}, {"labels": {"a": "b"}}),
        ("Template", {"unheard": 1, "env": 2}, {"unheard": 1, "env": 2}),
        ("Template", {"nodeSelector": 5, "sidecars": 6}, {"nodeSelector": 5, "sidecars": 6}),
    ],
)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_values_are_text_where_argo_wants_text(
    kind: str, given: dict[str, Any], found: dict[str, Any], target: Any
) -> None:
    assert fitted(kind, given, target, "x") == found


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_key_of_a_config_map_of_a_cache_is_gone_in_4_0(target: Any) -> None:
    given = {"cache": {"configMap": {"name": "c", "key": "k"}}}
    left = {"name": "c"} if target.full_crds else {"name": "c", "key": "k"}
    assert fitted("Memoize", given, target, "x") == {"cache": {"configMap": left}}


def test_further_fields_of_every_part_are_fitted() -> None:
    step = cj.step(template_extra={"synchronization": {"mutex": LOCK}})(same.function)

    @cj.workflow(spec_extra={"synchronization": {"mutexes": [OTHER]}})
    def flow() -> None:
        step(1)

    spec = flow.compile(target="3.5")["spec"]
    assert spec["synchronization"] == {"mutex": OTHER}
    assert spec["templates"][1]["synchronization"] == {"mutex": LOCK}


def test_the_longest_wait_is_for_versions_that_have_it() -> None:
    step = cj.step(retries=2, backoff={"duration": 1, "cap": "1m"})(same.function)

    @cj.workflow
    def flow() -> None:
        step(1)

    retry = flow.compile(target="3.7")["spec"]["templates"][1]["retryStrategy"]
    assert retry["backoff"] == {"duration": "1s", "cap": "60s"}
    with pytest.raises(CompileError, match=r"The retries of same\.backoff\.cap is there from"):
        flow.compile(target="3.6")


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_schedule_is_written_as_the_version_has_it(target: Any) -> None:
    @cj.workflow(schedule="0 2 * * *")
    def flow() -> None:
        same(1)

    spec = flow.compile(target=str(target))["spec"]
    assert ("schedule" in spec) == (str(target) == "3.5")
    assert ("schedules" in spec) == (str(target) != "3.5")


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_an_output_that_may_be_missing_is_asked_for_by_its_status(target: Any) -> None:
    @cj.workflow
    def flow(day: int = 1) -> Any:
        with cj.when(same(day) > 0):
            found = same(2)
        return same(found)

    text = json.dumps(flow.compile(target=str(target)))
    assert "tasks['same-2'].status == 'Succeeded' ?" in text
    assert cj.lint(flow.compile(target=str(target)), str(target)) == []


PORT = {"httpGet": {"port": 8080}}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("Container", {"readinessProbe": PORT}),
        ("Container", {"lifecycle": {"preStop": PORT}}),
        ("UserContainer", {"startupProbe": {"tcpSocket": {"port": 8080}}}),
        ("Container", {"readinessProbe": {"httpGet": {"port": "web"}}}),
        ("WorkflowSpec", {"podDisruptionBudget": {"minAvailable": 1}}),
        ("WorkflowSpec", {"podDisruptionBudget": {"minAvailable": "50%"}}),
    ],
)
def test_a_number_stays_one_where_kubernetes_takes_a_text_for_a_name(
    kind: str, given: dict[str, Any]
) -> None:
    assert fitted(kind, given, parse_target("4.1"), "x") == given
