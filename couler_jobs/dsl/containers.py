"""`container`: a step that runs a command of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import recorder, words
from couler_jobs.dsl.calls import with_mounts
from couler_jobs.dsl.leaves import Inputs, output_files, record
from couler_jobs.dsl.options import PodOptions, pod_words
from couler_jobs.dsl.units import command_words, env_texts
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name, template_name

if TYPE_CHECKING:
    from typing import Unpack


def container(
    image: str,
    *,
    command: str | Sequence[Any] = (),
    args: Sequence[Any] = (),
    files: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    after: Any = None,
    **options: Unpack[words.PodWords],
) -> Any:
    """Run a command of an image: `found = cj.container("alpine", command=["wc", "-c"], args=[x])`.

    command, args, and the values of env: texts, or the values of other steps: a text arrives as it
    is (as JSON if it holds `{{`, `$(` or `$$`, which would be expanded), any other value as
    JSON. files: by path, files that other steps leave, or `cj.s3(...)` and the like. outputs: by
    name, the path of a text that it writes, or `cj.file(path)` for a file.

    The answer stands for what it prints, and `found["name"]` for an output: a step that takes it
    reads it as JSON, or as a text if it is none. after, and further options: those of a step.
    Raises `DeclarationError` for values that make no sense.
    """
    scope = recorder.needed("cj.container")
    words.check("cj.container", options, words.PodWords, container)
    own = PodOptions(**pod_words({**options, "env": None}))
    scope.recording.claims.update(dict.fromkeys(own.claims))
    inputs = Inputs()
    for path, value in (files or {}).items():
        inputs.file(path, value)
    made = container_of(
        inputs,
        {**options, "image": image, "command": command, "args": args},
        own,
        with_mounts(own.container_extra, scope.recording.mounts),
    )
    leaf = model.Pod(
        name=template_name(options.get("name") or image_name(image)),
        container=made,
        outputs=output_files(outputs),
        retry=own.retry,
        timeout=own.timeout,
        extra=own.extra,
    )
    return record(scope, leaf, inputs, after, own.hooks)


def container_of(
    inputs: Inputs, said: Mapping[str, Any], own: PodOptions, extra: str, prefix: str = ""
) -> model.Container:
    """The container that these words say; `prefix` begins the names of its input parameters."""
    command = command_words(said.get("command"))
    return model.Container(
        image=said["image"],
        command=_texts(inputs, f"{prefix}command", command),
        args=_texts(inputs, f"{prefix}args", said.get("args") or ()),
        env=_env(inputs, prefix, said.get("env")),
        memory=own.memory,
        cpu=own.cpu,
        resources=own.resources,
        working_dir=own.working_dir,
        pull_policy=own.pull_policy,
        extra=extra,
    )


def _texts(inputs: Inputs, word: str, given: Any) -> Any:
    """The words of a command line, each a text or a value."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list | tuple):
        raise DeclarationError(f"{word}={given!r}: it is a list of texts and values.")
    return tuple(
        inputs.text(f"{word}[{number}]", f"{word}-{number}", value)
        for number, value in enumerate(given)
    )


def _env(
    inputs: Inputs, prefix: str, env: Any
) -> tuple[tuple[str, model.Text | model.EnvSource], ...]:
    found: list[tuple[str, model.Text | model.EnvSource]] = []
    for name, value in (env or {}).items():
        if isinstance(value, Handle):
            parameter = f"{prefix}env-{parameter_name(name)}"
            found.append((name, inputs.text(f"The variable {name}", parameter, value)))
        else:
            found += env_texts({name: value})
    return tuple(found)


def image_name(image: str) -> str:
    """What an image is called, without its registry and version."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]
