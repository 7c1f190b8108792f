"""Volumes of a workflow, and where its steps mount them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couler_jobs.dsl.couler.recording import recording
from couler_jobs.errors import DeclarationError


class Volume:
    """A claim that exists; or any other source in Kubernetes' words: `{"configMap": {...}}`."""

    def __init__(
        self, name: str, claim_name: str | None = None, source: Mapping[str, Any] | None = None
    ) -> None:
        if (claim_name is None) == (source is None):
            raise DeclarationError(f"The volume {name!r} is either a claim or has a source=.")
        self.name, self.claim_name = name, claim_name
        self.source = source or {"persistentVolumeClaim": {"claimName": claim_name}}

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        return {"name": self.name, **self.source}


class VolumeMount:
    """A volume in a step's container. One that nothing declares is a folder that is empty."""

    def __init__(
        self, name: str, mount_path: str, read_only: bool = False, sub_path: str = ""
    ) -> None:
        self.name, self.mount_path = name, mount_path
        self.read_only, self.sub_path = read_only, sub_path

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        found: dict[str, Any] = {"name": self.name, "mountPath": self.mount_path}
        if self.sub_path:
            found["subPath"] = self.sub_path
        return found | ({"readOnly": True} if self.read_only else {})


class VolumeClaimTemplate:
    """A claim that is made for each run and deleted with it."""

    def __init__(
        self,
        claim_name: str,
        access_modes: Sequence[str] = ("ReadWriteOnce",),
        size: str = "1Gi",
        storage_class: str | None = None,
    ) -> None:
        self.claim_name, self.access_modes = claim_name, list(access_modes)
        self.size, self.storage_class = size, storage_class

    def to_dict(self) -> dict[str, Any]:
        """Kubernetes' words for it."""
        spec: dict[str, Any] = {
            "accessModes": self.access_modes,
            "resources": {"requests": {"storage": self.size}},
        }
        if self.storage_class is not None:
            spec["storageClassName"] = self.storage_class
        return {"metadata": {"name": self.claim_name}, "spec": spec}


def add_volume(volume: Volume) -> None:
    """Let the workflow's steps mount this volume."""
    add_once("volumes", volume.to_dict())


def create_workflow_volume(claim: VolumeClaimTemplate) -> None:
    """Make a claim for each run, which its steps mount by its name."""
    add_once("volumeClaimTemplates", claim.to_dict())


def add_once(field: str, one: dict[str, Any]) -> None:
    """Add to a list of the spec what is not there yet; two of one name must say the same."""
    listed: list[dict[str, Any]] = recording().spec.setdefault(field, [])
    if one in listed:
        return
    name = _name(one)
    if name and any(_name(other) == name for other in listed):
        raise DeclarationError(f"Two {field} are called {name!r} and differ: rename one.")
    listed.append(one)


def _name(one: Mapping[str, Any]) -> Any:
    return one.get("name") or one.get("metadata", {}).get("name")
