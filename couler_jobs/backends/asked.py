"""What a suspend node asks of whoever resumes it: shared by all backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from couler_jobs.errors import Rejected
from couler_jobs.spec.status import NodeInfo


def refuse_unanswered(nodes: Iterable[NodeInfo]) -> None:
    """`Rejected` where a node waits for an answer without a default: the run cannot just go on.

    Argo Server refuses it too, after it has tried for some seconds, in words of its own.
    """
    for node in nodes:
        if node.waits:
            answered(node, {})


def answered(node: NodeInfo, answers: Mapping[str, str]) -> dict[str, str]:
    """Every answer that the node asks for: as given, else its default.

    `Rejected` for one that it does not ask for, and where one without a default is missing. Argo
    Server would let the node go on without it, and what reads it would fail
    (`workflow/util/util.go`, updateSuspendedNode).
    """
    if unknown := [name for name in answers if name not in node.asks]:
        known = ", ".join(node.asks) or "nothing"
        raise Rejected(f"{node.name} does not ask for {', '.join(unknown)} (it asks for {known}).")
    given = {name: answers.get(name, default) for name, default in node.asks.items()}
    if missing := [name for name, text in given.items() if text is None]:
        raise Rejected(
            f"{node.name} asks for {', '.join(missing)}, which has no default: give an answer."
        )
    return {name: text for name, text in given.items() if text is not None}
