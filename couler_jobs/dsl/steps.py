"""`@step` and `@workflow`: Python functions that become templates."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from couler_jobs.dsl import recorder, source, values
from couler_jobs.dsl.footer import step_script
from couler_jobs.dsl.producers import CallValue, Form, Outputs, Path
from couler_jobs.dsl.units import env_texts, extra_json, retry_policy, seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model, wire
from couler_jobs.spec.names import parameter_name, template_name, workflow_name

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_IMAGE = "python:3.12"
OUTPUT_FOLDER = "/tmp/couler-jobs"  # noqa: S108  a folder in the step's own container
ARGUMENT_VARIABLE = "COULER_JOBS_ARG_"
LONGEST_ARGUMENT = 131_000
"""Bytes: Linux takes 128 KiB for a variable with its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """How a step runs; `step` says what each means."""

    image: str = DEFAULT_IMAGE
    retry: model.Retry | None = None
    timeout: int | None = None
    memory: str | None = None
    cpu: str | None = None
    env: tuple[tuple[str, model.Text], ...] = ()
    working_dir: str | None = None
    ship: Literal["source", "import"] = "source"
    extra: str = "{}"


class Step(Generic[P, R]):
    """A function that runs as a step of a workflow; outside of one it is the function itself."""

    def __init__(self, function: Callable[P, R], options: StepOptions, name: str | None) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = _checked(function), options
        self.name = template_name(name or function.__name__)
        self.signature = inspect.signature(function)
        self.parameters = tuple(self.signature.parameters)
        self.parameter_names = tuple(map(parameter_name, self.parameters))
        check_signature("step", self.function, self.signature)

    @property
    def __couler_jobs_function__(self) -> types.FunctionType:
        return self.function

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, after: Any, **kwargs: Any) -> R: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, or inside a workflow record the call and return its value's handle."""
        scope = recorder.current()
        if scope is None:
            return self.function(*args, **kwargs)
        after = kwargs.pop("after", None)
        return record_call(scope, self, self.bind(args, kwargs), after)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by parameter; `DeclarationError` in Python's words for wrong ones."""
        if not kwargs and len(args) == len(self.parameters):
            return dict(zip(self.parameters, args, strict=True))
        return bind(self.function, self.signature, args, kwargs)

    def shipped(self) -> str:
        """The text that defines the function where it runs."""
        if self.options.ship == "import":
            return source.import_script(self.function)
        return source.script(self.function)

    def __repr__(self) -> str:
        return f"<step {self.function.__name__}>"


