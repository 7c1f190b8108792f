"""The containerSet template: one pod of several containers, each a node of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.backends.local.engine.leaves import Pod
from couler_jobs.backends.local.engine.records import CONTAINER, Node
from couler_jobs.backends.local.values import NOT_RUNNABLE, Ended, Reported
from couler_jobs.spec.status import Phase


class ContainerSet(Pod):
    """A container set. Nothing of it starts one by one here: the pod's process does all that."""

    def _created(self, node: Node) -> None:
        """Make the nodes of its containers, in the order in which they depend on each other."""
        run = self._run
        for container in self._containers():
            run.nodes.create(
                f"{node.name}.{container['name']}",
                CONTAINER,
                Phase.RUNNING,
                at=run.now,
                boundary=node,
                template=node.template,
            )
        for container in self._containers():
            needs = [f"{node.name}.{name}" for name in container.get("dependencies") or ()]
            child = run.nodes.by_name[f"{node.name}.{container['name']}"]
            for parent in needs or [node.name]:
                run.nodes.link(run.nodes.by_name[parent], child)

    def _containers(self) -> list[Mapping[str, Any]]:
        return list(self._filled.body["containerSet"]["containers"])

    def _nodes(self, node: Node) -> Iterator[Node]:
        for container in self._containers():
            yield self._run.nodes.by_name[f"{node.name}.{container['name']}"]

    def _reported(self, node: Node, reported: Reported) -> None:
        """One of its containers has ended."""
        name, code = reported.container, reported.exit_code
        child = self._run.nodes.by_name[f"{node.name}.{name}"]
        child.outputs = {"exitCode": str(code)}
        phase = {0: Phase.SUCCEEDED, NOT_RUNNABLE: Phase.ERROR}.get(code, Phase.FAILED)
        why = f"{name}: Error (exit code {code}): {reported.message}" if code else ""
        self._run.nodes.end(child, phase, why, at=reported.at)

    def _outputs(self, ended: Ended) -> dict[str, Any]:
        """Those of its main container, whose exit code is the pod's."""
        outputs = super()._outputs(ended)
        outputs.pop("exitCode", None)
        main = self._run.nodes.get(f"{ended.node}.main")
        return {**outputs, **(main.outputs if main is not None else {})}

    def _finish(
        self, node: Node, phase: Phase, message: str, error: Exception | None = None
    ) -> None:
        for child in self._nodes(node):
            if not child.ended:
                why = message or "Pod Failed whilst container running"
                self._run.nodes.end(child, Phase.FAILED, why, at=self._run.now)
        super()._finish(node, phase, message, error)
