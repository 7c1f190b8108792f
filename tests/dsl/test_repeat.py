"""Loops that go on until something holds of a step's value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl.repeat import MOST_ROUNDS
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import run_locally


@dataclass
class Model:
    weights: Path
    score: int


@cj.step
def poll(job: str, turn: int = 0) -> dict[str, Any]:
    return {"job": job, "done": turn >= 2, "turn": turn + 1}


@cj.step
def first() -> Path:
    found = Path("weights")
    found.write_text("1")
    return found


@cj.step
def better(weights: Path, by: int = 1) -> Model:
    score = int(weights.read_text()) + by
    found = Path("more")
    found.write_text(str(score))
    return Model(found, score)


@cj.step
def read(weights: Path, score: int) -> str:
    return f"{score} {weights.read_text()}"


@cj.step
def grow(value: int) -> int:
    return value * 2


@cj.step
def limit() -> int:
    return 5


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that run in this process leave their files here."""
    monkeypatch.chdir(tmp_path)


def polled(**options: Any) -> Any:
    return cj.repeat(
        poll,
        "j",
        until=lambda found: found["done"],
        carry=lambda found: {"turn": found["turn"]},
        **{"at_most": 5, **options},
    )


@cj.workflow
def trained(most: int = 3) -> str:
    best = cj.repeat(
        better,
        first(),
        until=lambda found: found.score >= most,
        carry=lambda found: {"weights": found.weights},
        at_most=9,
    )
    return read(best.weights, best.score)


@cj.workflow
def doubled(start: int = 1) -> int:
    return cj.repeat(grow, start, until=lambda value: value > 9, carry="value", at_most=9)


def doubled_again(start: int) -> int:
    return doubled(start)


# --- the manifest


@pytest.mark.parametrize("target", TARGETS)
def test_a_round_is_a_template_that_calls_itself_with_one_round_less(target: str) -> None:
    manifest = compiled(cj.workflow(lambda: polled(pause="30s")), target)
    first_call = task(manifest, "poll-repeat")
    given = {p["name"]: p["value"] for p in first_call["arguments"]["parameters"]}
    assert given == {"job": '"j"', "turn": "0", "rounds-left": "5"}
    again = task(manifest, "poll-repeat", "poll-repeat")
    given = {p["name"]: p["value"] for p in again["arguments"]["parameters"]}
    assert given == {
        "job": "{{inputs.parameters.job}}",
        "turn": "{{tasks.poll.outputs.parameters.value-turn}}",
        "rounds-left": "{{=string(asInt(inputs.parameters['rounds-left']) - 1)}}",
    }
    assert again["depends"] == "poll && pause"
    assert again["when"] == task(manifest, "pause", "poll-repeat")["when"]
    assert template(manifest, "pause")["suspend"] == {"duration": "30"}


def test_a_loop_that_may_end_unmet_has_nothing_that_fails() -> None:
    manifest = compiled(cj.workflow(lambda: polled(or_fail=False)))
    tasks = template(manifest, "poll-repeat")["dag"]["tasks"]
    assert [one["name"] for one in tasks] == ["poll", "poll-repeat"]


# --- what comes of it


@pytest.mark.parametrize(
    ("workflow", "given", "value"),
    [
        (trained, {}, "3 3"),
        (trained, {"most": 2}, "2 2"),
        (doubled, {}, 16),
        (cj.workflow(lambda: polled()), {}, {"job": "j", "done": True, "turn": 3}),
        (cj.workflow(lambda: polled()["turn"]), {}, 3),
        (cj.workflow(lambda: polled(or_fail=False, at_most=2)["turn"]), {}, 2),
        (cj.workflow(lambda: cj.map(doubled, [1, 3])), {}, [16, 12]),
        (cj.workflow(lambda: cj.map(doubled_again, [1, 3])), {}, [16, 12]),
    ],
)
def test_rounds_go_on_until_the_condition_holds(workflow: Any, given: Any, value: Any) -> None:
    assert cj.run_here(workflow, **given) == value


def test_a_loop_whose_condition_never_holds_fails() -> None:
    @cj.workflow
    def flow() -> Any:
        return polled(at_most=2)

    with pytest.raises(RuntimeError, match=r"\w+ was repeated .* none of 2 rounds"):
        cj.run_here(flow)


def test_rounds_are_of_a_workflow_or_of_a_function_that_uses_values_around_it() -> None:
    @cj.workflow
    def flow(by: int = 3) -> Any:
        most = limit()

        def one(value: int) -> int:
            return doubled(cj.map(grow, [value, most])[0])

        return cj.repeat(one, by, until=lambda found: found > most, carry="value", at_most=3)

    assert cj.run_here(flow) == 12


def test_rounds_run_on_this_machine(tmp_path: Path) -> None:
    @cj.workflow
    def flow(most: int = 3) -> dict[str, Any]:
        word = cj.repeat(
            lambda text: cj.container("x", command=["echo", "-n"], args=[text]),
            "go",
            until=lambda printed: printed == "go",
            at_most=2,
        )
        return {"trained": trained(most), "word": word, "polled": polled(pause=1)["turn"]}

    assert run_locally(flow, tmp_path) == {"trained": "3 3", "word": "go", "polled": 3}


# --- mistakes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at_most": MOST_ROUNDS + 1}, "a number of rounds from 1 to 90"),
        ({"at_most": True}, "a number of rounds"),
        ({"carry": lambda found: {"trun": found["turn"]}}, r"has no parameter 'trun'"),
        ({"carry": 5}, "carry=5: it is a parameter's name"),
        ({"until": lambda found: 5}, "5 is no condition"),
        ({"pause": "soon"}, "duration='soon'"),
        ({"wrong": 1}, "has no parameter 'wrong'"),
    ],
)
def test_what_makes_no_sense_of_a_loop_is_refused(options: Any, words: str) -> None:
    given: dict[str, Any] = {"until": lambda found: found["done"], "at_most": 5, **options}
    with pytest.raises(DeclarationError, match=words):
        cj.workflow(lambda: cj.repeat(poll, "j", **given)).compile()


def test_a_loop_of_what_is_no_step_is_refused() -> None:
    with pytest.raises(
        DeclarationError, match=r"cj\.repeat calls a step, a workflow or a function"
    ):
        cj.workflow(lambda: cj.repeat(len, [], until=bool, at_most=2)).compile()
