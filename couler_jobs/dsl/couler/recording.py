"""What Couler's names declare outside of any `@workflow`, until it is compiled or sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import recorder
from couler_jobs.dsl.couler.order import CoulerScope
from couler_jobs.dsl.couler.outputs import Outputs
from couler_jobs.dsl.recorder import Recording, Scope
from couler_jobs.dsl.units import extra_json
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import workflow_name
from couler_jobs.spec.place import Place

if TYPE_CHECKING:
    from couler_jobs.dsl.couler.cluster import Cluster
    from couler_jobs.dsl.couler.secrets import Secret

DEFAULT_NAME = "couler-workflow"


class CoulerRecording:
    """A workflow in Couler's spelling, as far as it has been declared."""

    def __init__(self) -> None:
        self.recording = Recording(_take)
        self.recording.names.take("main")
        self.scope = CoulerScope(self.recording, "this workflow")
        self.exit_scope: CoulerScope | None = None
        self.name = DEFAULT_NAME
        self.timeout: int | None = None
        self.place: Place | None = None  #: where the workflow as a whole was spoken of last
        self.schedule: model.Schedule | None = None
        self.annotations: dict[str, str] = {}
        self.spec: dict[str, Any] = {}  #: further fields, in Argo's words
        self.mounts: dict[str, None] = {}  #: names of volumes that steps mount
        self.secrets: dict[str, Secret] = {}
        self.outputs: dict[str, Outputs] = {}  #: by the name that a step was given
        self.cluster: Cluster | None = None  #: the site's own plug-in

    def at_end(self) -> CoulerScope:
        """The graph that runs when the workflow has ended."""
        if self.exit_scope is None:
            self.recording.names.take("exit-handler")
            self.exit_scope = CoulerScope(self.recording, "the exit handler")
        return self.exit_scope

    def finished(self) -> model.Workflow:
        """The workflow; `DeclarationError` if it has no steps."""
        if not self.scope.calls:
            raise DeclarationError("No step was recorded: call run_container or run_script first.")
        leaves = self.recording.finished()
        graphs = [_graph("main", self.scope)]
        has_end = self.exit_scope is not None and bool(self.exit_scope.calls)
        if self.exit_scope is not None and has_end:
            graphs.append(_graph("exit-handler", self.exit_scope))
        made = [secret.to_make() for secret in self.secrets.values()]
        return model.Workflow(
            name=workflow_name(self.name),
            entrypoint="main",
            templates=(*graphs, *leaves),
            on_exit="exit-handler" if has_end else None,
            timeout=self.timeout,
            annotations=tuple(self.annotations.items()),
            schedule=self.schedule,
            extra=extra_json(self._spec()),
            secrets=tuple(one for one in made if one is not None),
            finish=self._finish(),
            place=self.place,
        )

    def _spec(self) -> dict[str, Any]:
        """The further fields, and an empty folder for each volume that nothing declares."""
        declared = {one["name"] for one in self.spec.get("volumes", ())}
        declared |= {one["metadata"]["name"] for one in self.spec.get("volumeClaimTemplates", ())}
        missing = [{"name": n, "emptyDir": {}} for n in self.mounts if n not in declared]
        volumes = [*self.spec.get("volumes", ()), *missing]
        return self.spec | ({"volumes": volumes} if volumes else {})

    def _finish(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        from couler_jobs.dsl.couler.cluster import configured

        cluster = self.cluster or configured()
        if cluster is None:
            return None
        asked = self.recording.made.items()
        cluster.asked = {
            key[1]: (one.pool, one.enable_ulogfs) for key, one in asked if key[0] == "asked"
        }
        return cluster.applied


def _graph(name: str, scope: CoulerScope) -> model.Graph:
    calls, groups = scope.order()
    return model.Graph(name=name, calls=calls, groups=groups)


def _take(scope: Scope, handle: Handle) -> Handle:
    raise DeclarationError(f"{handle!r} is text and has no parts: read it in a step.")


def recording() -> CoulerRecording:
    """What is recorded outside of any workflow, begun now if nothing was."""
    found = recorder.recorded()
    if not isinstance(found, CoulerRecording):
        found = CoulerRecording()
        recorder.record_into(found)
    return found


def scope_now() -> Scope:
    """Where a step goes: the workflow being recorded, else Couler's own."""
    return recorder.current() or recording().scope


def couler_scope(what: str) -> CoulerScope:
    """Where a step goes in Couler's order; `DeclarationError` inside a `@workflow`."""
    scope = scope_now()
    if not isinstance(scope, CoulerScope):
        raise DeclarationError(
            f"{what} orders steps outside of a @cj.workflow function: inside one, pass values, or "
            "use after=."
        )
    return scope
