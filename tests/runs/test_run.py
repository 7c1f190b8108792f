"""The handle of a run, over a backend in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from couler_jobs.errors import NotFound, Rejected, Unavailable, WaitTimeout, WorkflowFailed
from couler_jobs.runs import run as run_module
from couler_jobs.runs.run import Run
from couler_jobs.spec.status import Phase, RunInfo
from tests.runs.fake import Answer, FakeBackend, info, node

RUNNING = info("w", Phase.RUNNING, node("w", Phase.RUNNING, type="DAG"))
DONE = info("w", Phase.SUCCEEDED, node("w", type="DAG"), node("w.a"))
BROKEN = info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="exit code 3"))


def started(*answers: Answer, now: RunInfo = RUNNING, **lines: Any) -> Run:
    return Run(now, FakeBackend(*answers, lines=lines.get("lines")))


def backend(run: Run) -> FakeBackend:
    assert isinstance(run.backend, FakeBackend)
    return run.backend


# --- looking


def test_a_fresh_answer_is_not_asked_for_again() -> None:
    run = started(DONE)
    assert (run.name, run.uid, run.phase) == ("w", "uid-of-w", Phase.RUNNING)
    assert backend(run).asked == []


def test_an_old_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "FRESH_FOR", 0.0)
    assert started(DONE).phase == "Succeeded"


def test_a_run_that_has_ended_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "FRESH_FOR", 0.0)
    run = started(now=BROKEN)
    assert (run.phase, run.message, list(run.nodes)) == (Phase.FAILED, "", ["w.a"])
    assert backend(run).asked == []


def test_an_ended_run_from_a_list_is_asked_for_its_nodes_once() -> None:
    run = started(DONE, now=info("w", Phase.SUCCEEDED))
    assert list(run.nodes) == ["w", "w.a"]
    assert run.message == ""
    assert backend(run).asked == [("get", "w")]


def test_an_existing_run_is_found_by_its_name() -> None:
    assert Run.of("w", FakeBackend(DONE)).phase == Phase.SUCCEEDED


def test_outputs_are_the_entrys_and_the_global_ones_decoded() -> None:
    entry = node("w", type="DAG", outputs={"parameters": {"rows": "3", "note": "3 rows"}})
    run = started(now=info("w", Phase.SUCCEEDED, entry, outputs={"parameters": {"all": "[1]"}}))
    assert run.outputs == {"rows": 3, "note": "3 rows", "all": [1]}


def test_the_result_of_a_single_step_is_an_output() -> None:
    run = started(now=info("w", Phase.SUCCEEDED, node("w", outputs={"result": '{"a": 1}'})))
    assert run.outputs == {"result": {"a": 1}}


def test_a_file_that_lies_elsewhere_is_where_it_lies() -> None:
    there = {"name": "table", "s3": {"key": "w/table.tgz"}}
    artifacts = {"table": there, "main-logs": {"name": "main-logs", "s3": {"key": "w/main.log"}}}
    run = started(now=info("w", Phase.SUCCEEDED, node("w", outputs={"artifacts": artifacts})))
    assert run.outputs == {"table": there}


def test_a_run_without_nodes_has_no_outputs() -> None:
    assert started(now=info("w", Phase.PENDING)).outputs == {}


# --- waiting


def test_waiting_ends_with_the_run() -> None:
    run = started(RUNNING, RUNNING, DONE)
    assert run.wait(timeout=30) is run
    assert run.phase == Phase.SUCCEEDED


def test_waiting_for_a_run_that_fails_names_the_step_and_its_last_lines() -> None:
    lines = {"w.a": [f"line {n}" for n in range(30)]}
    with pytest.raises(WorkflowFailed) as failed:
        started(BROKEN, lines=lines).wait()
    told = str(failed.value)
    assert "w ended as Failed, because its step a ended as Failed: exit code 3." in told
    assert "line 29" in told
    assert "line 19" not in told
    assert failed.value.run.name == "w"


def test_the_last_lines_of_a_step_are_not_those_of_its_hooks() -> None:
    lines = {"w.a": ["no such file"], "w.a.onExit": ["mail sent"], "w.a.hooks.warn": ["warned"]}
    run = started(now=BROKEN, lines=lines)
    assert run.failure().endswith("Its last lines:\n    no such file")


def test_a_run_that_is_one_step_fails_with_that_steps_message() -> None:
    alone = info("w", Phase.FAILED, node("w", Phase.FAILED, message="exit code 3"))
    assert started(now=alone).failure() == "w ended as Failed: exit code 3."


@pytest.mark.parametrize(("shutdown", "verb"), [("Stop", "stopped"), ("Terminate", "terminated")])
def test_a_run_that_was_ended_by_request_says_so(shutdown: str, verb: str) -> None:
    killed = node("w.a", Phase.FAILED, message="exit code 143")
    message = f"Stopped with strategy '{shutdown}'"
    run = started(now=info("w", Phase.FAILED, killed, shutdown=shutdown, message=message))
    assert run.failure() == f"w was {verb} by request, and ended as Failed: {message}."


def test_waiting_can_leave_a_failure_to_the_caller() -> None:
    assert started(BROKEN).wait(raise_on_failure=False).phase == Phase.FAILED


@pytest.mark.parametrize("message", ["", "no room"])
def test_a_failure_without_a_failed_step_gives_the_runs_own_message(message: str) -> None:
    failed = info("w", Phase.ERROR, message=message)
    assert started(failed, now=failed).failure() == (
        f"w ended as Error: {message or 'no reason is given'}."
    )


def test_a_failed_step_without_a_log_is_still_named() -> None:
    assert started(now=BROKEN).failure().endswith("ended as Failed: exit code 3.")


def test_a_failed_step_that_is_no_pod_has_no_lines() -> None:
    hold = node("w.hold", Phase.FAILED, type="Suspend")
    run = started(now=info("w", Phase.FAILED, hold))
    assert run.failure().endswith("its step hold ended as Failed.")
    assert backend(run).asked == []


def test_waiting_too_long_says_that_the_run_goes_on() -> None:
    with pytest.raises(WaitTimeout, match=r"w had not ended after 0.05 s.*It goes on"):
        started(RUNNING).wait(timeout=0.05)


def test_a_backend_that_is_away_for_a_moment_is_borne() -> None:
    run = started(Unavailable("away"), Unavailable("away"), DONE)
    assert run.wait(timeout=30).phase == Phase.SUCCEEDED


def test_a_backend_that_stays_away_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "PATIENCE", 0.0)
    with pytest.raises(Unavailable, match=r"^Away\. Nothing was heard of w for \d s: it may go on"):
        started(Unavailable("Away.")).wait(timeout=30)


def test_interrupting_the_wait_leaves_the_run_alone_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    run = started(RUNNING)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        run.wait()
    assert interrupt.value.__notes__ == [
        "w goes on: its name is enough to look at it again, or to stop it."
    ]
    assert not any(words[0] in ("stop", "terminate") for words in backend(run).asked)


# --- logs


def test_the_logs_of_all_steps_are_read_at_once() -> None:
    run = started(lines={"w.a": ["one"], "w.b": ["two"]})
    assert [(line.node, line.text) for line in run.logs()] == [("w.a", "one"), ("w.b", "two")]


def test_a_log_is_shown_as_text_as_often_as_it_is_asked_for() -> None:
    log = started(DONE, lines={"w.a": ["one"], "w.b": ["two"]}).logs()
    assert [str(log), str(log)] == ["w.a: one\nw.b: two"] * 2
    assert repr(log).startswith("<Log")
    assert str(started(DONE, lines={"w.a": ["one", "two"]}).logs(node="w.a")) == "one\ntwo"


def test_the_log_of_a_group_is_that_of_its_pods() -> None:
    group = node("w.loop", type="TaskGroup")
    loop = info("w", Phase.SUCCEEDED, group, node("w.loop(0:a)"), node("w.loop(1:b)"))
    run = started(loop, lines={"w.loop(0:a)": ["one"], "w.loop(1:b)": ["two"], "w.x": ["no"]})
    assert [line.text for line in run.logs(node="loop", follow=True)] == ["one", "two"]
    assert ("logs", "w", "w.loop(0:a)", "follow") in backend(run).asked


def test_the_log_of_an_unknown_step_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"^w: No node is called 'x'"):
        list(started(DONE).logs(node="x"))


def test_the_log_of_a_step_that_never_ran_is_asked_of_the_backend() -> None:
    skipped = info("w", Phase.SUCCEEDED, node("w.s", Phase.SKIPPED, type="Skipped"))
    with pytest.raises(NotFound, match="no log of"):
        list(started(skipped).logs(node="s"))


# --- asking


@pytest.mark.parametrize("verb", ["stop", "terminate", "suspend", "retry"])
def test_what_is_asked_reaches_the_backend_and_its_answer_is_kept(verb: str) -> None:
    run = started(BROKEN)
    assert getattr(run, verb)() is run
    assert backend(run).asked == [(verb, "w")]
    assert run.phase == Phase.FAILED


def test_resuming_one_step_takes_its_display_name() -> None:
    held = info("w", Phase.RUNNING, node("w.hold", Phase.RUNNING, type="Suspend"))
    run = started(held)
    run.resume("hold")
    assert backend(run).asked[-1] == ("resume", "w", "w.hold")
    run.resume()
    assert backend(run).asked[-1] == ("resume", "w", "")


ASKS = node("w.ask", Phase.RUNNING, type="Suspend", asks={"ok": None, "who": "nobody"})


def test_answers_find_the_step_that_asks_for_them() -> None:
    run = started(info("w", Phase.RUNNING, node("w.a"), ASKS))
    run.resume(answers={"ok": True})
    assert backend(run).asked[-1] == ("resume", "w", "w.ask", "ok=true")
    run.resume("ask", answers={"who": "$(HOME) {{x}}"})
    assert backend(run).asked[-1] == ("resume", "w", "w.ask", r'who="\u0024(HOME) \u007b\u007bx}}"')


def test_answers_for_a_run_that_has_ended_are_an_error_that_says_so() -> None:
    with pytest.raises(Rejected, match="w has ended as Succeeded, so it cannot be resumed"):
        started(info("w", Phase.SUCCEEDED)).resume(answers={"ok": "yes"})


def test_answers_that_no_step_asks_for_or_several_do_are_errors() -> None:
    with pytest.raises(NotFound, match="for the answers yes: ask asks for ok"):
        started(info("w", Phase.RUNNING, ASKS)).resume(answers={"yes": "1"})
    two = info("w", Phase.RUNNING, ASKS, replace(ASKS, name="w.too"))
    with pytest.raises(Rejected, match=r"2 steps of w wait for ok: name one of w\.ask, w\.too"):
        started(two).resume(answers={"ok": "1"})


def test_deleting_reaches_the_backend() -> None:
    run = started(DONE)
    run.delete()
    assert backend(run).asked == [("delete", "w")]


# --- showing


def test_a_run_shows_itself_as_text_and_as_a_table() -> None:
    run = started(now=BROKEN)
    assert repr(run) == "<Run w: Failed, 1 step>"
    bundle = run._repr_mimebundle_()
    assert bundle["text/html"] == run._repr_html_()
    assert "exit code 3" in bundle["text/plain"]


def test_a_run_shows_what_was_last_known_when_the_backend_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "FRESH_FOR", 0.0)
    assert repr(started(Unavailable("away"))) == "<Run w: Running, 0 steps>"
