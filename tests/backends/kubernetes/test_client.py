"""What the backend makes of the objects of a cluster."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from couler_jobs.backends.argo_server.answers import Conflict
from couler_jobs.backends.kubernetes.client import TRIES, KubernetesBackend
from couler_jobs.backends.kubernetes.objects import Gone, Resource
from couler_jobs.backends.submissions import SUBMISSION
from couler_jobs.errors import AlreadyExists, NotFound, Rejected, Unavailable
from tests.backends.kubernetes.memory import MemoryObjects
from tests.backends.workflows import sh, workflow

W, C = Resource.WORKFLOW, Resource.CRON
SENT = workflow(sh("a", "true"), name="run")
CRON: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "CronWorkflow",
    "metadata": {"name": "nightly", "labels": {"a": "b"}},
    "spec": {"schedules": ["0 1 * * *"], "workflowSpec": SENT["spec"]},
}
AWAY = Unavailable("Kubernetes could not do it: it did not answer in time.")


def waiting(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": f"run.{name}", "type": "Suspend", "phase": "Running", **more}


def packed(nodes: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(nodes).encode(), mtime=0)).decode()


def test_a_name_is_made_before_anything_is_sent(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    assert run.name.startswith("test-")
    assert objects.kept[W, run.name]["metadata"]["annotations"][SUBMISSION]


def test_a_create_whose_answer_was_lost_is_adopted(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.faults["after create"] = [AWAY]
    assert backend.submit(SENT).uid == "uid-1"
    assert list(objects.kept) == [(W, "run")]


def test_a_create_that_never_arrived_is_sent_again(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.faults["create"] = [AWAY, AWAY]
    assert backend.submit(SENT).name == "run"


def test_a_strangers_name_is_taken(backend: KubernetesBackend, objects: MemoryObjects) -> None:
    objects.add(W, "run")
    with pytest.raises(AlreadyExists, match="run"):
        backend.submit(SENT)


def test_a_manifest_of_another_namespace_is_refused(backend: KubernetesBackend) -> None:
    other = {**SENT, "metadata": {"name": "run", "namespace": "other"}}
    with pytest.raises(Rejected, match="this Kubernetes is used for lab"):
        backend.submit(other)


def test_lint_stores_nothing_and_minds_no_taken_name(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    for _ in range(2):
        backend.lint(SENT)
        backend.lint(CRON)
        assert backend.dry_run({**SENT, "metadata": {"name": "dry"}}).name == "dry"
        objects.kept.setdefault((W, "run"), {"metadata": {}})
    assert list(objects.kept) == [(W, "run")]


@pytest.mark.parametrize(
    ("unknown", "version"),
    [
        ([], "3.7"),
        (["coulerJobsProbe"], "4.1"),
        (["coulerJobsProbe", "pendingTimeout"], "4.0"),
    ],
)
def test_the_version_is_told_by_the_fields_that_are_known(
    backend: KubernetesBackend, objects: MemoryObjects, unknown: list[str], version: str
) -> None:
    objects.unknown.update(unknown)
    assert backend.version() == version
    objects.faults["create"] = [AWAY]
    assert backend.version() == version  # asked for once


def test_nodes_that_are_packed_are_unpacked(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    nodes = {"a": {"id": "a", "name": "run.a", "type": "Pod", "phase": "Running"}}
    objects.add(W, "run", status={"compressedNodes": packed(nodes)})
    assert list(backend.get("run").nodes) == ["run.a"]


@pytest.mark.parametrize("text", ["###", "AAAA", packed([1])[:-9], packed("x")])
def test_nodes_that_cannot_be_unpacked_are_a_sentence(
    backend: KubernetesBackend, objects: MemoryObjects, text: str
) -> None:
    objects.add(W, "run", status={"compressedNodes": text})
    if text == packed("x"):
        assert backend.get("run").nodes == {}
        return
    with pytest.raises(Rejected, match="cannot be read"):
        backend.get("run")


def test_nodes_in_a_database_are_a_sentence_that_names_argo_server(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.add(W, "run", status={"offloadNodeStatusVersion": "fnv:1"})
    with pytest.raises(Rejected, match=r"run are in Argo's database: set ARGO_SERVER"):
        backend.get("run")


def test_list_reads_every_page_and_gives_the_newest_first_without_nodes(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    labels = {"labels": {"l": "1"}}
    for name in "ebcda":
        objects.add(W, name, metadata=labels, status={"nodes": {"n": {"name": "n"}}})
    objects.add(W, "other")
    found = list(backend.list({"l": "1"}))
    assert [run.name for run in found] == ["a", "d", "c", "b", "e"]
    assert not any(run.nodes for run in found)


def test_a_listing_that_took_too_long_begins_anew_and_gives_none_twice(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    for name in "abc":
        objects.add(W, name)
    objects.faults["page after a token"] = [Gone("too old")]
    assert sorted(run.name for run in backend.list()) == ["a", "b", "c"]
    objects.faults["page after a token"] = [Gone("too old"), Gone("too old")]
    with pytest.raises(Gone):
        list(backend.list())


@pytest.mark.parametrize(("call", "how"), [("stop", "Stop"), ("terminate", "Terminate")])
def test_ending_sets_the_shutdown(
    backend: KubernetesBackend, objects: MemoryObjects, call: str, how: str
) -> None:
    objects.add(W, "run", status={"phase": "Running"})
    for _ in range(2):
        assert getattr(backend, call)("run").shutdown == how


@pytest.mark.parametrize(("call", "how"), [("stop", "Stop"), ("terminate", "Terminate")])
@pytest.mark.parametrize("before", ["", "Terminate"])
def test_ending_what_is_suspended_ends_the_suspension_too(
    backend: KubernetesBackend, objects: MemoryObjects, before: str, call: str, how: str
) -> None:
    spec = {"suspend": True, **({"shutdown": before} if before else {})}
    objects.add(W, "run", spec=spec, status={"phase": "Running"})
    run = getattr(backend, call)("run")
    assert (run.shutdown, run.suspended) == (before or how, False)


def test_a_stop_does_not_weaken_a_terminate(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.add(W, "run", spec={"shutdown": "Terminate"}, status={"phase": "Running"})
    assert backend.stop("run").shutdown == "Terminate"


def test_what_has_ended_is_neither_stopped_suspended_nor_resumed(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.add(W, "run", status={"phase": "Succeeded"})
    assert backend.stop("run").shutdown == ""
    for call in (backend.suspend, backend.resume):
        with pytest.raises(Rejected, match="run has ended as Succeeded"):
            call("run")


def test_resume_ends_a_suspension_and_every_waiting_node(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    nodes = {name: waiting(name) for name in "ab"}
    objects.add(W, "run", status={"phase": "Running", "nodes": nodes})
    assert backend.suspend("run").suspended
    run = backend.resume("run")
    assert (run.suspended, [str(node.phase) for node in run.nodes.values()]) == (
        False,
        ["Succeeded", "Succeeded"],
    )
    assert backend.resume("run") == run  # nothing is left to resume


def test_resume_of_a_node_leaves_the_others_also_when_they_are_packed(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.add(W, "run", status={"compressedNodes": packed({n: waiting(n) for n in "ab"})})
    nodes = backend.resume("run", "run.a").nodes
    assert [str(nodes[f"run.{n}"].phase) for n in "ab"] == ["Succeeded", "Running"]
    with pytest.raises(NotFound, match=r"no node run\.c"):
        backend.resume("run", "run.c")


def test_outputs_to_be_supplied_get_their_defaults(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    supplied: dict[str, Any] = {"supplied": {}, "default": "d"}
    parameters = [
        {"name": "given", "value": "g"},
        {"name": "later", "valueFrom": supplied},
    ]
    objects.add(W, "run", status={"nodes": {"a": waiting("a", outputs={"parameters": parameters})}})
    node = backend.resume("run").nodes["run.a"]
    assert node.outputs["parameters"] == {"given": "g", "later": "d"}


def test_an_output_without_a_default_cannot_be_passed(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    outputs = {"parameters": [{"name": "later", "valueFrom": {"supplied": {}}}]}
    objects.add(W, "run", status={"nodes": {"a": waiting("a", outputs=outputs)}})
    with pytest.raises(Rejected, match=r"run\.a cannot be resumed: its output parameter later"):
        backend.resume("run")


def test_a_resume_that_the_controller_came_before_is_made_again(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.add(W, "run", status={"nodes": {"a": waiting("a")}})
    objects.faults["patch"] = [Conflict("changed")]
    assert backend.resume("run").nodes["run.a"].phase == "Succeeded"
    objects.add(W, "run", spec={"suspend": True})
    objects.faults["patch"] = [Conflict("changed")] * TRIES
    with pytest.raises(Unavailable, match="changes too quickly"):
        backend.resume("run")


@pytest.mark.parametrize(
    ("phase", "words"), [("Failed", "argo retry"), ("Succeeded", "only a failed one")]
)
def test_a_retry_is_refused_with_what_to_do(
    backend: KubernetesBackend, objects: MemoryObjects, phase: str, words: str
) -> None:
    objects.add(W, "run", status={"phase": phase})
    with pytest.raises(Rejected, match=words):
        backend.retry("run")


def test_a_resubmitted_run_is_a_new_one_without_the_traces_of_the_old(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    first = backend.submit({**SENT, "metadata": {"name": "run", "labels": {"mine": "1"}}})
    there = objects.kept[W, "run"]
    there["metadata"]["labels"]["workflows.argoproj.io/phase"] = "Failed"
    there["spec"]["shutdown"] = "Stop"
    again = backend.resubmit("run")
    assert (again.name.startswith("run-"), again.uid != first.uid, again.shutdown) == (
        True,
        True,
        "",
    )
    assert again.labels == {
        "mine": "1",
        "workflows.argoproj.io/resubmitted-from-workflow": "run",
    }
    assert again.annotations[SUBMISSION] != first.annotations[SUBMISSION]


def test_a_deleted_workflow_is_gone(backend: KubernetesBackend, objects: MemoryObjects) -> None:
    objects.add(W, "run")
    backend.delete("run")
    with pytest.raises(NotFound, match="run"):
        backend.delete("run")


def test_an_applied_cron_replaces_the_one_of_its_name(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    first = backend.apply_cron(CRON)
    objects.kept[C, "nightly"]["status"] = {"lastScheduledTime": "2026-11-22T01:00:00Z"}
    objects.faults["replace"] = [Conflict("changed")]
    second = backend.apply_cron({**CRON, "spec": {**CRON["spec"], "schedules": ["5 1 * * *"]}})
    assert (second.uid, second.schedules) == (first.uid, ("5 1 * * *",))
    assert second.last_scheduled_at is not None
    assert [cron.name for cron in backend.list_crons({"a": "b"})] == ["nightly"]


def test_a_cron_that_always_changes_is_given_up(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    backend.apply_cron(CRON)
    objects.faults["replace"] = [Conflict("changed")] * TRIES
    with pytest.raises(Unavailable, match="nightly changes too quickly"):
        backend.apply_cron(CRON)


def test_a_cron_that_never_arrived_is_its_own_end(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    objects.faults["create"] = [AWAY]
    with pytest.raises(Unavailable, match="did not answer"):
        backend.apply_cron(CRON)


def test_a_cron_is_suspended_and_resumed(backend: KubernetesBackend) -> None:
    backend.apply_cron(CRON)
    assert backend.suspend_cron("nightly").suspended
    assert not backend.resume_cron("nightly").suspended
    assert not backend.get_cron("nightly").suspended


@pytest.mark.parametrize("finalized", [False, True])
def test_a_deleted_cron_goes_even_where_no_collector_runs(
    backend: KubernetesBackend, objects: MemoryObjects, finalized: bool
) -> None:
    objects.finalized = finalized
    backend.apply_cron(CRON)
    backend.delete_cron("nightly")
    assert objects.kept == {}
    assert objects.seconds < 6


@pytest.mark.parametrize("suspended", [False, True])
def test_a_cron_that_cannot_be_deleted_goes_on_as_before(
    backend: KubernetesBackend, objects: MemoryObjects, suspended: bool
) -> None:
    backend.apply_cron({**CRON, "spec": {**CRON["spec"], "suspend": suspended}})
    objects.faults["delete"] = [AWAY]
    with pytest.raises(Unavailable):
        backend.delete_cron("nightly")
    assert backend.get_cron("nightly").suspended is suspended


def test_a_triggered_run_belongs_to_its_cron(
    backend: KubernetesBackend, objects: MemoryObjects
) -> None:
    more = {"workflowMetadata": {"labels": {"job": "7"}, "annotations": {"note": "n"}}}
    cron = backend.apply_cron({**CRON, "spec": {**CRON["spec"], **more}})
    run = backend.trigger_cron("nightly")
    assert run.labels == {"workflows.argoproj.io/cron-workflow": "nightly", "job": "7"}
    assert run.annotations["workflows.argoproj.io/scheduled-time"] == "2026-11-22T00:00:00Z"
    owner = objects.kept[W, run.name]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("CronWorkflow", cron.uid)


def test_an_instance_of_argo_is_handed_on_to_the_run(backend: KubernetesBackend) -> None:
    label = {"workflows.argoproj.io/controller-instanceid": "blue"}
    backend.apply_cron({**CRON, "metadata": {"name": "nightly", "labels": label}})
    assert label.items() <= backend.trigger_cron("nightly").labels.items()


def _with(manifest: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (_with(SENT, entrypoint="nowhere"), "no template 'nowhere'"),
        ({**SENT, "spec": None}, "no template None"),
        ({**SENT, "metadata": {"name": "a" * 64}}, "too long: Argo takes 63"),
        ({**CRON, "metadata": {"name": "a" * 53}}, "too long: Argo takes 52"),
        (_with(CRON, schedules=[]), "at least one schedule"),
        (_with(CRON, schedules=["now and then"]), "cannot fire: "),
        (_with(CRON, timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (_with(CRON, workflowSpec={}), "no template None"),
    ],
)
def test_what_would_end_in_silence_is_refused(
    backend: KubernetesBackend, manifest: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        backend.lint(manifest)


def test_an_entrypoint_may_be_in_a_workflow_template(backend: KubernetesBackend) -> None:
    spec = {"workflowTemplateRef": {"name": "library"}}
    backend.lint({**SENT, "spec": spec})
    backend.lint(_with({**CRON}, schedules=None, schedule="@daily", timezone="Europe/Paris"))


def test_the_backend_shows_where_it_is(backend: KubernetesBackend) -> None:
    assert backend.namespace == "lab"
    assert repr(backend).startswith("KubernetesBackend(")
