"""`containerSet`: containers of one pod, in the order in which they depend on each other."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.container_set import NotStarted, Result, Set
from couler_jobs.backends.local.engine import reset_for_retry
from couler_jobs.backends.local.values import Container
from couler_jobs.errors import NotFound, Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.local.driving import RUN, Drive, dag, step, steps, workflow
from tests.backends.workflows import finish, wait_until

# --- the processes of a set


def container(name: str, text: str, *needs: str) -> Container:
    return Container(name=name, command=("sh", "-c", text), needs=needs)


def run(folder: Path, *containers: Container, **more: Any) -> Mapping[str, Result]:
    """How each container ended, once all have."""

    def start(one: Container) -> subprocess.Popen[bytes]:
        if one.command[-1] == "nothing":
            raise NotStarted("there is no such program")
        return subprocess.Popen(one.command, cwd=folder)

    told: dict[str, Result] = {}
    results = Set(containers, start, lambda name, result: told.update({name: result}), **more).run()
    assert told == results
    return results


def test_containers_run_after_those_that_they_depend_on(tmp_path: Path) -> None:
    results = run(
        tmp_path,
        container("c", "cat b; test $(cat b) = ab", "b"),
        container("b", 'echo "$(cat a)b" > b', "a"),
        container("a", "sleep 0.1; printf a > a"),
    )
    assert {name: result.code for name, result in results.items()} == {"a": 0, "b": 0, "c": 0}


def test_containers_that_do_not_depend_on_each_other_run_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits for the other one
    results = run(tmp_path, container("a", "echo hello > pipe"), container("b", "grep hello pipe"))
    assert [result.code for result in results.values()] == [0, 0]


def test_what_depends_on_a_container_that_failed_does_not_start(tmp_path: Path) -> None:
    results = run(
        tmp_path,
        container("a", "exit 3"),
        container("b", "touch b", "a"),
        container("c", "touch c", "b"),
        container("d", "touch d"),
    )
    assert results == {
        "a": Result(3),
        "b": Result(64, 'dependency "a" exited with non-zero code: 3'),
        "c": Result(64, 'dependency "b" exited with non-zero code: 64'),
        "d": Result(0),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize(("tries", "code"), [(3, 0), (2, 1), (1, 1), (0, 0)])
def test_a_container_is_tried_as_often_as_its_set_says(
    tmp_path: Path, tries: int, code: int
) -> None:
    third = container("a", "echo >> tried; test $(wc -l < tried) = 3")
    assert run(tmp_path, third, tries=tries)["a"] == Result(code)


def test_no_container_starts_once_its_set_is_stopped(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    results = run(tmp_path, container("a", "touch a"), container("b", "touch b"), stopped=stopped)
    assert set(results.values()) == {Result(64, "it was stopped before it was started")}
    assert not list(tmp_path.iterdir())


def test_a_container_that_a_signal_ended_has_its_number(tmp_path: Path) -> None:
    assert run(tmp_path, container("a", "kill -9 $$"))["a"] == Result(137)


def test_a_container_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    assert run(tmp_path, container("a", "nothing"))["a"] == Result(64, "there is no such program")


# --- its nodes


def of(name: str, *dependencies: str, **more: Any) -> dict[str, Any]:
    more = {"image": "x", "command": ["true"], **more}
    return {"name": name, **more} | ({"dependencies": [*dependencies]} if dependencies else {})


def set_of(*containers: dict[str, Any], **template: Any) -> dict[str, Any]:
    return {"name": "set", "containerSet": {"containers": [*containers]}, **template}


DIAMOND = set_of(of("a"), of("b", "a"), of("c", "a"), of("main", "b", "c"))


def test_each_container_is_a_node_below_those_that_it_depends_on() -> None:
    drive = Drive(workflow(dag(step("s", "set")), DIAMOND))
    children = {
        node.name.removeprefix(RUN): [drive.nodes_by_id()[c].display_name for c in node.children]
        for node in drive.nodes.values()
    }
    assert children == {
        "": ["s"],
        ".s": ["a"],
        ".s.a": ["b", "c"],
        ".s.b": ["main"],
        ".s.c": ["main"],
        ".s.main": [],
    }
    assert {n.type for n in drive.nodes.values()} == {"DAG", "Pod", "Container"}
    assert {n.boundary for n in drive.nodes.values() if n.type == "Container"} == {
        drive.nodes[f"{RUN}.s"].id
    }


def test_what_follows_a_set_hangs_on_its_last_containers() -> None:
    drive = Drive(workflow(dag(step("s", "set"), step("t", depends="s")), DIAMOND))
    drive.end(".s")
    (follower,) = [drive.nodes_by_id()[c].name for c in drive.nodes[f"{RUN}.s.main"].children]
    assert follower == f"{RUN}.t"


def test_containers_end_one_by_one() -> None:
    drive = Drive(workflow(dag(step("s", "set")), DIAMOND))
    drive.report(".s", container="a")
    assert drive.phases()[".s.a"] == "Succeeded"
    drive.report(".s", container="b", exit_code=2)
    drive.report(".s", container="c", exit_code=64, message="no such program")
    drive.end(".s", 2, container="b")
    assert drive.phases() == {
        "": "Failed",
        ".s": "Failed",
        ".s.a": "Succeeded",
        ".s.b": "Failed",
        ".s.c": "Error",
        ".s.main": "Failed",
    }
    assert drive.message(".s") == "b: Error (exit code 2)"
    assert drive.message(".s.c") == "c: Error (exit code 64): no such program"


def test_a_set_has_the_outputs_of_its_main_container() -> None:
    told = "{{steps.s.outputs.result}} {{steps.s.exitCode}}"
    drive = Drive(workflow(steps([step("s", "set")], [step("e", "echo", m=told)]), DIAMOND))
    (launch,) = drive.launched
    assert launch.wants_result
    drive.report("[0].s", container="main")
    drive.end("[0].s", result="found")
    assert drive.inputs("[1].e") == {"m": "found 0"}


def test_a_set_is_told_its_inputs_and_how_often_to_try() -> None:
    again = {"retries": "{{inputs.parameters.m}}", "duration": "2s"}
    containers = [of("main", args=["{{inputs.parameters.m}}"])]
    body = {"containers": containers, "retryStrategy": again}
    template = {"name": "set", "inputs": {"parameters": [{"name": "m"}]}, "containerSet": body}
    drive = Drive(workflow(steps([step("s", "set", m="3")]), template))
    (launch,) = drive.launched
    assert (launch.tries, launch.pause) == (3, 2.0)
    assert launch.containers[0].command == ("true", "3")


def test_a_retry_of_the_run_runs_a_failed_set_as_a_whole() -> None:
    manifest = workflow(dag(step("s", "set")), DIAMOND)
    drive = Drive(manifest)
    drive.report(".s", container="a")
    drive.end(".s", 1, container="b")
    again = Drive(manifest, reset_for_retry(manifest, drive.nodes.values()))
    assert again.started() == [".s"]
    assert again.phases()[".s.a"] == "Running"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (set_of(), r"containers must have at least one container"),
        (set_of(of("a"), of("a")), r"containers\[1\]\.name 'a' is not unique"),
        (set_of(of("a", "z")), r"containers\.a dependency 'z' not defined"),
        (set_of(of("a", "b"), of("b", "a")), r"dependency cycle detected: b->a->b"),
        (set_of(of("wait")), r'"wait" is a reserved Argo container name'),
        (
            set_of(of("a"), outputs={"artifacts": [{"name": "f", "path": "/f"}]}),
            r'must have a container named "main" for input or output',
        ),
        (
            {
                "name": "set",
                "containerSet": {
                    "containers": [of("a")],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}] * 2,
                },
            },
            r"volumeMounts\[1\]\.mountPath '/v' already mounted in volumeMounts\.v",
        ),
        (set_of({"name": "a", "image": "x"}), r"containers\[0\]\.command \(it is missing"),
    ],
)
def test_a_set_that_argo_refuses_is_refused(template: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        Drive(workflow(dag(step("s", "set")), template))


# --- whole runs

WORK = {"name": "work", "emptyDir": {}}


def manifest(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A set that shares `/work`; `after` prints what the set leaves."""
    mounts = [{"name": "work", "mountPath": "/work"}]
    body = {"containers": [*containers], "volumeMounts": mounts, **more}
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/work/p", "default": "none"}}]}
    text = "{{steps.s.outputs.result}}, {{steps.s.outputs.parameters.p}}"
    given = {"parameters": [{"name": "m", "value": text}]}
    templates = [
        {
            "name": "main",
            "steps": [
                [{"name": "s", "template": "set"}],
                [{"name": "after", "template": "after", "arguments": given}],
            ],
        },
        {"name": "set", "volumes": [WORK], "containerSet": body, "outputs": outputs},
        {
            "name": "after",
            "inputs": {"parameters": [{"name": "m"}]},
            "container": {"image": "x", "command": ["echo", "{{inputs.parameters.m}}"]},
        },
    ]
    spec = {"entrypoint": "main", "templates": templates}
    return {"kind": "Workflow", "metadata": {"generateName": "set-"}, "spec": spec}


