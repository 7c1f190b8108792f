"""Which backend a run goes to: the argument > COULER_JOBS_BACKEND > ARGO_SERVER set > local.

A kubeconfig alone never sends anything to a cluster: it has to be chosen by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from couler_jobs.backends.base import Backend
from couler_jobs.config import BACKENDS, Settings
from couler_jobs.errors import ConfigError


def choose(backend: Backend | str | None = None, settings: Settings | None = None) -> Backend:
    """The backend that is meant by an instance, a name, or else the settings.

    Raises ConfigError for a name that does not exist or lacks a setting that it needs.
    """
    if isinstance(backend, Backend):
        return backend
    settings = settings or Settings.load()
    name = backend or chosen_name(settings)
    if name not in MAKERS:
        raise ConfigError(f"There is no backend {name!r}: there are {', '.join(BACKENDS)}.")
    return MAKERS[name](settings)


def chosen_name(settings: Settings) -> str:
    """The name of the backend that these settings lead to when no argument is given."""
    return settings.backend or ("argo-server" if settings.server else "local")


def _local(settings: Settings) -> Backend:
    from couler_jobs.backends.local.client import LocalBackend

    return LocalBackend(settings.home)


def _argo_server(settings: Settings) -> Backend:
    if not settings.server:
        raise ConfigError("The backend argo-server needs an address: set ARGO_SERVER to host:port.")
    from couler_jobs.backends.argo_server.client import ArgoServerBackend

    return ArgoServerBackend.from_settings(settings)


def _kubernetes(settings: Settings) -> Backend:
    if find_spec("kubernetes") is None:
        raise ConfigError(
            "The backend kubernetes needs a package that is not installed: "
            "pip install 'argo-workflows-executor[kubernetes]'"
        )
    from couler_jobs.backends.kubernetes.client import KubernetesBackend

    return KubernetesBackend.from_settings(settings)


MAKERS: Mapping[str, Callable[[Settings], Backend]] = {
    "local": _local,
    "argo-server": _argo_server,
    "kubernetes": _kubernetes,
}
