"""Couler's names. `couler_jobs.argo` publishes them; their meaning is Couler's."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from couler_jobs.dsl import recorder, values
from couler_jobs.dsl.containers import (
    CoulerScope,
    last,
    plain_text,
    record_container,
    recording,
    scope_now,
)
from couler_jobs.dsl.producers import ItemValue, Variable
from couler_jobs.dsl.source import script
from couler_jobs.dsl.units import extra_json, retry_policy, seconds
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names, parameter_name, template_name

Job = Callable[..., Any]


def run_container(
    image: str,
    command: str | Sequence[str] | None = None,
    args: str | Sequence[Any] | None = None,
    output: Any = None,
    env: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    retry: int | None = None,
    step_name: str | None = None,
    image_pull_policy: str | None = None,
    working_dir: str | None = None,
    node_selector: Mapping[str, str] | None = None,
    backoff: Any = None,
) -> list[Handle]:
    """Run a container; the answer is the list of its outputs, each usable as an argument.

    `backoff`, which Couler does not have, is the wait before a retry, as for `@step`.
    `{{...}}` in texts is Argo's and `$(NAME)` is Kubernetes', as ever in Couler: text that must
    arrive literally is passed as `couler_jobs.json_text(value)` and read as JSON.
    """
    container = model.Container(
        image=image,
        command=_words(command),
        **_container_fields(env, resources, working_dir, image_pull_policy),
    )
    pod = _pod_fields(output, timeout, retry, node_selector, backoff)
    name = template_name(step_name or _image_name(image))
    return record_container(name, container, _list(args), pod)


def run_script(
    image: str = "python:3.12",
    command: str | Sequence[str] | None = None,
    source: str | Callable[..., Any] | None = None,
    args: str | Sequence[Any] | None = None,
    output: Any = None,
    env: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    retry: int | None = None,
    step_name: str | None = None,
    image_pull_policy: str | None = None,
    working_dir: str | None = None,
    node_selector: Mapping[str, str] | None = None,
) -> list[Handle]:
    """Run a script's text, or a function of no arguments; the last output is what it printed."""
    container = model.Container(
        image=image,
        command=_words(command or "python"),
        source=_source_text(source),
        **_container_fields(env, resources, working_dir, image_pull_policy),
    )
    pod = _pod_fields(output, timeout, retry, node_selector)
    default = getattr(source, "__name__", "") or _image_name(image)
    return record_container(template_name(step_name or default), container, _list(args), pod)


def _source_text(given: Any) -> str:
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, types.FunctionType):
        return f"{script(given)}\n\n{given.__name__}()\n"
    raise DeclarationError("run_script needs source=: a script's text, or a function.")


def _container_fields(
    env: Mapping[str, Any] | None,
    resources: Mapping[str, Any] | None,
    working_dir: str | None,
    pull_policy: Any,
) -> dict[str, Any]:
    asked = dict(resources or {})
    return {
        "env": tuple((name, _env_text(name, value)) for name, value in (env or {}).items()),
        "working_dir": working_dir,
        "pull_policy": None if pull_policy is None else str(pull_policy),
        "extra": extra_json({"resources": {"requests": asked, "limits": asked}} if asked else {}),
    }


def _env_text(name: str, value: Any) -> str:
    text, handles = plain_text(value)
    if handles or not isinstance(text, str):
        raise DeclarationError(f"The variable {name} is a step's output: pass it in args instead.")
    return text


def _pod_fields(
    output: Any,
    timeout: Any,
    retry: Any,
    node_selector: Mapping[str, str] | None,
    backoff: Any = None,
) -> dict[str, Any]:
    selector = {"nodeSelector": dict(node_selector)} if node_selector else {}
    return {
        "outputs": _outputs(output),
        "timeout": None if timeout is None else seconds(timeout, "timeout"),
        "retry": retry_policy(retry or 0, backoff),
        "extra": extra_json(selector),
    }


def _words(command: str | Sequence[str] | None) -> tuple[str, ...]:
    return (command,) if isinstance(command, str) else tuple(command or ())


def _list(args: Any) -> list[Any]:
    if args is None:
        return []
    return list(args) if isinstance(args, list | tuple) else [args]


