"""Compute types: what a job's notebook may be given, as the operator lists it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.pod import PodLook

_UNITS = {
    **{"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    **{"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40},
}
_QUANTITY = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(_UNITS)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeType:
    """One entry of the picker, in Kubernetes' words. Quantities are texts such as 500m or 4Gi."""

    name: str
    cpu: str | None = None
    memory: str | None = None
    gpu: int = 0
    gpu_resource: str = "nvidia.com/gpu"  #: what the cluster calls one
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    image: str | None = None

    def look(self) -> PodLook:
        """What a pod of this type has."""
        amounts = {"cpu": self.cpu, "memory": self.memory}
        wanted: dict[str, Any] = {name: value for name, value in amounts.items() if value}
        if self.gpu:
            wanted[self.gpu_resource] = str(self.gpu)
        container: dict[str, Any] = {"image": self.image} if self.image else {}
        if wanted:
            container["resources"] = {"requests": wanted, "limits": wanted}
        template: dict[str, Any] = {}
        if self.node_selector:
            template["nodeSelector"] = dict(self.node_selector)
        if self.tolerations:
            template["tolerations"] = [dict(one) for one in self.tolerations]
        return PodLook(container=container, template=template)

    def limits(self) -> dict[str, Any]:
        """What of it holds on this machine, as the notebook program is asked."""
        return {
            "memory": self.memory_bytes,
            "processors": self.processors,
            "not_here": self.of_pods_only,
        }

    @property
    def memory_bytes(self) -> int | None:
        """Its memory."""
        return None if self.memory is None else int(amount(self.memory))

    @property
    def processors(self) -> int | None:
        """How many processors it runs on, at least one."""
        return None if self.cpu is None else max(1, math.ceil(amount(self.cpu)))

    @property
    def of_pods_only(self) -> list[str]:
        """What it asks for that one machine cannot give."""
        asked = {
            "gpu": self.gpu,
            "node_selector": self.node_selector,
            "tolerations": self.tolerations,
            "image": self.image,
        }
        return [name for name, value in asked.items() if value]


KNOWN = tuple(one.name for one in fields(ComputeType))


def read(entries: Iterable[Mapping[str, Any]]) -> tuple[ComputeType, ...]:
    """The operator's list. Raises JobRefused for an entry that is none, or a name used twice."""
    types = tuple(_entry(entry) for entry in entries)
    names = [one.name for one in types]
    if twice := [name for name in names if names.count(name) > 1]:
        raise JobRefused(f"There are two compute types {twice[0]!r}: give each a name of its own.")
    return types


def _entry(entry: Mapping[str, Any]) -> ComputeType:
    if unknown := sorted(set(entry) - set(KNOWN)):
        raise JobRefused(f"A compute type has no {unknown[0]!r}: it may have {', '.join(KNOWN)}.")
    if not str(entry.get("name") or "").strip():
        raise JobRefused("A compute type has no name: give it one, such as 'small'.")
    found = ComputeType(**entry)
    for quantity in (found.cpu, found.memory):
        if quantity is not None:
            amount(quantity)
    if not re.fullmatch(r"\d+", str(found.gpu)):
        raise JobRefused(f"The gpu of the compute type {found.name!r} is to be a whole number.")
    return found


def choose(types: Sequence[ComputeType], name: str | None) -> ComputeType | None:
    """The type of that name, without one the first of the list. Raises JobRefused."""
    if not name:
        return types[0] if types else None
    for one in types:
        if one.name == name:
            return one
    there = ", ".join(repr(one.name) for one in types)
    others = f"there are {there}" if types else "there are none here, leave it out"
    raise JobRefused(f"There is no compute type {name!r}: {others}.")


def amount(quantity: Any) -> float:
    """A quantity of Kubernetes as a number. Raises JobRefused for what is none."""
    found = _QUANTITY.fullmatch(str(quantity))
    if not found or not float(found[1]):
        raise JobRefused(f"{quantity!r} is no amount of cpu or memory: write 500m, 2, 512Mi, 4Gi.")
    return float(found[1]) * _UNITS[found[2]]
