"""A site's own plug-in: a Python file with an object `cluster` that changes pods and the spec."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from couler_jobs.errors import ConfigError

VARIABLE = "couler_cluster_config"
"""The environment variable that names the file."""

_POD_KINDS = ("container", "script", "resource")

Asked = Mapping[str, tuple[Any, bool]]


class Cluster:
    """The plug-in, and what single templates ask of it: their `pool` and `enable_ulogfs`."""

    def __init__(self, plugin: Any, path: str) -> None:
        self._plugin, self._path = plugin, path
        self.asked: Asked = {}

    def applied(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """The manifest as the plug-in changes it."""
        outer = manifest["spec"]
        is_cron = manifest["kind"] == "CronWorkflow"
        spec = dict(outer["workflowSpec"] if is_cron else outer)
        spec["templates"] = [self._template(template) for template in spec["templates"]]
        if hasattr(self._plugin, "config_workflow"):
            spec = self._checked("config_workflow", self._plugin.config_workflow(spec))
        return {**manifest, "spec": {**outer, "workflowSpec": spec} if is_cron else spec}

    def _template(self, template: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(self._plugin, "config_pod") or not any(k in template for k in _POD_KINDS):
            return template
        arguments: list[Any] = [template]
        if len(inspect.signature(self._plugin.config_pod).parameters) > 1:
            arguments += self.asked.get(template["name"], (None, True))
        return self._checked("config_pod", self._plugin.config_pod(*arguments))

    def _checked(self, what: str, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise ConfigError(
                f"{what} of the cluster configuration {self._path} gave back {found!r}: it has to "
                "give back the mapping that it was given, changed."
            )
        return found


def configured() -> Cluster | None:
    """The plug-in of the environment variable; None if there is none."""
    path = os.environ.get(VARIABLE)
    return load(path) if path else None


def load(path: str) -> Cluster:
    """The plug-in of this file. Raises ConfigError where it cannot be read."""
    from importlib.util import module_from_spec, spec_from_file_location

    if not Path(path).is_file():
        raise ConfigError(
            f"The cluster configuration {path} cannot be read: there is no such file."
        )
    spec = spec_from_file_location("couler_cluster_config", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"The cluster configuration {path} is no Python file.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "cluster"):
        raise ConfigError(f"The cluster configuration {path} has no object called cluster.")
    return Cluster(module.cluster, path)
