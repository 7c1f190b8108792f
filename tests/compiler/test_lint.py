"""What lint says about one mistake at a time."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from couler_jobs.compiler.lint import lint
from couler_jobs.errors import ConfigError
from couler_jobs.spec.finding import Finding
from couler_jobs.spec.manifest import load_with_lines

Change = Callable[[dict[str, Any]], object]


def workflow(**spec: Any) -> dict[str, Any]:
    """Two steps, the second with the first one's output."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "good"},
        "spec": {
            "entrypoint": "main",
            "arguments": {"parameters": [{"name": "day", "value": "monday"}]},
            "templates": [
                {"name": "main", "steps": [[step("a", "{{workflow.parameters.day}}")]]},
                {
                    "name": "echo",
                    "inputs": {"parameters": [{"name": "m"}]},
                    "script": {"image": "x", "source": "{{inputs.parameters.m}}"},
                },
            ],
            **spec,
        },
    }


def step(name: str, value: str = "x", **more: Any) -> dict[str, Any]:
    arguments = {"parameters": [{"name": "m", "value": value}]}
    return {"name": name, "template": "echo", "arguments": arguments, **more}


def dag(*tasks: dict[str, Any]) -> dict[str, Any]:
    manifest = workflow()
    manifest["spec"]["templates"][0] = {"name": "main", "dag": {"tasks": list(tasks)}}
    return manifest


def steps(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = workflow()
    manifest["spec"]["templates"][0]["steps"] = list(groups)
    return manifest


def leaf(**fields: Any) -> dict[str, Any]:
    manifest = workflow()
    manifest["spec"]["templates"][1].update(fields)
    return manifest


def cron(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "nightly"},
        "spec": {"schedules": ["0 2 * * *"], "workflowSpec": workflow()["spec"], **spec},
    }


def template(**spec: Any) -> dict[str, Any]:
    return {**workflow(**spec), "kind": "WorkflowTemplate"}


def only(manifest: dict[str, Any], target: str = "4.1") -> Finding:
    (finding,) = lint(manifest, target)
    return finding


@pytest.mark.parametrize("target", ["3.5", "3.6", "3.7", "4.0", "4.1.2"])
def test_nothing_is_wrong_with_a_good_workflow(target: str) -> None:
    assert lint(workflow(), target) == []


