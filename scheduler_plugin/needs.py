"""What a notebook's step needs beyond its command: retries, secrets, a compute type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_plugin import compute, secrets
from scheduler_plugin.compute import ComputeType
from scheduler_plugin.config import Settings
from scheduler_plugin.parameters import typed_parameters
from scheduler_plugin.pod import PodLook
from scheduler_plugin.policies import Retries
from scheduler_plugin.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What is asked of the step, and of what it runs in."""

    retries: Retries
    secrets: Secrets
    compute: ComputeType | None
    variables: Mapping[str, str]  #: of the kernel's environment, without the secret ones
    parameters: Mapping[str, Any]  #: likewise, of the notebook: JSON values

    def look(self) -> PodLook:
        """What its pod has, over what every pod of this server's jobs has."""
        look = PodLook() if self.compute is None else self.compute.look()
        env = self.secrets.env()
        container = {**look.container, "env": env} if env else look.container
        return PodLook(container=container, template=look.template)


def needs(
    parameters: Mapping[str, str] | None,
    options: Mapping[str, Any],
    compute_type: str | None,
    settings: Settings,
) -> Needs:
    """What a job needs by its parameters, `runtime_parameters.KEYS` and compute type.

    Raises JobRefused for what cannot be had.
    """
    typed = typed_parameters(parameters or {})
    plain, secret_parameters = secrets.split(typed, "parameter")
    variables, secret_variables = secrets.split(
        options["environment_variables"] or {}, "environment variable"
    )
    return Needs(
        retries=Retries.of(options),
        secrets=Secrets(parameters=secret_parameters, variables=secret_variables),
        compute=compute.choose(settings.compute_types, compute_type),
        variables=variables,
        parameters=plain,
    )
