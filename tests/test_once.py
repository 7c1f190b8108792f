from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from couler_jobs.once import once


class Asker:
    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)

    @once
    def answer(self) -> int:
        """What was answered."""
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def test_it_is_worked_out_once() -> None:
    asker = Asker(1, 2)
    assert (asker.answer, asker.answer) == (1, 1)


def test_an_error_is_not_kept() -> None:
    asker = Asker(ValueError("away"), 2)
    with pytest.raises(ValueError, match="away"):
        _ = asker.answer
    assert asker.answer == 2


def test_it_has_the_functions_documentation() -> None:
    assert Asker.answer.__doc__ == "What was answered."


def test_threads_do_not_wait_for_each_other_and_get_the_same() -> None:
    together = Barrier(4, timeout=60)

    class Slow:
        @once
        def answer(self) -> object:
            together.wait()
            return object()

    slow = Slow()
    with ThreadPoolExecutor(4) as threads:
        answers = {threads.submit(lambda: slow.answer) for _ in range(4)}
        assert len({id(one.result()) for one in answers}) == 1
