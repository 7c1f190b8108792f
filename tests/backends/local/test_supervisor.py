"""Runs go on without their caller, survive the death of their supervisor, and leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.backends.local.values import Request
from couler_jobs.spec.status import Phase
from tests.backends.local.processes import gone, kill, pid_in, soon, supervised
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

ROOT = Path(__file__).parents[3]

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(100)
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
"""


@pytest.fixture
def store(local: LocalBackend, tmp_path: Path) -> Store:
    return Store(Home(tmp_path / "home").database)


# --- detached


def test_a_run_goes_on_when_its_caller_is_killed(local: LocalBackend, tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from couler_jobs.backends.local.client import LocalBackend
from tests.backends.workflows import sh, workflow
LocalBackend(Path({str(tmp_path / "home")!r})).submit(workflow(sh("a", "sleep 1"), name="alone"))
print("submitted", flush=True)
time.sleep(60)
"""
    caller = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    with caller:
        assert caller.stdout
        assert caller.stdout.readline() == b"submitted\n"
        os.killpg(caller.pid, signal.SIGKILL)
    assert finish(local, "alone").phase is Phase.SUCCEEDED


def test_the_supervisor_has_a_session_of_its_own_and_its_runs_folder(
    local: LocalBackend, store: Store, tmp_path: Path
) -> None:
    local.submit(workflow(sh("a", "sleep 60"), name="own"))
    run = supervised(store, "own")
    assert run.supervisor
    process = psutil.Process(run.supervisor.pid)
    assert os.getsid(process.pid) != os.getsid(0)
    assert process.cwd() == str(tmp_path / "home" / "runs" / run.uid)


def test_a_hang_up_does_not_end_it(local: LocalBackend, store: Store) -> None:
    local.submit(workflow(sh("a", "sleep 1"), name="on"))
    run = supervised(store, "on")
    assert run.supervisor
    assert run.guard
    os.kill(run.supervisor.pid, signal.SIGHUP)
    os.kill(run.guard.pid, signal.SIGHUP)
    assert finish(local, "on").phase is Phase.SUCCEEDED


def test_no_process_is_left_when_a_run_has_ended(local: LocalBackend, store: Store) -> None:
    local.submit(workflow(sh("a", "sleep 0.2"), name="short"))
    run = supervised(store, "short")
    finish(local, "short")
    assert run.supervisor
    assert run.guard
    assert soon(lambda: not (run.supervisor and run.supervisor.alive))
    assert soon(lambda: not (run.guard and run.guard.alive))


# --- killed


def test_a_killed_supervisor_costs_the_running_step_and_is_named(
    local: LocalBackend, store: Store
) -> None:
    local.submit(workflow(sh("a", "sleep 60"), name="hit"))
    wait_until(local, "hit", lambda info: phase_of(info, "a") == "Running")
    kill(supervised(store, "hit").supervisor)
    done = finish(local, "hit")
    assert phase_of(done, "a") == "Error"
    assert "supervisor" in done.nodes["hit.a"].message
    assert done.phase in (Phase.ERROR, Phase.FAILED)


def test_a_run_whose_supervisor_was_killed_goes_on_with_its_other_steps(
    local: LocalBackend, store: Store, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    tasks = (sh("a", f"echo x >> {count}"), pause("p", "a"), sh("b", f"echo x >> {count}", "p"))
    local.submit(workflow(*tasks, name="again"))
    wait_until(local, "again", lambda info: phase_of(info, "p") == "Running")
    before = supervised(store, "again").supervisor
    kill(before)
    assert soon(lambda: store.find("again").supervisor != before, 60)
    local.resume("again")
    assert finish(local, "again").phase is Phase.SUCCEEDED
    assert count.read_text(encoding="utf-8") == "x\nx\n"


def test_when_guard_and_supervisor_are_killed_whoever_looks_puts_it_right(
    local: LocalBackend, store: Store, tmp_path: Path
) -> None:
    marker = tmp_path / "pid"
    local.submit(workflow(sh("a", f"echo $$$$ > {marker}; exec sleep 60"), name="both"))
    step = pid_in(marker)
    run = supervised(store, "both")
    kill(run.guard, run.supervisor)
    done = finish(local, "both")
    assert gone(step)
    assert phase_of(done, "a") == "Error"
    assert "supervisor" in done.nodes["both.a"].message


@pytest.mark.parametrize("hidden", ["", "env -i "])
def test_a_daemon_of_a_step_dies_with_both_when_somebody_looks(
    local: LocalBackend, store: Store, tmp_path: Path, hidden: str
) -> None:
    marker = tmp_path / "pid"
    (tmp_path / "daemon.py").write_text(DAEMON + "\ntime.sleep(60)\n", encoding="utf-8")
    text = f"{hidden}{sys.executable} {tmp_path}/daemon.py {marker}"
    local.submit(workflow(sh("a", text), name="daemon"))
    daemon = pid_in(marker)
    run = supervised(store, "daemon")
    kill(run.guard, run.supervisor)
    finish(local, "daemon")
    assert soon(lambda: gone(daemon))


def test_a_run_that_kills_its_supervisor_every_time_ends_in_error(
    local: LocalBackend, store: Store
) -> None:
    local.submit(workflow(pause("p"), name="often"))
    for start in range(1, 7):
        assert soon(lambda n=start: store.find("often").starts >= n, 60)  # type: ignore[misc]
        run = store.find("often")
        if run.starts <= 5:
            kill(run.supervisor)
    done = finish(local, "often")
    assert done.phase is Phase.ERROR
    assert "5 times" in done.message


def test_a_supervisor_that_is_told_to_end_says_so(local: LocalBackend, store: Store) -> None:
    local.submit(workflow(sh("a", "sleep 60"), name="told"))
    wait_until(local, "told", lambda info: phase_of(info, "a") == "Running")
    run = supervised(store, "told")
    assert run.supervisor
    os.kill(run.supervisor.pid, signal.SIGTERM)
    done = finish(local, "told")
    assert done.phase is Phase.ERROR
    assert "SIGTERM" in done.message
    assert phase_of(done, "a") == "Error"


def test_a_restart_of_the_machine_is_told_apart(local: LocalBackend, store: Store) -> None:
    local.submit(workflow(pause("p"), name="boot"))
    wait_until(local, "boot", lambda info: phase_of(info, "p") == "Running")
    run = supervised(store, "boot")
    kill(run.guard, run.supervisor)
    with store._writer.begin() as connection:  # as it would be after a restart
        connection.exec_driver_sql(
            "UPDATE runs SET supervisor = json_set(supervisor, '$.boot', 'earlier'), "
            "guard = json_set(guard, '$.boot', 'earlier')"
        )
    done = local.get("boot")
    assert done.phase is Phase.ERROR
    assert "restarted" in done.message


# --- asked before it is there


def unsupervised(store: Store, tmp_path: Path) -> Path:
    """A stored run, named early, that nobody has started yet; its step leaves the file."""
    mark = tmp_path / "ran"
    manifest = workflow(sh("a", f"touch {mark}"), name="early")
    store.add(StoredRun(uid="early", name="early", created_at=time.time(), manifest=manifest))
    return mark


@pytest.mark.parametrize(("action", "shutdown"), [("stop", "Stop"), ("terminate", "Terminate")])
@pytest.mark.parametrize("noted", [True, False])  # the request alone must be enough
def test_a_run_that_is_ended_before_its_start_starts_no_step(
    local: LocalBackend, store: Store, tmp_path: Path, action: Any, shutdown: str, noted: bool
) -> None:
    mark = unsupervised(store, tmp_path)
    changes = {"shutdown": shutdown} if noted else {}
    store.ask("early", Request(action=action, at=time.time()), **changes)
    done = finish(local, "early")
    assert done.phase is Phase.FAILED
    assert not mark.exists()


def test_a_run_that_is_suspended_before_its_start_starts_no_step(
    local: LocalBackend, store: Store, tmp_path: Path
) -> None:
    mark = unsupervised(store, tmp_path)
    store.ask("early", Request(action="suspend", at=time.time()), suspended=True)
    local.get("early")
    assert soon(lambda: not store.requests("early"))
    assert not store.nodes("early")
    local.resume("early")
    assert finish(local, "early").phase is Phase.SUCCEEDED
    assert mark.exists()


def test_a_run_that_was_resumed_stays_so_when_its_supervisor_is_killed(
    local: LocalBackend, store: Store
) -> None:
    local.submit(workflow(pause("p"), sh("a", "true", "p"), name="going", suspend=True))
    local.resume("going")
    wait_until(local, "going", lambda info: phase_of(info, "p") == "Running")
    before = supervised(store, "going").supervisor
    kill(before)
    assert soon(lambda: store.find("going").supervisor != before)
    local.resume("going")
    assert finish(local, "going").phase is Phase.SUCCEEDED


def test_a_step_that_is_lost_while_its_run_is_suspended_is_told_once_it_goes_on(
    local: LocalBackend, store: Store
) -> None:
    local.submit(workflow(sh("a", "sleep 600"), name="lost"))
    wait_until(local, "lost", lambda info: phase_of(info, "a") == "Running")
    local.suspend("lost")
    assert soon(lambda: not store.requests(store.find("lost").uid))
    before = store.find("lost").supervisor
    kill(before)
    assert soon(lambda: store.find("lost").supervisor != before)
    local.resume("lost")
    assert phase_of(finish(local, "lost"), "a") == "Error"


# --- steps


def test_a_killed_step_fails_with_128_and_the_signal(local: LocalBackend, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    local.submit(workflow(sh("a", f"echo $$$$ > {marker}; exec sleep 60"), name="shot"))
    os.kill(pid_in(marker), signal.SIGKILL)
    done = finish(local, "shot")
    assert done.nodes["shot.a"].outputs["exitCode"] == "137"


def test_a_daemon_dies_soon_after_its_step_has_ended(local: LocalBackend, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    (tmp_path / "daemon.py").write_text(DAEMON, encoding="utf-8")
    tasks = (sh("a", f"python {tmp_path}/daemon.py {marker}"), pause("p", "a"))
    local.submit(workflow(*tasks, name="left"))
    wait_until(local, "left", lambda info: phase_of(info, "a") == "Succeeded")
    assert soon(lambda: gone(pid_in(marker)))
    assert not local.get("left").ended


def test_a_daemon_that_hides_its_origin_dies_soon_too(local: LocalBackend, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    (tmp_path / "daemon.py").write_text(DAEMON, encoding="utf-8")
    text = f"env -i {sys.executable} {tmp_path}/daemon.py {marker}"
    local.submit(workflow(sh("a", text), pause("p", "a"), name="hidden"))
    wait_until(local, "hidden", lambda info: phase_of(info, "a") == "Succeeded")
    assert soon(lambda: gone(pid_in(marker)))


def test_a_daemon_lives_while_its_own_step_runs(local: LocalBackend, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    (tmp_path / "daemon.py").write_text(DAEMON + "\ntime.sleep(60)\n", encoding="utf-8")
    tasks = (sh("a", f"python {tmp_path}/daemon.py {marker}"), sh("b", "true"))
    local.submit(workflow(*tasks, name="helper"))
    daemon = pid_in(marker)
    wait_until(local, "helper", lambda info: phase_of(info, "b") == "Succeeded")
    time.sleep(0.5)
    assert not gone(daemon)


def test_steps_have_a_clean_environment(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARGO_TOKEN", "JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.setenv(name, "canary-7f3a")
    run = local.submit(workflow(sh("a", "env")))
    finish(local, run.name)
    assert "canary-7f3a" not in text_of(local, run.name)
    assert "HOME=" in text_of(local, run.name)


def test_no_process_of_a_run_carries_the_callers_secrets(
    local: LocalBackend, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "canary-7f3a")
    marker = tmp_path / "pid"
    local.submit(workflow(sh("a", f"echo $$$$ > {marker}; exec sleep 60"), name="clean"))
    run = supervised(store, "clean")
    assert run.supervisor
    assert run.guard
    for pid in (run.supervisor.pid, run.guard.pid, pid_in(marker)):
        assert "canary-7f3a" not in Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")


def test_steps_find_the_callers_interpreter_first(local: LocalBackend) -> None:
    run = local.submit(workflow(script("a", "import sys; print(sys.executable)")))
    finish(local, run.name)
    assert Path(text_of(local, run.name)).parent == Path(sys.executable).parent


def test_parallel_steps_may_write_the_same_declared_path(local: LocalBackend) -> None:
    tasks = [
        sh(f"s{n}", f"echo {n} > /tmp/out; sleep 0.4", outputs=parameter("o", "/tmp/out"))
        for n in range(3)
    ]
    run = local.submit(workflow(*tasks))
    nodes = finish(local, run.name).nodes
    values = [nodes[f"{run.name}.s{n}"].outputs["parameters"]["o"] for n in range(3)]
    assert values == ["0", "1", "2"]
    assert not Path("/tmp/out").exists()


def test_two_hundred_parallel_steps_all_run_once(local: LocalBackend, tmp_path: Path) -> None:
    count = tmp_path / "count"
    run = local.submit(workflow(*(sh(f"s{n}", f"echo {n} >> {count}") for n in range(200))))
    assert finish(local, run.name, 120).phase is Phase.SUCCEEDED
    numbers = count.read_text(encoding="utf-8").split()
    assert sorted(map(int, numbers)) == list(range(200))


def test_no_more_steps_run_at_once_than_the_setting_says(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COULER_JOBS_STEPS_AT_ONCE", "2")
    log = tmp_path / "log"
    tasks = [sh(f"s{n}", f"echo + >> {log}; sleep 0.2; echo - >> {log}") for n in range(6)]
    run = local.submit(workflow(*tasks))
    finish(local, run.name)
    running = [0]
    for sign in log.read_text(encoding="utf-8").split():
        running.append(running[-1] + (1 if sign == "+" else -1))
    assert max(running) == 2


def test_a_senseless_setting_ends_the_run_with_a_sentence(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COULER_JOBS_STEPS_AT_ONCE", "many")
    run = local.submit(workflow(sh("a", "true")))
    done = finish(local, run.name)
    assert done.phase is Phase.ERROR
    assert "COULER_JOBS_STEPS_AT_ONCE is 'many'" in done.message
