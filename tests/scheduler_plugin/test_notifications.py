"""Who is told how a job ended, sent to a web hook on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.notifications import (
    ADDRESSES_VARIABLE,
    OCCASIONS,
    Notice,
    notice,
    read_notice,
    tell,
)
from scheduler_plugin.status import JobStatus, Outcome

from .receiver import Receiver, receiving

DONE = Outcome(status=JobStatus.COMPLETED, message=None, ended_at=1)
FAILED = Outcome(status=JobStatus.FAILED, message="Cell 2 of 3 failed: X", ended_at=1)
STOPPED = Outcome(status=JobStatus.STOPPED, message="Stopped by the user.", ended_at=1)
SECRET = "s3cret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def addresses(tmp_path: Path, receiver: Receiver) -> Path:
    return written(tmp_path, f"# ours\n\nteam = {receiver.url}\nodd=nonsense://{SECRET}\n")


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "addresses"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def asked(file: Path | None, on: str = "both", *names: str) -> Notice:
    place = None if file is None else str(file)
    return Notice(job="nightly", names=names or ("team",), on=on, file=place)


def options(names: str, on: str = "failure") -> dict[str, Any]:
    return {"notify": names, "notify_on": on}


@pytest.mark.parametrize(
    ("on", "outcome", "told"),
    [
        ("failure", FAILED, 1),
        ("failure", DONE, 0),
        ("success", FAILED, 0),
        ("success", DONE, 1),
        ("both", FAILED, 1),
        ("both", DONE, 1),
        ("both", STOPPED, 0),
    ],
)
def test_only_the_ends_that_are_wanted_are_told(
    addresses: Path, receiver: Receiver, on: str, outcome: Outcome, told: int
) -> None:
    assert tell(asked(addresses, on), outcome, {}) == []
    assert len(receiver.came) == told


def test_a_failure_is_told_with_the_jobs_name_and_its_message(
    addresses: Path, receiver: Receiver
) -> None:
    tell(asked(addresses), FAILED, {})

    (came,) = receiver.came
    assert came["title"] == "Notebook job 'nightly' failed"
    assert (came["message"], came["type"]) == ("Cell 2 of 3 failed: X", "failure")


def test_an_address_that_answers_with_an_error_is_said_without_its_url(tmp_path: Path) -> None:
    with receiving(500) as refusing:
        found = tell(asked(written(tmp_path, f"team={refusing.url}")), FAILED, {})

    assert found == ["The notification to 'team' could not be sent."]


def test_nobody_listening_is_said_and_nothing_is_raised(tmp_path: Path, receiver: Receiver) -> None:
    there = written(tmp_path, f"team={receiver.url}\nteam=json://ada:{SECRET}@127.0.0.1:1/x")
    found = tell(asked(there), FAILED, {})

    assert found == ["The notification to 'team' could not be sent."]
    assert len(receiver.came) == 1


def test_in_a_cluster_the_addresses_come_from_a_secret(receiver: Receiver) -> None:
    assert tell(asked(None), DONE, {ADDRESSES_VARIABLE: f"team={receiver.url}"}) == []
    assert len(receiver.came) == 1


def test_a_secret_that_is_not_there_is_said() -> None:
    (said,) = tell(asked(None), DONE, {})

    assert ADDRESSES_VARIABLE in said


def test_a_file_that_was_opened_to_others_since_is_not_used(tmp_path: Path) -> None:
    (said,) = tell(asked(written(tmp_path, "team=json://h", 0o640)), FAILED, {})

    assert "chmod 600" in said


def test_without_names_nobody_is_told(addresses: Path) -> None:
    assert notice("x", options(" , "), addresses, False) is None


def test_names_are_read_from_a_list(addresses: Path) -> None:
    assert notice("x", options("team, team", "both"), addresses, False) == Notice(
        job="x", names=("team",), on="both", file=str(addresses)
    )


def test_a_name_in_a_secret_is_taken_as_it_is() -> None:
    assert notice("x", options("anybody"), None, True) is not None


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("nobody", "no notification address 'nobody': there are odd, team"),
        ("team,odd", "'odd' is no URL that apprise knows"),
    ],
)
def test_a_name_without_a_usable_address_is_refused_when_the_job_is_created(
    addresses: Path, names: str, says: str
) -> None:
    with pytest.raises(JobRefused, match=says) as refusal:
        notice("x", options(names), addresses, False)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "mode", "says"), [("team=x", 0o644, "chmod 600"), ("", 0o600, "there are none")]
)
def test_a_file_of_addresses_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, mode: int, says: str
) -> None:
    with pytest.raises(JobRefused, match=says):
        notice("x", options("team"), written(tmp_path, text, mode), False)


def test_a_missing_file_of_addresses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRefused, match="No such file"):
        notice("x", options("team"), tmp_path / "missing", False)


def test_without_any_addresses_a_name_is_refused() -> None:
    with pytest.raises(JobRefused, match="notification_file"):
        notice("x", options("team"), None, False)


@pytest.mark.parametrize("on", OCCASIONS)
def test_a_notice_is_read_back_from_a_request(on: str) -> None:
    values = {"job": "x", "names": ["a", "b"], "on": on, "file": None}

    assert read_notice(values) == Notice(job="x", names=("a", "b"), on=on)
