"""The plan of a step that is more than one process, from the supervisor to `pod`.

It holds no secret: values of secrets are read by the pod, when they are needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.step_folder import write_private
from couler_jobs.backends.local.values import Container, Probe, Reference, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A remote artifact and the path at which the step expects it."""

    name: str
    path: str
    remote: Mapping[str, Any]
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a pod is made of. `environ` is what each process inherits."""

    home: str
    cwd: str
    environ: Mapping[str, str]
    containers: tuple[Container, ...]  #: the step's own, or all of a set
    is_set: bool = False
    tries: int = 1
    pause: float = 0.0
    fetch: tuple[Fetch, ...] = ()
    init: tuple[Container, ...] = ()
    sidecars: tuple[Container, ...] = field(default_factory=tuple)
    daemon: bool = False
    probes: tuple[Probe, ...] = ()
    reports: int | None = None

    def write(self, path: Path) -> None:
        """Store it for the process that carries it out."""
        write_private(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan that was written there."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        for name in ("containers", "init", "sidecars"):
            plain[name] = tuple(map(_container, plain[name]))
        plain["fetch"] = tuple(Fetch(**one) for one in plain["fetch"])
        plain["probes"] = tuple(Probe(**one) for one in plain["probes"])
        return cls(**plain)


def _container(plain: Mapping[str, Any]) -> Container:
    env = {name: _value(value) for name, value in plain["env"].items()}
    env_from = tuple(Reference(**one) for one in plain["env_from"])
    words = {name: tuple(plain[name]) for name in ("command", "needs")}
    return Container(**{**plain, **words, "env": env, "env_from": env_from})


def _value(plain: Any) -> Value:
    if isinstance(plain, str):
        return plain
    return tuple(part if isinstance(part, str) else Reference(**part) for part in plain)
