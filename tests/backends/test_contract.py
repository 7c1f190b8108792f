"""What `backends/base.py` promises about workflows, kept by every backend."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from couler_jobs.backends.base import Backend
from couler_jobs.errors import AlreadyExists, NotFound, Rejected
from couler_jobs.spec.status import Phase
from tests.backends.workflows import (
    finish,
    parameter,
    pause,
    phase_of,
    script,
    sh,
    text_of,
    wait_until,
    workflow,
)

UNKNOWN: list[Callable[[Backend], Any]] = [
    lambda backend: backend.get("nobody"),
    lambda backend: list(backend.watch("nobody")),
    lambda backend: list(backend.logs("nobody")),
    lambda backend: list(backend.logs("nobody", follow=True)),
    lambda backend: backend.stop("nobody"),
    lambda backend: backend.terminate("nobody"),
    lambda backend: backend.suspend("nobody"),
    lambda backend: backend.resume("nobody"),
    lambda backend: backend.retry("nobody"),
    lambda backend: backend.resubmit("nobody"),
    lambda backend: backend.delete("nobody"),
    lambda backend: backend.get_template("nobody"),
    lambda backend: backend.delete_template("nobody"),
]
HANDLER: dict[str, Any] = {
    "onExit": "bye",
    "templates": [sh("bye", "echo bye")["template"] | {"name": "bye"}],
}


def named() -> str:
    return f"contract-{uuid.uuid4().hex[:12]}"


def test_the_version_is_one_of_argo(backend: Backend) -> None:
    assert backend.version().removeprefix("v").split(".")[0] in ("3", "4")


@pytest.mark.parametrize("call", UNKNOWN)
def test_an_unknown_name_is_not_found(backend: Backend, call: Callable[[Backend], Any]) -> None:
    with pytest.raises(NotFound, match="nobody"):
        call(backend)


def test_lint_passes_what_submit_takes(backend: Backend) -> None:
    backend.lint(workflow(sh("a", "true")))


def test_lint_refuses_what_submit_refuses(backend: Backend) -> None:
    wrong = workflow(sh("a", "true"), entrypoint="nowhere")
    with pytest.raises(Rejected):
        backend.lint(wrong)
    with pytest.raises(Rejected):
        backend.submit(wrong)
    assert not list(backend.list({"none": "such"}))


def test_a_submitted_workflow_answers_its_name_and_uid(backend: Backend) -> None:
    name = named()
    run = backend.submit(workflow(sh("a", "true"), name=name))
    assert (run.name, bool(run.uid)) == (name, True)
    assert finish(backend, name).uid == run.uid


def test_a_generated_name_begins_with_its_prefix(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    assert run.name.startswith("test-")
    assert run.name != "test-"


def test_a_run_knows_the_workflow_that_its_name_was_generated_for(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    assert [one.workflow for one in (run, backend.get(run.name))] == ["test", "test"]
    finish(backend, run.name)
    assert backend.resubmit(run.name).workflow == "test"


def test_the_same_name_is_never_run_twice(backend: Backend) -> None:
    name = named()
    first = backend.submit(workflow(sh("a", "true"), name=name))
    with pytest.raises(AlreadyExists, match=name):
        backend.submit(workflow(sh("b", "true"), name=name))
    assert finish(backend, name).uid == first.uid


def test_a_workflow_whose_steps_succeed_succeeds(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true"), sh("b", "true", "a")))
    done = finish(backend, run.name)
    assert (done.phase, done.message) == (Phase.SUCCEEDED, "")
    assert [phase_of(done, task) for task in "ab"] == ["Succeeded", "Succeeded"]


def test_a_workflow_whose_step_fails_fails(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "exit 3"), sh("b", "true", "a")))
    done = finish(backend, run.name)
    assert done.phase is Phase.FAILED
    assert [phase_of(done, task) for task in "ab"] == ["Failed", "Omitted"]
    assert done.nodes[f"{run.name}.a"].outputs["exitCode"] == "3"


def test_an_ended_workflow_has_its_times_in_order(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    done = finish(backend, run.name)
    assert done.created_at
    assert done.started_at
    assert done.finished_at
    assert done.created_at <= done.started_at <= done.finished_at


def test_output_parameters_and_results_are_on_the_nodes(backend: Backend) -> None:
    left = sh("left", "echo 1 > /tmp/out", outputs=parameter("o", "/tmp/out"))
    sent = workflow(left, script("said", "print('two')"))
    # a result is kept where something refers to it
    source = {"name": "s", "valueFrom": {"parameter": "{{tasks.said.outputs.result}}"}}
    sent["spec"]["templates"][0]["outputs"] = {"parameters": [source]}
    run = backend.submit(sent)
    nodes = finish(backend, run.name).nodes
    assert nodes[f"{run.name}.left"].outputs["parameters"] == {"o": "1"}
    assert nodes[f"{run.name}.said"].outputs["result"] == "two"


def test_list_finds_by_label_the_newest_first_without_nodes(backend: Backend) -> None:
    label = {"test": uuid.uuid4().hex}
    names = [backend.submit(workflow(sh("a", "true"), labels=label)).name for _ in range(2)]
    backend.submit(workflow(sh("a", "true"), labels={"test": "other"}))
    for name in names:
        finish(backend, name)
    found = list(backend.list(label))
    assert {run.name for run in found} == set(names)
    assert [run.created_at for run in found] == sorted(
        (run.created_at for run in found if run.created_at), reverse=True
    )
    assert all(not run.nodes and label.items() <= run.labels.items() for run in found)


def test_a_run_and_its_listing_say_how_long_it_may_run(backend: Backend) -> None:
    label = {"test": uuid.uuid4().hex}
    limited = backend.submit(workflow(sh("a", "true"), labels=label, activeDeadlineSeconds=300))
    backend.submit(workflow(sh("a", "true"), labels=label))
    finish(backend, limited.name)

    assert backend.get(limited.name).active_deadline == 300
    assert {run.active_deadline for run in backend.list(label)} == {300, None}


def test_watch_begins_with_now_and_ends_with_the_end(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "sleep 0.3")))
    seen = list(backend.watch(run.name))
    assert all(not info.ended for info in seen[:-1])
    assert seen[-1].phase is Phase.SUCCEEDED


def test_watch_of_an_ended_one_answers_once(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    finish(backend, run.name)
    assert [info.phase for info in backend.watch(run.name)] == [Phase.SUCCEEDED]


def test_logs_are_the_lines_of_all_steps(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "echo one; echo two"), sh("b", "echo three", "a")))
    finish(backend, run.name)
    assert text_of(backend, run.name).splitlines() == ["one", "two", "three"]


def test_logs_of_one_node_are_its_own(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "echo one"), sh("b", "echo two", "a")))
    finish(backend, run.name)
    node = f"{run.name}.b"
    assert [line.text for line in backend.logs(run.name, node)] == ["two"]


def test_followed_logs_go_on_until_the_end(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "echo one; sleep 0.5; echo two")))
    lines = [line.text for line in backend.logs(run.name, follow=True)]
    assert lines == ["one", "two"]
    assert finish(backend, run.name).phase is Phase.SUCCEEDED


def test_stop_ends_the_steps_and_runs_the_exit_handler(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "sleep 60"), **HANDLER))
    wait_until(backend, run.name, lambda info: phase_of(info, "a") == "Running")
    backend.stop(run.name)
    done = finish(backend, run.name)
    assert (done.phase, done.shutdown) == (Phase.FAILED, "Stop")
    assert done.nodes[f"{run.name}.onExit"].phase is Phase.SUCCEEDED


def test_terminate_ends_it_without_the_exit_handler(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "sleep 60"), **HANDLER))
    wait_until(backend, run.name, lambda info: phase_of(info, "a") == "Running")
    backend.terminate(run.name)
    done = finish(backend, run.name)
    assert (done.phase, done.shutdown) == (Phase.FAILED, "Terminate")
    assert f"{run.name}.onExit" not in done.nodes


@pytest.mark.parametrize("action", ["stop", "terminate"])
def test_ending_an_ended_workflow_changes_nothing(backend: Backend, action: str) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    before = finish(backend, run.name)
    for _ in range(2):
        assert getattr(backend, action)(run.name).phase is Phase.SUCCEEDED
    assert backend.get(run.name) == before


def test_ending_twice_is_ending_once(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "sleep 60")))
    wait_until(backend, run.name, lambda info: phase_of(info, "a") == "Running")
    backend.stop(run.name)
    backend.stop(run.name)
    assert finish(backend, run.name).phase is Phase.FAILED


def test_a_suspended_workflow_starts_nothing_until_it_is_resumed(backend: Backend) -> None:
    run = backend.submit(workflow(pause("p"), sh("a", "sleep 0.5"), sh("b", "true", "a")))
    wait_until(backend, run.name, lambda info: phase_of(info, "a") == "Running")
    assert backend.suspend(run.name).suspended
    waiting = wait_until(backend, run.name, lambda info: phase_of(info, "a") == "Succeeded")
    assert phase_of(waiting, "b") in ("", "Pending")
    assert not waiting.ended
    assert not backend.resume(run.name).suspended
    wait_until(backend, run.name, lambda info: phase_of(info, "b") == "Succeeded")


@pytest.mark.parametrize("command", ["true", "false"])
def test_an_ended_workflow_is_neither_suspended_nor_resumed(backend: Backend, command: str) -> None:
    run = backend.submit(workflow(sh("a", command)))
    ended = finish(backend, run.name)
    for call in (backend.suspend, backend.resume, lambda name: backend.resume(name, f"{name}.a")):
        with pytest.raises(Rejected, match=rf"{run.name} has ended as {ended.phase}, so .* anew"):
            call(run.name)


def test_resume_goes_past_the_named_suspend_node_only(backend: Backend) -> None:
    run = backend.submit(workflow(pause("p"), pause("q"), sh("a", "true", "p && q")))
    wait_until(backend, run.name, lambda info: phase_of(info, "q") == "Running")
    backend.resume(run.name, f"{run.name}.p")
    half = wait_until(backend, run.name, lambda info: phase_of(info, "p") == "Succeeded")
    assert phase_of(half, "q") == "Running"
    backend.resume(run.name)
    assert finish(backend, run.name).phase is Phase.SUCCEEDED


def test_a_node_that_asks_goes_on_with_its_answers(backend: Backend) -> None:
    run = backend.submit(workflow(pause("p", ok=None, who="nobody")))
    name = f"{run.name}.p"
    waiting = wait_until(backend, run.name, lambda info: phase_of(info, "p") == "Running")
    assert waiting.nodes[name].asks == {"ok": None, "who": "nobody"}
    for node, answers in ((name, {"other": "1"}), (name, {"who": "me"}), (None, None)):
        with pytest.raises(Rejected):
            backend.resume(run.name, node, answers)
    backend.resume(run.name, name, {"ok": "yes"})
    done = finish(backend, run.name)
    assert (done.phase, done.nodes[name].asks) == (Phase.SUCCEEDED, {})
    assert done.nodes[name].outputs["parameters"] == {"ok": "yes", "who": "nobody"}


def test_retry_runs_what_failed_and_keeps_what_succeeded(backend: Backend) -> None:
    if backend.name == "kubernetes":
        pytest.skip("the Kubernetes API has no retry, which its backend says")
    run = backend.submit(workflow(sh("good", "true"), sh("bad", "exit 1", "good")))
    first = finish(backend, run.name)
    backend.retry(run.name)
    second = finish(backend, run.name)
    good, bad = f"{run.name}.good", f"{run.name}.bad"
    assert (second.uid, second.phase) == (run.uid, Phase.FAILED)
    assert second.nodes[good] == first.nodes[good]
    assert second.nodes[bad].finished_at != first.nodes[bad].finished_at


def test_a_workflow_that_succeeded_cannot_be_retried(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "true")))
    finish(backend, run.name)
    with pytest.raises(Rejected, match=r"retr(y|ied)"):
        backend.retry(run.name)


def test_resubmit_runs_all_of_it_under_a_new_name(backend: Backend) -> None:
    run = backend.submit(workflow(sh("a", "echo hello"), name=named()))
    finish(backend, run.name)
    again = backend.resubmit(run.name)
    assert (again.name != run.name, again.uid != run.uid) == (True, True)
    assert finish(backend, again.name).phase is Phase.SUCCEEDED
    assert text_of(backend, again.name) == "hello"


@pytest.mark.parametrize("text", ["true", "sleep 60"])
def test_a_deleted_workflow_is_forgotten(backend: Backend, text: str) -> None:
    run = backend.submit(workflow(sh("a", text)))
    wait_until(backend, run.name, lambda info: bool(phase_of(info, "a")))
    backend.delete(run.name)
    with pytest.raises(NotFound):
        backend.get(run.name)


def test_the_name_of_a_deleted_workflow_is_free_again(backend: Backend) -> None:
    name = named()
    backend.submit(workflow(sh("a", "echo old"), name=name))
    backend.delete(name)
    backend.submit(workflow(sh("a", "echo new"), name=name))
    finish(backend, name)
    assert text_of(backend, name) == "new"


# --- workflow templates


def template(name: str, text: str) -> dict[str, Any]:
    manifest = workflow(sh("a", text))
    return {**manifest, "kind": "WorkflowTemplate", "metadata": {"name": name}}


def test_a_workflow_runs_the_template_that_it_refers_to(backend: Backend) -> None:
    name = named()
    backend.apply_template(template(name, "echo old"))
    backend.apply_template(template(name, "echo new"))
    try:
        whole = workflow(sh("a", "true"))
        run = backend.submit({**whole, "spec": {"workflowTemplateRef": {"name": name}}})
        assert finish(backend, run.name).phase is Phase.SUCCEEDED
        assert "new" in text_of(backend, run.name)
    finally:
        backend.delete_template(name)
    with pytest.raises(NotFound, match=name):
        backend.get_template(name)
