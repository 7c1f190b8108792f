"""How a DAG ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from couler_jobs.backends.local.engine.plan import Plan
from couler_jobs.backends.local.engine.records import RETRY, Node, Nodes
from couler_jobs.backends.local.engine.steps import continues
from couler_jobs.spec.status import Phase


def dag_phase(nodes: Nodes, dag: Node, plan: Plan, body: Mapping[str, Any]) -> Phase:
    """The phase of a DAG whose tasks have all ended.

    Only its targets count. One that was skipped or omitted takes the phase of what ran before it
    on the way down from the dag's node, and a bad one is preferred.
    """
    phases: dict[str, Phase | None] = {nodes.id_of(f"{dag.name}.{n}"): None for n in plan.targets}
    queue = deque((child, Phase.SUCCEEDED) for child in dag.children)
    seen = set(queue)
    while queue:
        identifier, branch = queue.popleft()
        node = nodes.by_id[identifier]
        branch = node.phase if node.completed else branch
        if identifier in phases and phases[identifier] not in (Phase.FAILED, Phase.ERROR):
            phases[identifier] = branch
        for child in _below(nodes, node):
            if (child, branch) not in seen:
                seen.add((child, branch))
                queue.append((child, branch))
    return _overall(plan, [(n, phases[nodes.id_of(f"{dag.name}.{n}")]) for n in plan.targets], body)


def _below(nodes: Nodes, node: Node) -> Iterable[str]:
    """The nodes after one; the attempts of a retry do not count, what follows them does."""
    if node.type != RETRY:
        return node.children
    found: list[str] = []
    for child in (nodes.by_id[child] for child in reversed(node.children)):
        found += [child.id] if child.hooked else child.children
    return found


def _overall(plan: Plan, targets: list[tuple[str, Phase | None]], body: Mapping[str, Any]) -> Phase:
    result = Phase.SUCCEEDED
    for name, phase in targets:
        if phase not in (Phase.FAILED, Phase.ERROR) or continues(plan.tasks[name], phase):
            continue
        result = phase
        if body.get("failFast") is not False:
            break
    return result
