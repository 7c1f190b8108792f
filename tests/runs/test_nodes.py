"""Nodes by name, and what people ask about them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from couler_jobs.runs.nodes import (
    Nodes,
    first_failed,
    pods_of,
    shown_name,
    steps_of,
    told_name,
    told_names,
    told_steps,
    waiting,
)
from couler_jobs.spec.status import NodeInfo, Phase
from tests.runs.fake import BEGAN, node


def by_name(*nodes: NodeInfo) -> dict[str, NodeInfo]:
    return {one.name: one for one in nodes}


def test_a_node_is_found_by_name_and_by_display_name() -> None:
    nodes = Nodes(by_name(node("w", type="DAG"), node("w.train")))
    assert nodes["w.train"] is nodes["train"]
    assert list(nodes) == ["w", "w.train"]
    assert repr(nodes) == "<2 nodes: w, w.train>"


def test_a_display_name_of_several_nodes_is_refused_with_their_names() -> None:
    nodes = Nodes(by_name(node("w.a.train"), node("w.b.train")))
    with pytest.raises(KeyError, match=r"2 nodes are called 'train'.*w.a.train, w.b.train"):
        nodes["train"]


def test_a_misspelt_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(KeyError, match=r"No node is called 'trian': did you mean 'train'\?"):
        Nodes(by_name(node("w.train")))["trian"]


def test_of_many_known_names_an_error_has_some() -> None:
    with pytest.raises(KeyError, match=r"choose one of w.s0, .* w.s19 or 5 more"):
        Nodes(by_name(*(node(f"w.s{n}") for n in range(25))))["zzz"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"No node is called 'x': choose one of w.train"):
        Nodes(by_name(node("w.train")))["x"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("score", "score"),
        ("score(0:3)", "score(0:3)"),
        ("score(0:set-0)", "score(0:set-0)"),
        (r"score(0:\"set-0\")", "score(0:set-0)"),
        (r"w.a(0:\"x: y\").b(12:\"z\")(1)", "w.a(0:x: y).b(12:z)(1)"),
        (r"score(0:\"a \\\"b\\\"\")", 'score(0:a "b")'),
        (r"score(0:\"\\u007b}\")", "score(0:{})"),
        (r"score(0:{\"n\":1})", 'score(0:{"n":1})'),
        (r"score(0:say \"it\")", r"score(0:say \"it\")"),
        (r"score(0:n:\"1\",m:2)", r"score(0:n:\"1\",m:2)"),
        (r"score(0:\"\\\")", r"score(0:\"\\\")"),
    ],
)
def test_an_item_is_shown_without_the_escapes_of_its_json(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_a_node_is_found_by_its_name_as_it_is_shown() -> None:
    nodes = Nodes(by_name(node(r"w.s(0:\"a\")"), node(r"w.s(1:\"b\")")))
    assert nodes["s(1:b)"] is nodes["w.s(1:b)"] is nodes[r"s(1:\"b\")"]
    with pytest.raises(KeyError, match=r"choose one of w.s\(0:a\), w.s\(1:b\)"):
        nodes["zzz"]


def test_steps_are_in_the_order_in_which_they_started_without_groups() -> None:
    nodes = [
        node("w", type="DAG"),
        node("w.never", Phase.OMITTED, type="Skipped", started_at=None),
        node("w.late", started_at=BEGAN + timedelta(seconds=9)),
        node("w.early"),
    ]
    assert [one.display_name for one in steps_of(nodes)] == ["early", "late", "never"]


def test_what_a_round_of_a_repeat_has_skipped_is_not_told() -> None:
    left = {"rounds-left": "1"}
    nodes = [
        node("w.r", type="DAG", id="r1", inputs=left),
        node("w.r.try", boundary="r1"),
        node("w.r.give-up", Phase.SKIPPED, boundary="r1"),
        node("w.r.r", Phase.SKIPPED, boundary="r1", inputs=left),
        node("w.r.late", Phase.OMITTED, type="Skipped", boundary="r1"),
        node("w.tell", Phase.SKIPPED, boundary="w"),
    ]
    assert [one.name for one in told_steps(by_name(*nodes))] == ["w.r.late", "w.r.try", "w.tell"]


def test_steps_that_are_called_alike_are_told_with_the_way_to_them() -> None:
    nodes = by_name(
        node("w", type="DAG"),
        node("w.table-2.extract"),
        node('w.table(0:\\"a\\").extract'),
        node("w.load"),
    )
    assert set(told_names(nodes, "w").values()) == {"table-2.extract", "table(0:a).extract", "load"}
    assert Nodes(nodes, "w")["table(0:a).extract"].name == 'w.table(0:\\"a\\").extract'


def test_the_rounds_of_a_repeat_are_counted() -> None:
    left = {"rounds-left": "1"}
    nodes = by_name(
        node("w.r", type="DAG", id="r1", inputs=left),
        node("w.r.try", boundary="r1"),
        node("w.r.r", type="DAG", id="r2", boundary="r1", inputs=left),
        node("w.r.r.try", boundary="r2"),
        node("w.r.r.give-up", Phase.FAILED, boundary="r2"),
    )
    assert told_names(nodes, "w") == {
        "w.r.try": "r(round 1).try",
        "w.r.r.try": "r(round 2).try",
        "w.r.r.give-up": "r(round 2).give-up",
    }
    assert Nodes(nodes, "w")["r(round 2).try"].name == "w.r.r.try"


def test_a_pause_between_rounds_waits_for_nobody() -> None:
    nodes = [
        node("w.r", type="DAG", id="r1", inputs={"rounds-left": "1"}),
        node("w.r.pause", Phase.RUNNING, type="Suspend", boundary="r1"),
        node("w.approve", Phase.RUNNING, type="Suspend"),
    ]
    assert [one.name for one in waiting(by_name(*nodes))] == ["w.approve"]


def test_the_pods_of_a_group_are_those_below_it() -> None:
    nodes = by_name(
        node("w", type="DAG"),
        node("w.loop", type="TaskGroup"),
        node("w.loop(0:a)"),
        node("w.loop(1:b)"),
        node("w.loop-2"),
    )
    assert [p.name for p in pods_of(nodes["w.loop"], nodes)] == ["w.loop(0:a)", "w.loop(1:b)"]
    assert [p.name for p in pods_of(nodes["w.loop-2"], nodes)] == ["w.loop-2"]


def test_the_first_failed_is_the_one_that_ended_first() -> None:
    later = BEGAN + timedelta(seconds=9)
    nodes = by_name(
        node("w", Phase.FAILED, type="DAG"),
        node("w.z", Phase.FAILED),
        node("w.a", Phase.ERROR, finished_at=later),
    )
    found = first_failed(nodes)
    assert found is not None
    assert found.name == "w.z"


def test_an_attempt_that_was_made_good_by_a_retry_is_not_the_culprit() -> None:
    nodes = by_name(
        node("w.flaky", type="Retry"),
        node("w.flaky(0)", Phase.FAILED),
        node("w.flaky(1)"),
    )
    assert first_failed(nodes) is None


def test_the_attempt_of_a_retry_that_failed_is_the_culprit() -> None:
    nodes = by_name(node("w.f", Phase.FAILED, type="Retry"), node("w.f(0)", Phase.FAILED))
    found = first_failed(nodes)
    assert found is not None
    assert found.name == "w.f(0)"


@pytest.mark.parametrize(
    ("attempts", "told"),
    [(["f(0)"], ["f"]), (["f(0)", "f(1)"], ["f(0)", "f(1)"])],
    ids=["one", "several"],
)
def test_an_attempt_is_numbered_where_there_are_several(
    attempts: list[str], told: list[str]
) -> None:
    tries = [node(f"w.{name}") for name in attempts]
    nodes = by_name(node("w.f", type="Retry"), *tries)
    assert [told_name(one, nodes) for one in tries] == told


def test_items_of_a_loop_are_in_the_order_of_their_numbers() -> None:
    names = [f"w[0].sq({n}:{n})" for n in (10, 2, 1)]
    assert [one.name for one in steps_of([node(name) for name in names])] == names[::-1]
