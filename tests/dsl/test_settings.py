"""The options of steps and workflows, one word each, and the fields that they become."""

from __future__ import annotations

from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, task, template


def work(day: str = "x") -> str:
    return day


def note(day: str) -> None:
    print(day)


def flow_of(step: Any, **options: Any) -> Any:
    def flow(day: str = "x") -> Any:
        return step(day)

    return cj.workflow(**options)(flow)


SECRET, CONFIG = cj.secret("s", "k"), cj.config_key("c", "k")
TOLERATION = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
AFFINITY: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"node_selector": {"disk": "ssd"}}, {"nodeSelector": {"disk": "ssd"}}),
        ({"affinity": AFFINITY}, {"affinity": AFFINITY}),
        ({"tolerations": [TOLERATION]}, {"tolerations": [TOLERATION]}),
        ({"security_context": {"runAsUser": 1}}, {"securityContext": {"runAsUser": 1}}),
        ({"service_account": "robot"}, {"serviceAccountName": "robot"}),
        ({"priority_class": "high"}, {"priorityClassName": "high"}),
        ({"labels": {"a": "b"}}, {"metadata": {"labels": {"a": "b"}}}),
        ({"annotations": {"a": "b"}}, {"metadata": {"annotations": {"a": "b"}}}),
        (
            {"sidecars": {"db": {"image": "redis:7"}}},
            {"sidecars": [{"name": "db", "image": "redis:7"}]},
        ),
        (
            {"init_containers": {"prepare": {"image": "alpine:3", "command": ["true"]}}},
            {"initContainers": [{"name": "prepare", "image": "alpine:3", "command": ["true"]}]},
        ),
        ({"daemon": True}, {"daemon": True}),
        (
            {"metrics": cj.counter("runs", "How many", labels={"a": "b"}, when="true")},
            {
                "metrics": {
                    "prometheus": [
                        {
                            "name": "runs",
                            "help": "How many",
                            "labels": [{"key": "a", "value": "b"}],
                            "when": "true",
                            "counter": {"value": "1"},
                        }
                    ]
                }
            },
        ),
        (
            {"metrics": [cj.gauge("g", "G", "{{duration}}"), cj.histogram("h", "H", 1, [1, 2.5])]},
            {
                "metrics": {
                    "prometheus": [
                        {
                            "name": "g",
                            "help": "G",
                            "gauge": {"value": "{{duration}}", "realtime": False},
                        },
                        {
                            "name": "h",
                            "help": "H",
                            "histogram": {"value": "1", "buckets": [1, 2.5]},
                        },
                    ]
                }
            },
        ),
        (
            {"template_extra": {"nodeSelector": {"b": "2"}}, "node_selector": {"a": "1"}},
            {"nodeSelector": {"a": "1", "b": "2"}},
        ),
        (
            {"retries": 2, "template_extra": {"retryStrategy": {"retryPolicy": "OnError"}}},
            {"retryStrategy": {"limit": "2", "retryPolicy": "OnError"}},
        ),
    ],
)
def test_a_word_of_a_step_is_a_field_of_its_template(
    options: dict[str, Any], fields: dict[str, Any], target: str
) -> None:
    found = template(compiled(flow_of(cj.step(**options)(work)), target), "work")
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (
            {"env": {"A": SECRET, "B": CONFIG, "C": "$(x)"}},
            {
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
                    {"name": "C", "value": "$$(x)"},
                    {"name": "COULER_JOBS_ARG_day", "value": "{{inputs.parameters.day}}"},
                ]
            },
        ),
        (
            {"env_from": [cj.secret("s", prefix="S_"), cj.config_key("c", optional=True)]},
            {
                "envFrom": [
                    {"prefix": "S_", "secretRef": {"name": "s"}},
                    {"configMapRef": {"name": "c", "optional": True}},
                ]
            },
        ),
        ({"pull_policy": "Always"}, {"imagePullPolicy": "Always"}),
        (
            {"gpu": 1, "memory": "1Gi"},
            {
                "resources": {
                    "requests": {"memory": "1Gi", "nvidia.com/gpu": "1"},
                    "limits": {"memory": "1Gi", "nvidia.com/gpu": "1"},
                }
            },
        ),
        (
            {"gpu": {"amd.com/gpu": 2}},
            {"resources": {"requests": {"amd.com/gpu": "2"}, "limits": {"amd.com/gpu": "2"}}},
        ),
        ({"container_extra": {"tty": True}}, {"tty": True}),
        ({"container_extra": {"command": ["python3"]}}, {"command": ["python3"]}),
        ({"container_extra": {"image": "mine:1"}}, {"image": "mine:1"}),
        (
            {"memory": "1Gi", "container_extra": {"resources": {"limits": {"cpu": "2"}}}},
            {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi", "cpu": "2"}}},
        ),
    ],
)
def test_a_word_of_a_step_is_a_field_of_its_container(
    options: dict[str, Any], fields: dict[str, Any], target: str
) -> None:
    found = template(compiled(flow_of(cj.step(**options)(work)), target), "work")["script"]
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"image": "a", "container_extra": {"image": "b"}},
            r"The script of work: image is 'a' by image= and 'b' by container_extra",
        ),
        (
            {"memory": "1Gi", "container_extra": {"resources": {"limits": {"memory": "2Gi"}}}},
            r"resources\.limits\.memory is '1Gi' by memory=.* and '2Gi' by container_extra",
        ),
        (
            {"retries": 2, "template_extra": {"retryStrategy": {"limit": 3}}},
            r"retryStrategy\.limit is '2' by retries= or backoff= and '3' by template_extra",
        ),
        (
            {"timeout": "1m", "template_extra": {"activeDeadlineSeconds": 5}},
            r"The template work: activeDeadlineSeconds is 60 by timeout= and '5' by template_extra",
        ),
        (
            {"node_selector": {"a": "1"}, "template_extra": {"nodeSelector": {"a": "2"}}},
            r"nodeSelector\.a is '1' by node_selector= and '2' by template_extra",
        ),
        (
            {"retries": 2, "template_extra": {"retryStrategy": "OnError"}},
            r"retryStrategy is .* by retries= or backoff= and 'OnError' by template_extra",
        ),
    ],
)
def test_a_word_of_a_step_that_a_further_field_contradicts_is_an_error_of_its_line(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DeclarationError, match=rf"test_settings\.py, line \d+: .*{sentence}"):
        compiled(flow_of(cj.step(**options)(work)), "4.1")


