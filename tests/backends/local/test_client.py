"""What the local backend does beyond the contract: its folders, its logs, its refusals."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.store import Store
from couler_jobs.errors import AlreadyExists, ConfigError, NotFound, Rejected, Unavailable
from couler_jobs.spec.status import Phase
from tests.backends.workflows import (
    finish,
    pause,
    phase_of,
    script,
    sh,
    text_of,
    wait_until,
    workflow,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_submission_is_answered_at_once(local: LocalBackend) -> None:
    local.lint(workflow(sh("a", "true")))  # what is imported late is there then
    began = time.monotonic()
    local.submit(workflow(sh("a", "sleep 5")))
    assert time.monotonic() - began < 2  # 0.1 s on an idle machine


def test_of_many_threads_that_submit_one_name_one_wins(local: LocalBackend) -> None:
    def submit(_: int) -> bool:
        try:
            local.submit(workflow(sh("a", "true"), name="same"))
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(submit, range(4))) == 1
    assert finish(local, "same").phase is Phase.SUCCEEDED


def test_it_says_that_images_are_not_used(
    local: LocalBackend, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "couler_jobs"):
        run = local.submit(workflow(sh("a", "true")))
    [record] = [record for record in caplog.records if "images are not used" in record.message]
    assert record.message.startswith(run.name)


@pytest.mark.parametrize("kind", ["CronWorkflow", "WorkflowTemplate", None])
def test_only_a_workflow_can_be_submitted(local: LocalBackend, kind: str | None) -> None:
    with pytest.raises(Rejected, match="not a Workflow"):
        local.submit({**workflow(sh("a", "true"), name="other"), "kind": kind})
    with pytest.raises(NotFound):
        local.get("other")


@pytest.mark.parametrize(
    "body",
    [
        {"plugin": {"hello": {}}},
        {"resource": {"action": "get", "manifest": "kind: ConfigMap"}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_template_that_needs_a_cluster_is_refused_by_its_path_and_nothing_is_stored(
    local: LocalBackend, body: dict[str, Any]
) -> None:
    path = rf"spec\.templates\[1\]\.{next(iter(body))}\. Leave that out, or run it on Argo"
    with pytest.raises(Rejected, match=path):
        local.submit(workflow({"name": "a", "depends": "", "template": body}))
    assert list(local.list()) == []


def test_an_illegal_name_is_refused_before_anything_exists(local: LocalBackend) -> None:
    with pytest.raises(Rejected, match="Not_legal"):
        local.submit(workflow(sh("a", "true"), name="Not_legal"))
    assert list(local.list()) == []


def test_the_manifest_is_not_changed_by_submitting_it(local: LocalBackend) -> None:
    manifest = workflow(sh("a", "true"))
    local.submit(manifest)
    assert manifest == workflow(sh("a", "true"))


def test_a_state_folder_that_cannot_be_used_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="COULER_JOBS_HOME"):
        LocalBackend(tmp_path / "file")


def test_a_run_that_could_not_be_started_never_was(local: LocalBackend, home: Home) -> None:
    (home.root / "runs").rmdir()
    (home.root / "runs").write_text("", encoding="utf-8")
    with pytest.raises(Unavailable, match="supervisor could not be started"):
        local.submit(workflow(sh("a", "true"), name="none"))
    with pytest.raises(NotFound):
        local.get("none")


def test_parameters_and_labels_are_on_the_run(local: LocalBackend) -> None:
    arguments = {"parameters": [{"name": "day", "value": "é '\"{}"}]}
    labels = {"owner": "me"}
    run = local.submit(workflow(sh("a", "true"), arguments=arguments, labels=labels))
    assert run.parameters == {"day": "é '\"{}"}
    assert run.labels == labels
    assert run.namespace == "local"


def test_texts_travel_unharmed_through_manifest_process_and_log(local: LocalBackend) -> None:
    text = "é 😀 ' \" \\ $HOME `id` $(id) \t end"
    task = script("a", f"print({text!r})")
    run = local.submit(workflow(task))
    finish(local, run.name)
    assert text_of(local, run.name) == text


def test_logs_of_parallel_steps_are_followed_together(local: LocalBackend) -> None:
    tasks = [sh(n, f"for i in 1 2; do echo {n}$i; sleep 0.3; done; printf last{n}") for n in "ab"]
    run = local.submit(workflow(*tasks))
    began = time.monotonic()
    seen = [
        (line.node, line.text, time.monotonic() - began)
        for line in local.logs(run.name, follow=True)
    ]
    for n in "ab":
        own = [text for node, text, _ in seen if node == f"{run.name}.{n}"]
        assert own == [f"{n}1", f"{n}2", f"last{n}"]
    assert seen[-1][2] - seen[0][2] > 0.25  # they came while the steps ran


def test_logs_of_a_node_that_is_not_there_are_not_found(local: LocalBackend) -> None:
    run = local.submit(workflow(sh("a", "true")))
    finish(local, run.name)
    for follow in (False, True):
        with pytest.raises(NotFound, match="no node named nothing"):
            list(local.logs(run.name, "nothing", follow=follow))


def test_only_a_suspend_node_can_be_resumed_by_name(local: LocalBackend) -> None:
    run = local.submit(workflow(sh("a", "true"), pause("p", "a")))
    wait_until(local, run.name, lambda info: phase_of(info, "p") == "Running")
    for node in (f"{run.name}.a", "nothing"):
        with pytest.raises(NotFound, match="no suspend node"):
            local.resume(run.name, node)


def test_a_stop_before_the_supervisor_is_there_counts(local: LocalBackend) -> None:
    run = local.submit(workflow(sh("a", "sleep 60")))
    assert local.stop(run.name).shutdown == "Stop"
    assert finish(local, run.name).phase is Phase.FAILED


def test_a_retry_runs_a_failed_step_in_a_fresh_folder(local: LocalBackend, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    text = f"ls; touch left; echo tried; test -e {flag}"
    run = local.submit(workflow(sh("good", "echo good"), sh("bad", text, "good")))
    assert finish(local, run.name).phase is Phase.FAILED
    flag.touch()
    local.retry(run.name)
    assert finish(local, run.name).phase is Phase.SUCCEEDED
    assert text_of(local, run.name).splitlines() == ["good", "tried"]


def test_a_running_workflow_cannot_be_retried(local: LocalBackend) -> None:
    run = local.submit(workflow(pause("p")))
    with pytest.raises(Rejected, match="only a workflow that failed"):
        local.retry(run.name)


def test_a_deleted_run_leaves_no_file(local: LocalBackend, home: Home) -> None:
    run = local.submit(workflow(sh("a", "sleep 60")))
    wait_until(local, run.name, lambda info: phase_of(info, "a") == "Running")
    local.delete(run.name)
    assert not home.run(run.uid).root.exists()
    with pytest.raises(NotFound):
        Store(home.database).by_uid(run.uid)


def test_watching_a_run_that_is_deleted_ends_with_not_found(local: LocalBackend) -> None:
    run = local.submit(workflow(pause("p")))
    watched = local.watch(run.name)
    next(watched)
    local.delete(run.name)
    with pytest.raises(NotFound):
        list(watched)


def test_two_backends_over_one_folder_see_the_same_runs(local: LocalBackend, home: Home) -> None:
    run = local.submit(workflow(sh("a", "true")))
    assert finish(LocalBackend(home.root), run.name) == local.get(run.name)


def test_a_supervisor_that_never_came_up_is_replaced(
    local: LocalBackend, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts with that
    with pytest.raises(Unavailable, match=r"supervisor\.log says why"):
        local.submit(workflow(sh("a", "true"), name="lost"))
    monkeypatch.delenv("PYTHONHOME")
    assert local.submit(workflow(sh("a", "true"), name="lost")).name == "lost"


def test_a_run_whose_start_was_lost_is_started_by_whoever_looks(
    local: LocalBackend, home: Home
) -> None:
    from couler_jobs.backends.local.stored import StoredRun

    manifest = workflow(sh("a", "true"), name="lost")
    store = Store(home.database)
    store.add(StoredRun(uid="u", name="lost", created_at=1.0, manifest=manifest))
    assert finish(local, "lost").phase is Phase.SUCCEEDED


def test_the_state_folder_is_closed_to_others(local: LocalBackend, home: Home) -> None:
    assert home.root.stat().st_mode & 0o077 == 0
    assert os.listdir(home.root)
