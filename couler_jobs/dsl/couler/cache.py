"""Outputs that are kept from one run to the next."""

from __future__ import annotations

from typing import Any


class Cache:
    """Keep a step's outputs under `key` in the config map `name`, and do not run it again.

    `max_age`, such as "1h": how long they count; "" is for ever. Argo makes the config map; one
    that is made by hand needs the label `workflows.argoproj.io/configmap-type: Cache`. A step keeps
    its output parameters and artifacts, so it should have some.
    """

    def __init__(self, name: str, key: str, max_age: str = "") -> None:
        self.name, self.key, self.max_age = name, key, max_age

    def to_dict(self) -> dict[str, Any]:
        """Argo's words for it."""
        age = {"maxAge": self.max_age} if self.max_age else {}
        return {"key": self.key, **age, "cache": {"configMap": {"name": self.name}}}
