"""Odd manifests, each with whether a real Argo 4.1.2 and its CRDs took it."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.compiler.lint import lint


def workflow(leaf: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A workflow of one container, with more fields for its template and its spec."""
    first = {"name": "a", "container": {"image": "x"}, **(leaf or {})}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "odd"},
        "spec": {"entrypoint": "a", "templates": [first], **spec},
    }


def named(**metadata: Any) -> dict[str, Any]:
    return {**workflow(), "metadata": {"name": "odd", **metadata}}


def with_status(status: Any) -> dict[str, Any]:
    return {**workflow(), "status": status}


def with_cpu(amount: Any) -> dict[str, Any]:
    return workflow({"container": {"image": "x", "resources": {"limits": {"cpu": amount}}}})


def owned(version: str) -> dict[str, Any]:
    return named(ownerReferences=[{"apiVersion": version, "kind": "A", "name": "b", "uid": "c"}])


def collected(**rule: Any) -> dict[str, Any]:
    return workflow(podGC={"labelSelector": {"matchExpressions": [rule]}})


def posted(text: str) -> dict[str, Any]:
    http = {"name": "b", "http": {"url": "http://x", "bodyFrom": {"bytes": text}}}
    manifest = workflow()
    manifest["spec"]["templates"].append(http)
    return manifest


def opened(after: str) -> dict[str, Any]:
    """A sidecar that opens a tag, and a text behind it."""
    mounts = [{"name": after, "mountPath": "/a"}]
    return workflow({"sidecars": [{"name": "s", "workingDir": "{{", "volumeMounts": mounts}]})


def fetched(key: str) -> dict[str, Any]:
    """The workflow's argument from a config map, which the first template takes."""
    given = {"name": "m", "valueFrom": {"configMapKeyRef": {"name": "c", "key": key}}}
    return workflow({"inputs": {"parameters": [{"name": "m"}]}}, arguments={"parameters": [given]})


def called(step: dict[str, Any], use: str = "true", *groups: list[Any]) -> dict[str, Any]:
    """Steps: one of these fields, then one whose `when` uses the first, then more groups."""
    second = {"name": "u", "template": "t", "when": use}
    manifest = workflow()
    manifest["spec"]["templates"] = [
        {"name": "a", "steps": [[{"name": "s", **step}], [second], *groups]},
        {"name": "t", "container": {"image": "x"}},
    ]
    return manifest


