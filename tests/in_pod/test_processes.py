from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from couler_jobs.in_pod import processes

TREE = """
import signal, subprocess, sys, time
if len(sys.argv) > 1: signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process of ours with a stubborn child that has a child."""
    source = (
        f"import subprocess, sys; subprocess.call([sys.executable, '-c', {TREE!r}, 'stubborn'])"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout
        assert it.stdout.readline() == "ready\n"
        yield it
        processes.end_all(it.pid, 0.1)
        it.kill()


def test_all_levels_below_a_process_are_found(parent: subprocess.Popen[str]) -> None:
    assert len(processes.below(parent.pid)) == 2


def test_ending_kills_what_does_not_terminate(parent: subprocess.Popen[str]) -> None:
    processes.end_all(parent.pid, 0.2)
    assert processes.below(parent.pid) == []


def test_a_frozen_process_is_noticed(parent: subprocess.Popen[str]) -> None:
    found = processes.below(parent.pid)
    before = processes.is_frozen(found)
    processes.send(found, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while not processes.is_frozen(found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (before, processes.is_frozen(found)) == (False, True)


def test_processor_time_counts_all(parent: subprocess.Popen[str]) -> None:
    found = processes.below(parent.pid)
    assert processes.cpu_seconds(found) >= processes.cpu_seconds(found[:1]) > 0


def test_a_process_that_is_gone_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    handle = psutil.Process(gone.pid)
    gone.communicate()
    processes.send([handle], signal.SIGTERM)
    assert processes.below(gone.pid) == []
    assert processes.cpu_seconds([handle]) == 0
    assert not processes.is_frozen([handle])
    assert processes._is_zombie(handle)
    processes.killed_first(gone.pid)


def test_signals_have_names() -> None:
    assert (processes.signal_name(9), processes.signal_name(99)) == ("SIGKILL", "signal 99")


LIMITS = [
    ({"memory.max": "1048576\n"}, 1048576),
    ({"memory.max": "max\n"}, None),
    ({"memory/memory.limit_in_bytes": "4096"}, 4096),
    ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("files", "limit"), LIMITS)
def test_the_memory_limit_is_the_containers(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert processes.memory_limit(tmp_path) == limit


IN_A_FORK = """
import os, sys, time
from couler_jobs.in_pod import processes
{body}
"""


def ran(body: str) -> subprocess.CompletedProcess[str]:
    source = IN_A_FORK.format(body=body)
    return subprocess.run(
        [sys.executable, "-c", source],
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_a_process_whose_parent_is_gone_ends_itself() -> None:
    assert ran(f"processes.die_with_parent({os.getpid()}); sys.exit(7)").returncode == 7
    assert ran("processes.die_with_parent(1); sys.exit(7)").returncode == 1


def test_an_orphan_comes_to_the_subreaper_and_is_reaped() -> None:
    body = """
processes.become_subreaper()
if os.fork() == 0:
    if os.fork() == 0: time.sleep(600)
    os._exit(0)
os.wait()
print(len(processes.below(os.getpid())))
processes.end_all(os.getpid(), 1)
processes.reap()
print(len(processes.psutil.Process().children(recursive=True)))
"""
    assert ran(body).stdout.split() == ["1", "0"]