@pytest.mark.parametrize("kind", ["WorkflowTemplate", "ClusterWorkflowTemplate"])
def test_nothing_is_wrong_with_a_good_template(kind: str) -> None:
    assert lint({**workflow(), "kind": kind}) == []


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "Pod"}, "kind", "kind"),
    ({**workflow(), "apiVersion": "v1"}, "api-version", "apiVersion"),
    ({**workflow(), "metadata": {}}, "name", "metadata.name"),
    ({**workflow(), "metadata": {"name": "Bad_Name"}}, "name", "metadata.name"),
    ({**workflow(), "metadata": {"generateName": "Bad_"}}, "name", "metadata.generateName"),
    ({**workflow(), "metadata": {"name": "x" * 64}}, "limit", "metadata.name"),
    (
        {**workflow(), "metadata": {"name": "x", "labels": {"a": "b c"}}},
        "label",
        "metadata.labels.a",
    ),
    (
        {**workflow(), "metadata": {"name": "x", "labels": {"b c": "a"}}},
        "label",
        "metadata.labels.b c",
    ),
    (
        {**workflow(), "metadata": {"name": "x", "annotations": {"b c": "a"}}},
        "label",
        "metadata.annotations.b c",
    ),
    (
        {**workflow(), "metadata": {"name": "x", "finalizers": ["b c"]}},
        "label",
        "metadata.finalizers[0]",
    ),
    ({**workflow(), "metadata": {"name": "x", "generation": -1}}, "value", "metadata.generation"),
    (
        {
            **workflow(),
            "metadata": {
                "name": "x",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}],
            },
        },
        "required",
        "metadata.ownerReferences[0].uid",
    ),
    (workflow(entrypoint="nope"), "unknown-template", "spec.entrypoint"),
    (workflow(entrypoint=""), "required", "spec.entrypoint"),
    (workflow(onExit="nope"), "unknown-template", "spec.onExit"),
    (workflow(podGC={"strategy": "Never"}), "value", "spec.podGC.strategy"),
    (
        workflow(podGC={"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
        "value",
        "spec.podGC.labelSelector.matchExpressions[0]",
    ),
    (workflow(parallelism=0), "value", "spec.parallelism"),
    (workflow(suspend="yes"), "type", "spec.suspend"),
    (workflow(priority=2**40), "value", "spec.priority"),
    (workflow(nodeSelector={"a": 1}), "type", "spec.nodeSelector.a"),
    (workflow(nodeSelector={1: "a"}), "key-type", "spec.nodeSelector.1"),
    (workflow(volumes=[None]), "null", "spec.volumes[0]"),
    (
        workflow(hooks={"running": {"template": "main"}}),
        "required",
        "spec.hooks.running.expression",
    ),
    (workflow(podResources={"claims": [{"name": "x"}]}), "value", "spec.podResources.claims"),
    (
        workflow(podResources={"limits": {"gpu": "1"}}),
        "value",
        "spec.podResources.limits.gpu",
    ),
    (workflow(podPriority=1), "unknown-field", "spec.podPriority"),
    (workflow(ttlSecondsAfterFinished=1), "unknown-field", "spec.ttlSecondsAfterFinished"),
    (
        workflow(arguments={"parameters": [{"name": "day"}]}),
        "no-value",
        "spec.arguments.parameters[0]",
    ),
    (
        workflow(arguments={"parameters": [{"name": "day", "value": 5}]}),
        "type",
        "spec.arguments.parameters[0].value",
    ),
    (
        workflow(arguments={"parameters": [{"name": "day", "value": "a", "enum": ["b"]}]}),
        "enum",
        "spec.arguments.parameters[0].value",
    ),
    (
        workflow(arguments={"parameters": [{"name": "day", "valueFrom": {"path": "/x"}}]}),
        "value-from",
        "spec.arguments.parameters[0].valueFrom",
    ),
    (leaf(timeout="10"), "timeout", "spec.templates[1].timeout"),
    (leaf(parallelism=2), "leaf-only", "spec.templates[1].parallelism"),
    (leaf(container={"image": "x"}), "template-kind", "spec.templates[1]"),
    (leaf(script={"source": "x"}), "required", "spec.templates[1].script.image"),
    (leaf(activeDeadlineSeconds="soon"), "value", "spec.templates[1].activeDeadlineSeconds"),
    (leaf(retryStrategy={"limit": 1.5}), "type", "spec.templates[1].retryStrategy.limit"),
    (
        leaf(initContainers=[{"name": "", "image": "x"}]),
        "name",
        "spec.templates[1].initContainers[0].name",
    ),
    (
        leaf(sidecars=[{"name": "wait", "image": "x"}]),
        "reserved-name",
        "spec.templates[1].sidecars[0].name",
    ),
    (leaf(memoize={"key": "k", "maxAge": "1h"}), "required", "spec.templates[1].memoize.cache"),
    (
        leaf(outputs={"parameters": [{"name": "v"}]}),
        "value-from",
        "spec.templates[1].outputs.parameters[0]",
    ),
    (
        leaf(outputs={"parameters": [{"name": "v", "value": "1", "valueFrom": {"path": "/x"}}]}),
        "value-from",
        "spec.templates[1].outputs.parameters[0]",
    ),
    (
        leaf(outputs={"artifacts": [{"name": "a"}]}),
        "required",
        "spec.templates[1].outputs.artifacts[0].path",
    ),
    (
        leaf(outputs={"artifacts": [{"name": "a", "path": "/a/../b"}]}),
        "artifact-path",
        "spec.templates[1].outputs.artifacts[0].path",
    ),
    (
        leaf(outputs={"parameters": [{"name": "v", "value": "1", "globalName": "a b"}]}),
        "name",
        "spec.templates[1].outputs.parameters[0].globalName",
    ),
    (
        leaf(metrics={"prometheus": [{"name": "m", "help": "h", "counter": {}}]}),
        "required",
        "spec.templates[1].metrics.prometheus[0].counter.value",
    ),
    (
        leaf(archiveLocation={"git": {"repo": ""}}),
        "required",
        "spec.templates[1].archiveLocation.git.repo",
    ),
    (
        leaf(archiveLocation={"raw": {"data": "x"}, "git": {"repo": "r"}}),
        "exclusive",
        "spec.templates[1].archiveLocation",
    ),
    (steps([step("a"), step("a")]), "duplicate", "spec.templates[0].steps[0][1].name"),
    (steps([step("b_c")]), "name", "spec.templates[0].steps[0][0].name"),
    (steps([step("a")], []), "empty-group", "spec.templates[0].steps[1]"),
    (
        steps([step("a", "{{steps.b.outputs.result}}"), step("b")]),
        "unresolved-tag",
        "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    ),
    (
        steps([step("a", withItems=["x"], withParam="[]")]),
        "loop",
        "spec.templates[0].steps[0][0]",
    ),
    (steps([step("a", when="{{x")]), "open-tag", "spec.templates[0].steps[0][0].when"),
    (
        steps([{"name": "a", "template": "echo"}]),
        "missing-argument",
        "spec.templates[0].steps[0][0].arguments",
    ),
    (
        steps([{"name": "a"}]),
        "no-template",
        "spec.templates[0].steps[0][0]",
    ),
    (
        steps([{"name": "a", "template": "ecko"}]),
        "unknown-template",
        "spec.templates[0].steps[0][0].template",
    ),
    (
        steps([step("a", hooks={"running": {"template": "echo"}})]),
        "required",
        "spec.templates[0].steps[0][0].hooks.running.expression",
    ),
    (
        dag(step("a"), step("b", depends="c")),
        "unknown-dependency",
        "spec.templates[0].dag.tasks[1].depends",
    ),
    (
        dag(step("a", depends="b"), step("b", depends="a")),
        "cycle",
        "spec.templates[0].dag.tasks[0].depends",
    ),
    (
        dag(step("a"), step("b", depends="a.Succeded")),
        "depends",
        "spec.templates[0].dag.tasks[1].depends",
    ),
    (
        dag(step("a"), step("b", depends="a.AnySucceeded")),
        "depends",
        "spec.templates[0].dag.tasks[1].depends",
    ),
    (
        dag(step("a"), step("b", "{{tasks.a.outputs.result}}")),
        "missing-dependency",
        "spec.templates[0].dag.tasks[1].arguments.parameters[0].value",
    ),
    (dag(), "required", "spec.templates[0].dag.tasks"),
    (cron(schedules=["61 * * * *"]), "cron-line", "spec.schedules[0]"),
    (cron(timezone="Mars/Olympus"), "timezone", "spec.timezone"),
    (cron(concurrencyPolicy="Sometimes"), "value", "spec.concurrencyPolicy"),
    (cron(startingDeadlineSeconds=-1), "value", "spec.startingDeadlineSeconds"),
]


@pytest.mark.parametrize(("manifest", "code", "path"), ERRORS, ids=lambda value: str(value)[:40])
def test_a_mistake_is_an_error_with_its_code_and_path(
    manifest: dict[str, Any], code: str, path: str
) -> None:
    found = {
        (finding.code, finding.path) for finding in lint(manifest) if finding.severity == "error"
    }
    assert (code, path) in found


@pytest.mark.parametrize(("manifest", "code", "path"), ERRORS, ids=lambda value: str(value)[:40])
def test_a_mistake_alone_gives_findings_about_its_own_place_only(
    manifest: dict[str, Any], code: str, path: str
) -> None:
    places = {finding.path.partition(".arguments")[0] for finding in lint(manifest)}
    assert len(places) <= 2, places


WARNINGS: list[tuple[dict[str, Any], str, str, str]] = [
    (workflow(shedule="x"), "3.7", "unknown-field", "spec.shedule"),
    (workflow(parallelism=0), "3.7", "", ""),
    (leaf(priority=1), "3.6", "deprecated", "spec.templates[1].priority"),
    (
        leaf(synchronization={"mutex": {"name": "m"}}),
        "3.7",
        "deprecated",
        "spec.templates[1].synchronization.mutex",
    ),
    (
        steps([step("a", "{{=1 +}}")]),
        "4.1",
        "expression",
        "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    ),
    (steps([step("a", when="(1 == 1")]), "4.1", "when", "spec.templates[0].steps[0][0].when"),
    (
        dag(step("a"), step("b", depends="a &&")),
        "4.1",
        "depends",
        "spec.templates[0].dag.tasks[1].depends",
    ),
    (
        steps([step("a", when="1 == 1")], [step("b", "{{steps.a.outputs.result}}")]),
        "4.1",
        "skipped-output",
        "spec.templates[0].steps[1][0].arguments.parameters[0].value",
    ),
    (
        dag(
            step("a", when="1 == 1"),
            step("b", "{{tasks.a.outputs.result}}", depends="a"),
        ),
        "4.1",
        "skipped-output",
        "spec.templates[0].dag.tasks[1].arguments.parameters[0].value",
    ),
    (
        steps([step("a", onExit="nope")]),
        "4.1",
        "unknown-template",
        "spec.templates[0].steps[0][0].onExit",
    ),
    (
        workflow(hooks={"exit": {"template": "nope"}}),
        "4.1",
        "unknown-template",
        "spec.hooks.exit.template",
    ),
    (
        steps([step("a", "x" * 140_000)]),
        "4.1",
        "limit",
        "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    ),
    (
        cron(concurrencyPolicy="Replace", startingDeadlineSeconds=60),
        "4.1",
        "replace-deadline",
        "spec.startingDeadlineSeconds",
    ),
    (cron(timezone="Mars/Olympus"), "3.6", "timezone", "spec.timezone"),
    (cron(schedules=["CRON_TZ=UTC 0 2 * * *"]), "3.7", "cron-line", "spec.schedules[0]"),
    (cron(schedules=[]), "3.7", "required", "spec.schedules"),
    ({**template(), "metadata": {"name": "Bad_Name"}}, "3.7", "name", "metadata.name"),
    (workflow(note="x" * 1_200_000), "3.7", "size", "(the manifest)"),
]


@pytest.mark.parametrize(
    ("manifest", "target", "code", "path"), WARNINGS, ids=lambda value: str(value)[:40]
)
def test_what_is_only_unwise_is_a_warning(
    manifest: dict[str, Any], target: str, code: str, path: str
) -> None:
    findings = lint(manifest, target)
    assert not any(finding.severity == "error" for finding in findings)
    assert not code or (code, path) in {(finding.code, finding.path) for finding in findings}


def test_all_mistakes_are_found_at_once() -> None:
    manifest = workflow(entrypoint="nope", parallelism=0, podGC={"strategy": "x"})
    assert len(lint(manifest)) >= 3


def test_errors_come_before_warnings() -> None:
    manifest = steps([step("a", when="(", onExit="nope"), step("a")])
    severities = [finding.severity for finding in lint(manifest)]
    assert severities == sorted(severities)


def test_a_misspelled_field_is_told_the_right_one() -> None:
    assert "`parallelism`" in only(workflow(paralelism=2)).fix


def test_a_removed_field_is_told_what_replaced_it() -> None:
    finding = only(leaf(synchronization={"mutex": {"name": "m"}}))
    assert "3.7" in finding.message
    assert "mutexes" in finding.fix


def test_a_field_of_a_later_version_is_told_when_it_came() -> None:
    assert "came with Argo 4.1" in only(leaf(pendingTimeout="1h"), "4.0").message


def test_a_tag_is_told_the_nearest_known_one() -> None:
    finding = only(steps([step("a", "{{workflow.parameters.dat}}")]))
    assert "{{workflow.parameters.day}}" in finding.fix


def test_a_name_in_other_case_counts_as_argo_server_reads_it() -> None:
    manifest = leaf()
    manifest["spec"]["templates"][1]["Script"] = manifest["spec"]["templates"][1].pop("script")
    assert [finding.severity for finding in lint(manifest, "3.7")] == ["warning"]
    assert lint(manifest, "4.1")[0].severity == "error"


def test_a_null_field_counts_as_left_out() -> None:
    assert lint(workflow(parallelism=None, nodeSelector=None)) == []


def test_a_referenced_template_elsewhere_is_taken_on_trust() -> None:
    call = {"name": "a", "templateRef": {"name": "shared", "template": "count"}}
    assert lint(steps([call], [step("b", "{{steps.a.outputs.parameters.n}}")])) == []


def test_a_workflow_of_a_referenced_template_needs_nothing_else() -> None:
    manifest = workflow()
    manifest["spec"] = {"workflowTemplateRef": {"name": "shared"}}
    assert lint(manifest) == []


def test_a_workflow_of_a_referenced_template_has_none_of_its_own() -> None:
    codes = {finding.code for finding in lint(workflow(workflowTemplateRef={"name": "shared"}))}
    assert "template-ref" in codes


def test_a_template_may_leave_its_values_to_whoever_submits_it() -> None:
    assert lint(template(arguments={"parameters": [{"name": "day"}]})) == []


OF_A_NAMESPACE = {"name": "shared", "template": "count"}


@pytest.mark.parametrize("target", ["3.5", "4.1"])
@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"workflowTemplateRef": {"name": "shared"}}, "spec.workflowTemplateRef"),
        (
            steps([{"name": "a", "templateRef": OF_A_NAMESPACE}])["spec"],
            "spec.templates[0].steps[0][0].templateRef",
        ),
        (
            steps([{"name": "a", "templateRef": {**OF_A_NAMESPACE, "clusterScope": False}}])[
                "spec"
            ],
            "spec.templates[0].steps[0][0].templateRef",
        ),
    ],
)
def test_a_template_of_the_cluster_cannot_refer_into_a_namespace(
    spec: dict[str, Any], path: str, target: str
) -> None:
    manifest = {**template(), "kind": "ClusterWorkflowTemplate", "spec": spec}
    assert [f.path for f in lint(manifest, target) if f.code == "template-ref"] == [path]


