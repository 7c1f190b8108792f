"""What a step's pod looks like: like this JupyterLab's, as Nebari makes it, or the operator's own.

Pure: `PodLook` is read from a pod's JSON (Kubernetes' core/v1 Pod) or from the operator's template.
Nothing secret is copied: of the environment only names that are known to be harmless, no mounted
service-account token, no value that comes from a Secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from couler_jobs.errors import ConfigError

NEBARI_LABEL = "jupyterflow-override"
"""Nebari's workflow controller acts only where this label stands on the object itself."""

HARMLESS_ENV = (
    "CONDA_DIR",
    "CONDA_ENVS_PATH",
    "CONDA_PKGS_DIRS",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "MAMBA_ROOT_PREFIX",
    "NB_GID",
    "NB_UID",
    "NB_USER",
    "PATH",
    "SHELL",
    "TZ",
    "USER",
)
"""Names whose values say where things lie and who runs, and are no credentials."""

NOTEBOOK_CONTAINERS = ("notebook", "jupyterlab", "singleuser")
"""What JupyterHub's spawners call the user's container; else the pod's first one is taken."""

TOKEN_MOUNT = "/var/run/secrets/"  # noqa: S105  a path
"""Below it Kubernetes mounts service-account tokens, which every pod gets of its own."""


NEBARI_MARKS = ("CONDA_STORE_SERVICE", "PREFERRED_USERNAME")
"""Variables that Nebari sets in every JupyterLab pod, and nobody else sets both of."""

RECORDING = "scheduler_plugin.in_pod"
"""The program whose steps write records: they alone are given the scheduler's secrets."""

NOTEBOOK = "couler_jobs.in_pod.notebook"
"""The program of the step that runs the notebook."""

DB_URL_VARIABLE = "ARGO_SCHEDULER_DB_URL"
"""The variable that such a step finds a database URL in that holds a password."""

Form = Literal["self", "nebari", "template"]
FORMS: tuple[Form, ...] = ("self", "nebari", "template")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """One entry of a Kubernetes Secret."""

    name: str
    key: str

    @classmethod
    def parse(cls, text: str, key: str = "db_url") -> SecretKey:
        """Read "name" (its key is `key`) or "name/key"."""
        name, _, said = text.partition("/")
        return cls(name=name, key=said or key)


