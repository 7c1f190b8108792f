"""Where a step sees the volumes of its template and workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.values import STORED_VOLUMES, Mount, VolumeKind

OWN_CLAIM = "ownClaim"
"""Marks a volume that stands for one of the workflow's `volumeClaimTemplates`."""

_KINDS: dict[str, tuple[VolumeKind, str]] = {
    "emptyDir": ("empty", ""),
    "ephemeral": ("empty", ""),
    "hostPath": ("host path", "path"),
    "persistentVolumeClaim": ("claim", "claimName"),
    **STORED_VOLUMES,
    OWN_CLAIM: ("own claim", "name"),
}
"""A volume's field -> what it is here, and the field in it that names what is mounted."""


def volumes_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The volumes that every template of a workflow has, those of its claim templates too."""
    names = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or ()]
    own = [{"name": name, OWN_CLAIM: {"name": name}} for name in names]
    return [*(spec.get("volumes") or ()), *own]


def mounts_of(body: Mapping[str, Any]) -> tuple[Mount, ...]:
    """What the containers of a filled-in template mount; `TagError` if that cannot be.

    All its containers see one file system here, so two may not mount different things at one path,
    and a volume that one of them may write in is writable for all.
    """
    volumes = {volume["name"]: volume for volume in body.get("volumes") or ()}
    found: dict[str, Mount] = {}
    for mount in _mounts(body, volumes):
        before = found.setdefault(mount.path, mount)
        both = replace(mount, read_only=mount.read_only and before.read_only)
        if replace(before, read_only=both.read_only) != both:
            raise TagError(
                f"Containers of this step mount different volumes at {mount.path}, and on this "
                "machine all of them see the same files: choose another path."
            )
        found[mount.path] = both
    return tuple(found[path] for path in sorted(found))


def _mounts(body: Mapping[str, Any], volumes: Mapping[str, Any]) -> Iterator[Mount]:
    given = body.get("containerSet") or {}
    own = [body.get("container") or body.get("script") or given, *(given.get("containers") or ())]
    for container in (*own, *(body.get("initContainers") or ()), *(body.get("sidecars") or ())):
        for mount in container.get("volumeMounts") or ():
            whole = _mount(mount, volumes.get(mount.get("name")))
            items = _items(volumes[mount["name"]])
            yield from _chosen(whole, items, str(mount["name"])) if items else (whole,)


def _mount(mount: Mapping[str, Any], volume: Mapping[str, Any] | None) -> Mount:
    path = str(mount.get("mountPath", ""))
    if volume is None:
        raise TagError(f"There is no volume {mount.get('name')} to mount at {path}.")
    field = next((field for field in _KINDS if field in volume), "emptyDir")
    kind, naming = _KINDS[field]
    source = volume.get(field) or {}
    return Mount(
        path=path,
        kind=kind,
        name=str(source.get(naming, "") if naming else volume["name"]),
        sub_path=str(mount.get("subPath") or ""),
        read_only=bool(mount.get("readOnly") or source.get("readOnly") or field in STORED_VOLUMES),
        optional=bool(source.get("optional")),
    )


def _items(volume: Mapping[str, Any]) -> dict[PurePath, str]:
    """The paths in a volume of a config map or secret at which chosen keys are seen."""
    source = volume.get("configMap") or volume.get("secret") or {}
    items = source.get("items") or ()
    if not all(item.get("key") and item.get("path") for item in items):
        raise TagError(f"An item of the volume {volume['name']} needs a key and a path.")
    found = {PurePath(item["path"]): str(item["key"]) for item in items}
    for path in found:
        if path.is_absolute() or ".." in path.parts:
            raise TagError(f"The item {path} leads out of the volume {volume['name']}.")
    return found


def _chosen(whole: Mount, items: Mapping[PurePath, str], volume: str) -> Iterator[Mount]:
    """The mounts that show only these keys: each of its own, in a folder that is empty."""
    part = PurePath(whole.sub_path)
    if part not in items:
        yield replace(whole, kind="empty", name=volume)
    for path, key in items.items():
        if path.is_relative_to(part):
            at = str(PurePath(whole.path, path.relative_to(part)))
            yield replace(whole, path=at, sub_path=key)
