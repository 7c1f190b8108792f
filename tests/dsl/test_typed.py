"""Values that are more than JSON, choices and descriptions, by the annotations of functions."""

from __future__ import annotations

import datetime
import enum
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

import couler_jobs as cj
from couler_jobs.dsl.rebuilt import keep_file, plain, rebuilt
from couler_jobs.dsl.typed import is_text
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import compiled, task, template
from tests.dsl.running import parallel_steps, run_locally


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    day: datetime.date
    colour: Colour = Colour.RED


@dataclass
class Order:
    lines: list[Item]
    note: Item | None = None
    by_name: dict[str, Item] = field(default_factory=dict)


class Point(NamedTuple):
    x: int
    y: int


class Found(TypedDict):
    order: Order
    at: tuple[Point, ...]


ITEM = Item("a", datetime.date(2026, 1, 2), Colour.BLUE)
ITEM_TEXT = {"name": "a", "day": "2026-01-02", "colour": "blue"}
ORDER = Order([ITEM], ITEM, {"a": ITEM})


@pytest.mark.parametrize(
    ("hint", "answer"),
    [
        *((one, True) for one in (str, str | None, Annotated[str | None, "described"])),
        *((one, True) for one in (Literal["1", "2"], Literal["1", None], Colour, datetime.date)),
        *((one, False) for one in (int, None, Any, object, str | int, Literal["1", 1], list[str])),
        *((one, False) for one in (Point, Item, Path, "nowhere", [str])),
    ],
)
def test_a_parameter_is_a_text_if_its_annotation_takes_nothing_else(
    hint: Any, answer: bool
) -> None:
    assert is_text(hint) == answer


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (Item, ITEM, ITEM_TEXT),
        (Annotated[Item, "described"], ITEM, ITEM_TEXT),
        (Found | None, {"order": ORDER, "at": ()}, {"order": plain(ORDER), "at": []}),
        (Found | str, "none", "none"),
        (
            Order,
            ORDER,
            {"lines": [ITEM_TEXT], "note": ITEM_TEXT, "by_name": {"a": ITEM_TEXT}},
        ),
        (list[Item], [ITEM], [ITEM_TEXT]),
        (dict[str, Point], {"a": Point(1, 2)}, {"a": [1, 2]}),
        (tuple[int, Point], (1, Point(1, 2)), [1, [1, 2]]),
        (tuple[Point, ...], (Point(1, 2), Point(3, 4)), [[1, 2], [3, 4]]),
        (Item | None, None, None),
        (Item | str, "text", "text"),
        (Point | Item, ITEM, ITEM_TEXT),
        (Colour, Colour.RED, "red"),
        (datetime.datetime, datetime.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
        (Found, {"order": Order([]), "at": ()}, {"order": plain(Order([])), "at": []}),
        (int, 1, 1),
        (None, [1], [1]),
    ],
)
def test_a_value_is_json_and_comes_back_as_its_type(hint: Any, value: Any, text: Any) -> None:
    assert plain(value) == text
    assert rebuilt(hint, text) == value


@cj.step
def order(names: list[str], day: datetime.date) -> Order:
    return Order([Item(name, day) for name in names])


@cj.step
def first(found: Order) -> Item:
    return found.lines[0]


@cj.step
def name_of(item: Item, colours: list[Colour]) -> str:
    return f"{item.name} {item.day.year} {[colour.name for colour in colours]}"


@cj.step
def doubled(item: Item) -> str:
    return item.name * 2


@cj.workflow
def flow(colours: list[Colour] = [Colour.BLUE]) -> Any:  # noqa: B006
    made = order(["x", "y"], datetime.date(2026, 5, 6))
    return {
        "name": name_of(first(made), colours),
        "field": made.lines[1].name,
        "each": cj.map(doubled, made.lines),
        "given": doubled(Item("z", datetime.date(2026, 1, 1))),
    }


RESULT = {"name": "x 2026 ['BLUE']", "field": "y", "each": ["xx", "yy"], "given": "zz"}


