"""`cj.container_set`: a step that runs several containers in one pod."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from tests.dsl.common_steps import same, table
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import parallel_steps, run_locally

MAIN: Any = {"image": "busybox", "command": "true"}


@pytest.mark.parametrize("target", TARGETS)
def test_containers_of_a_set_have_what_each_was_given(target: str) -> None:
    @cj.workflow
    def flow(day: str = "x") -> Any:
        date = cj.container("alpine:3", command="date", name="date")
        found = cj.container_set(
            {
                "load": {"image": "alpine", "command": ["load", date], "env": {"DAY": date}},
                "main": {"image": "busybox", "args": [date, "$(a)"], "after": "load", "cpu": 2},
            },
            mounts={"/work": cj.empty()},
            files={"/in": table()},
            outputs={"rows": "/work/rows"},
            retries=1,
        )
        same(found["rows"])
        return same(found)

    manifest = compiled(flow, target)
    found = template(manifest, "container-set")
    volume = found["volumes"][0]["name"]
    assert found["containerSet"] == {
        "containers": [
            {
                "name": "load",
                "image": "alpine",
                "command": ["load", "{{inputs.parameters.load-command-1}}"],
                "env": [{"name": "DAY", "value": "{{inputs.parameters.load-env-DAY}}"}],
            },
            {
                "name": "main",
                "image": "busybox",
                "args": ["{{inputs.parameters.main-args-0}}", "$$(a)"],
                "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}},
                "dependencies": ["load"],
            },
        ],
        "volumeMounts": [{"name": volume, "mountPath": "/work"}],
    }
    assert found["outputs"]["parameters"] == [{"name": "rows", "valueFrom": {"path": "/work/rows"}}]
    given = [task(manifest, name)["arguments"]["parameters"][0] for name in ("same", "same-2")]
    assert [one["value"] for one in given] == [
        "{{tasks.container-set.outputs.parameters.rows}}",
        "{{tasks.container-set.outputs.result}}",
    ]
    assert cj.lint(manifest, target) == []


@parallel_steps
def test_a_set_runs_on_this_machine_and_stands_for_what_main_prints(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        write = "open('/work/a', 'w').write(__import__('sys').argv[1])"
        found = cj.container_set(
            {
                "load": {
                    "image": "python:3.12",
                    "command": [sys.executable, "-c", write, same("5")],
                },
                "main": {
                    "image": "python:3.12",
                    "command": [sys.executable, "-c", "print(open('/work/a').read())"],
                    "after": ["load"],
                },
            },
            mounts={"/work": cj.empty()},
        )
        return same(found)

    assert run_locally(flow, tmp_path) == 5


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("options", "strategy"),
    [
        ({"container_retries": 2}, {"retries": "3"}),
        (
            {"container_retries": 1, "container_backoff": "1m"},
            {"retries": "2", "duration": "60s"},
        ),
    ],
)
def test_containers_of_a_set_are_tried_again_in_their_pod(
    options: Any, strategy: dict[str, str], target: str
) -> None:
    @cj.workflow
    def flow() -> None:
        cj.container_set({"main": MAIN}, mounts={"/work": cj.empty()}, **options)

    manifest = compiled(flow, target)
    found = template(manifest, "container-set")["containerSet"]
    assert (found["retryStrategy"], len(found["volumeMounts"])) == (strategy, 1)
    assert cj.lint(manifest, target) == []


@parallel_steps
def test_a_container_that_is_tried_again_may_succeed_here(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        text = "test -e /work/a && echo 5 || { touch /work/a; exit 1; }"
        main: Any = {"image": "busybox", "command": ["sh", "-c", text]}
        work = {"/work": cj.empty()}
        return same(cj.container_set({"main": main}, mounts=work, container_retries=1))

    assert run_locally(flow, tmp_path) == 5


@pytest.mark.parametrize(
    ("containers", "options", "words"),
    [
        ({"load": MAIN}, {}, "needs a container 'main'"),
        ({"main": {"command": "a"}}, {}, "The container main needs an image"),
        ({"main": {**MAIN, "after": "load"}, "load": MAIN}, {}, "main is after 'load', and no"),
        ({"main": {**MAIN, "after": ["main"]}}, {}, "main is after 'main', and no"),
        ({"main": {**MAIN, "mount": {}}}, {}, "The container main has no option 'mount'"),
        ({"main": MAIN}, {"image": "x"}, "cj.container_set has no option 'image'"),
        ({"main": MAIN}, {"container_retries": -1}, "container_retries=-1: it is a number"),
        ({"main": MAIN}, {"container_backoff": 1}, "give container_retries="),
        (
            {"main": MAIN},
            {"container_retries": 1, "container_backoff": {"duration": 1, "factor": 2}},
            "container_backoff=.*: it is a time",
        ),
    ],
)
def test_what_makes_no_sense_of_a_set_is_refused(containers: Any, options: Any, words: str) -> None:
    @cj.workflow
    def flow() -> None:
        cj.container_set(containers, **options)

    with pytest.raises(DeclarationError, match=words):
        flow.compile()