def sh(name: str, text: str, *dependencies: str) -> dict[str, Any]:
    return of(name, *dependencies, command=["sh", "-c", text])


def logs(local: LocalBackend, run: RunInfo, node: str = "") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in local.logs(run.name, f"{run.name}{node}" if node else None):
        found.setdefault(line.node.removeprefix(run.name), []).append(line.text)
    return found


def test_containers_share_their_volumes_and_main_leaves_the_outputs(local: LocalBackend) -> None:
    first = sh("first", "echo one > /work/first; echo from first")
    main = sh("main", "cp /work/first /work/p; echo two", "first")
    run = finish(local, local.submit(manifest(first, main)).name)
    assert run.phase is Phase.SUCCEEDED, run
    assert logs(local, run) == {
        "[0].s": ["two"],
        "[0].s.first": ["from first"],
        "[1].after": ["two, one"],
    }


def test_each_container_has_a_log_of_its_own(local: LocalBackend) -> None:
    run = finish(local, local.submit(manifest(sh("a", "echo a"), sh("main", "echo m"))).name)
    assert logs(local, run, "[0].s.a") == {"[0].s.a": ["a"]}
    assert logs(local, run, "[0].s.main") == {"[0].s.main": ["m"]}
    assert logs(local, run, "[0].s") == {"[0].s": ["m"], "[0].s.a": ["a"]}
    with pytest.raises(NotFound):
        logs(local, run, "[0].s.z")


