"""Secrets and config maps of this machine: folders of files that the operator has made.

`COULER_JOBS_HOME/secrets/<name>/<key>` is one key of a secret, readable by its owner only;
`COULER_JOBS_HOME/configmaps/<name>/<key>` is one of a config map. Nothing is ever written here, and
no value of a secret is stored, logged or shown.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from couler_jobs.backends.local.home import default_root
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
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"The secret {path} can be read by others: chmod 600 it.")
        return _text(path)

    def config_map(self, name: str, key: str) -> str:
        """One key of a config map; `Missing` if there is none."""
        return _text(self.path("config map", name, key))

    def value(self, kind: str, name: str, key: str) -> str:
        """One key of a "secret" or a "config map"."""
        return self.secret(name, key) if kind == "secret" else self.config_map(name, key)

    def all(self, kind: str, name: str) -> Mapping[str, str]:
        """All keys of one; `Missing` if there is none of that name."""
        keys = sorted(entry.name for entry in self.folder(kind, name).iterdir() if entry.is_file())
        return {key: self.value(kind, name, key) for key in keys}

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


def _text(path: Path) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC), encoding="utf-8") as file:
        return file.read()
