from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import wire
from tests.backends.local.driving import Drive
from tests.dsl.test_steps import argument, tasks, templates


@cj.step
def number(value: Any = 0) -> Any:
    return value


@cj.step
def add(left: Any, right: Any = 1) -> Any:
    return left + right


@cj.step
def pair(left: Any, right: Any) -> Any:
    return [left, right]


@cj.step
def tell(name: Any, status: Any = None, failures: Any = None) -> None: ...


def compiled(function: Any) -> dict[str, Any]:
    return cj.workflow(function).compile()


def test_a_step_under_a_condition_carries_it_and_follows_what_it_reads() -> None:
    def flow() -> None:
        with cj.when(number(3) > 2):
            number(4)

    found = tasks(compiled(flow))["number-2"]
    value = "tasks.number.outputs.parameters.value"
    assert found["when"] == f"{{{{=({value} matches '^-?[0-9]' && asFloat({value}) > 2)}}}}"
    assert found["depends"] == "number"


def test_what_a_step_under_a_condition_gives_has_a_fallback() -> None:
    def flow() -> None:
        with cj.when(number(3) > 2):
            maybe = add(4)
        number(maybe)

    text = argument(tasks(compiled(flow))["number-2"], "value")
    assert (
        text
        == "{{=(tasks.add.status == 'Succeeded' ? tasks.add.outputs.parameters.value : 'null')}}"
    )


def either_branch(value: int = 0) -> Any:
    start = number(value)
    with cj.when(start == 1):
        one = number("one")
    with cj.otherwise():
        other = number("other")
    return cj.either(one, other)


@pytest.mark.parametrize(("value", "expected"), [(1, "one"), (2, "other")])
def test_either_is_the_one_that_ran(value: int, expected: str) -> None:
    assert cj.run_here(cj.workflow(either_branch), value=value) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda a, b: (a > 1) & (b > 1), False),
        (lambda a, b: (a > 1) | (b > 1), True),
        (lambda a, b: ~(a > 1), False),
        (lambda a, b: cj.and_(a, b == 0), True),
        (lambda a, b: cj.or_(b, a == 0), False),
        (lambda a, b: cj.not_(b), True),
        (lambda a, b: a & (b < a), True),
        (lambda a, b: b | (b != a), True),
        (lambda a, b: ~b, True),
        (lambda a, b: True, True),
        (lambda a, b: False, False),
        (lambda a, b: (a >= 2) & (b <= 0), True),
    ],
)
def test_conditions_combine(condition: Any, expected: bool) -> None:
    def flow() -> Any:
        a, b = number(2), number(0)
        with cj.when(condition(a, b)):
            ran = number("ran")
        return [ran]

    assert cj.run_here(cj.workflow(flow)) == (["ran"] if expected else [None])


def test_conditions_nest() -> None:
    def flow() -> Any:
        with cj.when(number(1) == 1), cj.when(number(2) == 3):
            ran = number("ran")
        return [ran]

    assert cj.run_here(cj.workflow(flow)) == [None]


def test_a_loop_over_a_list_runs_once_for_each_item() -> None:
    def flow() -> Any:
        return cj.map(add, [1, "a{{x}}"], right=2, after=number())

    manifest = compiled(flow)
    found = tasks(manifest)["add"]
    assert found["withItems"] == ["1", '"a\\u007bx}}"'.replace("a\\u007bx", "a\\u007b\\u007bx")]
    assert found["depends"] == "number"
    assert argument(found, "left") == "{{item}}"
    assert argument(found, "right") == "2"


def test_a_loop_over_several_lists_gives_one_item_of_each() -> None:
    def flow() -> Any:
        return cj.map(add, [1, 2], [30, 40])

    assert tasks(compiled(flow))["add"]["withItems"] == [
        {"left": "1", "right": "30"},
        {"left": "2", "right": "40"},
    ]
    assert cj.run_here(cj.workflow(flow)) == [31, 42]


TEXTS = (
    st.sampled_from(["x", "é y", 'q"\\\\u', "{{item}}", "$(HOME)", "<&>\\u2028", ""]) | st.text()
)
COLUMN = st.lists(TEXTS, min_size=2, max_size=2) | st.lists(
    st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS), min_size=2, max_size=2
)


