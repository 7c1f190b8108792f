"""The options of `@step`, `@workflow` and the others, and what is said about wrong ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Literal, TypedDict, get_type_hints

from couler_jobs.dsl.fits import fits
from couler_jobs.errors import DeclarationError
from couler_jobs.nearest import meant


class CallWords(TypedDict, total=False):
    """Options of a single call; `couler_jobs.step` explains all of them."""

    name: str | None
    on_exit: Callable[..., Any] | None
    hooks: Mapping[str, Any] | None


class RunWords(CallWords, total=False):
    """Options of all that runs, in a pod or not."""

    timeout: float | str | None
    metrics: Any
    mutex: str | Sequence[str]
    semaphore: Any
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    service_account: str | None


class LeafWords(RunWords, total=False):
    """Options of a template that runs neither a container nor other templates."""

    retries: int
    backoff: float | str | Mapping[str, Any] | None
    template_extra: Mapping[str, Any] | None


class SharedWords(RunWords, total=False):
    """Options that a step and a whole workflow both have."""

    mounts: Mapping[str, Any] | None
    node_selector: Mapping[str, str] | None
    affinity: Mapping[str, Any] | None
    tolerations: Sequence[Mapping[str, Any]]
    security_context: Mapping[str, Any] | None
    priority_class: str | None


class PodWords(SharedWords, LeafWords, total=False):
    """Options of what runs in a pod."""

    memory: str | None
    cpu: float | str | None
    gpu: int | Mapping[str, int] | None
    env: Mapping[str, Any] | None
    env_from: Any
    working_dir: str | None
    pull_policy: str | None
    sidecars: Mapping[str, Mapping[str, Any]] | None
    init_containers: Mapping[str, Mapping[str, Any]] | None
    daemon: bool
    container_extra: Mapping[str, Any] | None


class MemberWords(TypedDict, total=False):
    """What may be said of one container of a `container_set`; `after` are names of others."""

    image: str
    command: str | Sequence[Any]
    args: Sequence[Any]
    env: Mapping[str, Any] | None
    env_from: Any
    after: str | Sequence[str]
    memory: str | None
    cpu: float | str | None
    gpu: int | Mapping[str, int] | None
    working_dir: str | None
    pull_policy: str | None
    container_extra: Mapping[str, Any] | None


class SetWords(SharedWords, LeafWords, total=False):
    """Options of several containers in one pod."""


class StepWords(PodWords, total=False):
    """Options of a Python function that runs as a step."""

    image: str
    ship: Literal["source", "import"]
    cache: bool | float | str | None
    cache_files: Sequence[str]


class WorkflowWords(SharedWords, total=False):
    """Options of a whole workflow; `couler_jobs.workflow` explains them."""

    kind: Literal["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"]
    parallelism: int | None
    schedule: str | Sequence[str]
    timezone: str
    image_pull_secrets: Sequence[str]
    dns: Mapping[str, Any] | str | None
    priority: int | None
    pod_gc: str | Mapping[str, Any] | None
    ttl: float | str | Mapping[str, float | str] | None
    archive_logs: bool | None
    artifact_gc: str | Mapping[str, Any] | None
    artifact_repository: Any
    spec_extra: Mapping[str, Any] | None


def check(
    what: str, given: Mapping[str, Any], known: Any, of: Callable[..., Any] | None = None
) -> None:
    """Refuse options that the TypedDict `known` does not have, or that are of another type.

    `of` takes them, besides parameters of its own that may have been meant.
    """
    for word in given:
        if word not in known.__annotations__:
            raise DeclarationError(f"{what} has no option {word!r}{_instead(word, known, of)}")
    for word in SUCH:
        if word in given and given[word] is not None:
            _check_type(word, given[word], known)


SUCH: Mapping[str, str] = {
    "name": "'nightly'",
    "image": "'python:3.12'",
    "memory": "'2Gi'",
    "cpu": "2 or '500m'",
    "env": "{'REGION': 'eu'}",
    "working_dir": "'/work'",
    "mutex": "'one-at-a-time'",
    "hooks": "{'warn': cj.hook(warn, on='Failed')}",
    "mounts": "{'/data': cj.claim('data')}",
    "cache_files": "['table.csv']",
    "parallelism": "10",
    "schedule": "'0 2 * * *'",
    "timezone": "'Europe/Paris'",
}
"""Options whose types are checked here and nowhere else, and what each may be."""


_types = functools.cache(get_type_hints)  # of one TypedDict they stay what they are


def _check_type(word: str, value: Any, known: Any) -> None:
    is_text = isinstance(value, str) and word == "cache_files"  # a list of letters, else
    if is_text or not fits(_types(known)[word], value):
        raise DeclarationError(f"{word}={value!r}: it is such as {SUCH[word]}.")


def _instead(word: str, known: Any, of: Callable[..., Any] | None) -> str:
    named = signature(of).parameters.values() if of else ()
    own = [one.name for one in named if one.kind != one.VAR_KEYWORD]
    words = [*own, *sorted(known.__annotations__)]
    said = meant(word, words)
    return f": {said}" if said else f" (it has {', '.join(words)})."