def _image_name(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _outputs(output: Any) -> tuple[model.OutputFile, ...]:
    """The outputs, names that repeat with an ordinal."""
    names = Names()
    return tuple(replace(one, name=names.take(one.name)) for one in _list(output))


def create_parameter_artifact(path: str, is_global: bool = False) -> model.OutputFile:
    """An output parameter: the text of the file at `path` when the step has ended."""
    name = parameter_name(path.rstrip("/").rpartition("/")[2].replace(".", "-") or "output")
    return model.OutputFile(name=name, path=path, global_name=name if is_global else None)


# --- order


def dag(dependency_graph: Sequence[Sequence[Job]]) -> None:
    """Run chains of callables: each follows the one before it in its chain.

    Each callable is called once; calls that say the same (name, template, arguments) are one step.
    """
    scope = _couler_scope("dag")
    done: dict[int, list[str]] = {}
    with scope.chains():
        for chain in dependency_graph:
            before: list[str] = []
            for job in chain:
                if id(job) not in done:
                    done[id(job)] = scope.calls_of(job)
                scope.link(before, done[id(job)])
                before = done[id(job)]


def set_dependencies(step_function: Job, dependencies: str | Sequence[str] | None = None) -> Any:
    """Run a step after the named ones (None: at once), or by an expression of Argo's `depends`."""
    scope = _couler_scope("set_dependencies")
    if isinstance(dependencies, str):
        with scope.after((), dependencies):
            return step_function()
    with scope.after([template_name(name) for name in dependencies or ()]):
        return step_function()


def concurrent(function_list: Sequence[Job]) -> list[Any]:
    """Run the callables' steps at the same time."""
    with _couler_scope("concurrent").together():
        return [function() for function in function_list]


def _couler_scope(what: str) -> CoulerScope:
    scope = scope_now()
    if not isinstance(scope, CoulerScope):
        raise DeclarationError(
            f"{what} orders steps outside of a @cj.workflow function: inside one, pass values, or "
            "use after=."
        )
    return scope


# --- conditions


def equal(pre: Any, post: Any = None) -> Condition:
    """`pre == post`."""
    return _comparison(pre, "==", post)


def not_equal(pre: Any, post: Any = None) -> Condition:
    """`pre != post`."""
    return _comparison(pre, "!=", post)


def bigger(pre: Any, post: Any = None) -> Condition:
    """`pre > post`, as numbers."""
    return _comparison(pre, ">", post)


def smaller(pre: Any, post: Any = None) -> Condition:
    """`pre < post`, as numbers."""
    return _comparison(pre, "<", post)


def bigger_equal(pre: Any, post: Any = None) -> Condition:
    """`pre >= post`, as numbers."""
    return _comparison(pre, ">=", post)


def smaller_equal(pre: Any, post: Any = None) -> Condition:
    """`pre <= post`, as numbers."""
    return _comparison(pre, "<=", post)


_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _comparison(pre: Any, operator: str, post: Any) -> Condition:
    left, right = last(pre), last(post)
    if isinstance(left, Handle):
        return values.compare(left, operator, right)
    if isinstance(right, Handle):
        return values.compare(right, _MIRRORED[operator], left)
    raise DeclarationError(f"{pre!r} {operator} {post!r}: one of the two must be a step's output.")


def when(condition: Condition, function: Job) -> Any:
    """Run `function`'s steps only if the condition holds."""
    with scope_now().under(values.condition(condition)):
        return function()


# --- loops


def map(function: Job, *lists: Any) -> Any:
    """Run `function`'s step once for each item of the list, or of an output that is a JSON list.

    Several lists of one length give the function one item of each. The rounds run together.
    """
    scope = _couler_scope("map")
    over = last(lists[0]) if len(lists) == 1 else None
    if isinstance(over, Handle):
        with scope.looping(model.Loop(over=over.items()), scope.tasks_of([over])):
            return function(Handle(ItemValue(scope)))
    keys = [f"item-{index}" for index in range(len(lists))]
    loop = _loop(keys, lists)
    if not loop.items:
        return []
    with scope.looping(loop, ()):
        return function(*(Handle(ItemValue(scope, key)) for key in keys))


def _loop(keys: Sequence[str], lists: Sequence[Any]) -> model.Loop:
    sizes = {len(items) for items in lists}
    if len(sizes) != 1:
        raise DeclarationError(f"map needs lists of one length, these have {sorted(sizes)}.")
    rows = zip(*lists, strict=True)
    return model.Loop(
        items=tuple(tuple(zip(keys, (_item(value) for value in row), strict=True)) for row in rows)
    )


def _item(value: Any) -> str:
    text, handles = plain_text(value)
    if handles or not isinstance(text, str):
        raise DeclarationError(
            "The items of a list cannot be outputs of steps: map over one output."
        )
    return text


# --- the end


class WFStatus:
    """How a workflow ended."""

    Succeeded = "Succeeded"
    Failed = "Failed"
    Error = "Error"


def set_exit_handler(status: str, function: Job) -> Any:
    """Run `function`'s steps when the workflow has ended with `status`."""
    scope = recording().at_end()
    condition = values.compare(Handle(Variable("workflow.status")), "==", str(status))
    with recorder.recording_to(scope), scope.under(condition):
        return function()


def config_workflow(name: str | None = None, timeout: float | str | None = None) -> None:
    """Set the name of the workflow, and how many seconds it may take."""
    found = recording()
    if name is not None:
        found.name = name
    if timeout is not None:
        found.timeout = seconds(timeout, "timeout")
