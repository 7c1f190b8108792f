"""What the pods of this server's jobs look like: `pod`'s forms, with what each of them asks for."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from scheduler_plugin import kube, pod
from scheduler_plugin.config import Settings
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.notifications import ADDRESSES_VARIABLE
from scheduler_plugin.pod import PodLook, SecretKey

ON_THIS_MACHINE = "local"


def look_for(settings: Settings, backend: str, environ: Mapping[str, str]) -> PodLook:
    """The look of jobs that are sent to `backend`. Asks Kubernetes where jobs look like this pod.

    Raises ConfigError for settings that do not fit, and what `kube.own_pod` raises.
    """
    if backend == ON_THIS_MACHINE:
        return PodLook()
    form = pod.form(settings.pod, environ)
    if form == "nebari":
        return pod.on_nebari()
    if form == "self":
        return pod.like_pod(kube.own_pod(environ))
    image = {"image": settings.image} if settings.image else {}
    return pod.like_template({**image, **settings.pod_template})


def holds_password(db_url: str) -> bool:
    """Whether the database's URL is a secret."""
    return sa.make_url(db_url).password is not None


def database_secret(settings: Settings, backend: str) -> SecretKey | None:
    """The Kubernetes Secret from which a step gets the database's URL; None where none is needed.

    Raises JobRefused where one is needed and none is configured.
    """
    if backend == ON_THIS_MACHINE or not holds_password(settings.db_url):
        return None
    if not settings.database_secret:
        raise JobRefused(
            "The URL of the scheduler's database holds a password, which a job's pod gets from a "
            "Kubernetes Secret alone: ask your administrator to keep the URL in one, under the key "
            "db_url, and to set ArgoScheduler.database_secret to the Secret's name."
        )
    return SecretKey.parse(settings.database_secret)


def notification_secret(settings: Settings, backend: str) -> dict[str, SecretKey]:
    """The Kubernetes Secret from which a step gets the addresses of notifications, by variable."""
    if backend == ON_THIS_MACHINE or not settings.notification_secret:
        return {}
    return {ADDRESSES_VARIABLE: SecretKey.parse(settings.notification_secret, "addresses")}
