"""Container and script steps."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from couler_jobs.dsl.containers import image_name
from couler_jobs.dsl.couler.cache import Cache
from couler_jobs.dsl.couler.leaves import Asked, Inputs, outputs_of, record_leaf, text_of
from couler_jobs.dsl.couler.recording import recording, scope_now
from couler_jobs.dsl.couler.secrets import Secret, env_of
from couler_jobs.dsl.couler.volumes import VolumeMount
from couler_jobs.dsl.entries import Entry
from couler_jobs.dsl.source import script
from couler_jobs.dsl.units import check_resource, command_words, extra_json, retry_policy, seconds
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name, template_name

Words = str | Sequence[str] | None
DEFAULT_IMAGE = "python:3.12"
GPU = "nvidia.com/gpu"
"""What Kubernetes calls a `gpu`."""


class ImagePullPolicy(enum.StrEnum):
    """When an image is pulled."""

    IfNotPresent = "IfNotPresent"
    Always = "Always"
    Never = "Never"

    @classmethod
    def valid(cls, value: str) -> bool:
        """Whether there is such a policy."""
        return value in cls.__members__

    @classmethod
    def values(cls) -> list[str]:
        """All of them."""
        return list(cls.__members__)


def run_container(
    image: str,
    command: Words = None,
    args: Any = None,
    output: Any = None,
    input: Any = None,
    env: Mapping[str, Any] | None = None,
    env_from: Any = None,
    secret: str | Secret | None = None,
    resources: Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    retry: int | None = None,
    step_name: str | None = None,
    image_pull_policy: str | ImagePullPolicy | None = None,
    pool: Any = None,
    enable_ulogfs: bool = True,
    daemon: bool = False,
    volume_mounts: Sequence[VolumeMount] | None = None,
    working_dir: str | None = None,
    node_selector: Mapping[str, str] | None = None,
    cache: Cache | None = None,
    parallelism: int | None = None,
    backoff: Any = None,
) -> list[Handle]:
    """Run a container; the answer is the list of its outputs, each usable as an argument.

    `output` and `input` are artifacts, one or a list; without an output it is what was printed.
    `args`: texts and outputs of other steps, an input parameter `para-<step_name>-<number>` each;
    files among them become input artifacts, which lie where the other step left them.
    `env`: texts, numbers, outputs, `couler_jobs.secret(...)`; a variable that is None is left out.
    `env_from`: whole secrets and config maps. `secret`: what `create_secret` gave, a variable for
    each key. `resources`: requests and limits, in Kubernetes' quantities; `gpu` is a GPU of
    Nvidia's. `timeout` is in seconds, `retry` a number of times. `pool` and `enable_ulogfs` are for
    a site's own plug-in. `backoff`, which Couler does not have, is the wait before a retry, as for
    `@step`. `daemon`: the next step starts when it is ready, and it ends with the
    workflow. `parallelism`: how many rounds of a `map` over it run at the same time.

    `{{...}}` in texts is Argo's and `$(NAME)` is Kubernetes', as ever in Couler: text that must
    arrive literally is passed as `couler_jobs.json_text(value)` and read as JSON.
    """
    name = template_name(step_name or image_name(image))
    inputs = Inputs(scope_now(), name)
    fields = container_fields(
        inputs, env, env_from, secret, resources, working_dir, image_pull_policy, volume_mounts
    )
    texts = inputs.arguments(args)
    container = model.Container(image=image, command=_words(command), args=texts, **fields)
    pod = _pod(container, inputs, input, output, limits(timeout, retry, backoff))
    extra = extra_json(_template_fields(daemon, node_selector, cache))
    asked = Asked(pool=pool, enable_ulogfs=enable_ulogfs, parallelism=parallelism)
    return record_leaf(name, model.Pod(**pod, extra=extra), inputs, asked)


def run_script(
    image: str = DEFAULT_IMAGE,
    command: Words = None,
    source: str | Callable[..., Any] | None = None,
    args: Any = None,
    output: Any = None,
    input: Any = None,
    env: Mapping[str, Any] | None = None,
    secret: str | Secret | None = None,
    resources: Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    retry: int | None = None,
    step_name: str | None = None,
    image_pull_policy: str | ImagePullPolicy | None = None,
    pool: Any = None,
    enable_ulogfs: bool = True,
    daemon: bool = False,
    volume_mounts: Sequence[VolumeMount] | None = None,
    working_dir: str | None = None,
    node_selector: Mapping[str, str] | None = None,
    cache: Cache | None = None,
    env_from: Any = None,
    parallelism: int | None = None,
    backoff: Any = None,
) -> list[Handle]:
    """Run a script's text, or a function of no arguments; the last output is what it printed.

    A function travels as its source, with what it uses of its module. `command` is python unless
    it says otherwise. Everything else is as in `run_container`.
    """
    text = _source_text(source)
    name = template_name(step_name or _function_name(source) or image_name(image))
    inputs = Inputs(scope_now(), name)
    fields = container_fields(
        inputs, env, env_from, secret, resources, working_dir, image_pull_policy, volume_mounts
    )
    texts = inputs.arguments(args)
    words = _words(command or "python")
    container = model.Container(image=image, command=words, args=texts, source=text, **fields)
    pod = _pod(container, inputs, input, output, limits(timeout, retry, backoff))
    extra = extra_json(_template_fields(daemon, node_selector, cache))
    asked = Asked(pool=pool, enable_ulogfs=enable_ulogfs, parallelism=parallelism)
    return record_leaf(name, model.Pod(**pod, extra=extra), inputs, asked)


def _function_name(source: Any) -> str:
    name = str(getattr(source, "__name__", ""))
    return "" if name == "<lambda>" else name


def _source_text(given: Any) -> str:
    if isinstance(given, str) and given.strip():
        return given
    function = given.__func__ if isinstance(given, types.MethodType) else given
    if isinstance(function, types.FunctionType):
        return f"{script(function)}\n\n{function.__name__}()\n"
    raise DeclarationError("run_script needs source=: a script's text, or a function.")


def container_fields(
    inputs: Inputs,
    env: Mapping[str, Any] | None,
    env_from: Any,
    secret: str | Secret | None,
    resources: Mapping[str, Any] | None,
    working_dir: str | None,
    pull_policy: Any,
    mounts: Sequence[VolumeMount] | None,
) -> dict[str, Any]:
    """What a container and a script have in common, as fields of `model.Container`."""
    more: dict[str, Any] = {}
    if env_from is not None:
        listed = env_from if isinstance(env_from, list | tuple) else [env_from]
        more["envFrom"] = [o.env_from() if isinstance(o, Entry) else dict(o) for o in listed]
    if mounts:
        more["volumeMounts"] = [_mount(mount) for mount in mounts]
    return {
        "env": (*_env(inputs, env), *env_of(secret)),
        "resources": quantities(resources),
        "working_dir": working_dir,
        "pull_policy": _policy(pull_policy),
        "extra": extra_json(more),
    }


def _mount(mount: Any) -> dict[str, Any]:
    if not isinstance(mount, VolumeMount):
        raise DeclarationError(f"volume_mounts has {mount!r}: it takes VolumeMount(name, path).")
    recording().mounts[mount.name] = None
    return mount.to_dict()


def quantities(resources: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Amounts by the names that Kubernetes has for them. Raises `DeclarationError` for others."""
    if not isinstance(resources or {}, Mapping):
        raise DeclarationError(f"resources={resources!r}: it is a mapping, such as {{'cpu': 1}}.")
    named = {GPU if name == "gpu" else str(name): v for name, v in (resources or {}).items()}
    for name in named:
        check_resource(name)
    return tuple((name, str(amount)) for name, amount in named.items())


