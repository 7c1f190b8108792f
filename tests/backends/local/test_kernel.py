"""A machine that has no room for a process now may have some soon."""

from __future__ import annotations

import errno
import os

import pytest

from couler_jobs.backends.local import kernel


class Start:
    """Fails as often as is said, then answers 7."""

    def __init__(self, number: int, times: int) -> None:
        self.number, self.times, self.calls = number, times, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.times:
            raise OSError(self.number, os.strerror(self.number))
        return 7


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_PAUSES", (0.0, 0.001))


@pytest.mark.parametrize("number", kernel.NO_ROOM)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_start_without_room_is_tried_again(number: int, times: int) -> None:
    assert kernel.when_there_is_room(Start(number, times)) == 7


def test_a_machine_that_never_has_room_is_an_error() -> None:
    start = Start(errno.EAGAIN, 3)
    with pytest.raises(BlockingIOError):
        kernel.when_there_is_room(start)
    assert start.calls == 3


def test_any_other_error_is_told_at_once() -> None:
    start = Start(errno.ENOENT, 1)
    with pytest.raises(FileNotFoundError):
        kernel.when_there_is_room(start)
    assert start.calls == 1
