"""Which nodes a retry of a failed run keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from couler_jobs.backends.local.engine.records import (
    CONTAINER,
    DAG,
    POD,
    RETRY,
    SKIPPED,
    STARTED,
    STEPS,
    SUSPEND,
)
from couler_jobs.backends.local.engine.templates import Templates
from couler_jobs.spec.status import Manifest, NodeInfo, Outputs, Phase

_BAD = (Phase.FAILED, Phase.ERROR)
_RUNS = (*STARTED, SUSPEND, SKIPPED)  # the others only hold nodes


def reset_for_retry(manifest: Manifest, nodes: Iterable[NodeInfo]) -> tuple[NodeInfo, ...]:
    """The nodes to begin a retry with: what succeeded is kept, what failed runs again.

    Gone are failed nodes with everything that came after them, and the exit handlers. A failed node
    that something successful came after is kept: it was meant to be allowed to fail. The steps and
    dag nodes around a node that is gone run again. So do the daemons in them, which Argo leaves
    ended: what comes after them would find nobody.
    """
    by_id = {node.id: node for node in nodes}
    gone = _gone(by_id)
    again = _around(by_id, gone)
    daemons = {node.id for node in _daemons(manifest, by_id) if node.boundary in again} - gone
    for identifier in daemons:
        whole = _retry_around(by_id, by_id[identifier])
        again |= {whole.id} if whole else set()
    kept = (node for node in by_id.values() if node.id not in gone)
    found = (_kept(node, gone, again=node.id in again | daemons) for node in kept)
    return tuple(
        dataclasses.replace(node, phase=Phase.PENDING) if node.id in daemons else node
        for node in found
    )


def _daemons(manifest: Manifest, by_id: Mapping[str, NodeInfo]) -> Iterator[NodeInfo]:
    """The daemons; of one that was tried several times, the last."""
    templates = Templates(manifest)
    for node in by_id.values():
        template = templates.get(node.template_name) if node.type == POD else None
        if template is not None and template.body.get("daemon"):
            whole = _retry_around(by_id, node)
            if whole is None or whole.children[-1] == node.id:
                yield node


def _gone(by_id: Mapping[str, NodeInfo]) -> set[str]:
    gone: set[str] = set()
    for node in by_id.values():
        exits = node.name.endswith(".onExit")
        failed = node.type in _RUNS and node.phase in _BAD
        if exits or (failed and not _led_on(by_id, node)):
            whole = _retry_around(by_id, node) or node
            gone |= _below(by_id, whole)
            gone |= {n.id for n in by_id.values() if exits and n.name.startswith(node.name)}
    return gone


def _below(by_id: Mapping[str, NodeInfo], node: NodeInfo) -> set[str]:
    """A node and all that hang on it, directly or not."""
    found: set[str] = set()
    waiting = [node.id]
    while waiting:
        identifier = waiting.pop()
        if identifier in by_id and identifier not in found:
            found.add(identifier)
            waiting += by_id[identifier].children
    return found


def _led_on(by_id: Mapping[str, NodeInfo], node: NodeInfo) -> bool:
    """Whether something that succeeded came after a failed node."""
    whole = _retry_around(by_id, node) or node
    after = _below(by_id, whole) - {whole.id, *whole.children, node.id}
    if whole is node:
        after = _below(by_id, node) - {node.id}
    ran = (by_id[i] for i in after if by_id[i].type != CONTAINER)
    return any(n.phase is Phase.SUCCEEDED and not _is_hook(n.name) for n in ran)


def _is_hook(name: str) -> bool:
    return ".onExit" in name or ".hooks." in name


def _retry_around(by_id: Mapping[str, NodeInfo], node: NodeInfo) -> NodeInfo | None:
    """The retry node that a node is an attempt of."""
    return next((n for n in by_id.values() if n.type == RETRY and node.id in n.children), None)


def _around(by_id: Mapping[str, NodeInfo], gone: set[str]) -> set[str]:
    """The nodes that hold one that is gone, or that failed themselves: they go on."""
    names = {node.name: node for node in by_id.values()}
    again = {n.id for n in by_id.values() if n.type not in _RUNS and n.phase in _BAD}
    for identifier in gone:
        holder: NodeInfo | None = by_id[identifier]
        while holder is not None:
            again |= {n.id for n in _groups_of(names, holder)}
            holder = by_id.get(holder.boundary)
            if holder is not None:
                again.add(holder.id)
    return again - gone


def _groups_of(names: Mapping[str, NodeInfo], node: NodeInfo) -> Iterable[NodeInfo]:
    """The step group, loop or retry that a node stands in, by its name."""
    name, groups = node.name, []
    for cut in (name.rpartition(".")[0], name.rpartition("(")[0]):
        group = names.get(cut)
        if group is not None and group.type not in (*_RUNS, STEPS, DAG):
            groups.append(group)
    return groups


def _kept(node: NodeInfo, gone: set[str], *, again: bool) -> NodeInfo:
    children = tuple(child for child in node.children if child not in gone)
    if not again:
        return dataclasses.replace(node, children=children)
    return dataclasses.replace(
        node,
        children=children,
        phase=Phase.RUNNING,
        message="",
        outputs=Outputs(),
        finished_at=None,
    )