def inline(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Steps inside of a step."""
    return called({"inline": {"steps": [[step] for step in steps], **more}})


def referring(name: str, template: str = "b", use: str = "true") -> dict[str, Any]:
    return called({"templateRef": {"name": name, "template": template}}, use)


def output(name: str, **more: Any) -> dict[str, Any]:
    """A template whose output is known to the whole workflow by this name."""
    made = {"name": "o", "valueFrom": {"path": "/o"}, "globalName": name}
    files = {"artifacts": [{"name": "f", "path": "/f", "optional": True}]}
    inputs = {"parameters": [{"name": "m", "value": "x"}], **files}
    return workflow({"inputs": inputs, "outputs": {"parameters": [made]}, **more})


def claimed(**status: Any) -> dict[str, Any]:
    return workflow(
        volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": {}, "status": status}]
    )


def given(**artifact: Any) -> dict[str, Any]:
    arguments = {"artifacts": [{"name": "f", **artifact}]}
    return called({"template": "t", "arguments": arguments, "when": "true"})


def asked(**argument: Any) -> dict[str, Any]:
    """Tasks whose target is an input, which this argument of the workflow gives."""
    inputs = {"parameters": [{"name": "m", "value": "u"}]}
    tasks = [{"name": "t", "template": "t"}, {"name": "u", "template": "t"}]
    manifest = workflow(arguments={"parameters": [{"name": "m", **argument}]})
    manifest["spec"]["templates"] = [
        {
            "name": "a",
            "inputs": inputs,
            "dag": {"tasks": tasks, "target": "{{inputs.parameters.m}}"},
        },
        {"name": "t", "container": {"image": "x"}},
    ]
    return manifest


def exported(**more: Any) -> dict[str, Any]:
    """A step that names what the template that it calls makes known to all."""
    made = {"name": "o", "valueFrom": {"path": "/o"}, "globalName": "G"}
    use = {"parameters": [{"name": "p", "value": "{{workflow.outputs.parameters.G}}"}]}
    manifest = called({"template": "t", "arguments": use, **more})
    manifest["spec"]["templates"][1]["outputs"] = {"parameters": [made]}
    return manifest


def done(manifest_text: str) -> dict[str, Any]:
    files = {"artifacts": [{"name": "f", "path": "/f", "optional": True}]}
    resource = {"action": "create", "manifest": manifest_text}
    template = {"name": "b", "inputs": files, "resource": resource}
    manifest = workflow()
    manifest["spec"]["templates"].append(template)
    return manifest


B = {"name": "b", "template": "t"}


@pytest.mark.parametrize(
    "manifest",
    [
        named(finalizers=["orphan", "foregroundDeletion"]),
        named(generateName="a" * 254),
        owned("a/b/c"),
        owned("a/"),
        with_status("x"),
        with_status({"a": 1}),
        with_status({"phase": 1}),
        with_status({"startedAt": "x"}),
        posted(""),
        collected(key="", operator="Exists"),
        collected(key="a", operator="In", values=["b c"]),
        with_cpu(1.5),
        with_cpu(2.0**53),
        workflow({"podResources": {"requests": {"day": None}}}),
        opened("{{workflow.namespace}}"),
        fetched("{{=let x = 1; x"),
        inline(B, {"name": "c", "template": "t", "when": "{{steps.b.status}} == x"}),
        inline(B, outputs={"parameters": [{"name": "o", "value": "{{steps.b.outputs.result}}"}]}),
        called({"template": "t"}, "true", []),
        referring("{{workflow.name}}"),
        referring("{{steps.name}}", use="{{steps.s.outputs.result}}"),
        referring("real", "{{workflow.name}}", use="{{steps.s.exitCode}}"),
        output("{{=nope}}"),
        output("{{inputs.artifacts.f.path}}"),
        output("{{inputs.parameters}}"),
        output("o", activeDeadlineSeconds="{{inputs.artifacts.f.path}}"),
        claimed(conditions=[{"type": "a", "status": "b", "lastProbeTime": "x"}]),
        claimed(a=1),
        given(http={"url": "x"}, globalName="{{"),
        done("{{inputs.artifacts.f}}"),
        given(plugin={"name": "p"}),
        asked(value="nope"),
        asked(value="{{workflow.uid}}"),
        exported(),
    ],
    ids=lambda manifest: str({**manifest["metadata"], **manifest["spec"]})[:90],
)
def test_what_a_server_refused_has_an_error(manifest: dict[str, Any]) -> None:
    assert [found for found in lint(manifest) if found.severity == "error"]


@pytest.mark.parametrize(
    "manifest",
    [
        named(finalizers=["orphan"]),
        named(generateName="a" * 253),
        owned("a/b"),
        with_status(None),
        with_status({"phase": "x", "finishedAt": None, "nodes": None}),
        posted("YQ=="),
        collected(key="a", operator="In", values=["b"]),
        with_cpu(1.0),
        with_cpu(-5.0),
        opened("a}}"),
        fetched("key"),
        inline(B, {"name": "c", "template": "t", "when": "{{item}} == x", "withItems": ["1"]}),
        called({"inline": {"steps": [[], [B]]}}),
        referring("{{steps.name}}", use="{{steps.s.status}} == x"),
        referring("real", "{{workflow.name}}", use="{{steps.s.id}} == x"),
        output("{{=workflow.name}}"),
        output("{{=1}}-{{=2}}"),
        output("{{=inputs.parameters.m}}"),
        claimed(phase="x", capacity={"storage": 1}),
        done("a: '{{inputs.artifacts.f}}'"),
        given(plugin={"name": "p", "configuration": "c", "key": "k"}),
        asked(valueFrom={"configMapKeyRef": {"name": "c", "key": "k"}}),
        exported(onExit="t"),
    ],
    ids=lambda manifest: str({**manifest["metadata"], **manifest["spec"]})[:90],
)
def test_what_a_server_took_has_none(manifest: dict[str, Any]) -> None:
    assert not [found for found in lint(manifest) if found.severity == "error"]


@pytest.mark.parametrize(
    ("manifest", "taken"),
    [
        (given(plugin={"name": "p", "configuration": "c", "key": "k"}), False),
        (with_cpu(" 1 "), True),
        (with_cpu("1 1"), False),
    ],
)
def test_argo_3_7_reads_over_what_came_later_and_over_blanks(
    manifest: dict[str, Any], taken: bool
) -> None:
    assert taken != any(found.severity == "error" for found in lint(manifest, "3.7"))
