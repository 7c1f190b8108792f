"""`cj.either` of what loops return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, task
from tests.dsl.running import run_locally


@cj.step
def same(value: Any) -> Any:
    return value


@cj.step
def up(text: str) -> str:
    return text.upper()


@cj.workflow
def up_twice(text: str) -> Any:
    return up(up(text))


@cj.workflow
def chosen(which: int = 1) -> Any:
    number = same(which)
    with cj.when(number == 1):
        first = cj.map(up, ["x", "{{y}}"])
    with cj.when(number == 2):
        second = cj.map(up_twice, same(["z"]))
    found = cj.either(first, second)
    again = cj.either(found, cj.map(up, ["last"]))
    return [found, same(found), cj.map(up, found), same(found[0]), again]


@cj.workflow
def returned(which: int = 1) -> Any:
    with cj.when(same(which) == 1):
        first = cj.map(up, ["x"])
    with cj.otherwise():
        second = cj.map(up, ["no"])
    return cj.either(first, second)


@cj.workflow
def called() -> Any:
    return [returned(1), cj.map(up, returned(2)), cj.map(returned, [1, 2])]


FOUND = {
    1: [["X", "{{Y}}"], ["X", "{{Y}}"], ["X", "{{Y}}"], "X", ["X", "{{Y}}"]],
    2: [["Z"], ["Z"], ["Z"], "Z", ["Z"]],
}


@pytest.mark.parametrize("which", [1, 2])
def test_either_of_loops_is_the_list_of_the_one_that_ran(which: int, tmp_path: Path) -> None:
    assert cj.run_here(chosen, which=which) == FOUND[which]
    assert run_locally(chosen, tmp_path, which=which) == FOUND[which]


@pytest.mark.parametrize(("which", "expected"), [(1, ["X"]), (2, ["NO"])])
def test_either_of_loops_is_returned_as_a_list(
    which: int, expected: list[str], tmp_path: Path
) -> None:
    assert cj.run_here(returned, which=which) == expected
    assert run_locally(returned, tmp_path, which=which) == expected


def test_either_of_loops_is_returned_to_a_caller_and_to_a_loop(tmp_path: Path) -> None:
    expected = [["X"], ["NO"], [["X"], ["NO"]]]
    assert cj.run_here(called) == run_locally(called, tmp_path) == expected


@pytest.mark.parametrize("target", TARGETS)
def test_either_of_loops_is_a_valid_manifest(target: str) -> None:
    assert cj.lint(called.compile(target=target), target) == []


def test_of_loops_that_did_not_run_there_is_no_value(tmp_path: Path) -> None:
    @cj.workflow
    def none() -> Any:
        with cj.when(same(1) == 2):
            first, second = cj.map(up, ["x"]), cj.map(up, same(["y"]))
        found = cj.either(first, second)
        return [found, same(found), cj.map(up, found)]

    assert cj.run_here(none) == run_locally(none, tmp_path) == [[], [], []]


def test_a_loop_and_a_single_call_are_no_choice_but_workflows_of_them_are() -> None:
    @cj.workflow
    def mixed() -> Any:
        return cj.either(cj.map(up, ["x"]), same(["y"]))

    @cj.workflow
    def loop() -> Any:
        return cj.map(up, ["x"])

    @cj.workflow
    def own() -> Any:
        return cj.either(loop(), same(["y"]))

    with pytest.raises(DeclarationError, match=r"put each cj.map into a workflow of its own"):
        mixed.compile()
    assert cj.run_here(own) == ["X"]


def text_of_containers() -> Any:
    with cj.when(same(1) == 1):
        first = cj.container("alpine", command=["echo", "a b"])
    with cj.otherwise():
        second = cj.container("alpine", command=["echo", "c"])
    return cj.either(first, second)


def test_either_of_containers_is_their_text() -> None:
    @cj.workflow
    def compared() -> None:
        found = text_of_containers()
        same(found)
        with cj.when(found == "c"):
            same(1)

    @cj.workflow
    def inside() -> None:
        same([text_of_containers()])

    assert task(compiled(compared), "same-3")["when"].endswith(" : 'null') == 'c'}}")
    with pytest.raises(DeclarationError, match="one of several values is text, which cannot stand"):
        inside.compile()
