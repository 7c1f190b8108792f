"""`@step`: Python functions that run as steps of a workflow."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from couler_jobs.dsl import calls, memo, recorder, source, words
from couler_jobs.dsl.fits import Check, checks_of
from couler_jobs.dsl.options import PodOptions, pod_words
from couler_jobs.dsl.place import placed
from couler_jobs.dsl.typed import Annotations, annotations_of
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import no_parameter
from couler_jobs.spec.names import parameter_name, template_name

if TYPE_CHECKING:
    from typing import Unpack

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_IMAGE = "python:3.12"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions(PodOptions):
    """How a step runs; `step` says what each means."""

    image: str = DEFAULT_IMAGE
    ship: Literal["source", "import"] = "source"
    cache: int | None = None  #: seconds that a result counts; 0: for ever; None: not at all
    cache_files: tuple[str, ...] = ()


class Step(Generic[P, R]):
    """A function that runs as a step of a workflow; outside of one it is the function itself."""

    def __init__(self, function: Callable[P, R], options: StepOptions, name: str | None) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = plain_function("step", function), options
        self.name = template_name(name or function.__name__)
        self.signature = inspect.signature(function)
        self.parameters = tuple(self.signature.parameters)
        self.parameter_names = tuple(map(parameter_name, self.parameters))
        check_signature("step", self.function, self.signature)

    @functools.cached_property
    def annotations(self) -> Annotations:
        """What the annotations of the function say, read when it is first needed."""
        return annotations_of(self.function)

    @functools.cached_property
    def checks(self) -> tuple[Check, ...]:
        """What is asked of arguments that are known when the step is called."""
        return checks_of(self.signature, self.annotations)

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
        place = scope.place(sys._getframe(1))
        return calls.record_call(scope, self, self.bind(args, kwargs), after, place)

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
    for name in kwargs:
        if name not in signature.parameters:
            said = no_parameter(f"{function.__name__}()", name, signature.parameters)
            raise DeclarationError(said)
    try:
        return dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise DeclarationError(f"{function.__name__}(): {error}.") from None


def plain_function(kind: str, function: Any) -> types.FunctionType:
    """`function`; `DeclarationError` for what is none."""
    if isinstance(function, types.FunctionType):
        return function
    raise DeclarationError(f"{function!r} is no function, so it cannot be a {kind}.")


def check_signature(kind: str, function: types.FunctionType, signature: inspect.Signature) -> None:
    """Refuse what a template cannot have: `*args`, a parameter `after`, a coroutine."""
    name = function.__name__
    if name == "<lambda>" and kind == "step":
        raise DeclarationError("A lambda has no name to run as a step by: define it with `def`.")
    if next(iter(signature.parameters), "") in ("self", "cls") and function.__qualname__ != name:
        raise DeclarationError(
            f"The {kind} {name} is a method, and no object travels with it: define it outside of "
            "the class, and pass what it needs as arguments."
        )
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


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(**options: Unpack[words.StepWords]) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(image=..., retries=...)`.

    How it runs. image; ship: "source" sends the function's text, "import" imports it where it runs.
    retries: how often to try again after a failure; backoff: seconds (or "10s") to wait before
    that, or `{"duration": 10, "factor": 2, "cap": 60, "max": 600}` (cap: one wait, since Argo 3.7;
    max: all together). timeout: seconds, or "10m". daemon: the next steps start when it is ready.
    on_exit: a step that runs when this one has ended; hooks: `cj.hook(...)` by name.

    cache: True, or how long a result counts, such as "7d": a call whose source, image, environment
    and arguments are those of an earlier one, in any run, does not run but has its result.
    cache_files: files beside the program whose content counts as well.

    What it has. memory, cpu: Kubernetes quantities, both asked for and the limit; gpu: how many.
    env: texts, or `cj.secret(...)`, `cj.config_key(...)`, by name; env_from: whole secrets and
    config maps. mounts: `cj.claim(...)` and the like by path. working_dir. sidecars,
    init_containers: containers in Kubernetes' words by name.

    Where it runs. node_selector, affinity, tolerations, security_context, service_account,
    priority_class, pull_policy; labels and annotations of the pod.

    What is counted and locked. metrics: `cj.counter(...)` and the like. mutex: a name, or several;
    semaphore: `cj.config_key("limits", "key")`, which holds how many may run at once.

    container_extra, template_extra: any further fields of Argo's container and template. Raises
    `DeclarationError` for values that make no sense.
    """
    with placed():
        if function is not None:
            return Step(function, StepOptions(), None)
        made = step_options("@cj.step", options)
        name = options.get("name")
    return lambda function: _made(function, made, name)


def _made(function: Any, options: StepOptions, name: str | None) -> Step[..., Any]:
    with placed():
        return Step(function, options, name)


def step_options(what: str, options: Mapping[str, Any]) -> StepOptions:
    """The options of `step`, checked. Raises `DeclarationError` for values that make no sense."""
    words.check(what, options, words.StepWords)
    ship = options.get("ship", "source")
    if ship not in ("source", "import"):
        raise DeclarationError(f"ship={ship!r}: it is 'source' or 'import'.")
    cache, files = memo.max_age(options.get("cache")), tuple(options.get("cache_files", ()))
    if files and cache is None:
        raise DeclarationError("cache_files says what a cached result depends on: give cache= too.")
    pod = pod_words(options)
    further = options.get("container_extra") or {}
    image = options.get("image", further.get("image", DEFAULT_IMAGE))
    return StepOptions(image=image, ship=ship, cache=cache, cache_files=files, **pod)
