"""All steps of one run: those that wait, those that have no room, those that may not meet.

Each test has a process of its own: the steps' keeper ends every child that it does not know.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from couler_jobs.backends.local.steps import limit_from
from couler_jobs.errors import ConfigError

BEFORE = """
import os, resource, sys, time
from pathlib import Path
from couler_jobs.backends.local import kernel, private, steps
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.values import Launch, OutputFile

kernel.adopt_orphans()

def launch(node, *command, **more):
    return Launch(node=node, template="t", command=command or ("true",), **more)

def make(limit=4):
    return steps.Steps(RunFolder(Path(sys.argv[1])), "uid", limit)

def all_of(keeper, count):
    found = []
    while len(found) < count:
        found += keeper.wait(time.time() + 20)
    return {ended.node: ended for ended in found}

"""


def apart(tmp_path: Path, program: str) -> list[str]:
    """What the program prints."""
    answer = subprocess.run(
        [sys.executable, "-c", BEFORE + program, str(tmp_path / "run")],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return answer.stdout.splitlines()


def test_steps_beyond_the_limit_wait_for_room(tmp_path: Path) -> None:
    program = """
keeper = make(limit=1)
keeper.launch([launch(str(n), "sleep", "0.1") for n in range(3)])
began = time.time()
all_of(keeper, 3)
print(time.time() - began > 0.3)
"""
    assert apart(tmp_path, program) == ["True"]


def test_a_step_that_waits_never_starts_once_it_is_to_end(tmp_path: Path) -> None:
    program = """
keeper = make(limit=1)
keeper.launch([launch("a", "sleep", "60"), launch("b")])
keeper.wait(time.time() + 0.1)
keeper.kill(["b", "a", "nobody"])
ended = all_of(keeper, 2)
print(ended["b"].exit_code, ended["b"].error)
print(ended["a"].exit_code)
"""
    assert apart(tmp_path, program) == ["None The step was stopped before it was started.", "143"]


def test_a_step_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    program = """
keeper = make()
deaf = "trap '' TERM; echo > " + sys.argv[1] + ".ready; while :; do sleep 0.05; done"
keeper.launch([launch("a", "sh", "-c", deaf, grace=0.5)])
while not os.path.exists(sys.argv[1] + ".ready"):
    keeper.wait(time.time() + 0.05)
began = time.time()
keeper.kill(["a"])
print(all_of(keeper, 1)["a"].exit_code, 0.4 < time.time() - began < 5)
"""
    assert apart(tmp_path, program) == ["137 True"]


def test_a_machine_without_room_is_waited_for(tmp_path: Path) -> None:
    program = """
keeper = make()
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), before[1]))
keeper.launch([launch("a")])
print(keeper.wait(time.time() + 0.3))
resource.setrlimit(resource.RLIMIT_NOFILE, before)
print(all_of(keeper, 1)["a"].exit_code)
"""
    assert apart(tmp_path, program) == ["[]", "0"]


def test_a_machine_that_never_has_room_is_named(tmp_path: Path) -> None:
    program = """
steps._LONGEST_PAUSE = 0.01
keeper = make()
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), before[1]))
keeper.launch([launch("a")])
ended = all_of(keeper, 1)["a"]
print(ended.exit_code, ended.error)
"""
    [line] = apart(tmp_path, program)
    assert line.startswith("None The step could not be started, 10 times in a row: Too many open")
    assert line.endswith("The machine is out of processes, memory or open files.")


def test_a_command_that_is_not_found_ends_the_step_at_once(tmp_path: Path) -> None:
    program = """
keeper = make()
keeper.launch([launch("a", "/no/such")])
ended = all_of(keeper, 1)["a"]
print(ended.exit_code, ended.error)
"""
    [line] = apart(tmp_path, program)
    assert line.startswith("64 failed to find name in PATH")


def test_where_no_step_can_have_files_of_its_own_a_clash_names_both(tmp_path: Path) -> None:
    program = """
private.possible = lambda: False  # as on a kernel without namespaces
keeper = make()
path = sys.argv[1] + ".out"
files = (OutputFile(name="o", path=path),)
work = ("sh", "-c", f"sleep 0.2; echo x > {path}")
keeper.launch([launch("first", *work, output_parameters=files),
               launch("second", *work, output_parameters=files)])
ended = all_of(keeper, 2)
print(ended["first"].parameters)
print(ended["second"].error)
"""
    first, second = apart(tmp_path, program)
    assert first == "{'o': 'x'}"
    assert second.startswith("second and first run at the same time and both declare ")


def test_ending_all_leaves_no_process(tmp_path: Path) -> None:
    program = """
keeper = make()
keeper.launch([launch("a", "sh", "-c", "setsid sleep 60 & sleep 60"), launch("b", "sleep", "60")])
keeper.wait(time.time() + 0.3)
keeper.end_all()
keeper.close()
print(steps.children())
"""
    assert apart(tmp_path, program) == ["[]"]


@pytest.mark.parametrize("value", [None, ""])
def test_the_limit_follows_the_cores(value: str | None) -> None:
    assert limit_from(value) >= 4


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", " "])
def test_a_limit_that_is_no_count_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        limit_from(value)


def test_a_limit_that_is_set_is_taken() -> None:
    assert limit_from("3") == 3
