"""Cron workflows of this machine, looked at with a clock of the test's own."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.cron import TickDecision
from couler_jobs.backends.local.ticking import (
    SCHEDULED_TIME,
    Told,
    _forget_old,
    _obey,
    complaints,
    run_of,
    tick_all,
)
from couler_jobs.errors import NotFound, Rejected
from couler_jobs.spec.status import CRON_LABEL, Phase
from tests.backends.workflows import finish, sh, text_of, wait_until, workflow

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
MINUTE = 60.0


def cron(name: str = "every-minute", command: str = "true", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": name, "labels": {"team": "a"}},
        "spec": {
            "schedules": ["* * * * *"],
            "workflowSpec": workflow(sh("a", command))["spec"],
            **spec,
        },
    }


def names(backend: LocalBackend, cron_name: str = "every-minute") -> list[str]:
    return sorted(run.name for run in backend.list({CRON_LABEL: cron_name}))


def named(*minutes: int) -> list[str]:
    return [f"every-minute-{int(NOON + minute * MINUTE)}" for minute in minutes]


def test_a_tick_starts_a_run_with_argos_name_label_and_time(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    tick_all(local, NOON + MINUTE + 1)
    run = finish(local, named(1)[0])
    assert run.phase is Phase.SUCCEEDED
    assert run.labels == {CRON_LABEL: "every-minute"}
    assert run.annotations == {SCHEDULED_TIME: "2026-11-22T12:01:00Z"}


def test_a_tick_starts_one_run_however_often_it_is_looked_at(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    for second in (60, 61, 75, 119):
        tick_all(local, NOON + second)
    assert names(local) == named(1)


def test_a_tick_starts_one_run_with_two_daemons_looking(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    looks = [Thread(target=tick_all, args=(local, NOON + 61)) for _ in range(4)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert names(local) == named(1)


def test_a_claimed_tick_whose_daemon_was_killed_still_runs(local: LocalBackend) -> None:
    stored = local.crons.apply(cron(), NOON)
    run = run_of(local, stored, datetime.fromtimestamp(NOON + MINUTE, UTC), NOON)
    assert local.crons.claim(stored, NOON + MINUTE, run)
    assert finish(local, run.name).phase is Phase.SUCCEEDED


def test_a_clock_set_back_starts_nothing_again(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    tick_all(local, NOON + 2 * MINUTE)
    tick_all(local, NOON + MINUTE)
    tick_all(local, NOON + 2 * MINUTE + 1)
    assert names(local) == named(2)


def test_forbid_starts_nothing_while_a_run_is_active(local: LocalBackend) -> None:
    local.crons.apply(cron(command="sleep 60", concurrencyPolicy="Forbid"), NOON)
    tick_all(local, NOON + MINUTE)
    tick_all(local, NOON + 2 * MINUTE)
    assert names(local) == named(1)


def test_a_daemon_that_lost_a_tick_ends_nothing(local: LocalBackend) -> None:
    stale = local.crons.apply(cron(command="sleep 60", concurrencyPolicy="Replace"), NOON)
    tick_all(local, NOON + MINUTE)
    decision = TickDecision(
        reason="due",
        tick=datetime.fromtimestamp(NOON + MINUTE, UTC),
        run=True,
        replace=(named(1)[0],),
    )
    _obey(local, stale, decision, NOON + MINUTE)
    assert local.get(named(1)[0]).shutdown == ""


def test_a_daemon_that_was_stopped_for_a_while_does_not_break_forbid(local: LocalBackend) -> None:
    stale = local.crons.apply(cron(command="sleep 60", concurrencyPolicy="Forbid"), NOON)
    tick_all(local, NOON + MINUTE)
    decision = TickDecision(
        reason="due", tick=datetime.fromtimestamp(NOON + 2 * MINUTE, UTC), run=True
    )
    _obey(local, stale, decision, NOON + 2 * MINUTE)
    assert names(local) == named(1)


def test_what_a_killed_daemon_should_have_replaced_is_ended(local: LocalBackend) -> None:
    local.crons.apply(cron(command="sleep 60", concurrencyPolicy="Replace"), NOON)
    tick_all(local, NOON + MINUTE)
    stored = local.crons.find("every-minute")
    run = run_of(local, stored, datetime.fromtimestamp(NOON + 2 * MINUTE, UTC), NOON + 2 * MINUTE)
    assert local.crons.claim(stored, NOON + 2 * MINUTE, run)  # and here it was killed
    tick_all(local, NOON + 2 * MINUTE + 10)
    assert finish(local, named(1)[0]).shutdown == "Terminate"
    assert local.get(named(2)[0]).shutdown == ""


def test_a_tick_whose_run_exists_already_is_not_run_again(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    tick_all(local, NOON + MINUTE)
    local.delete_cron("every-minute")
    local.crons.apply(cron(), NOON)
    tick_all(local, NOON + MINUTE + 1)
    assert names(local) == named(1)
    assert local.crons.find("every-minute").last_tick == NOON + MINUTE


def test_a_machine_that_slept_starts_one_run_at_most(local: LocalBackend) -> None:
    local.crons.apply(cron(startingDeadlineSeconds=10 * 3600), NOON)
    for second in (5, 6, 7):
        tick_all(local, NOON + 480 * MINUTE + second)
    assert names(local) == named(480)


def test_a_run_knows_the_time_that_it_was_scheduled_for(local: LocalBackend) -> None:
    local.crons.apply(cron(command="echo {{workflow.scheduledTime}}"), NOON)
    tick_all(local, NOON + MINUTE)
    finish(local, named(1)[0])
    assert text_of(local, named(1)[0]) == "2026-11-22T12:01:00Z"


def test_the_time_of_the_last_run_is_told(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    tick_all(local, NOON + MINUTE + 3)
    local.crons.suspend("every-minute", True, NOON + MINUTE + 4)
    tick_all(local, NOON + 2 * MINUTE)
    last = local.get_cron("every-minute").last_scheduled_at
    assert last == datetime.fromtimestamp(NOON + MINUTE, UTC)


def test_a_database_of_the_first_version_is_brought_up_to_date(local: LocalBackend) -> None:
    with sqlite3.connect(local.home.database) as database:
        database.execute("ALTER TABLE crons DROP COLUMN last_run")
    database.close()
    assert LocalBackend(local.home.root).crons.apply(cron(), NOON).last_run is None


def test_replace_terminates_the_active_run(local: LocalBackend) -> None:
    local.crons.apply(cron(command="sleep 60", concurrencyPolicy="Replace"), NOON)
    tick_all(local, NOON + MINUTE)
    tick_all(local, NOON + 2 * MINUTE)
    first, second = named(1, 2)
    assert finish(local, first).shutdown == "Terminate"
    assert not local.get(second).ended


def test_allow_runs_side_by_side(local: LocalBackend) -> None:
    local.crons.apply(cron(command="sleep 60"), NOON)
    tick_all(local, NOON + MINUTE)
    tick_all(local, NOON + 2 * MINUTE)
    assert not any(local.get(name).ended for name in named(1, 2))


def test_old_runs_are_forgotten_beyond_the_history_limits(local: LocalBackend) -> None:
    local.crons.apply(cron(successfulJobsHistoryLimit=1), NOON)
    for minute in (1, 2):
        tick_all(local, NOON + minute * MINUTE)
        wait_until(local, named(minute)[0], lambda info: info.ended)
    tick_all(local, NOON + 2 * MINUTE + 1)
    assert len(names(local)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Europe/Atlantis"},
        {"schedules": ["0 0 * *"]},
        {"startingDeadlineSeconds": "soon"},
    ],
)
def test_a_broken_cron_workflow_does_not_keep_the_others_from_ticking(
    local: LocalBackend, wrong: dict[str, Any]
) -> None:
    # as another version, or a zone that was taken out of the system's list, may leave one behind
    local.crons.apply(cron("a-broken", **wrong), NOON)
    local.crons.apply(cron(), NOON)
    assert tick_all(local, NOON + MINUTE) == pytest.approx(MINUTE)
    assert names(local) == named(1)


def test_missed_ticks_are_counted_once(
    local: LocalBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "couler_jobs.cron")
    local.crons.apply(cron(), NOON)
    told: Told = {}
    for second in (1, 2, 3):
        tick_all(local, NOON + 480 * MINUTE + 40 + second, told)
    assert [record.getMessage() for record in caplog.records] == [
        "every-minute: missed ticks: 480."
    ]
    assert local.get_cron("every-minute").last_scheduled_at is None


def test_missed_ticks_are_told_until_the_next_one(local: LocalBackend) -> None:
    stored = local.crons.apply(cron(), NOON)
    assert complaints(stored, NOON + MINUTE + 1) == ()
    assert complaints(stored, NOON + 10 * MINUTE + 45) == (
        "10 ticks since 2026-11-22 12:00 UTC did not run: no daemon served them.",
    )
    tick_all(local, NOON + 11 * MINUTE)
    assert complaints(local.crons.find("every-minute"), NOON + 11 * MINUTE + 1) == ()


def test_a_long_absence_is_told_without_counting_all_of_it(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON - 1e8)
    (told,) = local.get_cron("every-minute").conditions
    assert told.startswith("At least 1000 ticks since 2023-")


def test_a_pause_misses_no_tick(local: LocalBackend) -> None:
    stored = local.crons.apply(cron(suspend=True), NOON)
    assert complaints(stored, NOON + 10 * MINUTE + 45) == ()


def test_the_wait_ends_at_the_next_tick(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    assert tick_all(local, NOON + 45) == pytest.approx(15, abs=0.1)


def test_without_cron_workflows_there_is_nothing_to_wait_for(local: LocalBackend) -> None:
    assert tick_all(local, NOON) is None


def test_an_edit_keeps_the_ticks_that_were_claimed(local: LocalBackend) -> None:
    first = local.crons.apply(cron(), NOON)
    assert local.crons.claim(first, NOON + MINUTE)
    edited = local.crons.apply(cron(command="echo new"), NOON + MINUTE + 1)
    assert (edited.uid, edited.last_tick) == (first.uid, NOON + MINUTE)


def test_a_tick_is_not_claimed_for_a_cron_workflow_that_was_edited_meanwhile(
    local: LocalBackend,
) -> None:
    stale = local.crons.apply(cron(), NOON)
    local.crons.apply(cron(command="echo new"), NOON)
    assert not local.crons.claim(stale, NOON + MINUTE)


def test_ticks_of_a_pause_are_not_caught_up(local: LocalBackend) -> None:
    local.crons.apply(cron(startingDeadlineSeconds=3600), NOON)
    local.crons.suspend("every-minute", True, NOON)
    tick_all(local, NOON + 5 * MINUTE)
    local.crons.suspend("every-minute", False, NOON + 10 * MINUTE + 5)
    tick_all(local, NOON + 10 * MINUTE + 10)
    assert names(local) == []


def test_a_deleted_cron_workflow_is_not_found(local: LocalBackend) -> None:
    local.crons.apply(cron(), NOON)
    local.delete_cron("every-minute")
    with pytest.raises(NotFound, match="every-minute"):
        local.crons.find("every-minute")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schedules": []}, "at least one line"),
        ({"schedules": ["0 0 * *"]}, "five fields"),
        ({"timezone": "Europe/Atlantis"}, "no time zone"),
        ({"when": "true"}, r"do not know spec\.when"),
        ({"workflowSpec": {"entrypoint": "nope", "templates": []}}, "nope"),
    ],
)
def test_what_cannot_tick_is_refused(
    local: LocalBackend, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Rejected, match=sentence):
        local.apply_cron(cron(**change))


@pytest.mark.parametrize(
    ("name", "sentence"), [("", "needs a name"), ("x" * 53, "at most 52"), ("No", "lower-case")]
)
def test_a_name_that_its_runs_could_not_carry_is_refused(
    local: LocalBackend, name: str, sentence: str
) -> None:
    with pytest.raises(Rejected, match=sentence):
        local.apply_cron(cron(name))


def test_a_workflow_is_no_cron_workflow(local: LocalBackend) -> None:
    with pytest.raises(Rejected, match="not a CronWorkflow"):
        local.apply_cron(workflow(sh("a", "true"), name="a"))


def test_the_run_of_a_tick_has_the_labels_that_its_workflow_computes(local: LocalBackend) -> None:
    manifest = cron()
    more = {"labelsFrom": {"b": {"expression": "'x' + workflow.namespace"}}}
    manifest["spec"]["workflowSpec"]["workflowMetadata"] = more
    stored = local.crons.apply(manifest, NOON)
    run = run_of(local, stored, datetime.fromtimestamp(NOON + MINUTE, UTC), NOON + MINUTE)
    assert run.labels == {CRON_LABEL: "every-minute", "b": "xlocal"}


def test_an_old_run_that_somebody_else_forgot_meanwhile_is_no_error(local: LocalBackend) -> None:
    stored = local.crons.apply(cron(successfulJobsHistoryLimit=0), NOON)
    tick_all(local, NOON + MINUTE)
    run = finish(local, named(1)[0])
    local.delete(run.name)
    _forget_old(local, stored, [run])
    assert names(local) == []