def test_a_template_of_the_cluster_refers_to_another_one() -> None:
    call = {"name": "a", "templateRef": {**OF_A_NAMESPACE, "clusterScope": True}}
    assert lint({**steps([call]), "kind": "ClusterWorkflowTemplate"}) == []


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"value": "{{inputs.parameters.x}}"}, "value"),
        (
            {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "{{inputs.parameters.x}}"}}},
            "valueFrom.configMapKeyRef.key",
        ),
        (
            {"valueFrom": {"configMapKeyRef": {"name": "{{tasks.a.id}}", "key": "k"}}},
            "valueFrom.configMapKeyRef.name",
        ),
    ],
)
@pytest.mark.parametrize("target", ["3.5", "4.1"])
def test_an_argument_of_the_workflow_names_what_the_first_template_knows(
    given: dict[str, Any], path: str, target: str
) -> None:
    pod = {"name": "main", "inputs": {"parameters": [{"name": "m"}]}, "container": {"image": "x"}}
    manifest = workflow(arguments={"parameters": [{"name": "m", **given}]}, templates=[pod])
    found = only(manifest, target)
    assert (found.code, found.path) == ("unresolved-tag", f"spec.arguments.parameters[0].{path}")


@pytest.mark.parametrize(
    "given", ["{{workflow.name}}", "{{inputs.parameters.m}}", "{{pod.name}}", "{{item}}", "{{x}}"]
)
def test_an_argument_of_the_workflow_may_name_what_argo_does(given: str) -> None:
    pod = {"name": "main", "inputs": {"parameters": [{"name": "m"}]}, "container": {"image": "x"}}
    source = {"configMapKeyRef": {"name": "c", "key": given}}
    arguments = {"parameters": [{"name": "m", "valueFrom": source}]}
    assert [
        f for f in lint(workflow(arguments=arguments, templates=[pod])) if f.severity == "error"
    ] == []


