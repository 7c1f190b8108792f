"""The pods of a distributed job: what its kinds of replica have in common."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from couler_jobs.dsl.couler.containers import quantities
from couler_jobs.dsl.couler.secrets import Secret, get_secret
from couler_jobs.errors import DeclarationError

Command = str | Sequence[str]
Resources = str | Mapping[str, Any]

MEBIBYTES = {"memory": "memory", "disk": "ephemeral-storage"}
"""What is a number of mebibytes in Couler's text, by Kubernetes' name."""

FAILED = ", ".join(f"status.conditions.{number}.type == Failed" for number in range(4))
"""The failure of Kubeflow's jobs and experiments: what their operators say in a condition.

They list Created, Running or Restarting, and how it ended, with Suspended before it in between.
The count of failed replicas does not tell: one that is restarted for its exit code counts, and of a
job that is past its deadline or number of retries none may
(kubeflow/training-operator, `pkg/controller.v1/pytorch/pytorchjob_controller.go`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Some equal pods of a job. `restart_policy` None leaves it to the operator."""

    image: str | None
    command: Command | None = None
    count: int = 1
    resources: Resources | None = None
    restart_policy: str | None = None
    secret: str | Secret | None = None

    def manifest(self, container: str) -> dict[str, Any]:
        """A replica spec of Kubeflow's, whose only container has this name."""
        policy = {"restartPolicy": self.restart_policy} if self.restart_policy else {}
        pod = {"spec": {"containers": [self.container(container)]}}
        return {"replicas": self.count, **policy, "template": pod}

    def container(self, name: str) -> dict[str, Any]:
        """The container. Raises DeclarationError without an image."""
        if not self.image:
            raise DeclarationError(f"The {name} container needs an image: give image=.")
        found: dict[str, Any] = {"name": name, "image": self.image}
        if words := words_of(self.command):
            found["command"] = words
        if self.secret is not None:
            secret = get_secret(self.secret) if isinstance(self.secret, str) else self.secret
            found["env"] = secret.to_env_list()
        if limits := limits_of(self.resources):
            found["resources"] = {"requests": limits, "limits": dict(limits)}
        return found


def replica_specs(kinds: Mapping[str, Replicas], container: str) -> dict[str, Any]:
    """The replica specs of Kubeflow's training jobs, by kind; none for kinds without replicas."""
    return {kind: one.manifest(container) for kind, one in kinds.items() if one.count > 0}


def words_of(command: Command | None) -> list[str]:
    """A command as words; a text is split as a shell would, and no shell reads it."""
    return shlex.split(command) if isinstance(command, str) else list(command or ())


def limits_of(resources: Resources | None) -> dict[str, str]:
    """Kubernetes' quantities, of a mapping of them or of Couler's text.

    The text is such as `cpu=1,memory=1024,gpu=1`: memory and disk in MiB where they have no unit,
    GPUs are Nvidia's. Raises DeclarationError for what is neither.
    """
    if isinstance(resources, str):
        resources = dict(_quantity(resources, part) for part in resources.split(",") if part)
    return dict(quantities(resources))


def _quantity(text: str, part: str) -> tuple[str, str]:
    key, equals, value = (word.strip() for word in part.partition("="))
    if not equals or not value or key not in ("cpu", "gpu", *MEBIBYTES):
        raise DeclarationError(
            f"resources={text!r}: {part!r} is not understood. It is a text such as "
            "'cpu=1,memory=1024,disk=2048,gpu=1', or a mapping of Kubernetes' quantities."
        )
    if key in MEBIBYTES:
        return MEBIBYTES[key], f"{value}Mi" if value.isdigit() else value
    return key, value
