"""A supervisor that is killed at any commit, or at two, costs at most the steps that ran then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.backends.local.processes import unmeasured

PAIRS = 8
STEPS = {"crash.again", "crash.loop(0:x)", "crash.loop(1:y)", "crash.onExit"}
_ALL = ["Succeeded"]  # phases of all that is no step


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `crashing` found for each choice of points to die at; the first one is none."""
    folder = tmp_path_factory.mktemp("crashes")
    answer = subprocess.run(
        [sys.executable, "-m", "tests.backends.local.crashing", str(folder), str(PAIRS)],
        cwd=Path(__file__).parents[3],
        env=unmeasured(),  # what is killed writes no measurements
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_deaths_come_before_and_after_every_commit(outcomes: list[dict[str, Any]]) -> None:
    deaths = [run["points"] for run in outcomes]
    assert deaths[0] == []
    assert len([one for one in deaths if len(one) == 1]) >= 10
    assert len([two for two in deaths if len(two) == 2]) == PAIRS
    assert max(run["starts"] for run in outcomes) == 3


def test_every_run_succeeds_in_the_end(outcomes: list[dict[str, Any]]) -> None:
    wrong = [run for run in outcomes if (run["phase"], run["others"]) != ("Succeeded", _ALL)]
    assert wrong == []


def test_no_attempt_is_made_twice_and_each_is_counted(outcomes: list[dict[str, Any]]) -> None:
    for run in outcomes:
        assert max(Counter(run["started"]).values()) == 1, run
        assert len(run["started"]) == len(run["attempts"]), run


def test_each_step_succeeds_once_and_only_a_death_costs_an_attempt(
    outcomes: list[dict[str, Any]],
) -> None:
    for run in outcomes:
        phases = dict(run["attempts"])
        done = [name.rpartition("(")[0] for name, phase in phases.items() if phase == "Succeeded"]
        assert sorted(done) == sorted(STEPS), run
        lost = Counter(
            name.rpartition("(")[0] for name, phase in phases.items() if phase == "Error"
        )
        assert all(count <= len(run["points"]) for count in lost.values()), run


def test_the_exit_handler_sees_how_the_run_ended(outcomes: list[dict[str, Any]]) -> None:
    assert {status for run in outcomes for status in run["status"]} == {"Succeeded"}
