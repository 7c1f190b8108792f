"""Values that are known when a step is called are checked against its annotations then."""

from __future__ import annotations

import datetime
import enum
import re
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
)

import pydantic
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


class Model(pydantic.BaseModel):
    rows: int
    report: Report


class Level(enum.IntEnum):
    LOW = 1


class Forgiving(enum.Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Forgiving:
        return cls.ONE


class Holder(TypedDict):
    report: Report
    model: Model
    many: list[Pair]
    rows: NotRequired[int]


MATCHING: list[tuple[Any, Any]] = [
    *((int, hint) for hint in (int, bool, float, Level, int | str, Any, object, None, Number)),
    *((int, hint) for hint in (str, Literal["1", "2"], datetime.date)),  # it gets the text
    *((int, hint) for hint in (Model, Forgiving, Literal["a", 1], bytes, "nowhere.Known", [int])),
    *((hint, int) for hint in (Any, object, None, Number, bytes, int | str, float, Model, [int])),
    *((hint, int) for hint in (Forgiving, Level, Annotated[int, []])),
    (dict[str, Annotated[str, []]], int),  # it has no hash, and is not looked into
    *((str, hint) for hint in (Sequence[str], Iterable[str], Optional[int], str | int)),  # noqa: UP045
    *((list, hint) for hint in (list[int], tuple[int, int], Pair, Sequence[str], Collection[str])),
    *((list[str], hint) for hint in (list[int], tuple[int, ...], Any, str)),
    *((dict, hint) for hint in (Report, Options, Mapping[str, int], Iterable[str], Model)),
    *((hint, dict[str, Any]) for hint in (Report, Options, Collection[str], Mapping[str, int])),
    *((hint, list[Any]) for hint in (Pair, Iterable[str], tuple[int, ...])),
    (datetime.date, Colour),
    (Colour, Literal["red"]),
    (Path | str, int),
]
OTHER: list[tuple[Any, Any]] = [
    *((str, hint) for hint in (int, float, bool, list, dict, Report, Pair, Level, Literal[1, 2])),
    *((int, hint) for hint in (list[int], dict, Mapping[str, int], Options, Pair, Sequence[str])),
    *((list, hint) for hint in (int, dict[str, int], Report, int | float, Annotated[int, "x"])),
    *((dict[str, int], hint) for hint in (int, list, tuple[int, ...], Literal[1])),
    *((hint, int) for hint in (Report, Options, Pair, Colour, datetime.date, Literal["a", "b"])),
    *((hint, int) for hint in (str | None, list[int] | dict[str, int], Annotated[str, "x"])),
    (Report, list[Any]),
    (Pair, Mapping[str, Any]),
]


def passed_on(given: Any, taken: Any, part: Any = lambda value: value) -> dict[str, Any]:
    def make() -> Any: ...
    def use(given: Any) -> None: ...

    make.__annotations__ = {} if given is None else {"return": given}
    use.__annotations__ = {} if taken is None else {"given": taken}
    made, used = cj.step(make), cj.step(use)

    @cj.workflow
    def flow() -> None:
        used(part(made()))

    return cj.compile(flow)


@pytest.mark.parametrize(("given", "taken"), MATCHING)
def test_a_value_of_a_step_is_passed_on_where_its_type_may_fit(given: Any, taken: Any) -> None:
    (_, task) = passed_on(given, taken)["spec"]["templates"][0]["dag"]["tasks"]
    assert task["depends"] == "make"


@pytest.mark.parametrize(("given", "taken"), OTHER)
def test_a_value_of_a_step_is_refused_where_its_type_cannot_fit(given: Any, taken: Any) -> None:
    said = (
        r"test_fits\.py, line \d+: The argument 'given' of use\(\) is annotated with .*, and the "
        "value of make with "
    )
    with pytest.raises(DeclarationError, match=said):
        passed_on(given, taken)


@pytest.mark.parametrize(
    ("given", "part", "is_taken"),
    [
        (dict[str, int], lambda value: value["rows"], True),
        (dict[str, str], lambda value: value["rows"], False),
        (dict, lambda value: value["rows"], True),
        (typing.Dict, lambda value: value["rows"], True),  # noqa: UP006
        (list[str], lambda value: value[0], False),
        (tuple[str, int], lambda value: value[1], True),
        (Pair, lambda value: value.left, True),
        (Pair, lambda value: value.right, False),
        (Report, lambda value: value.rows, True),
        (Holder, lambda value: value["report"].rows, True),
        (Holder, lambda value: value["report"], False),
        (Holder, lambda value: value["many"][0].right, False),
        (Holder, lambda value: value["rows"], True),
        (Model, lambda value: value.report, True),  # a model may write a field as it likes
        (Holder, lambda value: value["model"].report, True),
    ],
)
def test_so_is_a_part_of_a_value_as_far_as_annotations_say(
    given: Any, part: Any, is_taken: bool
) -> None:
    if is_taken:
        assert passed_on(given, int, part)
        return
    with pytest.raises(DeclarationError, match="'given' of use"):
        passed_on(given, int, part)


@pytest.mark.parametrize(
    ("given", "part", "said"),
    [
        (Holder, lambda value: value["reprt"], "no 'reprt': did you mean 'report'?"),
        (Holder, lambda value: value["x"], "no 'x': Holder has report, model, many, rows."),
        (Holder | None, lambda value: value["report"]["x"], "no 'x': Report has rows."),
        (dict[str, Options], lambda value: value["a"]["b"], "no 'b': Options has fast."),
        (Report, lambda value: value.row, "has no attribute 'row' that is known: did you mean"),
    ],
)
def test_a_part_that_a_class_lacks_is_refused(given: Any, part: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=rf"test_fits\.py, line \d+: .*{re.escape(said)}"):
        passed_on(given, None, part)


@pytest.mark.parametrize(
    ("given", "key"), [(Model, "x"), (dict, "x"), (dict[str, int], "x"), (Any, "x"), (Pair, 0)]
)
def test_a_part_that_may_be_there_is_not(given: Any, key: str | int) -> None:
    assert passed_on(given, None, lambda value: value[key])


def looped(given: Any, taken: Any) -> dict[str, Any]:
    return passed_on(given, None, lambda value: cj.map(takes(taken), value))


def takes(hint: Any) -> Any:
    def take(one: Any) -> None: ...

    take.__annotations__ = {} if hint is None else {"one": hint}
    return cj.step(take)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        *((list[int], hint) for hint in (int, float, str, None, Any, Model, int | str)),
        *((hint, int) for hint in (list, list[Any], tuple[str, int], tuple[int, ...], Sequence)),
        *((hint, int) for hint in (None, Any, list[int] | None, list[int] | int, Iterable[str])),
        (Pair, int),
        (list[int | None], int),
    ],
)
def test_a_loop_over_a_list_of_what_may_fit_is_taken(given: Any, taken: Any) -> None:
    assert looped(given, taken)


@pytest.mark.parametrize("given", [str, int, bool, dict[str, int], Report, Options, str | int])
def test_a_loop_over_what_is_no_list_is_refused(given: Any) -> None:
    said = r"line \d+: cj\.map loops over a list, and the value of make is annotated with "
    with pytest.raises(DeclarationError, match=said):
        looped(given, None)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (list[str], int),
        (tuple[str, ...], int),
        (Sequence[list[int]], int),
        (list[Report] | None, list[int]),
    ],
)
def test_a_loop_over_what_cannot_fit_is_refused(given: Any, taken: Any) -> None:
    said = (
        r"line \d+: The argument 'one' of take\(\) is .*, and the items of the value of make with"
    )
    with pytest.raises(DeclarationError, match=said):
        looped(given, taken)


def test_what_a_workflow_returns_may_be_a_text_of_a_container_and_is_left_to_the_step() -> None:
    @cj.step
    def use(rows: int) -> None: ...

    @cj.workflow
    def count() -> str:
        return cj.container("alpine:3", command="wc")  # type: ignore[no-any-return]

    @cj.workflow
    def flow() -> None:
        use(count())  # type: ignore[call-overload]

    assert cj.compile(flow)


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
