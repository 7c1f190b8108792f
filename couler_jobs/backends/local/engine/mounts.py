"""Where a step sees the volumes of its template and workflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any, TypeAlias

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
    "projected": ("empty", ""),
    OWN_CLAIM: ("own claim", "name"),
}
"""A volume's field -> what it is here, and the field in it that names what is mounted."""

_READ_ONLY = {*STORED_VOLUMES, "projected"}


def volumes_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The volumes that every template of a workflow has, those of its claim templates too."""
    names = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or ()]
    own = [{"name": name, OWN_CLAIM: {"name": name}} for name in names]
    return [*(spec.get("volumes") or ()), *own]


Expand: TypeAlias = Callable[[Mapping[str, Any], str], str]
"""A container's `subPathExpr` -> the path; `TagError` if that cannot be."""


def mounts_of(body: Mapping[str, Any], expand: Expand) -> tuple[Mount, ...]:
    """What the containers of a filled-in template mount; `TagError` if that cannot be.

    All its containers see one file system here, so two may not mount different things at one path,
    and a volume that one of them may write in is writable for all.
    """
    volumes = {volume["name"]: volume for volume in body.get("volumes") or ()}
    found: dict[tuple[str, str], Mount] = {}
    for mount in _mounts(body, volumes, expand):
        place = mount.path, f"{mount.kind} {mount.name}" if mount.spread else ""
        before = found.setdefault(place, mount)
        both = replace(mount, read_only=mount.read_only and before.read_only)
        if replace(before, read_only=both.read_only) != both:
            raise TagError(
                f"Containers of this step mount different volumes at {mount.path}, and on this "
                "machine all of them see the same files: choose another path."
            )
        found[place] = both
    return tuple(found.values())  # of keys of one name in a projected volume, the last is seen


def _mounts(body: Mapping[str, Any], volumes: Mapping[str, Any], expand: Expand) -> Iterator[Mount]:
    for container in _containers(body):
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount.get("name"))
            whole = _mount(mount, volume)
            if expression := mount.get("subPathExpr"):
                whole = replace(whole, sub_path=expand(container, str(expression)))
            yield from _shown(whole, volume or {})


def _containers(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All that mount something; what a container set mounts, each of its containers does."""
    given = body.get("containerSet") or {}
    for one in given.get("containers") or ():
        mounts = [*(given.get("volumeMounts") or ()), *(one.get("volumeMounts") or ())]
        yield {**one, "volumeMounts": mounts}
    yield body.get("container") or body.get("script") or {}
    yield from (*(body.get("initContainers") or ()), *(body.get("sidecars") or ()))


def _shown(whole: Mount, volume: Mapping[str, Any]) -> Iterator[Mount]:
    """A mount, or, of a volume that is put together of keys, the mounts of these."""
    name = str(volume["name"])
    if "projected" in volume:
        yield from _projected(whole, volume["projected"].get("sources") or (), name)
        return
    items = _items(volume.get("configMap") or volume.get("secret") or {}, name)
    yield from _chosen(whole, items, name) if items else (whole,)


def _projected(whole: Mount, sources: Iterable[Mapping[str, Any]], volume: str) -> Iterator[Mount]:
    """The keys of several secrets and config maps, in one folder that is empty without them."""
    found = []
    for source in sources:
        field = "secret" if "secret" in source else "configMap"
        given = source.get(field) or {}
        kind, name = STORED_VOLUMES[field][0], str(given.get("name", ""))
        one = replace(whole, kind=kind, name=name, optional=bool(given.get("optional")))
        if items := _items(given, volume):
            found += [key for key in _chosen(one, items, volume) if key.kind == kind]
        elif whole.sub_path:
            raise TagError(f"A subPath of the volume {volume} needs items in each of its sources.")
        else:
            found.append(replace(one, spread=True))
    if all(one.path != whole.path or one.spread for one in found):
        yield replace(whole, kind="empty", name=volume)
    yield from found


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
        read_only=bool(mount.get("readOnly") or source.get("readOnly") or field in _READ_ONLY),
        optional=bool(source.get("optional")),
    )


def _items(source: Mapping[str, Any], volume: str) -> dict[PurePath, str]:
    """The paths in a volume of a config map or secret at which chosen keys are seen."""
    items = source.get("items") or ()
    if not all(item.get("key") and item.get("path") for item in items):
        raise TagError(f"An item of the volume {volume} needs a key and a path.")
    found = {PurePath(item["path"]): str(item["key"]) for item in items}
    for path in found:
        if path.is_absolute() or ".." in path.parts:
            raise TagError(f"The item {path} leads out of the volume {volume}.")
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