Secrets = Mapping[str, SecretKey]
NO_SECRETS: Secrets = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLook:
    """What makes a step's pod like another pod, in the fields of Argo's template and spec.

    `container` goes into the container (or script), `template` beside it, `spec` into the
    workflow's spec, `labels` onto the workflow or cron workflow itself (never onto its runs).
    """

    container: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The container's image; "" when another part (Nebari's controller) puts it in."""
        return str(self.container.get("image", ""))


ANY = PodLook()


def like_pod(pod: Mapping[str, Any], harmless_env: Iterable[str] = HARMLESS_ENV) -> PodLook:
    """The look of `pod`: image, environment, folder, mounts, volumes, node, identity, resources.

    Raises ConfigError for a pod without containers.
    """
    spec = pod.get("spec") or {}
    container = _notebook_container(pod)
    mounts = _mounts(container)
    template = {
        "nodeSelector": spec.get("nodeSelector"),
        "tolerations": spec.get("tolerations"),
        "affinity": spec.get("affinity"),
        "volumes": _volumes(spec, mounts),
        "securityContext": spec.get("securityContext"),
    }
    return PodLook(
        container=_present(
            {
                "image": container.get("image"),
                "imagePullPolicy": container.get("imagePullPolicy"),
                "workingDir": container.get("workingDir"),
                "env": _environment(container, frozenset(harmless_env)),
                "resources": container.get("resources"),
                "securityContext": container.get("securityContext"),
                "volumeMounts": mounts,
            }
        ),
        template=_present(template),
        spec=_present({"imagePullSecrets": spec.get("imagePullSecrets")}),
    )


def on_nebari(image: str = "set-by-nebari") -> PodLook:
    """Nebari's controller does the rest; only its label is ours to set.

    `image` is what Argo's validation wants to see; the controller puts the user's own in its place.
    """
    return PodLook(container={"image": image}, labels={NEBARI_LABEL: "true"})


def like_template(template: Mapping[str, Any]) -> PodLook:
    """The operator's own look: `image` and any of `PodLook`'s four parts.

    Raises ConfigError for a key that means nothing here, or when no image is named.
    """
    unknown = sorted(set(template) - {"image", "container", "template", "spec", "labels"})
    if unknown:
        raise ConfigError(
            f"The pod template has the unknown keys {', '.join(unknown)}: it may hold image, "
            "container, template, spec and labels."
        )
    container = {**(template.get("container") or {})}
    if template.get("image"):
        container["image"] = template["image"]
    if not container.get("image"):
        raise ConfigError(
            "No image is named for a job's pods: set ArgoScheduler.image, or image in the pod "
            "template, to one in which this package is installed."
        )
    return PodLook(
        container=container,
        template=template.get("template") or {},
        spec=template.get("spec") or {},
        labels=template.get("labels") or {},
    )


def form(wanted: str, environ: Mapping[str, str]) -> Form:
    """Where the look comes from: as the operator wants, else by what this environment shows.

    Raises ConfigError for a word that is none of `FORMS`.
    """
    if wanted:
        for known in FORMS:
            if wanted == known:
                return known
        raise ConfigError(
            f"ArgoScheduler.pod is {wanted!r}: it may be {', '.join(FORMS)}, or empty."
        )
    if all(environ.get(mark) for mark in NEBARI_MARKS):
        return "nebari"
    return "self" if environ.get("KUBERNETES_SERVICE_HOST") else "template"


def over(look: PodLook, own: PodLook) -> PodLook:
    """A look with a part of its own: a job's compute type and secrets over every job's."""
    container = {**look.container, **own.container}
    if env := [*look.container.get("env", ()), *own.container.get("env", ())]:
        container["env"] = env
    return PodLook(
        container=container,
        template={**look.template, **own.template},
        spec=look.spec,
        labels=look.labels,
    )


def dressed(
    manifest: Mapping[str, Any],
    look: PodLook,
    secrets: Secrets = NO_SECRETS,
    notebook: PodLook = ANY,
) -> dict[str, Any]:
    """A Workflow or CronWorkflow whose pods have the look, and else what they had.

    Command, arguments and a variable of the same name stay the manifest's own; the image is the
    look's. The look's labels go onto the object, never onto a cron workflow's runs: Nebari would
    want the user's pod to be there at each of them. The steps that write records find
    `secrets`, by the names of variables, in their environment, put there by Kubernetes. `notebook`
    is what the step that runs the notebook has over the look.
    """
    metadata = dict(manifest.get("metadata") or {})
    if look.labels:
        metadata["labels"] = {**(metadata.get("labels") or {}), **look.labels}
    spec = dict(manifest.get("spec") or {})
    if manifest.get("kind") == "CronWorkflow":
        workflow = spec.get("workflowSpec") or {}
        spec["workflowSpec"] = _dressed_spec(workflow, look, secrets, notebook)
    else:
        spec = _dressed_spec(spec, look, secrets, notebook)
    return {**manifest, "metadata": metadata, "spec": spec}


def _dressed_spec(
    spec: Mapping[str, Any], look: PodLook, secrets: Secrets, notebook: PodLook
) -> dict[str, Any]:
    of_notebook = over(look, notebook)
    templates = [
        _dressed_template(one, of_notebook if _runs_notebook(one) else look, secrets)
        for one in spec.get("templates") or []
    ]
    return {**look.spec, **spec, "templates": templates}


def _runs_notebook(template: Mapping[str, Any]) -> bool:
    return NOTEBOOK in (template.get("container") or {}).get("command", ())


def _dressed_template(
    template: Mapping[str, Any], look: PodLook, secrets: Secrets
) -> dict[str, Any]:
    for kind in ("container", "script"):
        if kind in template:
            container = _dressed_container(template[kind], look, secrets)
            return {**look.template, **template, kind: container}
    return dict(template)


def _dressed_container(
    container: Mapping[str, Any], look: PodLook, secrets: Secrets
) -> dict[str, Any]:
    found = {**look.container, **container}
    if look.image:
        found["image"] = look.image
    env = [*look.container.get("env", ()), *container.get("env", ())]
    if RECORDING in container.get("command", ()):
        env += [_from_secret(name, entry) for name, entry in secrets.items()]
    if env:
        found["env"] = list({entry["name"]: entry for entry in env}.values())
    return found


def _from_secret(variable: str, entry: SecretKey) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": entry.name, "key": entry.key}}
    return {"name": variable, "valueFrom": reference}


def _notebook_container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    containers: Sequence[Mapping[str, Any]] = (pod.get("spec") or {}).get("containers") or []
    if not containers:
        name = (pod.get("metadata") or {}).get("name", "of this server")
        raise ConfigError(f"The pod {name} has no containers to take the image from.")
    named = [c for c in containers if c.get("name") in NOTEBOOK_CONTAINERS]
    return (named or list(containers))[0]


def _environment(container: Mapping[str, Any], harmless: frozenset[str]) -> list[dict[str, str]]:
    return [
        {"name": entry["name"], "value": entry["value"]}
        for entry in container.get("env") or []
        if entry.get("name") in harmless and "value" in entry
    ]


def _mounts(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    mounts = container.get("volumeMounts") or []
    return [m for m in mounts if not str(m.get("mountPath", "")).startswith(TOKEN_MOUNT)]


def _volumes(
    spec: Mapping[str, Any], mounts: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    used = {mount.get("name") for mount in mounts}
    return [volume for volume in spec.get("volumes") or [] if volume.get("name") in used]


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
