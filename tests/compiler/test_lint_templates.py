"""What lint says about containers, resources, artifacts, metrics and plugins."""

from typing import Any

import pytest

from couler_jobs.compiler.lint import lint
from tests.compiler.test_lint import dag, leaf, step, steps, template, workflow


def of(kind: str, body: Any, **more: Any) -> dict[str, Any]:
    """A workflow of one template."""
    return workflow(templates=[{"name": "main", kind: body, **more}])


def resource(**fields: Any) -> dict[str, Any]:
    return of("resource", {"action": "create", **fields})


def containers(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return of("containerSet", {"containers": [{"image": "x", **one} for one in found]}, **more)


def output(kind: str, location: Any) -> dict[str, Any]:
    artifact = {"name": "a", "path": "/a", kind: location}
    return leaf(outputs={"artifacts": [artifact]}, archiveLocation={kind: location})


def given(**artifact: Any) -> dict[str, Any]:
    """A workflow with one artifact among its arguments."""
    return workflow(arguments={"artifacts": [{"name": "a", **artifact}]}, templates=[SUSPEND])


SUSPEND = {"name": "main", "suspend": {}}
MOUNT = {"name": "v", "mountPath": "/a"}
ARTIFACT = {"name": "a", "path": "/a"}
HDFS = {"addresses": ["n:1"], "path": "/a", "hdfsUser": "me"}
SECRET = {"name": "s", "key": "k"}
PLUGIN = {
    "metadata": {"name": "p"},
    "spec": {
        "sidecar": {
            "container": {
                "name": "c",
                "image": "x",
                "ports": [{"containerPort": 1}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "securityContext": {"runAsNonRoot": True},
            }
        }
    },
}


@pytest.mark.parametrize(
    "manifest",
    [
        of("container", {"image": "x", "volumeMounts": [MOUNT]}, inputs={"artifacts": []}),
        of("container", {}, metadata={"labels": {"a": "b"}}) | {"kind": "Workflow"},
        containers({"name": "main"}, {"name": "b", "dependencies": ["main"]}),
        resource(manifest="kind: Pod\nname: {{=sprig.lower('X')}}\n"),
        resource(manifest="{{workflow.name}}"),
        of("resource", {"action": "delete", "flags": ["pod", "p"]}),
        of("http", {"url": "http://x"}),
        of("plugin", {"hello": {}}),
        of("suspend", {"duration": "10"}),
        of("data", {"source": {"artifactPaths": {"name": "d"}}, "transformation": []}, name="x")
        | {"kind": "Workflow"},
        leaf(activeDeadlineSeconds="{{inputs.parameters.m}}"),
        leaf(activeDeadlineSeconds=10),
        leaf(outputs={"artifacts": [{**ARTIFACT, "globalName": "g-{{workflow.name}}"}]}),
        workflow(executorPlugins=[PLUGIN]),
        workflow(podResources={"limits": {"cpu": "1", "hugepages-2Mi": "4Mi"}}),
        given(raw={"data": "x"}),
        given(http={"url": "http://x/y"}),
        given(s3={"key": "k"}),
        given(git={"repo": "r"}),
        given(**{"from": "{{workflow.name}}"}),
        workflow(podMetadata={"labels": {"a": "{{workflow.name}}"}}),
        workflow(
            priority=1, arguments={"parameters": [{"name": "day", "value": "{{workflow.uid}}"}]}
        ),
        template(entrypoint=""),
        steps([step("a", withItems=[{"k": 1}])], [step("b", "{{item.k}}")]),
        steps([step("a", "{{item.k}}", withParam="[]")]),
        steps([step("a", "{{item}}", withSequence={"count": "2"})]),
        steps([step("a", withItems=["x"])], [step("b", "{{steps.a.outputs.parameters}}")]),
        steps([step("a", "{{steps.a.status}}")]),
        steps(
            [
                {"name": "a", "inline": {"suspend": {}}},
                {"name": "b", "inline": {"http": {"url": "x"}}},
            ]
        ),
        steps([step("a", onExit="echo"), step("b", hooks={"exit": {"template": "echo"}})]),
        dag(step("a"), step("b", "{{tasks.a.status}}", depends="a.Failed || a.Skipped")),
        dag(step("a"), step("b", dependencies=["a"]), step("c", "x {{tasks.a.id}}")),
        dag(step("a", withItems=["x"]), step("b", depends="a.AnySucceeded")),
        dag(step("a", "{{item}}", withParam="[1]", hooks={"exit": {"template": "echo"}})),
    ],
    ids=lambda manifest: str(manifest["spec"])[:60],
)
def test_what_argo_takes_is_no_error(manifest: dict[str, Any]) -> None:
    taken = [str(found) for found in lint(manifest) if found.severity == "error"]
    expected = _known_refusals(manifest)
    assert len(taken) == expected, taken


def _known_refusals(manifest: dict[str, Any]) -> int:
    """A container without an image, and a data template without steps, stand there on purpose."""
    first = manifest["spec"]["templates"][0] if manifest["spec"].get("templates") else {}
    if "data" in first:
        return 2 if first["name"] != "main" else 1
    return 1 if first.get("container") == {} else 0


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    (
        of("container", {"image": "x", "volumeMounts": [MOUNT, MOUNT]}),
        "duplicate",
        "spec.templates[0].container.volumeMounts[1].mountPath",
    ),
    (
        leaf(
            script={"image": "x", "source": "x", "env": [{"name": "A"}, {"name": "A"}]},
        ),
        "duplicate",
        "spec.templates[1].script.env",
    ),
    (containers(), "required", "spec.templates[0].containerSet.containers"),
    (
        containers({"name": "a"}, {"name": "a"}),
        "duplicate",
        "spec.templates[0].containerSet.containers[1].name",
    ),
    (
        containers({"name": "a", "dependencies": ["b"]}),
        "unknown-dependency",
        "spec.templates[0].containerSet.containers[0].dependencies",
    ),
    (
        containers({"name": "a", "dependencies": ["b"]}, {"name": "b", "dependencies": ["a"]}),
        "cycle",
        "spec.templates[0].containerSet.containers",
    ),
    (
        containers({"name": "a"}, inputs={"artifacts": [ARTIFACT]}),
        "required",
        "spec.templates[0].containerSet.containers",
    ),
    (
        containers({"name": "wait"}),
        "reserved-name",
        "spec.templates[0].containerSet.containers[0].name",
    ),
    (
        of(
            "containerSet",
            {"containers": [{"name": "main", "image": "x"}], "volumeMounts": [MOUNT, MOUNT]},
        ),
        "duplicate",
        "spec.templates[0].containerSet.volumeMounts[1].mountPath",
    ),
    (resource(action="make"), "value", "spec.templates[0].resource.action"),
    (resource(), "required", "spec.templates[0].resource.manifest"),
    (resource(manifest="a: ["), "manifest", "spec.templates[0].resource.manifest"),
    (
        resource(manifest="a: b", manifestFrom={"artifact": {"name": "a"}}),
        "exclusive",
        "spec.templates[0].resource",
    ),
    (
        resource(manifestFrom={"artifact": {"name": "a"}}),
        "unknown-artifact",
        "spec.templates[0].resource.manifestFrom",
    ),
    (of("plugin", {"a": 1, "b": 2}), "value", "spec.templates[0].plugin"),
    (of("suspend", {}, timeout="1h"), "timeout", "spec.templates[0].timeout"),
    (
        of("suspend", {}, resourceClaims=[{"name": "c"}]),
        "pod-only",
        "spec.templates[0].resourceClaims",
    ),
    (of("http", {"url": "x"}, podResources={}), "pod-only", "spec.templates[0].podResources"),
    (
        of("suspend", {}, inputs={"artifacts": [ARTIFACT]}),
        "artifact-path",
        "spec.templates[0].inputs.artifacts[0].path",
    ),
    (
        of("suspend", {}, outputs={"artifacts": [ARTIFACT]}),
        "artifact-path",
        "spec.templates[0].outputs.artifacts[0].path",
    ),
    (
        leaf(inputs={"artifacts": [{**ARTIFACT, "from": "x"}]}),
        "artifact-source",
        "spec.templates[1].inputs.artifacts[0].from",
    ),
    (
        leaf(outputs={"parameters": [{"name": "v", "valueFrom": {}}]}),
        "value-from",
        "spec.templates[1].outputs.parameters[0].valueFrom",
    ),
    (
        leaf(outputs={"parameters": [{"name": "v", "valueFrom": {"expression": "1"}}]}),
        "value-from",
        "spec.templates[1].outputs.parameters[0].valueFrom",
    ),
    (
        leaf(retryStrategy={"retryPolicy": "x"}),
        "value",
        "spec.templates[1].retryStrategy.retryPolicy",
    ),
    (
        leaf(
            metrics={
                "prometheus": [
                    {
                        "name": "a b",
                        "help": "",
                        "gauge": {
                            "value": "{{outputs.result}} resourcesDuration.cpu",
                            "realtime": True,
                        },
                    }
                ]
            }
        ),
        "name",
        "spec.templates[1].metrics.prometheus[0].name",
    ),
    (
        leaf(metrics={"prometheus": [{"name": "a", "help": "h", "labels": [{"key": "a b"}]}]}),
        "name",
        "spec.templates[1].metrics.prometheus[0].labels[0].key",
    ),
    (
        output("hdfs", {**HDFS, "addresses": []}),
        "required",
        "spec.templates[1].archiveLocation.hdfs.addresses",
    ),
    (
        output("hdfs", {**HDFS, "path": "a"}),
        "required",
        "spec.templates[1].archiveLocation.hdfs.path",
    ),
    (
        output("hdfs", {**HDFS, "hdfsUser": ""}),
        "required",
        "spec.templates[1].archiveLocation.hdfs",
    ),
    (
        output("hdfs", {**HDFS, "krbKeytabSecret": SECRET}),
        "required",
        "spec.templates[1].archiveLocation.hdfs.krbRealm",
    ),
    (given(), "artifact-source", "spec.arguments.artifacts[0]"),
    (given(fromExpression="x"), "artifact-source", "spec.arguments.artifacts[0]"),
    (given(fromExpression="x", **{"from": "y"}), "artifact-source", "spec.arguments.artifacts[0]"),
    (given(http={"url": ""}), "artifact-source", "spec.arguments.artifacts[0]"),
    (given(s3={"bucket": "b"}), "artifact-source", "spec.arguments.artifacts[0]"),
    (
        workflow(arguments={"parameters": [{"name": "day", "enum": ["a"]}]}),
        "no-value",
        "spec.arguments.parameters[0]",
    ),
    (
        workflow(arguments={"parameters": [{"name": "a"}, {"name": "a", "value": "x"}]}),
        "duplicate",
        "spec.arguments.parameters[1].name",
    ),
    (
        workflow(executorPlugins=[{"spec": {}, "metadata": {}}]),
        "required",
        "spec.executorPlugins[0]",
    ),
    (
        workflow(podGC={"labelSelector": {"matchLabels": {"a": "b c"}}}),
        "label",
        "spec.podGC.labelSelector.matchLabels.a",
    ),
    (workflow(workflowTemplateRef={}), "required", "spec.workflowTemplateRef.name"),
    (workflow(workflowMetadata={"labels": 5}), "type", "spec.workflowMetadata.labels"),
    (workflow(archiveLogs=1), "type", "spec.archiveLogs"),
    (
        leaf(
            script={
                "image": "x",
                "source": "x",
                "resources": {"limits": {"cpu": "abc", "b": 1.5, "c": []}},
            }
        ),
        "type",
        "spec.templates[1].script.resources.limits.cpu",
    ),
    (
        leaf(http={"url": "x", "bodyFrom": {"bytes": "!"}}),
        "value",
        "spec.templates[1].http.bodyFrom.bytes",
    ),
    (
        leaf(
            metrics={
                "prometheus": [
                    {"name": "a", "help": "h", "histogram": {"value": "1", "buckets": ["a"]}}
                ]
            }
        ),
        "type",
        "spec.templates[1].metrics.prometheus[0].histogram.buckets[0]",
    ),
    (
        {**workflow(), "metadata": {"name": "x", "creationTimestamp": "soon"}},
        "value",
        "metadata.creationTimestamp",
    ),
    (
        leaf(inputs={"artifacts": [{**ARTIFACT, "mode": 512}]}),
        "value",
        "spec.templates[1].inputs.artifacts[0].mode",
    ),
    (steps([step("a", when=5)]), "type", "spec.templates[0].steps[0][0].when"),
    (steps([step("a", shwen="x")]), "unknown-field", "spec.templates[0].steps[0][0].shwen"),
    (
        steps([{"name": "a", "template": "echo", "templateRef": {}}]),
        "required",
        "spec.templates[0].steps[0][0].templateRef.name",
    ),
    (
        steps([step("a", withSequence={"count": "1", "end": "2"})]),
        "loop",
        "spec.templates[0].steps[0][0].withSequence",
    ),
    (
        steps([{"name": "a", "template": "{{inputs.parameters.which}}"}]),
        "unknown-template",
        "spec.templates[0].steps[0][0].template",
    ),
    (
        steps(
            [
                {
                    "name": "a",
                    "template": "echo",
                    "arguments": {"parameters": [{"name": "m", "valueFrom": {"event": "x"}}]},
                }
            ]
        ),
        "missing-argument",
        "spec.templates[0].steps[0][0].arguments",
    ),
    (
        workflow(arguments={"parameters": [{"name": "day", "value": "{{steps.x.id}}"}]}),
        "unresolved-tag",
        "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    ),
    (
        dag(step("1a", depends="b"), step("b")),
        "name",
        "spec.templates[0].dag.tasks[0].name",
    ),
    (dag(step("a"), step("a")), "duplicate", "spec.templates[0].dag.tasks[1].name"),
    (
        dag(step("a"), step("b", dependencies=["a"], depends="a", continueOn={"failed": True})),
        "depends",
        "spec.templates[0].dag.tasks[1].dependencies",
    ),
]


@pytest.mark.parametrize(("manifest", "code", "path"), ERRORS, ids=lambda value: str(value)[-40:])
def test_a_mistake_is_an_error_with_its_code_and_path(
    manifest: dict[str, Any], code: str, path: str
) -> None:
    found = {(one.code, one.path) for one in lint(manifest) if one.severity == "error"}
    assert (code, path) in found, found


def test_a_dag_may_name_its_target() -> None:
    manifest = dag(step("a"), step("b"))
    manifest["spec"]["templates"][0]["dag"]["target"] = "a b"
    assert lint(manifest) == []


def test_a_target_is_a_task() -> None:
    manifest = dag(step("a"))
    manifest["spec"]["templates"][0]["dag"]["target"] = "a c"
    assert [found.code for found in lint(manifest)] == ["unknown-task"]


def test_a_template_that_needs_an_artifact_is_given_one() -> None:
    manifest = leaf(inputs={"parameters": [{"name": "m"}], "artifacts": [ARTIFACT]})
    assert {found.code for found in lint(manifest)} == {"missing-argument"}


def test_a_timeout_given_by_the_caller_needs_a_unit() -> None:
    manifest = leaf(timeout="{{inputs.parameters.m}}")
    manifest["spec"]["templates"][0]["steps"] = [[step("a", "10")]]
    assert [found.code for found in lint(manifest)] == ["timeout"]


def test_global_outputs_are_known_after_their_step() -> None:
    manifest = steps([step("a")], [step("b", "{{workflow.outputs.parameters.g}}")])
    source = {"name": "v", "globalName": "g", "valueFrom": {"path": "/v"}}
    manifest["spec"]["templates"][1]["outputs"] = {"parameters": [source]}
    assert lint(manifest) == []


@pytest.mark.parametrize("word", ["parameters", "artifacts"])
def test_global_outputs_named_at_run_time_are_taken_on_trust(word: str) -> None:
    manifest = steps([step("a")], [step("b", f"{{{{workflow.outputs.{word}.g}}}}")])
    source: dict[str, Any] = {"name": "v", "globalName": "{{inputs.parameters.m}}"}
    source |= {"valueFrom": {"path": "/v"}} if word == "parameters" else {"path": "/v"}
    manifest["spec"]["templates"][1]["outputs"] = {word: [source]}
    assert lint(manifest) == []


def test_the_exit_handler_may_name_what_failed() -> None:
    handler = {"name": "bye", "script": {"image": "x", "source": "{{workflow.failures}}"}}
    manifest = workflow(onExit="bye")
    manifest["spec"]["templates"].append(handler)
    assert lint(manifest) == []


def test_a_metric_may_have_a_colon_in_3_5_only() -> None:
    manifest = leaf(metrics={"prometheus": [{"name": "a:b", "help": "h"}]})
    assert lint(manifest, "3.5") == []
    assert lint(manifest, "3.6") != []


@pytest.mark.parametrize(("name", "codes"), [("Count", ["pod-name"]), ("count", [])])
def test_capitals_in_the_name_of_a_template_that_makes_pods_are_unwise(
    name: str, codes: list[str]
) -> None:
    manifest = workflow(
        entrypoint=name, templates=[{"name": name, "container": {"image": "x", "command": ["x"]}}]
    )
    assert [finding.code for finding in lint(manifest)] == codes


def test_capitals_in_the_name_of_a_graph_reach_no_pod() -> None:
    manifest = workflow(entrypoint="Main", templates=[{"name": "Main", "suspend": {}}])
    assert lint(manifest) == []


@pytest.mark.parametrize(
    ("action", "errors"),
    [
        ("{{workflow.name}}", []),
        ("{{workflow.name}}ly", []),
        ("app{{workflow.name}}", ["spec.templates[0].resource.action"]),
        ("app{{inputs.parameters.rest}}", []),
    ],
)
def test_an_action_that_is_not_known_yet_begins_with_a_tag(action: str, errors: list[str]) -> None:
    inputs = {"parameters": [{"name": "rest", "value": "ly"}]}
    manifest = of("resource", {"action": action, "manifest": "kind: Pod"}, inputs=inputs)
    found = [f.path for f in lint(manifest, "3.5") if f.severity == "error"]
    assert found == errors
