"""Secrets: their names travel in the manifest, their values go to Kubernetes beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from couler_jobs.dsl import entries
from couler_jobs.dsl.couler.recording import recording
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import workflow_name
from couler_jobs.spec.secret import Secret as Values

ANYWHERE = "default"
"""Couler's default for a namespace; here it is the one that the workflow runs in."""


class Secret:
    """A Kubernetes Secret that steps get as environment variables. Its values are never shown.

    With `use_existing` it is there already, with `dry_run` it is made by somebody else: in both
    cases only its name and keys are used. With `artifact_secret` one that is there is kept.
    """

    def __init__(
        self,
        namespace: str,
        data: Any,
        name: str | None = None,
        dry_run: bool = False,
        use_existing: bool = False,
        artifact_secret: bool = False,
    ) -> None:
        if not isinstance(data, Mapping) or not data:
            raise DeclarationError("A secret needs data: its values by their keys.")
        self.namespace = "" if namespace == ANYWHERE else namespace
        self.is_named = name is not None
        self.name = name or unnamed("couler", sorted(data))
        self.keys = tuple(str(key) for key in data)
        self.dry_run, self.use_existing = dry_run, use_existing
        self.artifact_secret = artifact_secret
        self._values = tuple(str(value) for value in data.values())

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, keys={list(self.keys)})"

    def to_env_list(self) -> list[dict[str, Any]]:
        """An environment variable for each key, in Kubernetes' words."""
        return [
            {
                "name": key,
                "valueFrom": {"secretKeyRef": entries.secret(self.name, key).selector()},
            }
            for key in self.keys
        ]

    def to_make(self) -> Values | None:
        """What has to be there before the workflow runs; None if somebody else sees to that."""
        if self.dry_run or self.use_existing:
            return None
        return Values(
            name=self.name,
            namespace=self.namespace,
            data=tuple(zip(self.keys, self._values, strict=True)),
            may_change=self.is_named and not self.artifact_secret,
        )

    def same_as(self, other: Secret) -> bool:
        """Whether both say the same."""
        return (self.keys, self._values, self.namespace) == (
            other.keys,
            other._values,
            other.namespace,
        )


def unnamed(prefix: str, parts: Iterable[str]) -> str:
    """A name made of what is no secret: never of the values, which could be guessed from it."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"{workflow_name(prefix)[:40].rstrip('-')}-{digest}"


def create_secret(
    secret_data: Mapping[str, Any],
    namespace: str = ANYWHERE,
    name: str | None = None,
    dry_run: bool = False,
    use_existing: bool = False,
    artifact_secret: bool = False,
) -> str:
    """Declare a secret with these values, and give its name: `run_container(secret=name)`.

    The values never enter the manifest. They are sent to Kubernetes before the workflow is, where
    the backend can do that. A secret with a `name` is changed by the next submit if its values
    have changed; one without gets a name made of its keys, and is never changed. `namespace`:
    where the workflow runs.
    """
    secret = Secret(namespace, secret_data, name, dry_run, use_existing, artifact_secret)
    return add(secret)


def add(secret: Secret) -> str:
    """Keep the secret for this workflow; a second one of that name must say the same."""
    known = recording().secrets
    plain, ordinal = secret.name, 1
    while secret.name in known and not known[secret.name].same_as(secret):
        if secret.is_named:
            raise DeclarationError(
                f"Two secrets are called {secret.name!r} and differ: give one another name."
            )
        ordinal += 1
        secret.name = f"{plain}-{ordinal}"
    known.setdefault(secret.name, secret)
    return secret.name


def obtain_secret(
    secret_keys: Iterable[str],
    namespace: str = ANYWHERE,
    name: str | None = None,
    dry_run: bool = False,
) -> str:
    """Use these keys of a secret that is in the cluster already; the answer is its name."""
    if name is None:
        raise DeclarationError("obtain_secret needs name=: the secret that is there already.")
    return create_secret(dict.fromkeys(secret_keys, ""), namespace, name, dry_run, True)


def get_secret(name: str) -> Secret:
    """The secret that was declared under this name."""
    found = recording().secrets.get(name)
    if found is None:
        known = ", ".join(recording().secrets) or "none"
        raise DeclarationError(
            f"There is no secret {name!r} (declared: {known}): use the name that create_secret or "
            "obtain_secret gave."
        )
    return found


def env_of(secret: Any) -> list[tuple[str, model.EnvSource]]:
    """A variable for each key of a secret, or of the one declared under this name."""
    if secret is None:
        return []
    found = secret if isinstance(secret, Secret) else get_secret(secret)
    return [(key, entries.secret(found.name, key).env_source()) for key in found.keys]
