"""The only module that talks to the Kubernetes API, by the `kubernetes` client.

That client reads kubeconfigs (several files, contexts, exec plugins) and a pod's own token, and
renews both. Its objects are not used: answers stay plain dicts. Its exceptions, which may quote
headers, never leave this module.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.argo_server import api
from couler_jobs.backends.kubernetes.objects import Object, Resource, failure, meta
from couler_jobs.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from couler_jobs.config import Settings

CONNECT = 5.0
"""Seconds for a connection."""

READ = 15.0
"""Seconds for the next byte of an answer."""

LASTS = 50
"""Seconds for which a watch is asked for: it ends by itself before it is taken for dead."""

PAGE = 200
"""Objects in a part of a listing: with their nodes some of them have a megabyte."""

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes lays a pod's token, its namespace and its cluster's certificate."""

USER_CONFIG = Path("~/.kube/config")

_ARGO = {"group": "argoproj.io", "version": "v1alpha1"}


class HttpObjects:
    """The objects of a namespace over HTTP; safe for threads. `client` is an `ApiClient`."""

    def __init__(self, client: Any, namespace: str) -> None:
        from kubernetes.client import CoreV1Api, CustomObjectsApi

        self.namespace = namespace
        self._client = client
        self._argo, self._core = CustomObjectsApi(client), CoreV1Api(client)

    @classmethod
    def from_settings(cls, settings: Settings) -> HttpObjects:
        """The cluster of the kubeconfig, else of the pod that this runs in.

        Raises ConfigError if neither is there, or a kubeconfig cannot be read.
        """
        client, its_own = _connected(settings.kubeconfig, settings.context)
        return cls(client, settings.namespace or its_own or "default")

    def __repr__(self) -> str:
        return f"HttpObjects({self._client.configuration.host!r}, {self.namespace!r})"

    @property
    def address(self) -> str:
        """The URL of the cluster."""
        return str(self._client.configuration.host)

    def close(self) -> None:
        """Close the pool's connections; the next call opens new ones."""
        self._client.rest_client.pool_manager.clear()

    def get(self, resource: Resource, name: str) -> Object:
        """One object as it is now."""
        what = f"get {resource.words} {name}"
        if resource is Resource.SECRET:
            read = self._core.read_namespaced_secret
            return _json(what, read, name=name, namespace=self.namespace)
        return _json(what, self._argo.get_namespaced_custom_object, name=name, **self._at(resource))

    def page(self, resource: Resource, labels: Mapping[str, str], token: str = "") -> Object:
        """A part of a listing: `items`, and `metadata.continue` where there is more."""
        asked: dict[str, Any] = {"limit": PAGE, "label_selector": api.selector(labels)}
        if token:
            asked["_continue"] = token
        what = f"list {resource.words}s"
        if resource is Resource.POD:
            return _json(what, self._core.list_namespaced_pod, namespace=self.namespace, **asked)
        return _json(what, self._argo.list_namespaced_custom_object, **self._at(resource), **asked)

    def create(self, resource: Resource, manifest: Object, *, dry: bool = False) -> Object:
        """Store an object; unknown fields are refused. `dry`: have it checked only."""
        name = meta(manifest).get("name", "")
        what = f"{'check' if dry else 'create'} {resource.words} {name}".rstrip()
        api.encode(manifest, what)
        create = self._argo.create_namespaced_custom_object
        asked = {"field_validation": "Strict", **({"dry_run": "All"} if dry else {})}
        if resource is Resource.SECRET:
            make = self._core.create_namespaced_secret
            return _json(what, make, body=manifest, namespace=self.namespace, **asked)
        return _json(what, create, body=manifest, **self._at(resource), **asked)

    def replace(self, resource: Resource, manifest: Object) -> Object:
        """Replace an object; `answers.Conflict` if its `resourceVersion` is not the one it has."""
        name = manifest["metadata"]["name"]
        what = f"update {resource.words} {name}"
        api.encode(manifest, what)
        replace = self._argo.replace_namespaced_custom_object
        asked = {"name": name, "field_validation": "Strict"}
        if resource is Resource.SECRET:
            change = self._core.replace_namespaced_secret
            return _json(what, change, body=manifest, namespace=self.namespace, **asked)
        return _json(what, replace, body=manifest, **self._at(resource), **asked)

    def patch(self, resource: Resource, name: str, change: Object) -> Object:
        """Merge a change into an object (RFC 7386)."""
        patch = self._argo.patch_namespaced_custom_object
        asked = {"name": name, "_content_type": "application/merge-patch+json"}
        return _json(
            f"change {resource.words} {name}", patch, body=change, **self._at(resource), **asked
        )

    def delete(self, resource: Resource, name: str, *, orphan: bool = False) -> None:
        """Remove an object and what it owns; `orphan`: leave what it owns."""
        delete = self._argo.delete_namespaced_custom_object
        policy = "Orphan" if orphan else "Background"
        asked = {"name": name, "propagation_policy": policy}
        _json(f"delete {resource.words} {name}", delete, **self._at(resource), **asked)

    def watch(self, name: str, version: str) -> Generator[Object, None, None]:
        """The events of a workflow since that version, for a while. `Gone` if it is too old."""
        what = f"watch workflow {name}"
        asked = {
            "field_selector": f"metadata.name={name}",
            "resource_version": version,
            "timeout_seconds": LASTS,
            "watch": True,
            "read": LASTS + READ,
        }
        watch = self._argo.list_namespaced_custom_object
        for line in _lines(what, watch, **self._at(Resource.WORKFLOW), **asked):
            event = _parsed(what, line)
            if event.get("type") == "ERROR":
                said = event.get("object") or {}
                raise failure(what, int(said.get("code") or 500), json.dumps(said))
            yield event

    def log(self, pod: str, since: int | None) -> Generator[str, None, None]:
        """The lines that a pod's main container wrote so far, in the last `since` seconds."""
        asked: dict[str, Any] = {"container": "main", "timestamps": True}
        if since is not None:
            asked["since_seconds"] = since
        read = self._core.read_namespaced_pod_log
        what = f"read the log of pod {pod}"
        yield from _lines(what, read, name=pod, namespace=self.namespace, **asked)

    def _at(self, resource: Resource) -> dict[str, str]:
        return {**_ARGO, "namespace": self.namespace, "plural": resource.plural}


