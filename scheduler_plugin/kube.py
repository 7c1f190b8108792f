"""This pod's own description, asked of Kubernetes as every pod may be allowed to."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from couler_jobs.errors import ConfigError, Forbidden, Unavailable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes lays a pod's token, its namespace and its cluster's certificate."""

SECONDS = (3.05, 10.0)
"""How long Kubernetes is waited for: to connect, and to answer."""

OTHERWISE = "or set ArgoScheduler.pod = 'template' and say in ArgoScheduler.pod_template what it is"


def own_pod(environ: Mapping[str, str], account: Path = ACCOUNT) -> Mapping[str, Any]:
    """The JSON of the pod that this program runs in (core/v1 Pod).

    The answer holds the pod's whole environment: it is for `pod.like_pod`, never to be kept.
    Raises ConfigError outside of a pod, Forbidden when its service account may not read pods, and
    Unavailable when Kubernetes does not answer.
    """
    import requests

    namespace, token = _read(account / "namespace"), _read(account / "token")
    name = environ.get("HOSTNAME") or socket.gethostname()
    url = f"{_address(environ)}/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"
    try:
        reply = requests.get(
            url,
            headers={"Authorization": f"Bearer {token}"},
            verify=str(account / "ca.crt"),
            timeout=SECONDS,
            allow_redirects=False,
        )
        return _checked(reply, name, namespace)
    except (requests.RequestException, OSError) as error:
        raise Unavailable(
            f"Kubernetes did not say what the pod {name} looks like "
            f"({type(error).__name__}): try again, {OTHERWISE}."
        ) from error


def _checked(reply: Any, name: str, namespace: str) -> Mapping[str, Any]:
    if reply.status_code in (401, 403):
        raise Forbidden(
            f"A job's pod is to look like this one, but the service account of the pod {name} may "
            f"not read it: allow it to get pods in the namespace {namespace}, {OTHERWISE}."
        )
    if reply.status_code == 404:
        raise ConfigError(
            f"There is no pod {name} in the namespace {namespace}: set HOSTNAME to this pod's "
            f"name, {OTHERWISE}."
        )
    if reply.status_code != 200:
        raise Unavailable(
            f"Kubernetes answered {reply.status_code} when asked what the pod {name} looks like: "
            f"try again, {OTHERWISE}."
        )
    found: Mapping[str, Any] = reply.json()
    return found


def _address(environ: Mapping[str, str]) -> str:
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host:
        raise ConfigError(
            "A job's pod is to look like this one, but this is no pod: KUBERNETES_SERVICE_HOST is "
            f"not set. Start JupyterLab in the cluster, {OTHERWISE}."
        )
    return f"https://{f'[{host}]' if ':' in host else host}:{port or 443}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"A job's pod is to look like this one, but {path} cannot be read ({error.strerror}): "
            f"mount the service account's token into this pod, {OTHERWISE}."
        ) from error