@pytest.mark.parametrize(
    ("word", "first", "second"),
    [
        ("parameters", {"value": "a"}, {}),
        ("parameters", {"value": "a"}, {"value": "b", "enum": ["c"]}),
        ("parameters", {"value": "a"}, {"value": "b", "valueFrom": {"path": "/x"}}),
        ("artifacts", {"raw": {"data": "x"}}, {}),
    ],
)
def test_of_two_arguments_of_a_referenced_template_the_first_counts(
    word: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    manifest = workflow()
    arguments = {word: [{"name": "m", **first}, {"name": "m", **second}]}
    manifest["spec"] = {"workflowTemplateRef": {"name": "shared"}, "arguments": arguments}
    assert [found.severity for found in lint(manifest)] == ["warning"]
    manifest["spec"]["arguments"][word].reverse()
    assert [found.severity for found in lint(manifest)] == ["error", "warning"]


@pytest.mark.parametrize("name", ["{{inputs.parameters}}", "a-{{inputs.parameters}}"])
def test_all_inputs_of_a_template_without_any_are_null_in_a_name(name: str) -> None:
    assert not any(found.severity == "error" for found in lint(steps([step(name)]), "3.5"))


def test_more_than_200_tasks_are_refused_since_4_0() -> None:
    tasks = [step(f"t{number}") for number in range(201)]
    assert only(dag(*tasks)).code == "limit"
    assert lint(dag(*tasks), "3.7") == []


def test_an_object_beyond_what_kubernetes_stores_is_an_error() -> None:
    finding = lint(leaf(script={"image": "x", "source": "x" * 1_700_000}))[0]
    assert (finding.severity, finding.code) == ("error", "size")


def test_a_skipped_output_with_a_default_is_fine_since_3_7() -> None:
    manifest = steps([step("a", when="1 == 1")], [step("b", "{{steps.a.outputs.parameters.v}}")])
    source = {"path": "/tmp/v", "default": "none"}
    manifest["spec"]["templates"][1]["outputs"] = {
        "parameters": [{"name": "v", "valueFrom": source}]
    }
    assert lint(manifest, "3.7") == []
    assert [finding.code for finding in lint(manifest, "3.6")] == ["skipped-output"]


def test_a_cron_workflow_for_3_5_has_one_line() -> None:
    manifest = cron(schedule="0 2 * * *")
    del manifest["spec"]["schedules"]
    assert lint(manifest, "3.5") == []
    assert "`schedules`" in lint(manifest, "4.1")[0].fix


def test_findings_name_the_line() -> None:
    text = json.dumps(workflow(entrypoint="nope"), indent=1)
    (manifest,), (lines,) = load_with_lines(text)
    finding = lint(manifest, lines=lines)[0]
    assert finding.line == 1 + text[: text.index('"entrypoint"')].count("\n")


def test_a_missing_field_has_the_line_of_what_lacks_it() -> None:
    (manifest,), (lines,) = load_with_lines("kind: Workflow\nmetadata:\n  labels: {}\n")
    assert {finding.line for finding in lint(manifest, lines=lines)} >= {2}


def test_templates_nested_a_thousand_deep_are_checked() -> None:
    chain = [
        {"name": f"t{number}", "steps": [[{"name": "a", "template": f"t{number + 1}"}]]}
        for number in range(1500)
    ]
    manifest = workflow(entrypoint="t0", templates=[*chain, {"name": "t1500", "suspend": {}}])
    assert lint(manifest, "3.7") == []


def test_an_unknown_target_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"Choose one of 3\.5, 3\.6"):
        lint(workflow(), "2.9")


def test_the_manifest_is_left_as_it_was() -> None:
    manifest = workflow(Suspend=None, nodeSelector={"a": 1})
    before = copy.deepcopy(manifest)
    lint(manifest)
    assert manifest == before


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (leaf(metadata={"labels": {"a b": "x"}}), "spec.templates[1].metadata.labels.a b"),
        (leaf(metadata={"labels": {"a": "x y"}}), "spec.templates[1].metadata.labels.a"),
        (leaf(metadata={"annotations": {"!": ""}}), "spec.templates[1].metadata.annotations.!"),
        (workflow(podMetadata={"labels": {"-": "x"}}), "spec.podMetadata.labels.-"),
    ],
)
def test_a_label_that_no_pod_can_have_is_a_warning(manifest: dict[str, Any], path: str) -> None:
    (finding,) = lint(manifest)
    assert (finding.severity, finding.code, finding.path) == ("warning", "label", path)
    assert "The pod will be refused when the step runs." in finding.message


def test_a_label_that_is_known_when_the_step_runs_is_fine() -> None:
    assert lint(leaf(metadata={"labels": {"m": "{{inputs.parameters.m}}"}})) == []
