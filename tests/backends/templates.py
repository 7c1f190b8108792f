"""Workflow templates of a backend that keeps everything in memory."""

from __future__ import annotations

from functools import cached_property

from couler_jobs.backends.base import Backend
from couler_jobs.errors import NotFound
from couler_jobs.spec.status import Manifest


class TemplatesInMemory(Backend):
    """The part of the contract that is about workflow templates."""

    @cached_property
    def templates(self) -> dict[str, Manifest]:
        return {}

    def apply_template(self, manifest: Manifest) -> None:
        self.templates[manifest["metadata"]["name"]] = manifest

    def get_template(self, name: str) -> Manifest:
        if name not in self.templates:
            raise NotFound(f"There is no workflow template {name}.")
        return self.templates[name]

    def delete_template(self, name: str) -> None:
        self.get_template(name)
        del self.templates[name]
