"""The object around the spec: its kind, name, labels and annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.spec.manifest import Path, path_of
from couler_jobs.spec.names import is_label_value, is_qualified_name, is_subdomain

# Reports something as refused: the code, the path, what is wrong and what to do.
Refuse: TypeAlias = Callable[..., None]

_METADATA: Path = path_of("metadata")
_MOST_ANNOTATED: Final = 256 * 1024
_LONGEST_NAME: Final = 253


def check_metadata(manifest: dict[str, Any], kind: str, report: Report) -> None:
    """Names and labels as Kubernetes takes them.

    A Workflow is sent to Kubernetes while Argo Server checks it, so its name is refused in every
    version; the other kinds are only read, and refused when they are created.
    """
    if manifest.get("apiVersion") != "argoproj.io/v1alpha1":
        said = f"{shown(manifest.get('apiVersion', ''))} is not the API version of a {kind}."
        report.from_4_0("api-version", path_of("apiVersion"), said, "Write argoproj.io/v1alpha1.")
    refuse = report.error if kind == "Workflow" else report.from_4_0
    metadata = manifest.get("metadata", {})
    name, generated = metadata.get("name", ""), metadata.get("generateName", "")
    said = "may hold small letters, digits, '-' and '.' only, from a letter or digit to another"
    if name and not is_subdomain(name):
        refuse("name", (_METADATA, "name"), f"The name {shown(name)} {said}.")
    if generated and not is_subdomain(generated.rstrip("-.")[:253]):
        refuse("name", (_METADATA, "generateName"), f"The name {shown(generated)} {said}.")
    if len(generated) > _LONGEST_NAME:
        said = f"The name {shown(generated)} has at most {_LONGEST_NAME} characters."
        refuse("limit", (_METADATA, "generateName"), said)
    if not name and not generated:
        refuse("name", (_METADATA, "name"), f"The {kind} has no name.", "Write `metadata.name`.")
    _length(name, kind, report)
    _labels(metadata, _METADATA, refuse)
    _rest(metadata, refuse)


def advise_pod(metadata: dict[str, Any], path: Path, report: Report) -> None:
    """Warn about labels and annotations with which Kubernetes will refuse a pod of a step.

    Nobody looks at them before. What holds a `{{tag}}` is known only then.
    """

    def warn(code: str, where: Path, said: str, fix: str = "") -> None:
        report.warning(code, where, f"{said} The pod will be refused when the step runs.", fix)

    known = {
        word: {k: v for k, v in metadata.get(word, {}).items() if "{{" not in k + v}
        for word in ("labels", "annotations")
    }
    _labels(known, path, warn)


def _labels(metadata: dict[str, Any], path: Path, refuse: Refuse) -> None:
    for key, value in metadata.get("labels", {}).items():
        where = ((path, "labels"), key)
        if not is_qualified_name(key):
            refuse("label", where, f"{shown(key)} cannot be the name of a label.")
        if not is_label_value(value):
            refuse("label", where, f"{shown(value)} cannot be the value of a label.")
    annotations = metadata.get("annotations", {})
    if sum(map(_bytes, annotations)) + sum(map(_bytes, annotations.values())) > _MOST_ANNOTATED:
        refuse("limit", (path, "annotations"), "All annotations have at most 256 KiB.")
    for key in annotations:
        if not is_qualified_name(key.lower()):
            where = ((path, "annotations"), key)
            refuse("label", where, f"{shown(key)} cannot be the name of an annotation.")


def _bytes(text: str) -> int:
    return len(text.encode())


def _rest(metadata: dict[str, Any], refuse: Refuse) -> None:
    """What only Kubernetes itself writes, as a rule."""
    for index, finalizer in enumerate(metadata.get("finalizers", [])):
        if not is_qualified_name(finalizer):
            where = ((_METADATA, "finalizers"), index)
            refuse("label", where, f"{shown(finalizer)} cannot be the name of a finalizer.")
    if {"orphan", "foregroundDeletion"} <= set(metadata.get("finalizers", [])):
        said = "The finalizers orphan and foregroundDeletion exclude each other."
        refuse("exclusive", (_METADATA, "finalizers"), said)
    if metadata.get("generation", 0) < 0:
        refuse("value", (_METADATA, "generation"), "The generation cannot be negative.")
    owners = metadata.get("ownerReferences", [])
    if sum(owner.get("controller") is True for owner in owners) > 1:
        refuse("value", (_METADATA, "ownerReferences"), "Only one owner can be the controller.")
    for index, owner in enumerate(owners):
        path: Path = ((_METADATA, "ownerReferences"), index)
        for word in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(word):
                refuse("required", (path, word), f"The reference to an owner needs `{word}`.")
        version = owner.get("apiVersion", "")
        if version.count("/") > 1 or version.endswith("/"):
            said = f"{shown(version)} is not an API version such as batch/v1."
            refuse("value", (path, "apiVersion"), said)


def _length(name: str, kind: str, report: Report) -> None:
    limit = 52 if kind == "CronWorkflow" else 63
    if len(name.encode()) > limit:
        said = (
            f"The name of a {kind} has at most {limit} characters; {shown(name)} has {len(name)}."
        )
        report.error("limit", (_METADATA, "name"), said)