def test_values_of_classes_travel_in_this_process() -> None:
    assert cj.run_here(flow) == RESULT


@parallel_steps
def test_values_of_classes_travel_on_this_machine(tmp_path: Path) -> None:
    assert run_locally(flow, tmp_path) == RESULT


def test_the_class_travels_with_the_source() -> None:
    manifest = compiled(flow)
    source = template(manifest, "doubled")["script"]["source"]
    assert "class Item:" in source
    text = next(
        p["value"]
        for p in task(manifest, "doubled")["arguments"]["parameters"]
        if p["name"] == "item"
    )
    assert text == '{"name": "z", "day": "2026-01-01", "colour": "red"}'


def test_a_step_of_plain_values_has_none_of_it_in_its_script() -> None:
    @cj.workflow
    def plain_flow() -> None:
        cj.step(plain_step)([1])

    assert "def _typed" not in template(compiled(plain_flow), "plain-step")["script"]["source"]


def plain_step(values: list[int]) -> dict[str, Any]:
    return {"values": values}


def test_a_model_of_pydantic_is_rebuilt_where_there_is_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", size=(int, ...))
    assert plain(model(size=3)) == {"size": 3}
    assert rebuilt(model, {"size": 3}) == model(size=3)


@cj.step
def described(size: Annotated[int, "How many"], mode: Literal["fast", "slow"] = "fast") -> str:
    return mode * size


@cj.workflow
def choosing(
    size: Annotated[int, "How many"] = 1,
    mode: Literal["fast", "slow"] = "fast",
    colour: Colour = Colour.RED,
) -> str:
    return described(size, mode)


def test_annotations_describe_parameters_and_their_choices() -> None:
    manifest = compiled(choosing)
    assert manifest["spec"]["arguments"]["parameters"] == [
        {"name": "size", "value": "1", "description": "How many"},
        {"name": "mode", "value": '"fast"', "enum": ['"fast"', '"slow"']},
        {"name": "colour", "value": '"red"', "enum": ['"red"', '"blue"']},
    ]
    assert template(manifest, "described")["inputs"]["parameters"] == [
        {"name": "size", "description": "How many"},
        {"name": "mode", "value": '"fast"'},
    ]


def test_a_value_that_is_no_choice_is_refused() -> None:
    with pytest.raises(
        DeclarationError, match="'mode' is 'quick': it is one of \"fast\", \"slow\""
    ):
        choosing.compile(mode="quick")


def test_the_text_that_travels_needs_nothing_of_this_package(tmp_path: Path) -> None:
    """The script of a step runs in an interpreter that has only the standard library."""
    source = template(compiled(flow), "doubled")["script"]["source"]
    script = tmp_path / "step.py"
    script.write_text(source)
    environment = {"COULER_JOBS_ARG_item": '{"name": "q", "day": "2026-01-01", "colour": "red"}'}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _REDIRECTED.format(script=script, folder=tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert (tmp_path / "out" / "value").read_text() == '"qq"'


_REDIRECTED = """
text = open("{script}").read()
exec(compile(text.replace("/tmp/couler-jobs", "{folder}/out"), "step", "exec"))
"""


class File(NamedTuple):
    path: str
    file: str
    items: int
    producer: str
    reference: str
    listed: bool


@cj.step
def a_file() -> File:
    return File("p", "f", 1, "q", "r", True)


@cj.workflow
def fields_of_any_name() -> Any:
    found = a_file()
    return [found.path, found.file, found.items, found.producer, found.reference, found.listed]


def test_a_field_may_have_any_name() -> None:
    assert cj.run_here(fields_of_any_name) == ["p", "f", 1, "q", "r", True]


def test_a_folder_that_a_step_made_where_argo_looks_for_it_stays(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "f").write_text("kept")
    keep_file(tmp_path / "made", f"{tmp_path}/made/")
    assert (tmp_path / "made" / "f").read_text() == "kept"
