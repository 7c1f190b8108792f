"""Secrets and config maps of this machine: folders of files that the operator has made.

`COULER_JOBS_HOME/secrets/<name>/<key>` is one key of a secret, readable by its owner only;
`COULER_JOBS_HOME/configmaps/<name>/<key>` is one of a config map. Nothing is ever written here, and
no value of a secret is stored, logged or shown.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.home import default_root
from couler_jobs.backends.local.values import STORED_VOLUMES, Reference, Value
from couler_jobs.errors import ConfigError

_NAME = re.compile(r"(?!\.\.?$)[-._a-zA-Z0-9]+")


class Missing(ConfigError):  # noqa: N818  the name says what is wrong with it
    """A secret, a config map or a key of one is not there; the sentence says where to put it."""


def read_secret(name: str, key: str, home: Path | None = None) -> str:
    """One key of a secret of this machine, below `home` (default: the state folder).

    `Missing` if there is none, `ConfigError` if other users could read it.
    """
    return References(default_root() if home is None else home).secret(name, key)


@dataclass(frozen=True, slots=True)
class References:
    """The secrets and config maps below one state folder."""

    root: Path

    def secret(self, name: str, key: str) -> str:
        """One key of a secret. `Missing`, or `ConfigError` if other users could read it."""
        path = self.path("secret", name, key)
        _refuse_open(path)
        return _text(path)

    def config_map(self, name: str, key: str) -> str:
        """One key of a config map; `Missing` if there is none."""
        return _text(self.path("config map", name, key))

    def value(self, kind: str, name: str, key: str) -> str:
        """One key of a "secret" or a "config map"."""
        return self.secret(name, key) if kind == "secret" else self.config_map(name, key)

    def all(self, kind: str, name: str) -> Mapping[str, str]:
        """All keys of one; `Missing` if there is none of that name."""
        return {key: self.value(kind, name, key) for key in self.keys(kind, name)}

    def keys(self, kind: str, name: str) -> list[str]:
        """The names of all keys of one; `Missing` if there is none of that name."""
        return sorted(entry.name for entry in self.folder(kind, name).iterdir() if entry.is_file())

    def shown(self, kind: str, name: str, key: str = "") -> Path:
        """The file of one key, or the folder of all, to be seen as a volume: what `value` raises.

        It is only to be read; the keys of a secret are checked, and not read.
        """
        path = self.path(kind, name, key) if key else self.folder(kind, name)
        for file in (path,) if key else path.iterdir():
            if kind == "secret":
                _refuse_open(file)
        return path

    def folder(self, kind: str, name: str) -> Path:
        """Where the keys of one lie; `Missing` if there is none of that name."""
        return self._there(kind, name, self._folder(kind) / _legal(kind, name))

    def path(self, kind: str, name: str, key: str) -> Path:
        """The file of one key; `Missing` if it is not there."""
        file = self._folder(kind) / _legal(kind, name) / _legal("key", key)
        return self._there(kind, f"{name} with the key {key}", file)

    def _folder(self, kind: str) -> Path:
        return self.root / {"secret": "secrets", "config map": "configmaps"}[kind]

    def _there(self, kind: str, words: str, path: Path) -> Path:
        if not path.exists():
            raise Missing(
                f"There is no {kind} {words} on this machine: put it at {path}, or run on Argo."
            )
        return path


def _legal(kind: str, name: str) -> str:
    """A name that cannot lead out of its folder."""
    if not _NAME.fullmatch(name):
        raise Missing(f"{name!r} cannot be the name of a {kind}.")
    return name


def _refuse_open(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(f"The secret {path} can be read by others: chmod 600 it.")


def _text(path: Path) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC), encoding="utf-8") as file:
        return file.read()


def resolved(
    env: Mapping[str, Value], env_from: Iterable[Reference], references: References
) -> dict[str, str]:
    """Variables with the values that they take from secrets and config maps of this machine.

    What is optional and not there is left out. `Missing`, `ConfigError`.
    """
    found: dict[str, str] = {}
    for source in env_from:
        try:
            values = references.all(source.kind, source.name)
        except Missing:
            if not source.optional:
                raise
            continue
        found |= {source.prefix + key: value for key, value in values.items()}
    for name, value in env.items():
        text = value if isinstance(value, str) else _joined(value, references)
        if text is not None:
            found[name] = text
    return found


def _joined(parts: Iterable[str | Reference], references: References) -> str | None:
    """The pieces of one value put together; None where all of it is optional and not there."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        try:
            texts.append(references.value(part.kind, part.name, part.key))
        except Missing:
            if not part.optional:
                raise
    return "".join(texts) if texts else None


_SELECTORS = {
    "secretKeyRef": "secret",
    "configMapKeyRef": "config map",
    "secretRef": "secret",
    "configMapRef": "config map",
    **dict.fromkeys(("usernameSecret", "passwordSecret", "sshPrivateKeySecret"), "secret"),
}


def unmet(value: Any, references: References, path: str = "") -> Iterator[str]:
    """A sentence for each secret or config map that a manifest needs and this machine lacks.

    Names that hold a `{{tag}}` are known only when their step starts.
    """
    if isinstance(value, Mapping):
        for name, part in value.items():
            where = f"{path}.{name}" if path else str(name)
            if name in _SELECTORS and isinstance(part, Mapping):
                yield from _unmet_one(_SELECTORS[name], part, references, where)
            elif name == "volumes":
                yield from _unmet_volumes(part or (), references, where)
            else:
                yield from unmet(part, references, where)
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from unmet(part, references, f"{path}[{place}]")


def _unmet_volumes(
    volumes: Iterable[Mapping[str, Any]], references: References, where: str
) -> Iterator[str]:
    for place, volume in enumerate(volumes):
        at = f"{where}[{place}]"
        for field, (kind, naming) in STORED_VOLUMES.items():
            yield from _unmet_keys(kind, volume.get(field), naming, references, f"{at}.{field}")
            for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
                inner = f"{at}.projected.sources[{number}].{field}"
                yield from _unmet_keys(kind, source.get(field), "name", references, inner)


def _unmet_keys(
    kind: str, source: Mapping[str, Any] | None, naming: str, references: References, where: str
) -> Iterator[str]:
    if not source:
        return
    selector = {"name": source.get(naming), "optional": source.get("optional")}
    keys = [item.get("key") for item in source.get("items") or ()]
    for key in keys or [None]:
        yield from _unmet_one(kind, {**selector, "key": key}, references, where)


def _unmet_one(
    kind: str, selector: Mapping[str, Any], references: References, where: str
) -> Iterator[str]:
    name, key = str(selector.get("name", "")), selector.get("key")
    if selector.get("optional") or "{{" in f"{name}{key}":
        return
    try:
        if key is None:
            references.folder(kind, name)
        else:
            references.value(kind, name, str(key))
    except (ConfigError, OSError, ValueError) as error:
        yield f"{where}: {error}"
