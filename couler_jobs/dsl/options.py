"""The options of what runs in a pod, checked and in the form that a template needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.dsl.entries import Entry
from couler_jobs.dsl.hooks import Hook, hooks_of
from couler_jobs.dsl.settings import template_fields
from couler_jobs.dsl.units import check_resource, env_texts, extra_json, retry_policy, seconds
from couler_jobs.dsl.volumes import mounted
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.overlay import overlaid

PULL_POLICIES = ("IfNotPresent", "Always", "Never")
"""When Kubernetes pulls an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOptions:
    """How a pod runs; `couler_jobs.step` says what each means."""

    retry: model.Retry | None = None
    timeout: int | None = None
    memory: str | None = None
    cpu: str | None = None
    resources: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, model.Text | model.EnvSource], ...] = ()
    working_dir: str | None = None
    pull_policy: str | None = None
    container_extra: str = "{}"
    extra: str = "{}"
    claims: tuple[str, ...] = ()  #: claims made for the run, each a JSON text
    hooks: tuple[Hook, ...] = ()


def pod_words(words: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `PodOptions` for these words. Raises `DeclarationError` for a wrong one."""
    volumes = mounted(words.get("mounts"))
    container = {"volumeMounts": volumes.mounts} if volumes.mounts else {}
    template = template_fields(words) | ({"volumes": volumes.volumes} if volumes.volumes else {})
    if words.get("env_from"):
        container["envFrom"] = _env_from(words["env_from"])
    cpu, timeout = words.get("cpu"), words.get("timeout")
    return {
        "retry": retry_policy(words.get("retries", 0), words.get("backoff")),
        "timeout": None if timeout is None else seconds(timeout, "timeout"),
        "memory": words.get("memory"),
        "cpu": None if cpu is None else str(cpu),
        "resources": _gpus(words.get("gpu")),
        "env": env_texts(words.get("env")),
        "working_dir": words.get("working_dir"),
        "pull_policy": _pull_policy(words.get("pull_policy")),
        "container_extra": _with_more(container, words, "container_extra"),
        "extra": _with_more(template, words, "template_extra"),
        "claims": tuple(map(json.dumps, volumes.claims)),
        "hooks": hooks_of(words),
    }


def _with_more(fields: Mapping[str, Any], words: Mapping[str, Any], word: str) -> str:
    return extra_json(overlaid(fields, words.get(word) or {}, word))


def _pull_policy(given: Any) -> str | None:
    if given is not None and given not in PULL_POLICIES:
        raise DeclarationError(f"pull_policy={given!r}: it is one of {', '.join(PULL_POLICIES)}.")
    return given  # type: ignore[no-any-return]


def _env_from(given: Any) -> list[dict[str, Any]]:
    several = [given] if isinstance(given, Entry) else list(given)
    for one in several:
        if not isinstance(one, Entry):
            raise DeclarationError(
                f'env_from={one!r}: it takes cj.secret("name") or cj.config_key("name").'
            )
    return [one.env_from() for one in several]


def _gpus(gpu: Any) -> tuple[tuple[str, str], ...]:
    """`gpu=1` is one of NVIDIA's; `gpu={"amd.com/gpu": 1}` says whose."""
    if gpu is None:
        return ()
    given = gpu if isinstance(gpu, Mapping) else {"nvidia.com/gpu": gpu}
    for count in given.values():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise DeclarationError(f'gpu={gpu!r}: it is a number, or {{"amd.com/gpu": 1}}.')
    for name in given:
        check_resource(name)
    return tuple((name, str(count)) for name, count in given.items() if count)
