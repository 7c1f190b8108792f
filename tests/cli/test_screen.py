"""What is printed where."""

from __future__ import annotations

import io
import json

import pytest

from couler_jobs.cli.screen import Progress, print_json
from couler_jobs.runs.run import Run
from couler_jobs.spec.status import Phase
from tests.runs.fake import FakeBackend, info, node


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO) -> str:
    progress = Progress(stream)
    progress.show(info("w", Phase.RUNNING, node("w.a", Phase.RUNNING)))
    progress.show(info("w", Phase.RUNNING, node("w.a", Phase.RUNNING)))
    progress.show(info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="no\x1b[2J\nway")))
    return stream.getvalue()


def test_each_change_is_told_once_and_plainly() -> None:
    assert shown(io.StringIO()).splitlines() == [
        "a Running",
        "w Running",
        "a Failed: no\\x1b[2J\\nway",
        "w Failed",
    ]


def test_a_run_that_is_one_step_is_told_once() -> None:
    stream = io.StringIO()
    Progress(stream).show(info("w", Phase.RUNNING, node("w", Phase.RUNNING)))
    assert stream.getvalue() == "w Running\n"


def test_a_terminal_gets_colours_for_phases_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "a \x1b[31mFailed\x1b[0m: no\\x1b[2J\\nway" in shown(Terminal())


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colours_gets_none(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in shown(Terminal())


def test_a_phase_without_a_colour_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    Progress(stream).show(info("w", Phase.PENDING))
    assert stream.getvalue() == "w Pending\n"


def test_json_is_ascii_with_times_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"é": info().started_at, "labels": info().labels})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"é": "2026-01-02T03:04:05+00:00", "labels": {}}


def test_what_is_not_json_is_a_defect() -> None:
    with pytest.raises(TypeError, match="Run is not JSON"):
        print_json(Run(info(), FakeBackend()))
