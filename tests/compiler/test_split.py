"""Big workflows within Argo's limits: what runs, with which values, in which order."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import couler_jobs as cj
from couler_jobs.compiler.compile import manifest
from couler_jobs.compiler.partition import partition
from couler_jobs.compiler.split import fits, split
from couler_jobs.errors import CompileError
from couler_jobs.spec import graph as order
from couler_jobs.spec import model
from tests.backends.local.driving import Drive


def pod(name: str = "work") -> model.Pod:
    tags = [model.Joined(parts=(model.Input(name=name),)) for name in ("name", "a")]
    return model.Pod(
        name=name,
        container=model.Container(image="x", command=("x",), args=tuple(tags)),
        inputs=(model.Parameter(name="name"), model.Parameter(name="a")),
        outputs=(model.OutputFile(name="value", path="/v"),),
    )


def call(name: str, *after: str, reads: Any = None, **more: Any) -> model.Call:
    """A call that follows others, and reads their values if nothing else is said."""
    before = [term.partition(".")[0] for term in after]
    text = read(before if reads is None else reads)
    arguments = (("name", name), ("a", text))
    return model.Call(name=name, template="work", arguments=arguments, depends=after, **more)


def read(names: Any) -> model.Text:
    parts = [piece for one in names for piece in ("+", model.Output(task=one))]
    return model.Joined(parts=("(", *parts, ")")) if parts else "()"


def is_long(name: str) -> model.Compare:
    constant = model.Constant(text="n0()")
    return model.Compare(left=model.Output(task=name), operator="!=", right=constant, json=False)


def flow(*calls: model.Call, **more: Any) -> model.Workflow:
    main = model.Graph(name="main", calls=calls, **more)
    return model.Workflow(name="w", entrypoint="main", templates=(main, pod()))


Span = tuple[int, int, str]


def ran(workflow: model.Workflow, *failing: str) -> tuple[str, dict[str, Span], dict[str, str]]:
    """What an engine makes of it: the phase, each step's start, end and input, and the outputs.

    A step's value is its name and its input.
    """
    drive = Drive(manifest(workflow))
    started: dict[str, int] = {}
    spans: dict[str, Span] = {}
    while drive.running:
        for launch in drive.launched[len(started) :]:
            started[launch.node] = len(started) + len(spans)
        launch = next(iter(drive.running.values()))
        name, text = launch.args
        spans[name] = (started[launch.node], len(started) + len(spans), text)
        code = int(name in failing)
        drive.end(launch.node.removeprefix("run-x1"), code, parameters={"value": name + text})
    return drive.decision.phase.value, spans, dict(drive.decision.outputs)


@st.composite
def workflows(draw: st.DrawFn) -> model.Workflow:
    """Graphs of up to a dozen steps that follow others, read some of them, or are conditional."""
    calls: list[model.Call] = []
    for index in range(draw(st.integers(1, 12))):
        names = [one.name for one in calls]
        after = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        reads = draw(st.lists(st.sampled_from(after), max_size=4)) if after else []
        when = draw(st.sampled_from([None, *map(is_long, after)]))
        calls.append(call(f"n{index}", *after, reads=reads, when=when))
    last = draw(st.lists(st.sampled_from([one.name for one in calls]), max_size=3))
    result = model.Result(name="value", value=read(last), global_name="value")
    return flow(*calls, results=(result,))


@settings(deadline=None, max_examples=40)
@given(workflows(), st.booleans(), st.integers(2, 4))
def test_the_same_steps_run_with_the_same_values_in_the_same_order(
    workflow: model.Workflow, shared: bool, most: int
) -> None:
    cut = split(workflow, shared=shared, most=most)
    (phase, flat, outputs), (cut_phase, nested, cut_outputs) = ran(workflow), ran(cut)
    assert (cut_phase, cut_outputs) == (phase, outputs)
    assert {n: text for n, (_, _, text) in nested.items()} == {
        n: text for n, (_, _, text) in flat.items()
    }
    graph = workflow.templates[0]
    assert isinstance(graph, model.Graph)
    for one in graph.calls:
        for before in one.depends:
            if before in nested and one.name in nested:
                assert nested[before][1] <= nested[one.name][0]


@settings(deadline=None, max_examples=40)
@given(workflows(), st.booleans(), st.integers(0, 11))
def test_nothing_that_follows_a_failed_step_runs(
    workflow: model.Workflow, shared: bool, failing: int
) -> None:
    phase = ran(workflow, f"n{failing}")[0]
    cut_phase, nested, _ = ran(split(workflow, shared=shared, most=3), f"n{failing}")
    assert cut_phase == phase
    graph = workflow.templates[0]
    assert isinstance(graph, model.Graph)
    followers = {one.name for one in graph.calls if f"n{failing}" in one.depends}
    if phase == "Failed":
        assert not followers & set(nested)


@settings(deadline=None)
@given(workflows(), st.integers(1, 4), st.integers(1, 4))
def test_parts_are_whole_small_and_never_wait_for_each_other(
    workflow: model.Workflow, most: int, room: int
) -> None:
    graph = workflow.templates[0]
    assert isinstance(graph, model.Graph)
    before = {one.name: list(one.depends) for one in graph.calls}
    parts = partition(before, most=most, room=room)
    assert sorted(node for part in parts for node in part) == sorted(before)
    assert all(0 < len(part) <= most for part in parts)
    where = {node: index for index, part in enumerate(parts) for node in part}
    waits = {
        str(index): {str(where[b]) for node in part for b in before[node]} - {str(index)}
        for index, part in enumerate(parts)
    }
    assert order.cycle(waits) == []


def test_branches_that_know_nothing_of_each_other_stay_apart() -> None:
    before = {"a": [], "b": [], "a2": ["a"], "b2": ["b"], "a3": ["a2"], "b3": ["b2"]}
    assert partition(before, most=3, room=9) == [["a", "a2", "a3"], ["b", "b2", "b3"]]


# --- big ones


@cj.step
def work(left: Any, right: Any = None) -> Any:
    return [left, right]


def chain(size: int) -> Any:
    @cj.workflow
    def flow() -> Any:
        value: Any = 0
        for index in range(size):
            value = work(value, index)
        return value

    return flow


def fan(size: int) -> Any:
    @cj.workflow
    def flow() -> Any:
        first = work(0)
        return work([work(first, index) for index in range(size - 2)])

    return flow


def tasks(manifest: dict[str, Any]) -> list[int]:
    return [len(t["dag"]["tasks"]) for t in manifest["spec"]["templates"] if "dag" in t]


@pytest.mark.parametrize("shape", [chain, fan])
@pytest.mark.parametrize("size", [201, 20_000])
def test_argo_takes_it(shape: Any, size: int) -> None:
    manifest = shape(size).compile()
    assert len(manifest["spec"]["templates"]) <= 200
    assert max(tasks(manifest)) <= 200
    assert len(json.dumps(manifest)) < 1_500_000
    if size < 1000:
        assert cj.lint(manifest) == []


@pytest.mark.parametrize(("size", "target"), [(200, "4.1"), (1000, "3.7")])
def test_below_the_limits_it_stays_flat(size: int, target: str) -> None:
    assert tasks(chain(size).compile(target=target)) == [size]


def test_a_manifest_that_is_too_large_is_refused_with_its_size() -> None:
    @cj.workflow
    def flow() -> None:
        for index in range(30):
            work(f"{index} " + "x" * 100_000)

    with pytest.raises(CompileError, match=r"has 2\.87 MiB, and Kubernetes takes 1\.5 MiB"):
        flow.compile()


def test_equal_templates_become_one() -> None:
    calls = tuple(replace(call(f"n{i}"), template=f"t{i}") for i in range(199))
    main = model.Graph(name="main", calls=calls)
    inner = model.Graph(name="inner", calls=(replace(call("x"), template="t7"),))
    pods = [pod(f"t{index}") for index in range(199)]
    workflow = model.Workflow(
        name="w", entrypoint="main", on_exit="inner", templates=(main, inner, *pods)
    )
    assert not fits(workflow)
    names = {template.name: template for template in split(workflow).templates}
    assert list(names) == ["main", "inner", "t0"]
    found = names["inner"]
    assert isinstance(found, model.Graph)
    assert found.calls[0].template == "t0"


def different(count: int) -> list[model.Pod]:
    return [replace(pod(f"t{index}"), timeout=index + 1) for index in range(count)]


def each_once(count: int, **more: Any) -> model.Workflow:
    """A chain of steps, each of a template of its own."""
    calls = [call(f"n{i}", *([f"n{i - 1}"] if i else []), reads=[]) for i in range(count)]
    own = tuple(replace(one, template=f"t{index}") for index, one in enumerate(calls))
    graph = model.Graph(name="main", calls=own)
    templates: tuple[model.Template, ...] = (graph, *different(count))
    return model.Workflow(name="w", entrypoint="main", templates=templates, **more)


@pytest.mark.parametrize("count", [200, 450])
def test_templates_that_are_called_once_stand_in_their_call(count: int) -> None:
    found = manifest(each_once(count))
    assert len(found["spec"]["templates"]) <= 200
    assert not [one for one in cj.lint(found) if one.severity == "error"]
    phase, spans, _ = ran(each_once(count))
    assert (phase, list(spans)) == ("Succeeded", [f"n{index}" for index in range(count)])


def test_a_template_that_a_hook_names_stays_where_it_is() -> None:
    hooks = '{"hooks": {"exit": {"template": "t0"}}}'
    found = split(each_once(250, extra=hooks))
    assert "t0" in {template.name for template in found.templates}


def test_too_many_different_templates_that_are_called_often_are_refused() -> None:
    often = [replace(call(f"n{i}"), template=f"t{i // 2}") for i in range(402)]
    halves = [model.Graph(name=n, calls=tuple(often[i::2])) for i, n in enumerate(("main", "b"))]
    workflow = model.Workflow(name="w", entrypoint="main", templates=(*halves, *different(201)))
    with pytest.raises(CompileError, match=r"needs \d+ templates, and Argo takes 200"):
        split(workflow)


# --- what cannot be cut


def either(*names: str) -> model.Joined:
    outputs = tuple(model.Output(task=name) for name in names)
    return model.Joined(parts=(model.Either(outputs=outputs),))


CHAIN = [call("a"), call("b", "a"), call("c", "b")]


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        ([*CHAIN, call("d", "c", "a.Failed")], "d waits for a.Failed"),
        ([*CHAIN, call("d", depends_on="a.Failed || c")], "d depends on 'a.Failed || c'"),
        ([call("a"), call("b", "a.Failed"), call("c", "b"), call("d", "b")], "waits for b"),
        (
            [*CHAIN, replace(call("d", "c", "a"), arguments=(("a", either("a", "c")),))],
            "one of several whose first value is read",
        ),
        (
            [*CHAIN, replace(call("d", "c"), arguments=(("a", "{{tasks.a.outputs.result}}"),))],
            "names another step in a text",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(calls: list[model.Call], sentence: str) -> None:
    with pytest.raises(CompileError, match=re.escape(sentence)):
        split(flow(*calls), most=2)


@pytest.mark.parametrize("shared", [False, True])
def test_what_asks_how_others_ended_stays_with_them(shared: bool) -> None:
    calls = [
        call("a"),
        call("b", "a.Failed", reads=[]),
        call("c", depends_on="b || a", reads=["a"]),
        *(call(f"n{index}") for index in range(3)),
    ]
    workflow = flow(*calls)
    _, flat, _ = ran(workflow)
    _, nested, _ = ran(split(workflow, shared=shared, most=3))
    assert set(flat) == set(nested) == {"a", "c", "n0", "n1", "n2"}


@pytest.mark.parametrize("shared", [False, True])
def test_loops_inputs_and_choices_are_cut_as_well(shared: bool) -> None:
    loop = model.Loop(items=("1", "2"))
    item = model.Joined(parts=(model.Item(),))
    given_input = model.Joined(parts=(model.Input(name="day"),))
    over = model.Loop(over=model.Input(name="days"))
    some = model.Some(terms=(model.Not(term=is_long("a")), is_long("a")))
    all_terms = model.Every(terms=(is_long("b"), some))
    truth = model.Truth(of=model.Input(name="day"))
    calls = [
        call("a"),
        call("b", "a", when=truth),
        replace(call("c", "b", "f"), arguments=(("name", "c"), ("a", either("b", "f")))),
        replace(call("d", "a"), arguments=(("name", item), ("a", given_input)), loop=loop),
        replace(call("e", "b", when=all_terms), arguments=(("name", item), ("a", "x")), loop=over),
        call("f", "a"),
        call("g", "f"),
    ]
    inputs = (
        model.Parameter(name="day", value="now"),
        model.Parameter(name="days", value='["8", "9"]'),
    )
    main = model.Graph(name="main", calls=tuple(calls), inputs=inputs)
    workflow = model.Workflow(
        name="w", entrypoint="main", templates=(main, pod()), parameters=inputs
    )
    _, flat, _ = ran(workflow)
    _, nested, _ = ran(split(workflow, shared=shared, most=3))
    assert {name: span[2] for name, span in nested.items()} == {
        name: span[2] for name, span in flat.items()
    }
    assert set(flat) == {"a", "b", "c", "1", "2", "8", "9", "f", "g"}


def test_a_big_workflow_that_fits_is_not_cut_for_one_long_text() -> None:
    calls = [call(f"n{number}") for number in range(400)]
    calls[208] = replace(calls[208], arguments=(("name", "n"), ("a", "x" * 1_000_000)))
    names = [one["name"] for one in manifest(flow(*calls), "3.7")["spec"]["templates"]]
    assert names == ["main", "work"]


def test_a_big_workflow_that_fits_is_not_cut_for_its_many_references() -> None:
    calls = [call(f"n{n}", *[f"n{m}" for m in range(n - 12, n) if m >= 0]) for n in range(1600)]
    names = [one["name"] for one in manifest(flow(*calls), "3.7")["spec"]["templates"]]
    assert names == ["main", "work"]
