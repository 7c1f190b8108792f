"""Workflows as Python step functions, run on this machine or on Argo Workflows."""

from __future__ import annotations

from couler_jobs._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from couler_jobs.build import compile as compile
    from couler_jobs.dsl.container_sets import container_set as container_set
    from couler_jobs.dsl.containers import container as container
    from couler_jobs.dsl.control import and_ as and_
    from couler_jobs.dsl.control import either as either
    from couler_jobs.dsl.control import ip as ip
    from couler_jobs.dsl.control import map as map
    from couler_jobs.dsl.control import not_ as not_
    from couler_jobs.dsl.control import or_ as or_
    from couler_jobs.dsl.control import otherwise as otherwise
    from couler_jobs.dsl.control import sequence as sequence
    from couler_jobs.dsl.control import when as when
    from couler_jobs.dsl.control import workflow_failures as workflow_failures
    from couler_jobs.dsl.control import workflow_name as workflow_name
    from couler_jobs.dsl.control import workflow_status as workflow_status
    from couler_jobs.dsl.control import workflow_uid as workflow_uid
    from couler_jobs.dsl.entries import config_key as config_key
    from couler_jobs.dsl.entries import secret as secret
    from couler_jobs.dsl.here import run_here as run_here
    from couler_jobs.dsl.hooks import hook as hook
    from couler_jobs.dsl.kinds import data as data
    from couler_jobs.dsl.kinds import http as http
    from couler_jobs.dsl.kinds import plugin as plugin
    from couler_jobs.dsl.kinds import resource as resource
    from couler_jobs.dsl.kinds import stored as stored
    from couler_jobs.dsl.kinds import suspend as suspend
    from couler_jobs.dsl.locations import artifactory as artifactory
    from couler_jobs.dsl.locations import azure as azure
    from couler_jobs.dsl.locations import file as file
    from couler_jobs.dsl.locations import gcs as gcs
    from couler_jobs.dsl.locations import git as git
    from couler_jobs.dsl.locations import hdfs as hdfs
    from couler_jobs.dsl.locations import oss as oss
    from couler_jobs.dsl.locations import plugin_artifact as plugin_artifact
    from couler_jobs.dsl.locations import raw as raw
    from couler_jobs.dsl.locations import s3 as s3
    from couler_jobs.dsl.locations import url as url
    from couler_jobs.dsl.metrics import counter as counter
    from couler_jobs.dsl.metrics import gauge as gauge
    from couler_jobs.dsl.metrics import histogram as histogram
    from couler_jobs.dsl.notebook import notebook as notebook
    from couler_jobs.dsl.repeat import repeat as repeat
    from couler_jobs.dsl.steps import step as step
    from couler_jobs.dsl.volumes import claim as claim
    from couler_jobs.dsl.volumes import config_map as config_map
    from couler_jobs.dsl.volumes import empty as empty
    from couler_jobs.dsl.volumes import host_path as host_path
    from couler_jobs.dsl.volumes import new_claim as new_claim
    from couler_jobs.dsl.volumes import secret_files as secret_files
    from couler_jobs.dsl.volumes import volume as volume
    from couler_jobs.dsl.workflows import workflow as workflow
    from couler_jobs.errors import CoulerJobsError as CoulerJobsError
    from couler_jobs.findings import lint as lint
    from couler_jobs.runs.run import Run as Run
    from couler_jobs.runs.schedule import Schedule as Schedule
    from couler_jobs.scheduling import schedule as schedule
    from couler_jobs.spec.to_yaml import to_yaml as to_yaml
    from couler_jobs.spec.wire import json_text as json_text
    from couler_jobs.submission import apply_template as apply_template
    from couler_jobs.submission import submit as submit

_MODULES = {
    "build": ("compile",),
    "spec.to_yaml": ("to_yaml",),
    "dsl.container_sets": ("container_set",),
    "dsl.containers": ("container",),
    "dsl.control": (
        "and_",
        "either",
        "ip",
        "map",
        "not_",
        "or_",
        "otherwise",
        "sequence",
        "when",
        "workflow_failures",
        "workflow_name",
        "workflow_status",
        "workflow_uid",
    ),
    "dsl.entries": ("config_key", "secret"),
    "dsl.hooks": ("hook",),
    "dsl.kinds": ("data", "http", "plugin", "resource", "stored", "suspend"),
    "dsl.locations": (
        "artifactory",
        "azure",
        "file",
        "gcs",
        "git",
        "hdfs",
        "oss",
        "plugin_artifact",
        "raw",
        "s3",
        "url",
    ),
    "dsl.metrics": ("counter", "gauge", "histogram"),
    "dsl.volumes": (
        "claim",
        "config_map",
        "empty",
        "host_path",
        "new_claim",
        "secret_files",
        "volume",
    ),
    "dsl.here": ("run_here",),
    "dsl.notebook": ("notebook",),
    "dsl.repeat": ("repeat",),
    "dsl.steps": ("step",),
    "dsl.workflows": ("workflow",),
    "errors": (
        "AlreadyExists",
        "BackendError",
        "CompileError",
        "ConfigError",
        "CoulerJobsError",
        "DeclarationError",
        "Forbidden",
        "LintError",
        "NotFound",
        "Rejected",
        "Unauthorized",
        "Unavailable",
        "WaitTimeout",
        "WorkflowFailed",
    ),
    "findings": ("lint",),
    "runs.run": ("Run",),
    "runs.schedule": ("Schedule",),
    "spec.wire": ("json_text",),
    "scheduling": ("schedule",),
    "submission": ("apply_template", "submit"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    """A public name, from its module, which is imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module 'couler_jobs' has no attribute {name!r}{_nearest(name)}")
    from importlib import import_module

    value = getattr(import_module(f"couler_jobs.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def _nearest(name: str) -> str:
    from couler_jobs.nearest import meant

    said = meant(name, __all__)
    return f": {said}" if said else ""


def __dir__() -> list[str]:
    return sorted(__all__)