def bind(
    function: Callable[..., Any],
    signature: inspect.Signature,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """The arguments by parameter; `DeclarationError` in Python's words for wrong ones."""
    try:
        return dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise DeclarationError(f"{function.__name__}(): {error}.") from None


def _checked(function: Any) -> types.FunctionType:
    if isinstance(function, types.FunctionType):
        return function
    raise DeclarationError(f"{function!r} is no function, so it cannot be a step.")


def check_signature(kind: str, function: types.FunctionType, signature: inspect.Signature) -> None:
    """Refuse what a template cannot have: `*args`, a parameter `after`, a coroutine."""
    name = function.__name__
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DeclarationError(
                f"The {kind} {name} takes {parameter}: give each parameter a name of its own."
            )
    if "after" in signature.parameters:
        raise DeclarationError(
            f"The {kind} {name} has a parameter 'after', which is how a call says what it follows: "
            "choose another name."
        )
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DeclarationError(f"The {kind} {name} is no plain function: return its value at once.")


def record_call(
    scope: recorder.Scope, target: Step[..., Any], bound: Mapping[str, Any], after: Any = None
) -> values.Handle:
    """Add a call of the step to the graph; the answer is its value's handle."""
    template = template_of(scope.recording, target)
    arguments, handles = argument_texts(bound)
    depends = dict.fromkeys(scope.tasks_of(handles)) if handles else {}
    if after is not None:
        depends.update(dict.fromkeys(scope.tasks_of(followed(after))))
    if scope.conditions:
        depends.update(dict.fromkeys(scope.condition_tasks()))
    task = scope.record(target.name, template.name, arguments, depends)
    return values.Handle(CallValue(scope, task, CallOutputs(scope, task, template)))


class CallOutputs(Outputs):
    """What is asked of one call of a step; the whole value is there in any case."""

    def __init__(self, scope: recorder.Scope, task: str, template: StepTemplate) -> None:
        super().__init__()
        self._scope, self._task, self._template = scope, task, template

    def name(self, path: Path, form: Form) -> str:
        """The output's name; all but the whole value make a template of their own."""
        if not path and form == "value":
            return form
        self._scope.outputs[self._task] = self
        self._scope.recording.varying[self._template.name] = self._template
        return super().name(path, form)


def argument_texts(bound: Mapping[str, Any]) -> tuple[recorder.Arguments, list[values.Handle]]:
    """The arguments as JSON texts by parameter name, and the handles in them."""
    arguments: list[tuple[str, model.Text]] = []
    handles: list[values.Handle] = []
    for name, value in bound.items():
        try:
            text, found = values.text(value)
        except DeclarationError as error:
            raise DeclarationError(f"The argument {name!r}: {error}") from None
        if type(text) is str and len(text) > LONGEST_ARGUMENT:
            raise DeclarationError(
                f"The argument {name!r} has {len(text) // 1024} KiB as JSON, and a step takes 128 "
                "KiB: let the step read it from a file."
            )
        arguments.append((parameter_name(name), text))
        handles += found
    return tuple(arguments), handles


def followed(after: Any) -> list[values.Handle]:
    """The handles of calls that `after=` holds, one or a list."""
    several = after if isinstance(after, list | tuple) else [after]
    for one in several:
        if not isinstance(one, values.Handle) or not one.producer.tasks:
            raise DeclarationError(
                f"after={one!r}: a step can only follow a call of the same workflow; "
                "pass what that call returned."
            )
    return list(several)


Wanted = Mapping[tuple[Path, Form], str]
WHOLE: Wanted = {((), "value"): "value"}


class StepTemplate:
    """One step's templates: equal but for the outputs that their scripts write."""

    def __init__(self, recording: recorder.Recording, target: Step[..., Any]) -> None:
        self.step, self.text = target, target.shipped()
        self.name = recording.names.take(target.name)
        self.by_name: dict[str, Wanted] = {}
        self._names: dict[frozenset[Any], str] = {}
        self._recording = recording

    def having(self, wanted: Wanted) -> str:
        """The name of the template with these outputs and the whole value."""
        key = frozenset(wanted)
        if key not in self._names:
            name = self._recording.names.take(self.step.name) if self._names else self.name
            self._names[key] = name
            self.by_name[name] = {**WHOLE, **wanted}
        return self._names[key]

    def settle(self) -> bool:
        """Nothing is open: what is asked for is known by the calls."""
        return False

    def templates(self) -> Iterator[model.Pod]:
        """The templates that are called."""
        if not self.by_name:
            self.having({})
        for name, wanted in self.by_name.items():
            yield self._pod(name, wanted)

    def _pod(self, name: str, wanted: Wanted) -> model.Pod:
        step, options = self.step, self.step.options
        script = step_script(step.function.__name__, self.text, step.parameters, wanted)
        return model.Pod(
            name=name,
            container=model.Container(
                image=options.image,
                command=("python",),
                source=script,
                env=(*options.env, *map(_argument_variable, step.parameter_names)),
                memory=options.memory,
                cpu=options.cpu,
                working_dir=options.working_dir,
            ),
            inputs=tuple(input_parameters(step.signature)),
            outputs=tuple(
                model.OutputFile(name=output, path=f"{OUTPUT_FOLDER}/{output}")
                for output in wanted.values()
            ),
            retry=options.retry,
            timeout=options.timeout,
            extra=options.extra,
        )


def _argument_variable(name: str) -> tuple[str, model.Text]:
    return ARGUMENT_VARIABLE + name, model.Joined(parts=(model.Input(name=name),))


def template_of(recording: recorder.Recording, target: Step[..., Any]) -> StepTemplate:
    """The step's template in this recording, made at its first call."""
    found: StepTemplate | None = recording.made.get(target)
    if found is None:
        found = StepTemplate(recording, target)
        recording.made[target] = found
        recording.templates.append(found)
    return found


def input_parameters(signature: inspect.Signature) -> Iterator[model.Parameter]:
    """A template's inputs, with their defaults."""
    for parameter in signature.parameters.values():
        name = parameter_name(parameter.name)
        if parameter.default is parameter.empty:
            yield model.Parameter(name=name)
            continue
        try:
            yield model.Parameter(name=name, value=wire.encode(parameter.default))
        except DeclarationError as error:
            raise DeclarationError(f"The default of {parameter.name!r}: {error}") from None


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    image: str = DEFAULT_IMAGE,
    retries: int = 0,
    backoff: float | str | Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    memory: str | None = None,
    cpu: float | str | None = None,
    env: Mapping[str, str | int | float | bool] | None = None,
    working_dir: str | None = None,
    ship: Literal["source", "import"] = "source",
    template_extra: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(image=..., retries=...)`.

    retries: how often to try again after a failure; backoff: seconds (or "10s") to wait before
    that, or `{"duration": 10, "factor": 2, "cap": 60, "max": 600}` (cap: one wait, since Argo 3.7;
    max: all together). timeout: seconds, or "10m". memory, cpu:
    Kubernetes quantities, both asked for and the limit. env: text by name. ship: "source" sends
    the function's text, "import" imports it where it runs. template_extra: any further fields of
    Argo's template. Raises `DeclarationError` for values that make no sense.
    """
    name = options.pop("name", None)
    if function is None:
        return lambda function: Step(function, step_options(**options), name)
    return Step(function, StepOptions(), None)


def step_options(
    *,
    image: str = DEFAULT_IMAGE,
    retries: int = 0,
    backoff: Any = None,
    timeout: Any = None,
    memory: str | None = None,
    cpu: Any = None,
    env: Mapping[str, Any] | None = None,
    working_dir: str | None = None,
    ship: Any = "source",
    template_extra: Mapping[str, Any] | None = None,
) -> StepOptions:
    """The options of `step`, checked. Raises `DeclarationError` for values that make no sense."""
    if ship not in ("source", "import"):
        raise DeclarationError(f"ship={ship!r}: it is 'source' or 'import'.")
    return StepOptions(
        image=image,
        retry=retry_policy(retries, backoff),
        timeout=None if timeout is None else seconds(timeout, "timeout"),
        memory=memory,
        cpu=None if cpu is None else str(cpu),
        env=env_texts(env),
        working_dir=working_dir,
        ship=ship,
        extra=extra_json(template_extra),
    )


# --- workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """How a workflow runs; `workflow` says what each means."""

    name: str | None = None
    on_exit: Callable[..., Any] | None = None
    parallelism: int | None = None
    timeout: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    schedule: model.Schedule | None = None
    extra: str = "{}"


class Workflow(Generic[P, R]):
    """A function that declares a workflow; inside another workflow a call of it is one step."""

    def __init__(self, function: Callable[P, R], options: WorkflowOptions) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = _checked(function), options
        self.name = workflow_name(options.name or function.__name__)
        self.template_name = template_name(options.name or function.__name__)
        self.signature = inspect.signature(function)
        check_signature("workflow", self.function, self.signature)

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
    *,
    name: str | None = None,
    on_exit: Callable[..., Any] | None = None,
    parallelism: int | None = None,
    timeout: float | str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    schedule: str | Sequence[str] = (),
    timezone: str = "",
    spec_extra: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...
def workflow(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a workflow: `@workflow`, or `@workflow(name=..., on_exit=...)`.

    on_exit: a step or function that runs at the end, however the workflow ended. parallelism: how
    many steps may run at once. timeout: seconds, or "2h". schedule: a cron line or several, read in
    timezone (UTC): the manifest is then a CronWorkflow, which `submit` applies. spec_extra: any
    further fields of Argo's workflow spec. The function runs once, when it is compiled; what it
    returns (a handle, or a dict of them) becomes the run's outputs.
    """
    if function is None:
        return lambda function: Workflow(function, _workflow_options(**options))
    return Workflow(function, WorkflowOptions())


def _workflow_options(
    *,
    name: str | None = None,
    on_exit: Callable[..., Any] | None = None,
    parallelism: int | None = None,
    timeout: Any = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    schedule: str | Sequence[str] = (),
    timezone: str = "",
    spec_extra: Mapping[str, Any] | None = None,
) -> WorkflowOptions:
    return WorkflowOptions(
        name=name,
        on_exit=on_exit,
        parallelism=parallelism,
        timeout=None if timeout is None else seconds(timeout, "timeout"),
        labels=dict(labels or {}),
        annotations=dict(annotations or {}),
        schedule=_schedule(schedule, timezone),
        extra=extra_json(spec_extra),
    )


def _schedule(lines: str | Sequence[str], timezone: str) -> model.Schedule | None:
    listed = (lines,) if isinstance(lines, str) else tuple(lines)
    if listed:
        return model.Schedule(lines=listed, timezone=timezone)
    if timezone:
        raise DeclarationError("timezone= goes with schedule=, such as schedule='0 2 * * *'.")
    return None