@given(COLUMN, COLUMN)
def test_values_of_several_lists_arrive_as_they_are(left: list[Any], right: list[Any]) -> None:
    def flow() -> Any:
        return cj.map(pair, left, right)

    manifest = cj.workflow(flow).compile()
    assert cj.lint(manifest) == []
    drive = Drive(manifest)
    drive.all()
    given = [node.inputs for node in drive.nodes_by_id().values() if node.type == "Pod"]
    found = [[wire.decode(one[name]) for name in ("left", "right")] for one in given]
    assert found == [[*row] for row in zip(left, right, strict=True)]
    assert cj.run_here(cj.workflow(flow)) == found


def test_a_function_may_be_looped_over_and_use_the_values_around_it() -> None:
    def flow(by: int = 5) -> Any:
        start = number(by)
        with cj.when(start > 3):
            found = cj.map(lambda n: add(add(n, start), by), number([1, 2]))
        cj.map(lambda n: cj.suspend("1s"), [1], after=found)
        return [found, cj.map(lambda n, m: cj.map(lambda k: add(k, m), [n, by]), [1, 2], m=start)]

    assert cj.lint(compiled(flow)) == []
    assert cj.run_here(cj.workflow(flow)) == [[11, 12], [[6, 10], [7, 10]]]


def test_what_a_workflow_returns_of_a_container_is_compared_as_a_text() -> None:
    @cj.workflow
    def release() -> Any:
        return cj.container("alpine", command=["uname"], name="uname")

    def flow() -> None:
        with cj.when(release() == "Linux"):
            number(1)

    when = tasks(compiled(flow))["number"]["when"]
    assert when == "{{=tasks.release.outputs.parameters.value == 'Linux'}}"


def test_a_loop_over_a_value_is_a_graph_that_may_be_skipped() -> None:
    def flow() -> Any:
        return cj.map(add, number([1, 2]), right=5)

    manifest = compiled(flow)
    items = "tasks.number.outputs.parameters.items"
    assert (
        tasks(manifest)["add-map"]["when"] == f"{{{{=!(({items} == '[]' || {items} == 'null'))}}}}"
    )
    assert tasks(manifest, "add-map")["add"]["withParam"] == "{{inputs.parameters.loop-items}}"
    assert cj.run_here(cj.workflow(flow)) == [6, 7]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: cj.map(add, []), []),
        (lambda: cj.map(add, number([])), []),
        (lambda: number(cj.map(add, cj.map(add, [1, 2]))), [3, 4]),
        (lambda: number(cj.map(add, [1, 2])[1]), 3),
        (lambda: number(cj.map(number, [{"a": 1}, {"a": [2]}])), [{"a": 1}, {"a": [2]}]),
        (lambda: number(cj.map(add, [number(1), number(2)])), [2, 3]),
        (lambda: number(cj.map(add, number({"x": [1]})["x"])), [2]),
    ],
)
def test_loops_give_lists(function: Any, expected: Any) -> None:
    def flow() -> Any:
        number()
        return function()

    assert cj.run_here(cj.workflow(flow)) == expected


def test_a_loop_under_a_condition_gives_none_of_its_values_when_it_does_not_run() -> None:
    def flow(start: int = 0) -> Any:
        with cj.when(number(start) > 0):
            found = cj.map(add, [1, 2], right=10)
        return number(found)

    assert cj.run_here(cj.workflow(flow)) == []
    assert cj.run_here(cj.workflow(flow), start=1) == [11, 12]