def test_a_word_of_a_workflow_that_a_further_field_contradicts_is_an_error() -> None:
    said = r"parallelism is 2 by parallelism= and 3 by spec_extra: say it once"
    with pytest.raises(DeclarationError, match=said):
        compiled(flow_of(cj.step(work), parallelism=2, spec_extra={"parallelism": 3}), "4.1")


def test_further_templates_stand_behind_those_of_the_program() -> None:
    more = {"name": "more", "suspend": {}}
    found = compiled(flow_of(cj.step(work), spec_extra={"templates": [more]}), "4.1")
    assert [one["name"] for one in found["spec"]["templates"]] == ["flow", "work", "more"]


def test_further_variables_stand_behind_those_that_hold_a_steps_arguments() -> None:
    attempt = {"name": "ATTEMPT", "value": "{{retries}}"}

    @cj.step(env={"REGION": "eu"}, container_extra={"env": [attempt]})
    def take(day: str) -> str:
        return day

    @cj.workflow
    def taking() -> str:
        return take("2026-01-01")

    found = template(compiled(taking, "4.1"), "take")["script"]["env"]
    assert [entry["name"] for entry in found] == ["REGION", "COULER_JOBS_ARG_day", "ATTEMPT"]
    assert found[-1] == attempt


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"service_account": "robot"}, {"serviceAccountName": "robot"}),
        ({"image_pull_secrets": ["a"]}, {"imagePullSecrets": [{"name": "a"}]}),
        ({"image_pull_secrets": "a"}, {"imagePullSecrets": [{"name": "a"}]}),
        ({"node_selector": {"a": "b"}}, {"nodeSelector": {"a": "b"}}),
        ({"priority": 3}, {"priority": 3}),
        ({"priority_class": "high"}, {"podPriorityClassName": "high"}),
        ({"dns": "Default"}, {"dnsPolicy": "Default"}),
        (
            {"dns": {"policy": "None", "nameservers": ["1.1.1.1"]}},
            {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}},
        ),
        ({"pod_gc": "OnPodSuccess"}, {"podGC": {"strategy": "OnPodSuccess"}}),
        ({"ttl": "1d"}, {"ttlStrategy": {"secondsAfterCompletion": 86400}}),
        (
            {"ttl": {"success": "1h", "failure": 60}},
            {"ttlStrategy": {"secondsAfterSuccess": 3600, "secondsAfterFailure": 60}},
        ),
        ({"archive_logs": True}, {"archiveLogs": True}),
        ({"artifact_gc": "OnWorkflowDeletion"}, {"artifactGC": {"strategy": "OnWorkflowDeletion"}}),
        (
            {"artifact_repository": cj.config_key("repositories", "mine")},
            {"artifactRepositoryRef": {"configMap": "repositories", "key": "mine"}},
        ),
        ({"spec_extra": {"hostNetwork": True}}, {"hostNetwork": True}),
    ],
)
def test_a_word_of_a_workflow_is_a_field_of_its_spec(
    options: dict[str, Any], fields: dict[str, Any], target: str
) -> None:
    spec = compiled(flow_of(cj.step(work), **options), target)["spec"]
    assert {name: spec[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (
            "3.5",
            {
                "mutex": {"name": "m"},
                "semaphore": {"configMapKeyRef": {"name": "c", "key": "k"}},
            },
        ),
        (
            "4.1",
            {
                "mutexes": [{"name": "m"}],
                "semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}],
            },
        ),
    ],
)
def test_locks_are_written_as_the_target_has_them(target: str, found: dict[str, Any]) -> None:
    locks: dict[str, Any] = {"mutex": "m", "semaphore": CONFIG}
    flow = flow_of(cj.step(**locks)(work), **locks)
    manifest = compiled(flow, target)
    assert manifest["spec"]["synchronization"] == found
    assert template(manifest, "work")["synchronization"] == found


