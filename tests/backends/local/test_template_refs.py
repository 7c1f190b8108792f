"""WorkflowTemplates on this machine: what refers to one runs with a copy of it."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.template_refs import standalone
from couler_jobs.errors import NotFound, Rejected
from couler_jobs.spec.status import Phase
from tests.backends.local.driving import dag, script, step, steps
from tests.backends.local.processes import soon
from tests.backends.workflows import finish, text_of

SHARED = {
    "entrypoint": "main",
    "arguments": {"parameters": [{"name": "p", "value": "1"}, {"name": "q", "value": "2"}]},
    "templates": [
        {"name": "main", **steps([step("x", "leaf")])},
        {"name": "both", **dag(step("x", "leaf"), step("y", "main", depends="x"))},
        script("leaf", source="echo {{workflow.parameters.p}}{{workflow.parameters.q}}"),
    ],
}


def template(name: str = "shared", **spec: Any) -> dict[str, Any]:
    return {"kind": "WorkflowTemplate", "metadata": {"name": name}, "spec": {**SHARED, **spec}}


def find(name: str) -> dict[str, Any]:
    if name != "shared":
        raise Rejected(f"There is no workflow template named {name} on this machine.")
    return template()


def ref(name: str, template: str, of: str = "shared", **more: Any) -> dict[str, Any]:
    return {"name": name, "templateRef": {"name": of, "template": template}, **more}


def run_of(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    whole = {"entrypoint": "main", "templates": list(templates), **spec}
    return {"kind": "Workflow", "metadata": {"generateName": "r-"}, "spec": whole}


def from_template(**spec: Any) -> dict[str, Any]:
    spec = {"workflowTemplateRef": {"name": "shared"}, **spec}
    return {"kind": "Workflow", "metadata": {"generateName": "r-"}, "spec": spec}


def names(manifest: dict[str, Any]) -> list[str]:
    return [one["name"] for one in manifest["spec"]["templates"]]


# --- the pure part


def test_a_manifest_without_references_stays_what_it_is() -> None:
    manifest = run_of({"name": "main", **steps([step("a", "b")])}, script("b"))
    assert standalone(manifest, find) == manifest


def test_a_run_of_a_template_has_its_spec() -> None:
    assert standalone(from_template(), find)["spec"] == SHARED


@pytest.mark.parametrize(
    ("own", "field", "value"),
    [
        ({"entrypoint": "leaf"}, "entrypoint", "leaf"),
        ({"parallelism": 2}, "parallelism", 2),
        (
            {"arguments": {"parameters": [{"name": "q", "value": "9"}]}},
            "arguments",
            {"parameters": [{"name": "p", "value": "1"}, {"name": "q", "value": "9"}]},
        ),
    ],
)
def test_a_run_s_own_fields_win_over_its_template_s(own: Any, field: str, value: Any) -> None:
    assert standalone(from_template(**own), find)["spec"][field] == value


@pytest.mark.parametrize(
    ("base", "own", "together"),
    [
        (
            {"volumes": [{"name": "a", "emptyDir": {}}]},
            {"volumes": [{"name": "b", "emptyDir": {}}]},
            {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]},
        ),
        (
            {"workflowMetadata": {"labels": {"a": "1", "b": "1"}}},
            {"workflowMetadata": {"labels": {"b": "2"}, "annotations": {"c": "3"}}},
            {"workflowMetadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"c": "3"}}},
        ),
        (
            {"arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1"]}]}},
            {"arguments": {"parameters": [{"name": "p"}]}},
            {"arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1"]}]}},
        ),
        (
            {"arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1"]}]}},
            {"arguments": {"parameters": [{"name": "p", "valueFrom": {"supplied": {}}}]}},
            {
                "arguments": {
                    "parameters": [{"name": "p", "valueFrom": {"supplied": {}}, "enum": ["1"]}]
                }
            },
        ),
        ({"parallelism": 2}, {"parallelism": None}, {"parallelism": 2}),
    ],
)
def test_a_run_s_fields_are_joined_with_its_template_s(base: Any, own: Any, together: Any) -> None:
    shared = {"kind": "WorkflowTemplate", "spec": base}
    assert standalone(from_template(**own), lambda name: shared)["spec"] == together


def test_only_the_run_itself_says_whether_it_waits_at_its_start() -> None:
    waiting = template(suspend=True)
    assert "suspend" not in standalone(from_template(), lambda name: waiting)["spec"]
    assert standalone(from_template(suspend=True), find)["spec"]["suspend"] is True


@pytest.mark.parametrize(
    "main",
    [
        steps([ref("a", "leaf")]),
        dag(ref("a", "leaf")),
        dag({"name": "a", "inline": steps([ref("b", "leaf")])}),
        steps([step("a", "main", hooks={"exit": ref("h", "leaf")})]),
    ],
)
def test_a_reference_is_replaced_wherever_it_stands(main: dict[str, Any]) -> None:
    whole = standalone(run_of({"name": "main", **main}), find)
    assert names(whole) == ["main", "leaf"]
    assert "templateRef" not in str(whole)


def test_a_hook_of_the_workflow_may_be_a_reference() -> None:
    whole = standalone(run_of(script("main"), hooks={"exit": ref("h", "leaf")}), find)
    assert whole["spec"]["hooks"]["exit"]["template"] == "leaf"


def test_what_a_referred_template_calls_comes_along_once() -> None:
    whole = standalone(run_of({"name": "go", **dag(ref("a", "both"), ref("b", "leaf"))}), find)
    assert names(whole) == ["go", "both", "leaf", "main"]


def test_names_that_clash_are_told_apart() -> None:
    main = {"name": "main", **steps([ref("a", "main"), step("b", "leaf")])}
    whole = standalone(run_of(main, script("leaf", source="echo own")), find)
    assert names(whole) == ["main", "leaf", "shared-main", "shared-leaf"]
    inner = whole["spec"]["templates"][2]["steps"][0][0]
    assert inner["template"] == "shared-leaf"


def test_templates_that_call_themselves_end() -> None:
    again = template(templates=[{"name": "r", **steps([step("a", "r", when="false")])}])
    whole = standalone(run_of({"name": "main", **steps([ref("a", "r")])}), lambda name: again)
    assert names(whole) == ["main", "r"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (from_template(workflowTemplateRef={"name": "no"}), "no workflow template named no"),
        (from_template(templates=[script("a")]), "Templates is invalid field"),
        (
            from_template(workflowTemplateRef={"name": "shared", "clusterScope": True}),
            "no cluster workflow templates",
        ),
        (run_of({"name": "main", **steps([ref("a", "no")])}), "shared has no template no"),
        (run_of({"name": "main", **steps([ref("a", "x", "no")])}), "template named no"),
    ],
)
def test_what_is_not_there_is_refused_by_name(manifest: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        standalone(manifest, find)


# --- this machine


def test_a_stored_template_is_run_with_the_run_s_arguments(local: LocalBackend) -> None:
    local.apply_template(template())
    arguments = {"parameters": [{"name": "q", "value": "9"}]}
    run = finish(local, local.submit(from_template(arguments=arguments)).name)
    assert (run.phase, text_of(local, run.name).strip()) == (Phase.SUCCEEDED, "19")


def test_a_step_runs_a_template_of_another(local: LocalBackend) -> None:
    local.apply_template(template())
    main = {"name": "main", **steps([ref("a", "leaf")])}
    run = local.submit(run_of(main, arguments=SHARED["arguments"]))
    local.delete_template("shared")  # the run has a copy
    assert finish(local, run.name).nodes[f"{run.name}[0].a"].phase is Phase.SUCCEEDED


def test_applying_a_template_again_changes_it(local: LocalBackend) -> None:
    local.apply_template(template())
    local.apply_template(template(entrypoint="leaf"))
    assert local.get_template("shared")["spec"]["entrypoint"] == "leaf"
    assert [one["metadata"]["name"] for one in local.templates.all()] == ["shared"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Workflow"}, "not a WorkflowTemplate"),
        ({"metadata": {}}, "needs a name"),
        ({"spec": {"templates": [{"name": "a", "resource": {}, "plugin": {"x": 1}}]}}, "plugin"),
    ],
)
def test_what_cannot_be_a_template_here_is_refused(
    local: LocalBackend, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        local.apply_template({**template(), **change})
    with pytest.raises(NotFound):
        local.get_template("shared")


# --- time to live, labels


@pytest.mark.parametrize(
    ("ttl", "code", "kept"),
    [
        ({"secondsAfterCompletion": 0}, 0, False),
        ({"secondsAfterSuccess": 0}, 0, False),
        ({"secondsAfterSuccess": 0}, 1, True),
        ({"secondsAfterFailure": 0}, 1, False),
        ({"secondsAfterCompletion": 0, "secondsAfterSuccess": 9999}, 0, True),
        ({"secondsAfterCompletion": 9999}, 0, True),
    ],
)
def test_a_run_that_has_outlived_its_time_is_deleted_by_whoever_looks(
    local: LocalBackend, ttl: dict[str, int], code: int, kept: bool
) -> None:
    main = {"name": "main", "container": {"image": "i", "command": ["sh", "-c", f"exit {code}"]}}
    manifest = run_of(main, ttlStrategy=ttl)
    run = local.submit(manifest)
    folder = local.home.run(run.uid).root
    assert all(seen.name == run.name for seen in ended_at_last(local, run.uid))
    assert ([seen.name for seen in local.list()] == [run.name]) is kept
    assert folder.exists() is kept


def ended_at_last(local: LocalBackend, uid: str) -> Any:
    """Wait in the database, where nobody looks as a user does."""
    assert soon(lambda: local._store.by_uid(uid).phase.ended, 40)
    return [local._store.by_uid(uid)]


def test_a_run_that_has_outlived_its_time_is_not_found_and_leaves_its_name(
    local: LocalBackend,
) -> None:
    main = {"name": "main", "container": {"image": "i", "command": ["true"]}}
    manifest = run_of(main, ttlStrategy={"secondsAfterCompletion": 0})
    manifest["metadata"] = {"name": "short"}
    ended_at_last(local, local.submit(manifest).uid)
    local.forget_expired()
    with pytest.raises(NotFound):
        local.get("short")
    ended_at_last(local, local.submit(manifest).uid)
    ended_at_last(local, local.submit(manifest).uid)  # the name is free without a look


def test_workflow_metadata_gives_the_run_labels_and_annotations(local: LocalBackend) -> None:
    main = {"name": "main", "container": {"image": "i", "command": ["true"]}}
    more = {
        "labels": {"a": "1"},
        "annotations": {"n": "2"},
        "labelsFrom": {"b": {"expression": "'x' + workflow.namespace"}},
    }
    run = local.submit(run_of(main, workflowMetadata=more))
    assert run.labels == {"a": "1", "b": "xlocal"}
    assert run.annotations == {"n": "2"}
    assert [found.name for found in local.list({"b": "xlocal"})] == [run.name]


def test_labels_of_a_run_are_computed_with_its_own_uid(local: LocalBackend) -> None:
    main = {"name": "main", "container": {"image": "i", "command": ["true"]}}
    more = {"labelsFrom": {"uid": {"expression": "workflow.uid"}}}
    run = local.submit(run_of(main, workflowMetadata=more))
    assert run.labels == {"uid": run.uid}