def test_a_parameter_can_be_looped_over_and_taken_apart() -> None:
    def flow(days: Any = ("a", "b")) -> Any:
        return [number(days[1]), cj.map(number, days)]

    assert cj.run_here(cj.workflow(flow)) == ["b", ["a", "b"]]


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda: cj.map(len, [1]), "calls a step, a workflow or a function"),
        (lambda: cj.map(add), "takes lists"),
        (lambda: cj.map(add, [1], number()), "put several together"),
        (lambda: cj.map(add, [1], [1, 2]), "these have 1, 2 items"),
        (lambda: cj.map(add, [1], wrong=1), "has no parameter 'wrong'"),
        (lambda: cj.either(1), "1 is none"),
        (lambda: number(cj.workflow_name()["x"]), "has no parts"),
        (lambda: cj.map(add, cj.workflow_name()), "is no list"),
    ],
)
def test_a_wrong_loop_is_refused(function: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        compiled(function)


@cj.workflow
def inner(value: Any, more: Any = 5) -> Any:
    total = add(value, more)
    return {"total": total, "list": [total, 1], "files": number(["x", "y"]), "known": [1, {"a": 2}]}


def test_a_workflow_in_another_is_one_step() -> None:
    def flow() -> Any:
        found = inner(1)
        return [number(found["total"]), number(found["list"]), inner(2, 3)["total"]]

    manifest = compiled(flow)
    assert list(tasks(manifest))[:2] == ["inner", "number"]
    assert cj.run_here(cj.workflow(flow)) == [6, [6, 1], 5]


def test_the_parts_that_a_workflow_returns_can_be_looped_over() -> None:
    def flow() -> Any:
        found = inner(1)
        return [cj.map(number, found["files"]), cj.map(number, found["known"])]

    assert cj.run_here(cj.workflow(flow)) == [["x", "y"], [1, {"a": 2}]]


def test_a_workflow_can_be_looped() -> None:
    def flow() -> Any:
        return number(cj.map(inner, [1, 2], more=0))

    found = cj.run_here(cj.workflow(flow))
    assert [one["total"] for one in found] == [1, 2]


def test_what_a_workflow_does_not_return_cannot_be_read() -> None:
    def flow() -> Any:
        return number(inner(1)["nothing"])

    with pytest.raises(DeclarationError, match="What inner returns has no 'nothing'"):
        compiled(flow)


def test_what_is_no_list_cannot_be_looped_over() -> None:
    def flow() -> Any:
        return cj.map(number, inner(1)["list"])

    with pytest.raises(DeclarationError):
        compiled(flow)


@cj.workflow
def countdown(left: int = 3) -> Any:
    rest = add(left, -1)
    with cj.when(rest > 0):
        deeper = countdown(rest)
    return cj.either(deeper, rest)


def test_a_workflow_may_call_itself() -> None:
    assert cj.run_here(countdown) == 0
    assert list(templates(countdown.compile())) == ["countdown", "add"]


seen: list[Any] = []


@cj.step
def note(*, name: str, status: str, failures: Any, day: Any) -> None:
    seen.append((name, status, failures, day))


@cj.step
def fail() -> None:
    raise ValueError("as asked")


def test_the_exit_handler_knows_how_it_ended() -> None:
    def at_end(day: Any) -> None:
        with cj.when(cj.workflow_status() == "Failed"):
            note(
                name=cj.workflow_name(),
                status=cj.workflow_status(),
                failures=cj.workflow_failures(),
                day=day,
            )

    seen.clear()
    flow = cj.workflow(name="ending", on_exit=at_end)(lambda day=1: fail())
    with pytest.raises(ValueError, match="as asked"):
        cj.run_here(flow)
    assert seen == [("ending", "Failed", [{"message": "ValueError: as asked"}], 1)]
    flow = cj.workflow(name="ending", on_exit=at_end)(lambda day=1: number())
    cj.run_here(flow)
    assert len(seen) == 1


def test_a_step_or_a_workflow_can_be_the_exit_handler() -> None:
    manifest = cj.workflow(on_exit=number)(lambda: add(1)).compile()
    assert list(tasks(manifest, manifest["spec"]["onExit"])) == ["number"]
    manifest = cj.workflow(on_exit=cj.workflow(lambda: add(2)))(lambda: add(1)).compile()
    assert list(tasks(manifest, manifest["spec"]["onExit"])) == ["add"]


@pytest.mark.parametrize(
    ("on_exit", "sentence"), [(3, "neither a step nor"), (tell, "on_exit takes 'name'")]
)
def test_a_wrong_exit_handler_is_refused(on_exit: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        cj.workflow(on_exit=on_exit)(lambda: add(1)).compile()


def test_outputs_of_the_workflow_have_global_names() -> None:
    def flow() -> Any:
        return {"a b": number(), "c": 5}

    found = templates(compiled(flow))["flow"]["outputs"]["parameters"]
    assert found == [
        {
            "name": "a-b",
            "globalName": "a-b",
            "valueFrom": {"parameter": "{{tasks.number.outputs.parameters.value}}"},
        },
        {"name": "c", "globalName": "c", "valueFrom": {"expression": "'5'"}},
    ]
    assert cj.run_here(cj.workflow(flow)) == {"a-b": 0, "c": 5}