def _env(
    inputs: Inputs, env: Mapping[str, Any] | None
) -> list[tuple[str, model.Text | model.EnvSource]]:
    if not isinstance(env or {}, Mapping):
        raise DeclarationError(f"env={env!r}: it is a mapping of names to values.")
    found: list[tuple[str, model.Text | model.EnvSource]] = []
    for name, value in (env or {}).items():
        if name == "secrets" and isinstance(value, list):
            found += [_env_entry(one) for one in value]
        elif value is not None:
            found.append((str(name), env_text(inputs, name, value)))
    return found


def env_text(inputs: Inputs, name: str, value: Any) -> model.Text | model.EnvSource:
    """A variable's value; what another step leaves comes by an input parameter."""
    if isinstance(value, Entry):
        return value.env_source()
    value = text_of(value)
    if isinstance(value, Handle):
        return inputs.parameter(f"env-{parameter_name(name)}", value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise DeclarationError(f"The variable {name} is {value!r}: give it a text or a number.")


def _env_entry(entry: Any) -> tuple[str, model.EnvSource]:
    """`env={"secrets": secret.to_env_list()}`, as Couler takes it."""
    if not isinstance(entry, Mapping) or not {"name", "valueFrom"} <= set(entry):
        raise DeclarationError(f'env["secrets"] has {entry!r}: it is a name and a valueFrom each.')
    return str(entry["name"]), model.EnvSource(fields=extra_json(entry["valueFrom"]))


def _policy(given: Any) -> str | None:
    if given is None or given in ImagePullPolicy.__members__:
        return None if given is None else str(given)
    raise DeclarationError(
        f"image_pull_policy={given!r}: it is one of {', '.join(ImagePullPolicy.values())}."
    )


def _pod(
    container: model.Container, inputs: Inputs, given: Any, output: Any, ends: dict[str, Any]
) -> dict[str, Any]:
    listed = given if isinstance(given, list | tuple) else [] if given is None else [given]
    for one in listed:
        inputs.add_file(one)
    return {
        "name": "",
        "container": container,
        **inputs.fields(),
        "outputs": outputs_of(output),
        **ends,
    }


def limits(timeout: Any, retry: Any, backoff: Any = None) -> dict[str, Any]:
    """How long and how often, as fields of a template."""
    return {
        "timeout": None if timeout is None else seconds(timeout, "timeout"),
        "retry": retry_policy(retry or 0, backoff),
    }


def _template_fields(
    daemon: bool, node_selector: Mapping[str, str] | None, cache: Cache | None
) -> dict[str, Any]:
    selector = {"nodeSelector": dict(node_selector)} if node_selector else {}
    return ({"daemon": True} if daemon else {}) | selector | memoize(cache)


def memoize(cache: Cache | None) -> dict[str, Any]:
    """The template's field for a cache."""
    return {} if cache is None else {"memoize": cache.to_dict()}


def _words(command: Words) -> tuple[str, ...]:
    return tuple(command_words(command))
