"""Entries of secrets and config maps: what a step's env, files and artifacts refer to by name.

Only names travel in a manifest; the values are read where the step runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a secret or config map, or (`key` is None) all of them."""

    kind: Literal["secret", "config"]
    name: str
    key: str | None = None
    optional: bool = False
    prefix: str = ""

    def selector(self) -> dict[str, Any]:
        """Kubernetes' words for the key. Raises `DeclarationError` without one."""
        if self.key is None:
            raise DeclarationError(
                f'{self} names no key: write cj.{self.kind}("{self.name}", key).'
            )
        return {"name": self.name, "key": self.key} | self._optional()

    def env_source(self) -> model.EnvSource:
        """The value of an environment variable."""
        word = "secretKeyRef" if self.kind == "secret" else "configMapKeyRef"
        return model.EnvSource(fields=json.dumps({word: self.selector()}))

    def env_from(self) -> dict[str, Any]:
        """All keys as environment variables. Raises `DeclarationError` for a single key."""
        if self.key is not None:
            raise DeclarationError(
                f"env_from={self}: it takes all keys, and env= takes a single one."
            )
        word = "secretRef" if self.kind == "secret" else "configMapRef"
        prefix = {"prefix": self.prefix} if self.prefix else {}
        return prefix | {word: {"name": self.name} | self._optional()}

    def _optional(self) -> dict[str, Any]:
        return {"optional": True} if self.optional else {}

    def __str__(self) -> str:
        names = [self.name] if self.key is None else [self.name, self.key]
        return f"cj.{self.kind}({', '.join(map(repr, names))})"


def secret(name: str, key: str | None = None, *, optional: bool = False, prefix: str = "") -> Entry:
    """A key of a Kubernetes secret: `env={"TOKEN": cj.secret("github", "token")}`.

    Without a key it is the whole secret, for `env_from=`; prefix: what the variables' names begin
    with. optional: a step runs also where there is none.
    """
    return Entry(kind="secret", name=name, key=key, optional=optional, prefix=prefix)


def config_key(
    name: str, key: str | None = None, *, optional: bool = False, prefix: str = ""
) -> Entry:
    """A key of a Kubernetes config map, or (`env_from=`) the whole of it; options as `secret`."""
    return Entry(kind="config", name=name, key=key, optional=optional, prefix=prefix)


def secret_selector(value: Any, what: str) -> dict[str, Any]:
    """The key of a secret that an option takes. Raises `DeclarationError` for anything else."""
    if isinstance(value, Entry) and value.kind == "secret":
        return value.selector()
    raise DeclarationError(
        f'{what} takes cj.secret("name", "key"), so that no secret is written down.'
    )


def config_selector(value: Any, what: str) -> dict[str, Any]:
    """The key of a config map that an option takes. Raises `DeclarationError` for anything else."""
    if isinstance(value, Entry) and value.kind == "config":
        return value.selector()
    raise DeclarationError(f'{what}={value!r}: it takes cj.config_key("name", "key").')
