"""Limits of a kernel where no pod has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.in_pod.running import Ran, request_for, run

CELLS = (
    "import os; print('on', len(os.sched_getaffinity(0)))",
    "small = bytearray(2 ** 20); print('small fits')",
    "bytearray(2 ** 31)",
)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("limited")
    request = request_for(folder, CELLS, memory=2**30, processors=1, not_here=["gpu", "image"])
    return run(request)


def test_a_kernel_has_no_more_memory_than_it_may(limited: Ran) -> None:
    assert "small fits" in limited.log
    assert limited.result["message"] == "Cell 3 of 3 failed: MemoryError"
    assert "Each process of the notebook may have 1024 MiB of memory." in limited.log


def test_a_kernel_runs_on_no_more_processors_than_it_may(limited: Ran) -> None:
    assert "\non 1\n" in limited.log
    there = len(os.sched_getaffinity(0))
    assert ("runs on 1 of " in limited.log) == (there > 1)


def test_what_only_a_pod_can_have_is_said_not_to_be_applied(limited: Ran) -> None:
    assert "Of the compute type gpu, image means nothing here" in limited.log


def test_more_processors_than_there_are_are_all(tmp_path: Path) -> None:
    ran = run(request_for(tmp_path, CELLS[:1], processors=4096))

    assert ran.exit_code == 0
    assert "all that there are" in ran.log
