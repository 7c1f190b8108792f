"""`couler-jobs apply` and `schedule`, over a backend in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.cli import main
from couler_jobs.spec.status import CRON_LABEL, Phase
from tests.runs.fake import FakeBackend, info
from tests.test_scheduling import CRON
from tests.test_submission import HELLO

Output = pytest.CaptureFixture[str]


@pytest.fixture
def cron(tmp_path: Path) -> str:
    path = tmp_path / "cron.json"
    path.write_text(json.dumps(CRON), encoding="utf-8")
    return str(path)


@pytest.fixture
def made(fake: FakeBackend) -> FakeBackend:
    fake.apply_cron(CRON)
    return fake


def printed_json(capsys: Output) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", ["apply", "submit"])
def test_a_file_with_a_schedule_is_applied_and_its_name_printed(
    verb: str, cron: str, fake: FakeBackend, capsys: Output
) -> None:
    assert main([verb, cron]) == 0
    out, err = capsys.readouterr()
    assert out == "hello\n"
    assert err.startswith("hello: next 2")
    assert fake.applied == [CRON]


def test_applying_twice_is_one_schedule(cron: str, fake: FakeBackend) -> None:
    assert [main(["apply", cron]), main(["apply", cron])] == [0, 0]
    assert list(fake.crons) == ["hello"]


def test_apply_keeps_a_pause(cron: str, made: FakeBackend, capsys: Output) -> None:
    made.suspend_cron("hello")
    assert main(["apply", cron, "--json"]) == 0
    found = printed_json(capsys)
    assert (found["suspended"], found["next"]) == (True, [])


def test_apply_starts_what_has_no_schedule(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    path = tmp_path / "hello.json"
    path.write_text(json.dumps(HELLO), encoding="utf-8")
    assert main(["apply", str(path), "--name", "mine", "-p", "who=me"]) == 0
    assert capsys.readouterr().out == "mine\n"


def test_a_program_with_a_schedule_is_applied(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    path.write_text(
        "import couler_jobs as cj\n\n@cj.step\ndef a() -> None:\n    pass\n\n"
        '@cj.workflow(schedule="@daily")\ndef nightly():\n    a()\n'
    )
    assert main(["apply", str(path)]) == 0
    assert capsys.readouterr().out == "nightly\n"


@pytest.mark.parametrize("words", [["submit", "--wait"], ["run"]])
def test_a_schedule_has_no_end_to_wait_for(
    words: list[str], cron: str, fake: FakeBackend, capsys: Output
) -> None:
    assert main([*words, cron]) == 2
    assert "no end to wait for" in capsys.readouterr().err
    assert fake.applied == []


def test_what_would_be_refused_is_2_and_not_sent(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    path = tmp_path / "cron.json"
    path.write_text(json.dumps({**CRON, "spec": {**CRON["spec"], "schedules": ["x"]}}))
    assert main(["apply", str(path)]) == 2
    assert fake.applied == []


# --- schedule


def test_schedules_are_listed(made: FakeBackend, capsys: Output) -> None:
    assert main(["schedule", "list"]) == 0
    assert capsys.readouterr().out.startswith("hello  @daily  UTC  next 2")
    assert main(["schedule", "list", "--json"]) == 0
    (found,) = printed_json(capsys)
    assert (found["name"], found["schedules"], len(found["next"])) == ("hello", ["@daily"], 5)


def test_a_schedule_that_never_runs_says_so(made: FakeBackend, capsys: Output) -> None:
    made.apply_cron({**CRON, "spec": {**CRON["spec"], "schedules": ["0 0 30 2 *"]}})
    assert main(["schedule", "list"]) == 0
    assert capsys.readouterr().out.endswith("never runs\n")


def test_a_schedule_is_shown_with_its_runs(made: FakeBackend, capsys: Output) -> None:
    made.answers = [info("hello-1", Phase.FAILED, labels={CRON_LABEL: "hello"})]
    assert main(["schedule", "show", "hello"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-1]) == (7, "  hello-1 Failed")
    assert main(["schedule", "show", "hello", "--json"]) == 0
    assert [run["name"] for run in printed_json(capsys)["runs"]] == ["hello-1"]


def test_what_its_controller_complains_of_is_shown(made: FakeBackend, capsys: Output) -> None:
    from dataclasses import replace

    made.crons["hello"] = replace(made.crons["hello"], conditions=("SpecError: bad",))
    assert main(["schedule", "show", "hello"]) == 0
    assert "  SpecError: bad\n" in capsys.readouterr().out


def test_a_schedule_is_paused_and_resumed(made: FakeBackend, capsys: Output) -> None:
    assert main(["schedule", "pause", "hello"]) == 0
    assert capsys.readouterr().out == "hello paused\n"
    assert main(["schedule", "resume", "hello", "--json"]) == 0
    assert printed_json(capsys)["suspended"] is False


def test_a_triggered_runs_name_is_printed(made: FakeBackend, capsys: Output) -> None:
    assert main(["schedule", "trigger", "hello"]) == 0
    assert capsys.readouterr().out == "hello-now\n"
    assert main(["schedule", "trigger", "hello", "--json"]) == 0
    assert printed_json(capsys)["name"] == "hello-now"


def test_a_schedule_is_deleted(made: FakeBackend, capsys: Output) -> None:
    assert main(["schedule", "delete", "hello"]) == 0
    assert capsys.readouterr().out == "hello deleted\n"
    assert made.crons == {}
    made.apply_cron(CRON)
    assert main(["schedule", "delete", "hello", "--json"]) == 0
    assert printed_json(capsys) == {"name": "hello", "deleted": True}


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "trigger", "delete"])
def test_a_schedule_that_does_not_exist_is_3(verb: str, fake: FakeBackend, capsys: Output) -> None:
    assert main(["schedule", verb, "nobody"]) == 3
    assert "nobody" in capsys.readouterr().err
