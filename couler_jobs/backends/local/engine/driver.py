"""The engine's face: made from a manifest, driven by `advance`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from couler_jobs.backends.local.engine.calls import Call
from couler_jobs.backends.local.engine.gate import locks_of
from couler_jobs.backends.local.engine.globals import (
    failures,
    labels_from,
    settled_spec,
    with_parameters,
    workflow_variables,
)
from couler_jobs.backends.local.engine.hooks import exit_hook, lifecycle_hooks
from couler_jobs.backends.local.engine.records import Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import Templates, whole
from couler_jobs.backends.local.engine.validate import validate
from couler_jobs.backends.local.supported import refuse_unsupported
from couler_jobs.backends.local.values import (
    Cached,
    Decision,
    Ended,
    Event,
    Locked,
    Reported,
    Request,
    Wish,
)
from couler_jobs.errors import Rejected
from couler_jobs.spec.expressions import ExpressionError, expand, read
from couler_jobs.spec.status import Manifest, NodeInfo, Phase

T = TypeVar("T")
E = TypeVar("E")


class Engine:
    """One run of one workflow, driven by `advance`. It has no clock and starts nothing itself.

    `created_at` is in seconds since the epoch. `nodes` are those that an earlier process stored:
    the engine goes on from them, and waits for the processes of Pod nodes that are Running.
    `suspended` says whether it is so now; without it the manifest does. A stop that was asked for
    earlier is handed in again as an event. `Rejected` if Argo would refuse the manifest, or if this
    machine cannot run it.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        name: str,
        uid: str,
        namespace: str = "local",
        created_at: float,
        nodes: Iterable[NodeInfo] = (),
        parameters: Mapping[str, str] | None = None,
        suspended: bool | None = None,
    ) -> None:
        full = with_parameters(manifest, parameters)
        refuse_unsupported(full)
        validate(full)
        variables = workflow_variables(
            full, name=name, uid=uid, namespace=namespace, created_at=created_at
        )
        try:
            variables |= labels_from(full, variables)
            self._spec = settled_spec(full, variables)
        except TagError as error:
            raise Rejected(str(error)) from None
        self._run = Run(
            name,
            Templates({**full, "spec": {**self._spec, "templates": full["spec"]["templates"]}}),
            variables,
            parallelism=int(self._spec.get("parallelism") or 0),
            priority=int(self._spec.get("priority") or 0),
            stored=nodes,
        )
        self._run.arguments = self._spec.get("arguments") or {}
        at_first = bool(self._spec.get("suspend"))
        self._begun, self._suspended = False, at_first if suspended is None else suspended
        self._goes_on = bool(self._run.nodes.by_name)
        self._phase, self._message = Phase.RUNNING, ""
        self._root: Node | None = None
        self._result = (Phase.RUNNING, "")  #: how the entrypoint ended, before its hooks
        self._locks = locks_of(self._spec.get("synchronization"), namespace)
        self._waits = False
        self._last: tuple[Phase, str] | None = None  #: how it ends, once its daemons are gone
        self._hooks_open: set[str] = set()
        self._then: Callable[[], None] | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """Its `workflowMetadata`, the labels of `labelsFrom` among the labels."""
        given = self._spec.get("workflowMetadata") or {}
        names = [*(given.get("labels") or {}), *(given.get("labelsFrom") or {})]
        labels = {name: self._run.variables[f"workflow.labels.{name}"] for name in names}
        return {"labels": labels, "annotations": dict(given.get("annotations") or {})}

    def advance(self, now: float, events: Sequence[Event] = ()) -> Decision:
        """Take in what happened until `now` (seconds since the epoch) and answer what to do.

        Call it again with the next event, or at `wake_at`; calling it for nothing does no harm.
        """
        run = self._run
        run.now = now
        self._set_deadline()
        run.variables["workflow.duration"] = f"{now - self._began():.6f}"
        run.due()
        for event in events:
            self._take(event)
        if not self._begun and not self._suspended and self._may_begin():
            self._begin()
        if not self._suspended:
            run.drain()
        if self._last is not None and not run.dying:
            self._phase, self._message = self._last
        if self._begun:
            run.variables["workflow.status"] = (
                self._phase.value if self._root is None else self._status(self._root)
            )
        return self._decision()

    def _decision(self) -> Decision:
        run = self._run
        launches, kills = run.launches, run.kills
        run.launches, run.kills = [], []
        return Decision(
            changed=run.nodes.take_changed(),
            launch=tuple(launches),
            kill=tuple(kills),
            wake_at=None if self._phase.ended else run.wake_at(),
            phase=self._phase,
            message=self._message,
            outputs=dict(run.outputs),
            lookups=_taken(run.asked),
            remember=_taken(run.remember),
            wishes=_taken(run.wished),
            released=_taken(run.released),
        )

    def _set_deadline(self) -> None:
        limit = self._spec.get("activeDeadlineSeconds")
        if limit is None or self._run.deadline is not None:
            return
        self._run.deadline = math.floor(self._began()) + whole(limit)

    def _began(self) -> float:
        root = self._run.nodes.get(self._run.name)
        return root.started if root is not None and root.started is not None else self._run.now

    # --- events

    def _take(self, event: Event) -> None:
        run = self._run
        match event:
            case Ended():
                run.report(event)
            case Reported():
                _tell(run.reports.get(event.node), event)
            case Cached():
                _tell(run.lookups.get(event.node), event)
            case Locked(node=""):
                self._locked(event)
            case Locked():
                _tell(run.wishes.get(event.node), event)
            case Request():
                self._asked(event)

    def _asked(self, request: Request) -> None:
        match request.action:
            case "suspend":
                self._suspended = True
            case "resume":
                self._resume(request)
            case "stop":
                self._shut_down("Stop")
            case "terminate":
                self._shut_down("Terminate")

    def _resume(self, request: Request) -> None:
        if request.node is None:
            self._suspended = False
            self._find_what_waits()
        for name, resume in list(self._run.suspended.items()):
            if request.node in (None, name):
                resume(request.parameters)

    def _find_what_waits(self) -> None:
        """A suspended run that goes on has stored nodes that nobody looks after yet."""
        if self._goes_on and not self._begun and not self._locks:
            self._begin()
            self._run.drain()

    def _shut_down(self, strategy: str) -> None:
        if self._phase.ended or self._run.shutdown == "Terminate":
            return
        self._find_what_waits()
        self._run.shutdown, self._suspended = strategy, False
        if not self._begun:
            if self._waits:  # Argo: it never ran, so there is nothing to clean up after
                self._end(Phase.FAILED, f"Stopped with strategy '{strategy}'")
            return
        for stop in list(self._run.stoppers.values()):
            stop()

    # --- the workflow's own lock

    def _may_begin(self) -> bool:
        """Whether the locks of the workflow itself are held; they are asked for the first time."""
        if self._phase.ended:
            return False
        if self._locks and not self._waits:
            self._waits, self._phase = True, Phase.PENDING
            self._run.wish(Wish(node="", locks=self._locks, priority=self._run.priority))
        return not self._locks

    def _locked(self, answer: Locked) -> None:
        if self._begun or self._phase.ended:
            return
        if answer.error:
            self._end(Phase.ERROR, answer.error)
        elif answer.granted:
            self._locks = ()
            self._end(Phase.RUNNING, "")
        else:
            self._message = answer.message

    # --- the workflow's own steps

    def _begin(self) -> None:
        self._begun = True
        entry = {"template": self._spec.get("entrypoint"), "name": ""}
        self._run.execute(
            Call(
                name=self._run.name,
                step=entry,
                arguments=self._run.arguments,
                seen=self._root_seen,
                ended=self._root_ended,
            )
        )

    def _status(self, node: Node) -> str:
        good = node.phase in (Phase.SUCCEEDED, Phase.SKIPPED, Phase.OMITTED)
        return Phase.SUCCEEDED.value if good else node.phase.value

    def _root_ended(self, node: Node, error: Exception | None) -> None:
        if error is not None:
            # Argo ends the workflow at once here, without its exit handler.
            self._end(Phase.ERROR, f"error in entry template execution: {error}")
            return
        run = self._run
        if self._root is not None:
            return
        if node.daemoned:  # nothing is around it
            run.end_daemons()
        self._root, self._result = node, (node.phase, node.message)
        self._tell(self._status(node))
        self._hooks()
        self._then = self._exit
        self._after_hooks()

    def _root_seen(self, node: Node) -> None:
        if lifecycle_hooks(self._spec):
            self._tell(Phase.RUNNING.value)
            self._hooks()

    def _tell(self, status: str) -> None:
        """What hooks, and the exit handler, are told of the workflow."""
        run = self._run
        run.variables["workflow.status"] = status
        run.variables["workflow.failures"] = failures(run.nodes.by_name.values(), run.pod_name)

    def _hooks(self) -> None:
        """Start the workflow's own hooks whose expression holds now."""
        values = self._run.variables
        for name, hook in lifecycle_hooks(self._spec).items():
            node_name = f"{self._run.name}.hooks.{name}"
            if node_name in self._hooks_open:
                continue
            try:
                wanted = read(str(hook["expression"])).holds(expand(values))
            except ExpressionError as error:
                self._hook_broke(error)
                continue
            if wanted or self._run.nodes.get(node_name) is not None:
                self._hooks_open.add(node_name)
                self._run.execute(self._hook_call(node_name, hook))

    def _hook_call(self, name: str, hook: Mapping[str, Any]) -> Call:
        return Call(
            name=name,
            step={"template": hook.get("template")},
            arguments=hook.get("arguments") or {},
            hooked=True,
            linked=self._hang_on_root,
            ended=self._hook_ended,
        )

    def _hang_on_root(self, node: Node) -> None:
        root = self._run.nodes.get(self._run.name)
        if root is not None:
            self._run.nodes.link(root, node)

    def _hook_broke(self, error: Exception) -> None:
        root = self._run.nodes.get(self._run.name)
        if root is not None and root.ended:
            self._run.nodes.end(root, Phase.ERROR, str(error), at=self._run.now)

    def _hook_ended(self, node: Node, error: Exception | None) -> None:
        self._hooks_open.discard(node.name)
        self._after_hooks()

    def _after_hooks(self) -> None:
        if not self._hooks_open and self._then is not None:
            then, self._then = self._then, None
            then()

    def _exit(self) -> None:
        hook = exit_hook(self._spec, self._run.arguments)
        if hook is None or not self._run.allows(True):
            self._conclude(None)
            return
        self._run.execute(
            Call(
                name=f"{self._run.name}.onExit",
                step={"template": hook.get("template"), "name": ""},
                arguments=hook.get("arguments") or {},
                on_exit=True,
                hooked=True,
                ended=self._exit_ended,
            )
        )

    def _exit_ended(self, node: Node, error: Exception | None) -> None:
        if error is not None:
            self._end(Phase.ERROR, f"error in exit template execution : {error}")
        else:
            self._conclude(node)

    def _conclude(self, handler: Node | None) -> None:
        run, (phase, message) = self._run, self._result
        if phase not in (Phase.FAILED, Phase.ERROR):
            if handler is not None and handler.bad:
                self._end(handler.phase, handler.message)
            else:
                self._end(Phase.SUCCEEDED, "")
            return
        stopped = f"Stopped with strategy '{run.shutdown}'" if run.shutdown else message
        self._end(phase, stopped)

    def _end(self, phase: Phase, message: str) -> None:
        """The run's phase; its last one only once the daemons are gone that it has ended."""
        self._run.end_daemons()
        if phase.ended and self._run.dying:
            self._last = phase, message
        else:
            self._phase, self._message = phase, message


def _taken(found: list[T]) -> tuple[T, ...]:
    """What a list holds, which is empty then."""
    taken = tuple(found)
    found.clear()
    return taken


def _tell(report: Callable[[E], None] | None, event: E) -> None:
    if report is not None:
        report(event)
