"""The program that carries out a step of more than one process, without a run around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.pod_plan import Plan
from couler_jobs.backends.local.told import told
from couler_jobs.backends.local.values import Container, Probe
from tests.backends.local.processes import gone, pid_in

ROOT = Path(__file__).parents[3]
PATIENCE = 30  # seconds
QUICKLY = """
import sys
from couler_jobs.backends.local import pod
pod._GRACE = 0.3
sys.exit(pod.main(sys.argv[1:]))
"""


def container(name: str, *command: str, **more: Any) -> Container:
    return Container(name=name, command=command, **more)


def sh(name: str, text: str) -> Container:
    return container(name, "sh", "-c", text)


def begin(folder: Path, *containers: Container, **more: Any) -> subprocess.Popen[bytes]:
    plan = Plan(
        home=str(folder),
        cwd=str(folder),
        environ={"PATH": os.environ["PATH"]},
        containers=containers,
        **more,
    )
    plan.write(folder / "plan.json")
    return subprocess.Popen(
        [sys.executable, "-c", QUICKLY, str(folder / "plan.json")],
        cwd=ROOT,
        pass_fds=[plan.reports] if plan.reports is not None else [],
        stderr=subprocess.DEVNULL,
    )


def done(folder: Path, *containers: Container, **more: Any) -> dict[str, Any]:
    """What it leaves about its end."""
    process = begin(folder, *containers, **more)
    try:
        process.wait(PATIENCE)
    finally:
        process.kill()
    return told(folder) or {}


# --- a daemon that cannot get ready


def asked(check: dict[str, Any], container: str = "main", failures: int = 2) -> dict[str, Any]:
    probe = Probe(container=container, check=check, startup=True, period=0.05, failures=failures)
    return {"daemon": True, "probes": (probe,)}


def test_a_daemon_whose_startup_probe_fails_says_so(tmp_path: Path) -> None:
    ended = done(tmp_path, sh("main", "exec sleep 600"), **asked({"exec": {"command": ["false"]}}))
    assert (ended["container"], ended["exit_code"]) == ("main", 143)
    assert ended["error"] == "its startupProbe failed 2 times in a row"


def test_a_daemon_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = sh("main", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done")
    probe = asked({"exec": {"command": ["test", "!", "-e", "pid"]}})
    ended = done(tmp_path, deaf, **probe)
    assert ended["exit_code"] == 137
    assert gone(pid_in(tmp_path / "pid"))


def test_a_sidecar_that_never_comes_up_ends_its_daemon(tmp_path: Path) -> None:
    side = sh("side", "exec sleep 600")
    probe = asked({"exec": {"command": ["false"]}}, "side")
    ended = done(tmp_path, sh("main", "exec sleep 600"), sidecars=(side,), **probe)
    assert (ended["container"], ended["exit_code"]) == ("side", 143)


def test_a_daemon_that_cannot_be_asked_at_all_has_failed(tmp_path: Path) -> None:
    ended = done(tmp_path, sh("main", "exec sleep 600"), **asked({"unknown": {}}))
    assert ended["exit_code"] == 143
    assert ended["error"].startswith("it could not be asked whether it is ready: KeyError(")


# --- containers of a set


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (container("b", "echo", "a\0b"), "it could not be started: embedded null byte"),
        (container("b", "echo", env={"A": "a\0b"}), "it could not be started: embedded null byte"),
        (container("no/folder", "true"), "its log could not be opened: [Errno 2] No such file"),
    ],
)
def test_a_container_that_cannot_be_started_is_an_error_and_the_others_go_on(
    tmp_path: Path, broken: Container, words: str
) -> None:
    ended = done(tmp_path, broken, sh("main", "sleep 0.2; touch here"), is_set=True)
    assert (ended["container"], ended["exit_code"]) == (broken.name, 64)
    assert ended["error"].startswith(words)
    assert (tmp_path / "here").exists()


def test_long_messages_of_many_containers_do_not_mix(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    many = [container(f"c{number}", chr(228) * 100_000) for number in range(16)]
    process = begin(tmp_path, *many, is_set=True, reports=writing)
    os.close(writing)
    time.sleep(1)  # all of them want to tell something, and the pipe is full
    with open(reading, "rb") as pipe:
        lines = [json.loads(line) for line in pipe]
    process.wait(PATIENCE)
    assert {line["container"] for line in lines} == {one.name for one in many}
    assert {len(line["message"]) for line in lines} == {2_000}
