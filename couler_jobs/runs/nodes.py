"""The nodes of a run: looked up by name, and the questions that people ask about them. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

from couler_jobs.errors import NotFound, Rejected
from couler_jobs.nearest import meant
from couler_jobs.spec.names import ROUNDS_LEFT, is_within
from couler_jobs.spec.status import NodeInfo, Phase

#: What only holds other nodes together. A reader wants the steps.
GROUPS = frozenset({"Steps", "StepGroup", "DAG", "TaskGroup", "Retry"})
RAN = frozenset({"Pod", "HTTP", "Plugin"})
MOST_NAMES = 20  #: of nodes in an error
BAD = frozenset({Phase.FAILED, Phase.ERROR})
LEFT_OUT = frozenset({Phase.SKIPPED, Phase.OMITTED})
_ATTEMPT = re.compile(r"\([0-9]+\)")


class Nodes(Mapping[str, NodeInfo]):
    """Nodes by name; `nodes["train"]` also finds the only node whose display name is `train`.

    Names are taken as they are shown, too: `score(0:set-0)`, `table-2.extract`.
    """

    def __init__(self, by_name: Mapping[str, NodeInfo], run: str = "") -> None:
        self._by_name, self._run = by_name, run

    def __getitem__(self, key: str) -> NodeInfo:
        if key in self._by_name:
            return self._by_name[key]
        found = [node for node in self._by_name.values() if key in _names(node)]
        if len(found) != 1:
            told = told_names(self._by_name, self._run)
            if named := [name for name, text in told.items() if text == key]:
                return self._by_name[named[0]]
            few = "No node is" if not found else f"{len(found)} nodes are"
            raise KeyError(f"{few} called {key!r}: {self._instead(key, found)}")
        return found[0]

    def _instead(self, key: str, found: Collection[NodeInfo]) -> str:
        nodes = found or self._by_name.values()
        if not found and (said := meant(key, chain.from_iterable(map(_names, nodes)))):
            return said
        names = [shown_name(node.name) for node in nodes]
        more = f" or {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return f"choose one of {', '.join(names[:MOST_NAMES])}{more}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<{len(self)} nodes: {', '.join(self._by_name)}>"


_ITEM = re.compile(r"(?<=:)[^()]*\\[^()]*(?=\))")
"""A loop's item in a node's name, if there is an escape in it. Argo takes parentheses out of it."""


def shown_name(name: str) -> str:
    """A node's name for a reader: `score(0:set-0)` for `score(0:\\"set-0\\")`.

    Argo writes a text in a node's name with JSON's escapes (`Item.String` in its
    `pkg/apis/workflow/v1alpha1/item.go`), and what steps of this package loop over are JSON texts.
    Only an item that is one is shown otherwise than Argo has it.
    """
    return _ITEM.sub(lambda found: _shown_item(found[0]), name) if '\\"' in name else name


def _shown_item(item: str) -> str:
    try:
        text = json.loads(f'"{item}"')
        value = json.loads(text)
    except ValueError:
        return item
    return value if isinstance(value, str) else text


def told_name(node: NodeInfo, nodes: Mapping[str, NodeInfo]) -> str:
    """What a reader calls it: the only attempt of a step that may be retried as that step."""
    step = node.name.removesuffix("(0)")
    parent = nodes.get(step)
    is_only = parent is not None and parent.type == "Retry" and f"{step}(1)" not in nodes
    return shown_name(parent.display_name if parent and is_only else node.display_name)


def told_names(nodes: Mapping[str, NodeInfo], run: str) -> dict[str, str]:
    """What a reader calls the steps that he is told of, by their names and in their order.

    Where several are called alike, they are called by the way to them.
    So are those in the rounds of a `cj.repeat`: `improve-repeat(round 2).improve`.
    """
    steps, rounds = told_steps(nodes), _rounds(nodes)
    short = {node.name: told_name(node, nodes) for node in steps}
    alike = Counter(short.values())
    begun = [n for n in nodes.values() if n.id in rounds and n.phase not in LEFT_OUT]
    loops = {node.display_name for node in begun}
    return {
        node.name: _way(node.name, run, loops)
        if alike[short[node.name]] > 1 or (node.boundary in rounds and len(begun) > 1)
        else short[node.name]
        for node in steps
    }


def _way(name: str, run: str, loops: Collection[str]) -> str:
    """A node's name without the run's, in which each round of a loop is counted."""
    way = name.removeprefix(f"{run}.")
    for loop in loops:
        again = rf"(?<![^.]){re.escape(loop)}(?:\.{re.escape(loop)})*(?=\.)"
        way = re.sub(again, lambda rounds: _counted_rounds(rounds[0]), way)
    return shown_name(way)


def _counted_rounds(names: str) -> str:
    loop, *again = names.split(".")
    return f"{loop}(round {len(again) + 1})"


def _names(node: NodeInfo) -> tuple[str, str, str]:
    return node.display_name, shown_name(node.display_name), shown_name(node.name)


def steps_of(nodes: Iterable[NodeInfo]) -> list[NodeInfo]:
    """What is not just a group, in the order in which it started; what never started comes last."""
    steps = [node for node in nodes if node.type not in GROUPS]
    return sorted(steps, key=lambda node: (_seconds(node.started_at), _counted(node.name)))


def told_steps(nodes: Mapping[str, NodeInfo]) -> list[NodeInfo]:
    """The steps that a reader is told of: not what a round of a `cj.repeat` has skipped.

    That is how such a loop goes on, or ends, and says nothing else.
    """
    rounds = _rounds(nodes)
    return [
        node
        for node in steps_of(nodes.values())
        if node.phase is not Phase.SKIPPED or node.boundary not in rounds
    ]


def waiting(nodes: Mapping[str, NodeInfo]) -> list[NodeInfo]:
    """The steps that wait for somebody: a pause between the rounds of a `cj.repeat` does not."""
    rounds = _rounds(nodes)
    return [n for n in steps_of(nodes.values()) if n.waits and n.boundary not in rounds]


def _rounds(nodes: Mapping[str, NodeInfo]) -> set[str]:
    return {node.id for node in nodes.values() if ROUNDS_LEFT in node.inputs}


def pods_of(node: NodeInfo, nodes: Mapping[str, NodeInfo]) -> list[NodeInfo]:
    """The nodes under this one (or itself) that ran something, so that have a log."""
    inside = [one for one in nodes.values() if is_within(one.name, node.name)]
    return [one for one in steps_of(inside) if one.type == "Pod"]


def attempts_of(nodes: Mapping[str, NodeInfo]) -> dict[str, list[NodeInfo]]:
    """What ran, or was left out, by the name of its step: a retried one has several attempts."""
    found: dict[str, list[NodeInfo]] = {}
    for node in told_steps(nodes):
        if node.type in RAN or node.phase in LEFT_OUT:
            found.setdefault(_step_name(node.name, nodes), []).append(node)
    return found


def _step_name(name: str, nodes: Mapping[str, NodeInfo]) -> str:
    """The node's name without the numbers of attempts: `w.a` for `w.a(1)`."""
    for found in reversed([*_ATTEMPT.finditer(name)]):
        parent = nodes.get(name[: found.start()])
        if parent is not None and parent.type == "Retry":
            name = name[: found.start()] + name[found.end() :]
    return name


