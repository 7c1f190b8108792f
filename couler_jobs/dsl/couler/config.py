"""What holds for a whole workflow: its name, limits, schedule, and the settings of its pods."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from couler_jobs.dsl.couler import cluster
from couler_jobs.dsl.couler.recording import recording
from couler_jobs.dsl.couler.volumes import add_once
from couler_jobs.dsl.units import seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model

USER = "couler-jobs/user-id"
"""The annotation that says whose workflow it is."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What workflows have that say nothing else."""

    name_salter: Callable[[str], str] | None = None
    service_account: str | None = None


_NONE = Defaults()
_defaults: ContextVar[Defaults] = ContextVar("couler_jobs_defaults", default=_NONE)


def config_defaults(
    name_salter: Callable[[str], str] | None = None, service_account: str | None = None
) -> None:
    """Set what `config_workflow` starts from, for this and later workflows of this context.

    `name_salter` makes the name of a workflow from the one that it was given. There is none at
    first: the same program gives the same manifest, and Argo makes the names of runs different.
    """
    before = _defaults.get()
    _defaults.set(
        Defaults(
            name_salter=name_salter or before.name_salter,
            service_account=service_account or before.service_account,
        )
    )


def config_workflow(
    name: str | None = None,
    user_id: Any = None,
    timeout: float | str | None = None,
    time_to_clean: float | str | None = None,
    cluster_config_file: str | None = None,
    cron_config: Mapping[str, Any] | None = None,
    service_account: str | None = None,
) -> None:
    """Set what holds for the whole workflow.

    `user_id` becomes an annotation. `timeout` and `time_to_clean` are in seconds: how long it may
    take, and how long it is kept after its end. `cluster_config_file`: a site's own plug-in, else
    that of the variable `couler_cluster_config`. `cron_config` makes it a CronWorkflow: `schedule`,
    and `concurrency_policy` ("Allow"), `successful_jobs_history_limit` (3),
    `failed_jobs_history_limit` (1), `starting_deadline_seconds` (10), `suspend` (False),
    `timezone` (UTC).
    """
    found, defaults = recording(), _defaults.get()
    found.place = found.scope.place(sys._getframe(1))
    if name is not None:
        found.name = defaults.name_salter(name) if defaults.name_salter else name
    if user_id is not None:
        found.annotations[USER] = str(user_id)
    if timeout is not None:
        found.timeout = seconds(timeout, "timeout")
    if time_to_clean is not None:
        kept = seconds(time_to_clean, "time_to_clean")
        found.spec["ttlStrategy"] = {"secondsAfterCompletion": kept}
    if cluster_config_file is not None:
        found.cluster = cluster.load(os.fspath(cluster_config_file))
    if cron_config is not None:
        found.schedule = _schedule(cron_config)
    if account := service_account or defaults.service_account:
        found.spec["serviceAccountName"] = account


_CRON_KEYS = (
    "schedule",
    "concurrency_policy",
    "successful_jobs_history_limit",
    "failed_jobs_history_limit",
    "starting_deadline_seconds",
    "suspend",
    "timezone",
)


def _schedule(given: Any) -> model.Schedule:
    if not isinstance(given, Mapping) or "schedule" not in given:
        raise DeclarationError("cron_config needs a schedule: {'schedule': '0 2 * * *'}.")
    if unknown := [key for key in given if key not in _CRON_KEYS]:
        raise DeclarationError(f"cron_config has no {unknown[0]!r}: {', '.join(_CRON_KEYS)}.")
    lines = given["schedule"]
    policy = str(given.get("concurrency_policy", "Allow")).strip('"')
    if policy not in ("Allow", "Forbid", "Replace"):
        raise DeclarationError(f"concurrency_policy {policy!r}: it is Allow, Forbid or Replace.")
    return model.Schedule(
        lines=(lines,) if isinstance(lines, str) else tuple(lines),
        timezone=given.get("timezone") or "",
        concurrency=policy,  # type: ignore[arg-type]
        starting_deadline=int(given.get("starting_deadline_seconds", 10)),
        suspend=_flag(given.get("suspend", False)),
        keep_succeeded=int(given.get("successful_jobs_history_limit", 3)),
        keep_failed=int(given.get("failed_jobs_history_limit", 1)),
    )


def _flag(value: Any) -> bool:
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise DeclarationError(f"suspend {value!r}: it is True or False.")


# --- pods


class Toleration:
    """A taint of a node that the workflow's pods put up with."""

    def __init__(
        self, key: str, effect: str, operator: str = "Exists", value: str | None = None
    ) -> None:
        self.key, self.effect, self.operator, self.value = key, effect, operator, value

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        found = {"key": self.key, "effect": self.effect, "operator": self.operator}
        return found | ({"value": self.value} if self.value is not None else {})


class ImagePullSecret:
    """A secret that images are pulled with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        return {"name": self.name}


class DnsConfigOption:
    """An option of a pod's name resolution."""

    def __init__(self, name: str, value: str | None = None) -> None:
        self.name, self.value = name, value

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        return {"name": self.name} | ({} if self.value is None else {"value": str(self.value)})


class DnsConfig:
    """How a pod resolves names."""

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        options: Sequence[DnsConfigOption] | None = None,
        searches: Sequence[str] | None = None,
    ) -> None:
        self.nameservers, self.options, self.searches = nameservers, options, searches

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        found = {
            "nameservers": list(self.nameservers or ()),
            "options": [option.to_dict() for option in self.options or ()],
            "searches": list(self.searches or ()),
        }
        return {name: listed for name, listed in found.items() if listed}


def set_dns(dns_policy: str | None, dns_config: DnsConfig | None = None) -> None:
    """Set how the workflow's pods resolve names: the policy "None" needs a config."""
    spec = recording().spec
    if dns_policy is not None:
        spec["dnsPolicy"] = dns_policy
    if dns_config is not None:
        spec["dnsConfig"] = dns_config.to_dict()


def add_image_pull_secret(image_pull_secret: ImagePullSecret) -> None:
    """Pull the workflow's images with this secret, too."""
    add_once("imagePullSecrets", image_pull_secret.to_dict())


def add_toleration(toleration: Toleration) -> None:
    """Let the workflow's pods run on nodes with this taint."""
    add_once("tolerations", toleration.to_dict())


def set_security_context(security_context: Mapping[str, Any]) -> None:
    """Set the security context of the workflow's pods, in Kubernetes' words."""
    if not isinstance(security_context, Mapping):
        raise DeclarationError(f"The security context {security_context!r} is no mapping.")
    recording().spec["securityContext"] = dict(security_context)