@pytest.mark.parametrize("target", TARGETS)
def test_a_hook_of_a_step_runs_in_its_phase_and_at_its_end(target: str) -> None:
    step = cj.step(on_exit=cj.step(note), hooks={"warn": cj.hook(cj.step(note), on="Running")})(
        work
    )
    manifest = compiled(flow_of(step), target)
    assert task(manifest, "work")["hooks"] == {
        "warn": {"template": "work-warn", "expression": "tasks['work'].status == \"Running\""},
        "exit": {"template": "work-on-exit"},
    }
    given = task(manifest, "note", "work-on-exit")["arguments"]["parameters"]
    assert given == [{"name": "day", "value": "{{workflow.parameters.day}}"}]


@pytest.mark.parametrize("target", TARGETS)
def test_a_hook_of_a_workflow_runs_in_its_phase(target: str) -> None:
    hooks = {"begun": cj.hook(cj.step(note), expression='workflow.status == "Running"')}
    spec = compiled(flow_of(cj.step(work), hooks=hooks), target)["spec"]
    assert spec["hooks"] == {
        "begun": {"template": "begun", "expression": 'workflow.status == "Running"'}
    }


def test_equal_hooks_share_a_template() -> None:
    end = cj.step(note)
    step = cj.step(on_exit=end)(work)

    @cj.workflow
    def flow(day: str = "x") -> None:
        step(day)
        step(day)

    names = [one["name"] for one in compiled(flow)["spec"]["templates"]]
    assert names == ["flow", "work", "work-on-exit", "note"]


def test_a_workflow_that_is_a_step_keeps_its_own_limits() -> None:
    inner = flow_of(cj.step(work), name="inner", parallelism=2, mutex="m")

    @cj.workflow
    def outer(day: str = "x") -> None:
        inner(day)

    found = template(compiled(outer), "inner")
    assert (found["parallelism"], found["synchronization"]) == (2, {"mutexes": [{"name": "m"}]})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"retires": 1}, "@cj.step has no option 'retires': did you mean 'retries'"),
        ({"node_selector": "ssd"}, "node_selector='ssd': it is a mapping"),
        ({"node_selector": {"a": 1}}, "names and values are texts"),
        ({"tolerations": "gpu"}, "tolerations='gpu': it is a list of mappings"),
        ({"service_account": 1}, "service_account=1: it is a text"),
        ({"daemon": 1}, "daemon=1: it is True or False"),
        ({"gpu": True}, "gpu=True"),
        ({"env_from": "s"}, "env_from='s': it takes cj.secret"),
        ({"env_from": SECRET}, r"env_from=cj.secret\('s', 'k'\): it takes all keys"),
        ({"env": {"A": cj.secret("s")}}, r"cj.secret\('s'\) names no key"),
        ({"semaphore": "c"}, "semaphore='c': it takes cj.config"),
        ({"metrics": "m"}, "metrics='m'"),
        ({"hooks": {"a": work}}, r"it takes cj.hook\(function, on=...\)"),
        ({"mounts": {"/a": "claim"}}, "mounts={'/a': 'claim'}: mount cj.claim"),
        ({"mounts": {"a": cj.empty()}}, "it is an absolute path"),
    ],
)
def test_a_wrong_option_of_a_step_is_told_with_its_line(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DeclarationError, match=rf"test_settings\.py, line \d+: .*{sentence}"):
        cj.step(**options)(work)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"paralelism": 1}, "@cj.workflow has no option 'paralelism': did you mean 'parallelism'"),
        ({"zzz": 1}, r"has no option 'zzz' \(it has affinity, annotations, "),
        ({"kind": "Job"}, "kind='Job': it is 'Workflow'"),
        ({"priority": "high"}, "priority='high': it is a whole number"),
        ({"ttl": {"ever": 1}}, "ttl has no 'ever': it has end, success, failure"),
        ({"artifact_repository": "x"}, "artifact_repository='x': it takes cj.config"),
    ],
)
def test_a_wrong_option_of_a_workflow_is_told_with_its_line(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DeclarationError, match=rf"test_settings\.py, line \d+: .*{sentence}"):
        cj.workflow(**options)(work)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs on= or expression="),
        ({"on": "Running", "expression": "true"}, "needs on= or expression="),
        ({"on": "Done"}, "on='Done': it is one of Pending, Running"),
    ],
)
def test_a_hook_without_a_time_is_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence) as told:
        cj.hook(work, **given)
    assert "test_settings.py, line " in str(told.value)


def test_a_hook_takes_only_parameters_of_the_run() -> None:
    def other(unknown: int) -> None: ...

    with pytest.raises(DeclarationError, match="on_exit takes 'unknown', but the run has no such"):
        flow_of(cj.step(on_exit=cj.step(other))(work)).compile()