def was_retried(node: NodeInfo, nodes: Mapping[str, NodeInfo]) -> bool:
    """Whether it failed as one attempt of a step that succeeded in the end."""
    parent = nodes.get(node.name.rpartition("(")[0])
    made_good = parent is not None and parent.type == "Retry" and parent.phase is Phase.SUCCEEDED
    return made_good and node.phase in BAD


def first_failed(nodes: Mapping[str, NodeInfo]) -> NodeInfo | None:
    """The step that ended badly first; None where the run failed without one."""
    bad = [
        node
        for node in steps_of(nodes.values())
        if node.phase in BAD and not was_retried(node, nodes)
    ]
    return min(bad, key=lambda node: _seconds(node.finished_at), default=None)


def asking(run: str, nodes: Mapping[str, NodeInfo], answers: Collection[str]) -> NodeInfo:
    """The one step that waits for these answers. Raises NotFound for none, Rejected for several."""
    found = [node for node in nodes.values() if node.waits and node.asks.keys() >= set(answers)]
    words = ", ".join(answers)
    if not found:
        asked = [
            f"{shown_name(node.display_name)} asks for {', '.join(node.asks)}"
            for node in nodes.values()
            if node.waits and node.asks
        ]
        why = f": {'; '.join(asked)}" if asked else ", nor for any other (yet)"
        raise NotFound(f"No step of {run} waits for the answers {words}{why}.")
    if len(found) > 1:
        names = ", ".join(shown_name(node.name) for node in found)
        raise Rejected(f"{len(found)} steps of {run} wait for {words}: name one of {names}.")
    return found[0]


def _counted(name: str) -> list[tuple[int, str]]:
    """A name to sort by: its numbers as numbers, so that `(2:b)` comes before `(10:a)`."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part) if at % 2 else -1, part) for at, part in enumerate(parts)]


def _seconds(when: datetime | None) -> float:
    return when.timestamp() if when else float("inf")
