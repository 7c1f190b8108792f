"""The process that starts runs on schedule, with the machine's own clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from couler_jobs.backends.local import daemon
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.errors import Unavailable
from couler_jobs.spec.status import CRON_LABEL, Phase
from tests.backends.local.test_ticking import cron

FAST = "@every 1s"


@pytest.fixture
def ticking(local: LocalBackend) -> Iterator[LocalBackend]:
    yield local
    daemon.stop(local.home)
    for found in local.crons.all():
        local.delete_cron(found.name)


def soon(so: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := so()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def runs(backend: LocalBackend) -> list[str]:
    return [run.name for run in backend.list({CRON_LABEL: "every-minute"})]


def test_applying_a_cron_workflow_makes_it_tick(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron(schedules=[FAST]))
    first = soon(lambda: runs(ticking))[0]
    soon(lambda: ticking.get(first).ended)
    assert ticking.get(first).phase is Phase.SUCCEEDED


def test_a_second_daemon_ends_at_once_and_well(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron())
    first = soon(lambda: daemon.running(ticking.home))
    assert daemon.serve(ticking.home.root) == 0
    assert daemon.running(ticking.home) == first


def test_a_killed_daemon_is_started_again_by_whoever_looks(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron())
    first = soon(lambda: daemon.running(ticking.home))
    os.kill(first.pid, signal.SIGKILL)
    soon(lambda: not first.alive)
    ticking.get_cron("every-minute")
    assert soon(lambda: daemon.running(ticking.home)) != first


def test_the_daemon_ends_with_the_last_cron_workflow(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron())
    first = soon(lambda: daemon.running(ticking.home))
    ticking.delete_cron("every-minute")
    soon(lambda: not first.alive)


def test_a_cron_workflow_made_while_the_daemon_leaves_is_served(ticking: LocalBackend) -> None:
    assert daemon._serve_alone(ticking, Event(), forever=False)
    assert daemon.running(ticking.home) is None  # so who applies now starts another one
    assert not daemon._counted_on(ticking)
    ticking.crons.apply(cron(suspend=True), time.time())
    assert daemon._counted_on(ticking)


def test_a_daemon_whose_state_folder_is_gone_ends(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron(suspend=True))
    found = soon(lambda: daemon.running(ticking.home))
    away = ticking.home.root.rename(ticking.home.root.with_name("away"))
    soon(lambda: not found.alive)
    away.rename(ticking.home.root)


def test_a_look_that_fails_as_a_whole_does_not_end_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = LocalBackend(tmp_path / "home")
    backend.home.database.write_bytes(b"not a database" * 100)
    assert daemon._look(backend, {}) == daemon.AFTER_AN_ERROR
    assert "Looking again in a while: Unavailable" in caplog.text


def test_a_daemon_that_cannot_be_started_is_an_error_for_who_applies_alone(
    ticking: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking.crons.apply(cron(), time.time())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ticking.get_cron("every-minute").name == "every-minute"
    with pytest.raises(Unavailable, match=r"could not be started.*cron\.log"):
        ticking.apply_cron(cron())


def test_a_suspended_cron_workflow_starts_nothing(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron(schedules=[FAST], suspend=True))
    soon(lambda: daemon.running(ticking.home))
    soon(lambda: ticking.crons.find("every-minute").last_tick)  # it looked, and let a tick pass
    assert runs(ticking) == []


def test_a_resumed_cron_workflow_ticks_again(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron(schedules=[FAST], suspend=True))
    assert not ticking.resume_cron("every-minute").suspended
    soon(lambda: runs(ticking))


def test_a_triggered_run_starts_also_while_suspended(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron(suspend=True))
    run = ticking.trigger_cron("every-minute")
    assert run.labels[CRON_LABEL] == "every-minute"
    soon(lambda: ticking.get(run.name).ended)


def test_labels_choose_cron_workflows(ticking: LocalBackend) -> None:
    ticking.apply_cron(cron("one"))
    assert [found.name for found in ticking.list_crons({"team": "a"})] == ["one"]
    assert list(ticking.list_crons({"team": "b"})) == []


def test_stopping_the_daemon_says_whether_one_ran(ticking: LocalBackend) -> None:
    assert not daemon.stop(ticking.home)
    ticking.apply_cron(cron())
    soon(lambda: daemon.running(ticking.home))
    assert daemon.stop(ticking.home)
    assert daemon.running(ticking.home) is None


def test_no_token_of_the_callers_reaches_the_daemon(
    ticking: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "canary-token")
    ticking.apply_cron(cron())
    found = soon(lambda: daemon.running(ticking.home))
    with open(f"/proc/{found.pid}/environ", "rb") as environ:
        assert b"canary-token" not in environ.read()


def test_it_serves_in_the_foreground_until_it_is_told_to_end(ticking: LocalBackend) -> None:
    program = (
        "import sys; from pathlib import Path; from couler_jobs.backends.local import daemon; "
        "sys.exit(daemon.serve(Path(sys.argv[1]), forever=True))"
    )
    root = str(ticking.home.root)
    with subprocess.Popen([sys.executable, "-c", program, root]) as process:
        soon(lambda: daemon.running(ticking.home))
        process.terminate()
        assert process.wait(timeout=20) == 0
