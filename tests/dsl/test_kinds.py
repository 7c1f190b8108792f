"""Steps that run no program: pauses, Kubernetes objects, requests, stored templates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.wire import decode
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import local, run_locally


@cj.step
def same(value: Any) -> Any:
    return value


# --- pauses


@pytest.mark.parametrize("target", TARGETS)
def test_a_pause_is_a_step_that_others_follow(target: str) -> None:
    @cj.workflow
    def flow() -> Any:
        approved = cj.suspend(answers={"who": "nobody", "why": None}, name="approve", after=same(1))
        same(2, after=cj.suspend("10m", after=approved))
        return same(approved["who"])

    manifest = compiled(flow, target)
    assert template(manifest, "approve") == {
        "name": "approve",
        "suspend": {},
        "outputs": {
            "parameters": [
                {"name": "who", "valueFrom": {"supplied": {}, "default": "nobody"}},
                {"name": "why", "valueFrom": {"supplied": {}}},
            ]
        },
    }
    assert template(manifest, "suspend") == {"name": "suspend", "suspend": {"duration": "600"}}
    assert task(manifest, "approve")["depends"] == "same"
    assert task(manifest, "suspend")["depends"] == "approve"
    assert task(manifest, "same-2")["depends"] == "suspend"
    assert task(manifest, "same-3")["depends"] == "approve"


def test_a_pause_of_some_time_ends_by_itself(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        return same(2, after=cj.suspend(1))

    assert run_locally(flow, tmp_path) == 2


def test_a_pause_waits_until_it_is_resumed(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        approved = cj.suspend(answers={"who": "nobody"}, name="approve")
        return same(approved["who"])

    backend = LocalBackend(tmp_path)
    run = cj.submit(local(flow.compile()), backend=backend)
    deadline = time.monotonic() + 60
    while not any(node.type == "Suspend" for node in backend.get(run.name).nodes.values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.resume("approve")
    run.wait(timeout=60)
    (found,) = backend.get(run.name).outputs["parameters"].values()
    assert decode(found) == "nobody"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"duration": "soon"}, "duration='soon': it is a number of seconds"),
        ({"answers": {"who": 5}}, "it is a text, or None"),
        ({"image": "x"}, "cj.suspend has no option 'image'"),
        ({"answers": {"who": None}}, "has no value of its own.*: who"),
    ],
)
def test_what_makes_no_sense_of_a_pause_is_refused(options: Any, words: str) -> None:
    @cj.workflow
    def flow() -> None:
        same(cj.suspend(**options))

    with pytest.raises(DeclarationError, match=words):
        flow.compile()
