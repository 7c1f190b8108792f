"""`container_set`: a step that runs several containers in one pod."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import recorder, words
from couler_jobs.dsl.calls import with_mounts
from couler_jobs.dsl.containers import container_of
from couler_jobs.dsl.leaves import Inputs, output_files, record
from couler_jobs.dsl.options import PodOptions, pod_words
from couler_jobs.dsl.units import extra_json, retry_policy
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import template_name

if TYPE_CHECKING:
    from typing import Unpack


def container_set(
    containers: Mapping[str, words.MemberWords],
    *,
    files: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    container_retries: int = 0,
    container_backoff: float | str | None = None,
    after: Any = None,
    **options: Unpack[words.SetWords],
) -> Any:
    """Run containers in one pod: `cj.container_set({"a": {...}, "main": {..., "after": "a"}})`.

    containers: by name, each with its image, command, args, env and the like, as of `cj.container`;
    after: those before it that have to succeed first. mounts: what all of them share, such as
    `{"/work": cj.empty()}`. One is called main: the outputs are its files, and the answer stands
    for what it prints (https://argo-workflows.readthedocs.io/en/latest/container-set-template/).
    container_retries: how often to run the command of a container again, in the same pod, after a
    failure; container_backoff: seconds (or "10s") to wait before that. retries are of the whole
    pod. files, outputs, after, and further options: as of `cj.container`. Raises `DeclarationError`
    for values that make no sense.
    """
    scope = recorder.needed("cj.container_set")
    words.check("cj.container_set", options, words.SetWords, container_set)
    _check(containers)
    own = PodOptions(**pod_words(options))
    scope.recording.claims.update(dict.fromkeys(own.claims))
    inputs = Inputs()
    for path, value in (files or {}).items():
        inputs.file(path, value)
    mounts = json.loads(with_mounts(own.container_extra, scope.recording.mounts))
    members = tuple(_member(inputs, name, said) for name, said in containers.items())
    leaf = model.ContainerSet(
        name=template_name(options.get("name") or "container-set"),
        container=next(made for name, made, _ in members if name == "main"),
        members=members,
        set_extra=extra_json(mounts | _tries(container_retries, container_backoff)),
        outputs=output_files(outputs),
        retry=own.retry,
        timeout=own.timeout,
        extra=own.extra,
    )
    return record(scope, leaf, inputs, after, own.hooks)


def _tries(retries: Any, backoff: Any) -> dict[str, Any]:
    """The set's `retryStrategy`, in which Argo counts every attempt, also the first."""
    policy = retry_policy(retries, backoff, "container_")
    if isinstance(backoff, Mapping):
        raise DeclarationError(f"container_backoff={backoff!r}: it is a time, such as '10s'.")
    if policy is None:
        return {}
    pause = {} if policy.delay is None else {"duration": f"{policy.delay:g}s"}
    return {"retryStrategy": {"retries": str(policy.limit + 1), **pause}}


def _member(
    inputs: Inputs, name: str, said: words.MemberWords
) -> tuple[str, model.Container, tuple[str, ...]]:
    own = PodOptions(**pod_words({**said, "env": None}))
    made = container_of(inputs, said, own, own.container_extra, f"{name}-")
    return name, made, _names(said)


def _names(said: words.MemberWords) -> tuple[str, ...]:
    before = said.get("after", ())
    return (before,) if isinstance(before, str) else tuple(before)


def _check(containers: Mapping[str, words.MemberWords]) -> None:
    """Refuse sets without `main`, and containers that follow none that stands before them."""
    if "main" not in containers:
        raise DeclarationError("cj.container_set needs a container 'main', which has the outputs.")
    known: list[str] = []
    for name, said in containers.items():
        words.check(f"The container {name}", said, words.MemberWords)
        if "image" not in said:
            raise DeclarationError(f"The container {name} needs an image.")
        for before in _names(said):
            if before not in known:
                raise DeclarationError(
                    f"The container {name} is after {before!r}, and no container of this name "
                    "stands before it."
                )
        known.append(name)
