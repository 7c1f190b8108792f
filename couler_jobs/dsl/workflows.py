"""`@workflow`: Python functions that declare a workflow."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from couler_jobs.dsl import recorder, words
from couler_jobs.dsl.fits import Check, checks_of
from couler_jobs.dsl.hooks import Hook, hooks_of
from couler_jobs.dsl.place import placed
from couler_jobs.dsl.settings import lock_fields, spec_fields
from couler_jobs.dsl.steps import bind, check_signature, plain_function
from couler_jobs.dsl.typed import Annotations, annotations_of
from couler_jobs.dsl.units import extra_json, seconds
from couler_jobs.dsl.volumes import Mounted, mounted
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import template_name, workflow_name
from couler_jobs.spec.overlay import overlaid

if TYPE_CHECKING:
    from typing import Unpack

P = ParamSpec("P")
R = TypeVar("R")

Kind = Literal["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"]
_KINDS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """How a workflow runs; `workflow` says what each means."""

    kind: Kind = "Workflow"
    name: str | None = None
    parallelism: int | None = None
    timeout: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    schedule: model.Schedule | None = None
    mounted: Mounted = field(default_factory=Mounted)
    hooks: tuple[Hook, ...] = ()
    locks: str = "{}"  #: what holds also where the workflow is a step of another
    extra: str = "{}"


class Workflow(Generic[P, R]):
    """A function that declares a workflow; inside another workflow a call of it is one step."""

    def __init__(self, function: Callable[P, R], options: WorkflowOptions) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = plain_function("workflow", function), options
        self.name = workflow_name(options.name or function.__name__)
        self.template_name = template_name(options.name or function.__name__)
        self.signature = inspect.signature(function)
        check_signature("workflow", self.function, self.signature)

    @functools.cached_property
    def annotations(self) -> Annotations:
        """What the annotations of the function say, read when it is first needed."""
        return annotations_of(self.function)

    @functools.cached_property
    def checks(self) -> tuple[Check, ...]:
        """What is asked of arguments and parameters that are known when it is declared."""
        return checks_of(self.signature, self.annotations)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by parameter; `DeclarationError` in Python's words for wrong ones."""
        return bind(self.function, self.signature, args, kwargs)

    def declare(self, /, **parameters: Any) -> model.Workflow:
        """Run the function once and return what it declared."""
        from couler_jobs.dsl.graphs import declare

        return declare(self, parameters)

    def compile(self, /, target: str = "4.1", **parameters: Any) -> dict[str, Any]:
        """The manifest, a plain dict; `parameters` set workflow parameters."""
        from couler_jobs import compile

        return compile(self, target=target, **parameters)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside another workflow: record this one as a step of it; the answer is a handle."""
        from couler_jobs.dsl.graphs import call_workflow

        scope = recorder.needed(f"Calling the workflow {self.function.__name__}")
        recorded: Any = call_workflow(scope, self, args, dict(kwargs))
        return recorded  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<workflow {self.function.__name__}>"


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(
    **options: Unpack[words.WorkflowWords],
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...
def workflow(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a workflow: `@workflow`, or `@workflow(name=..., on_exit=...)`.

    The function runs once, when it is compiled; what it returns (a handle, or a dict of them)
    becomes the run's outputs.

    How it runs. on_exit: a step or function that runs at the end, however the workflow ended;
    hooks: `cj.hook(...)` by name. parallelism: how many steps may run at once. timeout: seconds,
    or "2h". schedule: a cron line or several, read in timezone (UTC): the manifest is then a
    CronWorkflow, which `submit` applies. kind: "WorkflowTemplate" or "ClusterWorkflowTemplate"
    makes a template that others refer to; a call of it in another workflow does. priority, mutex,
    semaphore, metrics: as in a step.

    For all of its steps. mounts, node_selector, affinity, tolerations, security_context,
    service_account, priority_class, image_pull_secrets: names; dns: a policy, or a mapping in
    Kubernetes' words.

    What is left of it. ttl: when the run is forgotten, "1d" or `{"success": "1h", "failure":
    "7d"}`. pod_gc: when pods are, such as "OnPodSuccess". archive_logs. artifact_gc: such as
    "OnWorkflowDeletion". artifact_repository: `cj.config_key("name", "key")`. labels, annotations.

    spec_extra: any further fields of Argo's workflow spec. In a workflow that is called in another
    one, parallelism, mutex, semaphore, metrics, on_exit and hooks have a meaning, and the others
    none. Raises `DeclarationError` for values that make no sense.
    """
    with placed():
        if function is not None:
            return Workflow(function, WorkflowOptions())
        made = _workflow_options(options)
    return lambda function: _made(function, made)


def _made(function: Any, options: WorkflowOptions) -> Workflow[..., Any]:
    with placed():
        return Workflow(function, options)


def _workflow_options(options: Mapping[str, Any]) -> WorkflowOptions:
    words.check("@cj.workflow", options, words.WorkflowWords)
    kind, timeout = options.get("kind", "Workflow"), options.get("timeout")
    if kind not in _KINDS:
        raise DeclarationError(f"kind={kind!r}: it is {', '.join(map(repr, _KINDS))}.")
    if options.get("schedule") and kind != "Workflow":
        raise DeclarationError(f"A {kind} has no schedule: leave kind= out, or schedule=.")
    if (most := options.get("parallelism")) is not None and most < 1:
        raise DeclarationError(f"parallelism={most!r}: it is how many steps may run at once.")
    found = mounted(options.get("mounts"))
    fields = spec_fields(options) | ({"volumes": found.volumes} if found.volumes else {})
    local = {n: fields[n] for n in ("metrics",) if n in fields} | lock_fields(options)
    return WorkflowOptions(
        kind=kind,
        name=options.get("name"),
        parallelism=most,
        timeout=None if timeout is None else seconds(timeout, "timeout"),
        labels=dict(options.get("labels") or {}),
        annotations=dict(options.get("annotations") or {}),
        schedule=_schedule(options.get("schedule", ()), options.get("timezone", "")),
        mounted=found,
        hooks=hooks_of(options),
        locks=extra_json(local),
        extra=extra_json(overlaid(fields, options.get("spec_extra") or {}, "spec_extra")),
    )


def _schedule(lines: str | Sequence[str], timezone: str) -> model.Schedule | None:
    listed = (lines,) if isinstance(lines, str) else tuple(lines)
    if listed:
        return model.Schedule(lines=listed, timezone=timezone)
    if timezone:
        raise DeclarationError("timezone= goes with schedule=, such as schedule='0 2 * * *'.")
    return None
