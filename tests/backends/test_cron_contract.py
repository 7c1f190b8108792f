"""What `backends/base.py` promises about cron workflows, kept by every backend."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.base import Backend
from couler_jobs.backends.local import daemon
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.errors import NotFound, Rejected
from couler_jobs.spec.status import CRON_LABEL
from couler_jobs.submission import target_of
from tests.backends.workflows import finish, sh, workflow

MARK = "couler-jobs-contract"
UNKNOWN: list[Callable[[Backend], Any]] = [
    lambda backend: backend.get_cron("nobody"),
    lambda backend: backend.suspend_cron("nobody"),
    lambda backend: backend.resume_cron("nobody"),
    lambda backend: backend.delete_cron("nobody"),
    lambda backend: backend.trigger_cron("nobody"),
]


@pytest.fixture
def place(backend: Backend) -> Iterator[Backend]:
    """Every backend in turn; the cron workflows of a test are deleted at its end."""
    yield backend
    for cron in list(backend.list_crons()):
        if MARK in cron.labels:
            with contextlib.suppress(NotFound):
                backend.delete_cron(cron.name)
    if isinstance(backend, LocalBackend):
        daemon.stop(backend.home)


def cron(place: Backend, name: str = "", line: str = "0 0 1 1 *", **spec: Any) -> dict[str, Any]:
    """By default one that does not fire while a test runs."""
    lines = {"schedule": line} if target_of(place) == "3.5" else {"schedules": [line]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": name or named(), "labels": {MARK: "yes"}},
        "spec": {**lines, "workflowSpec": workflow(sh("a", "true"))["spec"], **spec},
    }


def named() -> str:
    return f"contract-{uuid.uuid4().hex[:12]}"


def runs_of(place: Backend, name: str) -> list[str]:
    return [run.name for run in place.list({CRON_LABEL: name})]


def some(ask: Callable[[], list[str]], seconds: float = 60) -> list[str]:
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "nothing came about"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("call", UNKNOWN)
def test_an_unknown_name_is_not_found(place: Backend, call: Callable[[Backend], Any]) -> None:
    with pytest.raises(NotFound, match="nobody"):
        call(place)


def test_what_was_applied_is_found_by_its_name(place: Backend) -> None:
    made = place.apply_cron(cron(place, line="30 2 * * *", timezone="Europe/Paris"))
    found = place.get_cron(made.name)
    assert (found.uid, found.schedules, found.timezone, found.suspended) == (
        made.uid,
        ("30 2 * * *",),
        "Europe/Paris",
        False,
    )


def test_applying_the_same_again_makes_no_second_one(place: Backend) -> None:
    manifest = cron(place)
    first = place.apply_cron(manifest)
    assert place.apply_cron(manifest).uid == first.uid
    assert [one.name for one in place.list_crons({MARK: "yes"})].count(first.name) == 1


def test_applying_another_one_of_that_name_changes_it(place: Backend) -> None:
    first = place.apply_cron(cron(place))
    place.apply_cron(cron(place, first.name, line="5 4 3 2 *", suspend=True))
    found = place.get_cron(first.name)
    assert (found.uid, found.schedules, found.suspended) == (first.uid, ("5 4 3 2 *",), True)


def test_labels_choose(place: Backend) -> None:
    made = place.apply_cron(cron(place))
    assert made.name in [one.name for one in place.list_crons({MARK: "yes"})]
    assert list(place.list_crons({MARK: "no"})) == []


def test_a_line_that_is_none_is_refused(place: Backend) -> None:
    manifest = cron(place, line="every now and then")
    with pytest.raises(Rejected):
        place.apply_cron(manifest)
    with pytest.raises(NotFound):
        place.get_cron(manifest["metadata"]["name"])


def test_what_is_suspended_stays_so_until_it_is_resumed(place: Backend) -> None:
    made = place.apply_cron(cron(place))
    assert place.suspend_cron(made.name).suspended
    assert place.suspend_cron(made.name).suspended
    assert place.get_cron(made.name).suspended
    assert not place.resume_cron(made.name).suspended
    assert not place.get_cron(made.name).suspended


def test_schedule_leaves_a_pause_and_ends_it_only_when_told(place: Backend) -> None:
    manifest = cron(place)
    cj.schedule(manifest, backend=place).pause()
    assert cj.schedule(manifest, "5 4 3 2 *", backend=place).suspended
    assert not cj.schedule(manifest, backend=place, suspend=False).suspended


def test_a_tick_starts_a_run_that_carries_the_label(place: Backend) -> None:
    made = place.apply_cron(cron(place, line="@every 2s", concurrencyPolicy="Forbid"))
    first = some(lambda: runs_of(place, made.name))[-1]
    place.suspend_cron(made.name)
    assert finish(place, first, seconds=90).phase == "Succeeded"
    assert place.get_cron(made.name).last_scheduled_at is not None


def test_a_run_is_triggered_also_while_it_is_suspended(place: Backend) -> None:
    made = place.apply_cron(cron(place, suspend=True))
    run = place.trigger_cron(made.name)
    assert run.labels[CRON_LABEL] == made.name
    assert finish(place, run.name, seconds=90).phase == "Succeeded"
    assert place.get_cron(made.name).suspended


def test_two_triggers_are_two_runs(place: Backend) -> None:
    made = place.apply_cron(cron(place, suspend=True))
    assert place.trigger_cron(made.name).name != place.trigger_cron(made.name).name
    assert len(runs_of(place, made.name)) == 2


def test_a_deleted_one_is_gone_and_its_runs_stay(place: Backend) -> None:
    made = place.apply_cron(cron(place, suspend=True))
    run = place.trigger_cron(made.name)
    place.delete_cron(made.name)
    with pytest.raises(NotFound):
        place.get_cron(made.name)
    assert place.get(run.name).uid == run.uid


def test_a_new_one_of_a_deleted_ones_name_is_another(place: Backend) -> None:
    manifest = cron(place)
    first = place.apply_cron(manifest)
    place.delete_cron(first.name)
    assert place.apply_cron(manifest).uid != first.uid