def _connected(kubeconfig: str, named: str = "") -> tuple[Any, str]:
    """A client, and the namespace that its origin names ("" if none)."""
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if not kubeconfig and not USER_CONFIG.expanduser().is_file():
            namespace = _load_pod(settings)
        else:
            path = kubeconfig or str(USER_CONFIG.expanduser())
            namespace = _load_kubeconfig(settings, path, named)
    except config.ConfigException as error:
        raise ConfigError(
            f"There is no way to the Kubernetes API: {error} Set KUBECONFIG to a kubeconfig that "
            "kubectl can use, or run in a pod with a service account."
        ) from None
    _tune(settings)
    return client.ApiClient(configuration=settings), namespace


def _load_pod(settings: Any) -> str:
    from kubernetes.config.incluster_config import InClusterConfigLoader

    InClusterConfigLoader(str(ACCOUNT / "token"), str(ACCOUNT / "ca.crt")).load_and_set(settings)
    with contextlib.suppress(OSError):
        return (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    return ""


def _load_kubeconfig(settings: Any, path: str, named: str) -> str:
    """Load it; the namespace of the named context, else of its current one."""
    import yaml
    from kubernetes import config

    try:
        config.load_kube_config(
            path, context=named or None, client_configuration=settings, persist_config=False
        )
        listed, context = config.list_kube_config_contexts(path)
        context = next((one for one in listed if one["name"] == named), context)
    except (OSError, yaml.YAMLError, TypeError, ValueError, AttributeError):
        # what the library says here may quote the file
        raise ConfigError(
            f"The kubeconfig {path} (KUBECONFIG) cannot be read: check that it is the YAML that "
            "`kubectl config view` shows."
        ) from None
    return str((context.get("context") or {}).get("namespace") or "")


def _tune(settings: Any) -> None:
    import urllib3

    # a connection that the server closed meanwhile; what changes something is never sent again
    settings.retries = urllib3.Retry(
        total=2, connect=2, read=1, redirect=False, status=0, allowed_methods={"GET"}
    )
    if not settings.verify_ssl:  # the kubeconfig says so
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def _json(what: str, call: Callable[..., Any], **asked: Any) -> Object:
    with _answer(what, call, **asked) as answer:
        return _parsed(what, answer.data)


def _lines(what: str, call: Callable[..., Any], **asked: Any) -> Generator[str, None, None]:
    """Whole lines as soon as they are there; a last one without a line feed too."""
    rest = b""
    with _answer(what, call, **asked) as answer:
        for chunk in answer.stream(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


@contextlib.contextmanager
def _answer(
    what: str, call: Callable[..., Any], *, read: float | None = None, **asked: Any
) -> Iterator[Any]:
    """An answer whose body is not yet read; what goes wrong, then too, is a `BackendError`."""
    import urllib3
    from kubernetes.client import ApiException

    try:
        answer = call(**asked, _preload_content=False, _request_timeout=(CONNECT, read or READ))
        with contextlib.closing(answer):
            yield answer
    except ApiException as error:
        if error.status:
            raise failure(what, error.status, error.body) from None
        raise _away(what, "its certificate could not be verified. Check the kubeconfig.") from None
    except urllib3.exceptions.HTTPError as error:
        raise _away(what, _cause(error)) from None
    except OSError:
        raise _away(what, "the network failed.") from None


def _cause(error: Exception) -> str:
    """What happened in words of our own: those of the library may quote the whole URL."""
    reason = getattr(error, "reason", None) or error
    names = {kind.__name__ for kind in type(reason).__mro__}
    if "SSLError" in names:
        return "its certificate could not be verified. Check the kubeconfig."
    if "ReadTimeoutError" in names:
        return "it did not answer in time."
    return "the connection could not be made, or broke. Check the kubeconfig and the network."


def _away(what: str, why: str) -> Unavailable:
    return Unavailable(f"Kubernetes could not {what}: {why}")


def _parsed(what: str, text: str | bytes) -> Object:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _away(what, "what answered in its place sent no JSON. Check the kubeconfig.")
    return found
