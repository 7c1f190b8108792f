"""Values that are known when a step is called are checked against its annotations then."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, Optional, TypedDict

import pytest

import couler_jobs as cj
from couler_jobs.dsl.rebuilt import plain, rebuilt
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import wire


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Report:
    rows: int


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict):
    fast: bool


Number = NewType("Number", int)
TODAY = datetime.date(2026, 11, 29)
NUMBERS: list[tuple[int, ...]] = [(), (1, 2)]
TAKEN: list[tuple[Any, Any]] = [
    *((int, value) for value in (1, True)),
    *((float, value) for value in (1, 1.5)),
    *((str, value) for value in ("a", Path("a"))),  # a path travels as text
    (list[int], []),
    *((list[int], value) for value in ([1], (1, 2))),
    *((Sequence[str], value) for value in (["a"], "ab")),
    *((Mapping[str, int], value) for value in ({"b": 2}, {"a": 1})),
    *((tuple[int, str], value) for value in ((1, "a"), [1, "a"])),
    *((tuple[int, ...], value) for value in NUMBERS),
    *((Optional[int], value) for value in (None, 1)),  # noqa: UP045  as users write it
    *((int | str, value) for value in (1, "a")),
    *((Literal["a", 1], value) for value in ("a", 1)),
    *((Colour, value) for value in (Colour.RED, "red")),
    *((Report, value) for value in (Report(1), {"rows": 1})),
    *((Pair, value) for value in (Pair(1, "a"), [1, "a"])),
    (Options, {"fast": True}),
    *((datetime.date, value) for value in (TODAY, "2026-11-29")),
    *((hint, "a") for hint in (Any, object, Number, bytes, None, [int], "nowhere.Known")),
]
REFUSED: list[tuple[Any, Any]] = [
    *((int, value) for value in (1.5, 1.0, "1", None, Path("a"), [1])),
    *((float, value) for value in ("1", None)),
    *((str, value) for value in (1, ["a"], None)),
    *((bool, value) for value in (1, "true")),
    *((list[int], value) for value in (["a"], "ab", {"a": 1}, [1, None])),
    *((list, value) for value in ("ab", 1)),
    *((Mapping[str, int], value) for value in (["a"], {"a": "b"})),
    *((tuple[int, str], value) for value in ("ab", ("a", 1), [1])),
    *((Optional[int], value) for value in ("a", 1.5)),  # noqa: UP045
    (int | str, [1]),
    *((Literal["a", 1], value) for value in ("b", True)),
    *((Colour, value) for value in ("blue", 1)),
    *((Report, value) for value in ({"columns": 1}, "a")),
    (Options, "a"),
    *((datetime.date, value) for value in ("tomorrow", 1)),
]


def declared(hint: Any, value: Any) -> dict[str, Any]:
    def use(given: Any) -> None: ...

    use.__annotations__ = {} if hint is None else {"given": hint}
    step = cj.step(use)

    @cj.workflow
    def flow() -> None:
        step(value)

    return cj.compile(flow)


@pytest.mark.parametrize(("hint", "value"), TAKEN)
def test_what_a_step_can_take_is_taken(hint: Any, value: Any) -> None:
    (task,) = declared(hint, value)["spec"]["templates"][0]["dag"]["tasks"]
    (given,) = task["arguments"]["parameters"]
    assert wire.decode(given["value"]) == plain(value)


@pytest.mark.parametrize(("hint", "value"), REFUSED)
def test_what_a_step_could_not_take_is_refused(hint: Any, value: Any) -> None:
    with pytest.raises(DeclarationError, match=r"test_fits\.py, line \d+: The argument 'given' of"):
        declared(hint, value)


@pytest.mark.parametrize(
    ("hint", "value"), [(h, v) for h, v in TAKEN if isinstance(h, type) and h not in (bytes, Any)]
)
def test_what_is_taken_is_what_the_step_gets(hint: type, value: Any) -> None:
    if hint is Options:
        hint = dict
    got = rebuilt(hint, wire.decode(wire.encode(plain(value))))
    assert isinstance(got, float | int if hint is float else hint)


def test_a_value_that_comes_when_the_workflow_runs_is_left_to_the_step() -> None:
    @cj.step
    def make() -> Any: ...

    @cj.step
    def use(rows: list[int], report: Report) -> None: ...

    @cj.workflow
    def flow() -> None:
        use([make(), 1], make())

    assert len(cj.compile(flow)["spec"]["templates"][0]["dag"]["tasks"]) == 3


def test_a_list_is_checked_where_it_is_known() -> None:
    @cj.step
    def make() -> Any: ...

    @cj.step
    def use(rows: list[int]) -> None: ...

    @cj.workflow
    def flow() -> None:
        use([make(), "a"])  # type: ignore[list-item]

    with pytest.raises(DeclarationError, match="'rows' of use"):
        cj.compile(flow)


def test_a_default_is_always_taken_and_none_may_be_one() -> None:
    @cj.step
    def use(rows: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013  users do

    @cj.workflow
    def flow(rows: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
        use()
        use(None)  # type: ignore[call-overload]

    assert cj.compile(flow, rows=None)


@pytest.mark.parametrize(("given", "is_taken"), [(3, True), ("x", False), (1.5, False)])
def test_a_parameter_of_the_run_is_checked(given: Any, is_taken: bool) -> None:
    @cj.step
    def use(rows: int) -> None: ...

    @cj.workflow
    def flow(rows: int = 1) -> None:
        use(rows)

    if is_taken:
        assert cj.compile(flow, rows=given)
        return
    with pytest.raises(DeclarationError, match="The parameter 'rows' is annotated with int"):
        cj.compile(flow, rows=given)
