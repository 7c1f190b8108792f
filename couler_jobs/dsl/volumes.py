"""What is mounted in a step's container, and the volumes that this needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from couler_jobs.errors import DeclarationError
from couler_jobs.spec.names import template_name

_LONGEST_NAME = 63
"""A volume's name is a DNS label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Something that can be mounted. `fields` are Kubernetes' for the volume, as JSON text.

    `name` is empty for a volume that belongs to its mount path alone. With `is_new`, the fields
    are those of a claim that is made for the run and deleted with it.
    """

    name: str
    fields: str
    sub_path: str = ""
    read_only: bool = False
    is_new: bool = False

    def mount(self, path: str) -> dict[str, Any]:
        """The container's `volumeMounts` entry at this path."""
        found: dict[str, Any] = {"name": self.name_at(path), "mountPath": path}
        if self.sub_path:
            found["subPath"] = self.sub_path
        if self.read_only:
            found["readOnly"] = True
        return found

    def name_at(self, path: str) -> str:
        """The volume's name: the same on every machine, and for every mount of one source."""
        return self.name or _name("empty", path)


@dataclass(slots=True)
class Mounted:
    """Volumes, mounts and claims of one container, each in Kubernetes' words."""

    mounts: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)


def mounted(mounts: Mapping[str, Any] | None) -> Mounted:
    """What `mounts=` asks for. Raises `DeclarationError` for a path or volume that cannot be."""
    found = Mounted()
    volumes: dict[str, Volume] = {}
    for path, volume in (mounts or {}).items():
        if not isinstance(volume, Volume):
            raise DeclarationError(
                f'mounts={{{path!r}: {volume!r}}}: mount cj.claim("name"), cj.empty() or the like.'
            )
        if not path.startswith("/") or ":" in path:
            raise DeclarationError(f"mounts={{{path!r}: ...}}: it is an absolute path without ':'.")
        name = volume.name_at(path)
        other = volumes.setdefault(name, volume)
        if other.fields != volume.fields or other.is_new != volume.is_new:
            raise DeclarationError(f"Two volumes in mounts= are called {name!r}: rename one.")
        found.mounts.append(volume.mount(path))
        if other is volume:
            _add(found, name, volume)
    return found


def _add(found: Mounted, name: str, volume: Volume) -> None:
    fields = json.loads(volume.fields)
    if volume.is_new:
        found.claims.append({"metadata": {"name": name}, "spec": fields})
    else:
        found.volumes.append({"name": name, **fields})


def merged_claims(claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Claims of several steps, each once. Raises `DeclarationError` for two of one name."""
    found: dict[str, Mapping[str, Any]] = {}
    for claim in claims:
        name = claim["metadata"]["name"]
        if found.setdefault(name, claim) != claim:
            raise DeclarationError(
                f"Two new claims are called {name!r} and differ: give one a name of its own, "
                'cj.new_claim(..., name="scratch").'
            )
    return list(found.values())


def claim(name: str, *, sub_path: str = "", read_only: bool = False) -> Volume:
    """A persistent volume claim that exists: `mounts={"/data": cj.claim("data")}`."""
    source: dict[str, Any] = {"claimName": name}
    if read_only:
        source["readOnly"] = True
    kind = "claim-ro" if read_only else "claim"
    return _volume(kind, name, {"persistentVolumeClaim": source}, sub_path, read_only)


def new_claim(
    size: str,
    *,
    name: str = "work",
    storage_class: str | None = None,
    access: str = "ReadWriteOnce",
    sub_path: str = "",
) -> Volume:
    """A claim that is made for the run and deleted with it; steps that name it share it.

    size: a Kubernetes quantity such as "10Gi". storage_class: None is the cluster's default.
    """
    spec: dict[str, Any] = {
        "accessModes": [access],
        "resources": {"requests": {"storage": size}},
    }
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return Volume(name=_label(name), fields=json.dumps(spec), sub_path=sub_path, is_new=True)


def empty(*, size: str | None = None, memory: bool = False) -> Volume:
    """A folder that is empty at the start and gone with the step; memory: not on a disk."""
    source = {"sizeLimit": size} if size else {}
    if memory:
        source["medium"] = "Memory"
    return Volume(name="", fields=json.dumps({"emptyDir": source}))


def config_map(
    name: str, *, items: Mapping[str, str] | None = None, sub_path: str = "", optional: bool = False
) -> Volume:
    """The keys of a config map as files; items: the file's path by key, for some of them."""
    source = {"name": name} | _items(items) | ({"optional": True} if optional else {})
    return _volume("config", name, {"configMap": source}, sub_path, read_only=True)


def secret_files(
    name: str, *, items: Mapping[str, str] | None = None, sub_path: str = "", optional: bool = False
) -> Volume:
    """The keys of a secret as files; items: the file's path by key, for some of them."""
    source = {"secretName": name} | _items(items) | ({"optional": True} if optional else {})
    return _volume("secret", name, {"secret": source}, sub_path, read_only=True)


def host_path(path: str, *, type: str = "", sub_path: str = "", read_only: bool = False) -> Volume:
    """A file or folder of the node that the step runs on; type: Kubernetes' check, `Directory`."""
    source = {"path": path} | ({"type": type} if type else {})
    return _volume("host", path, {"hostPath": source}, sub_path, read_only)


def volume(
    name: str, fields: Mapping[str, Any], *, sub_path: str = "", read_only: bool = False
) -> Volume:
    """Any other volume in Kubernetes' words: `cj.volume("share", {"nfs": {"server": ...}})`."""
    try:
        text = json.dumps(dict(fields), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"The volume {name!r} is no JSON: {error}.") from None
    return Volume(name=_label(name), fields=text, sub_path=sub_path, read_only=read_only)


def _items(items: Mapping[str, str] | None) -> dict[str, Any]:
    return {"items": [{"key": k, "path": p} for k, p in items.items()]} if items else {}


def _volume(
    kind: str, name: str, fields: Mapping[str, Any], sub_path: str, read_only: bool
) -> Volume:
    text = _distinct(kind, name, fields)
    return Volume(name=text, fields=json.dumps(fields), sub_path=sub_path, read_only=read_only)


def _distinct(kind: str, name: str, fields: Mapping[str, Any]) -> str:
    """The kind and the name; chosen items of a source are a volume of their own."""
    (source,) = fields.values()
    chosen = [item["path"] for item in source.get("items", ())]
    return _name(kind, "-".join([name, *chosen]))


def _name(kind: str, text: str) -> str:
    return _label(f"{kind}-{text.strip('/')}")


def _label(text: str) -> str:
    name = re.sub(r"-+", "-", template_name(text).lower())
    return name if len(name) <= _LONGEST_NAME else _short(text)


def _short(text: str) -> str:
    import hashlib

    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{template_name(text).lower()[: _LONGEST_NAME - 9].rstrip('-')}-{digest}"
