"""`cj.sequence`: loops over as many numbers as a step says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, task
from tests.dsl.running import run_locally


@cj.step
def pages(count: int) -> int:
    return count


@cj.step
def load(page: int, table: str) -> str:
    return f"{table}-{page}"


@cj.workflow
def flow(count: int = 3) -> Any:
    return cj.map(load, cj.sequence(pages(count), start=1), table="sales")


@pytest.mark.parametrize("target", TARGETS)
def test_a_sequence_is_counted_by_argo(target: str) -> None:
    found = task(compiled(flow, target), "load", "load-map")
    assert found["withSequence"] == {"count": "{{inputs.parameters.loop-items}}", "start": "1"}
    assert found["arguments"]["parameters"][0] == {"name": "page", "value": "{{item}}"}


@pytest.mark.parametrize(
    ("count", "loaded"),
    [(3, ["sales-1", "sales-2", "sales-3"]), (0, None)],
)
def test_a_step_runs_once_for_each_number(count: int, loaded: Any, tmp_path: Path) -> None:
    assert cj.run_here(flow, count=count) == (loaded or [])
    assert run_locally(flow, tmp_path, count=count) == (loaded or [])


def test_numbers_that_are_known_are_a_list() -> None:
    assert list(cj.sequence(3, start=1)) == [1, 2, 3]


@pytest.mark.parametrize("start", ["1", True, 1.5])
def test_a_start_is_a_whole_number(start: Any) -> None:
    with pytest.raises(DeclarationError, match="it is a whole number"):
        cj.sequence(3, start=start)


def test_a_sequence_beside_another_list_is_refused() -> None:
    @cj.workflow
    def beside() -> Any:
        return cj.map(load, cj.sequence(pages(2)), ["a", "b"])

    with pytest.raises(DeclarationError, match="takes lists, or the value of one step"):
        beside.compile()