def test_a_set_fails_with_the_first_of_its_failed_containers(local: LocalBackend) -> None:
    a, main = sh("a", "exit 3"), sh("main", "true", "a")
    run = finish(local, local.submit(manifest(a, main, sh("b", "sleep 0.2"))).name)
    told = {n.display_name: (n.phase, n.message) for n in run.nodes.values()}
    assert told["s"] == (Phase.FAILED, "a: Error (exit code 3)")
    assert told["b"] == (Phase.SUCCEEDED, "")
    assert told["main"] == (
        Phase.ERROR,
        'main: Error (exit code 64): dependency "a" exited with non-zero code: 3',
    )


def test_a_set_is_tried_in_its_own_pod(local: LocalBackend) -> None:
    again = sh("a", "test -e /work/tried || { touch /work/tried; exit 1; }")
    sent = manifest(again, sh("main", "true", "a"), retryStrategy={"retries": 2})
    assert finish(local, local.submit(sent).name).phase is Phase.SUCCEEDED


def test_a_stop_ends_every_container_of_a_set(local: LocalBackend, tmp_path: Path) -> None:
    wait = f"touch {tmp_path}/here; sleep 600"
    name = local.submit(manifest(sh("a", wait), sh("main", "sleep 600", "a"))).name
    wait_until(local, name, lambda run: (tmp_path / "here").exists())
    local.stop(name)
    run = finish(local, name)
    ended = {node.display_name: node.phase for node in run.nodes.values()}
    assert (run.phase, ended["a"], ended["main"]) == (Phase.FAILED, Phase.FAILED, Phase.ERROR)
