"""Whether a request can become a job. Everything that can be known before is refused here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.export import check_formats
from couler_jobs.in_pod.request import NotebookRequest, Refused
from couler_jobs.in_pod.source import LARGEST, Source, read_source
from scheduler_plugin import folders, runtime_parameters, staging
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments, choose_kernel
from scheduler_plugin.errors import InputMissing, JobRefused
from scheduler_plugin.needs import Needs, needs
from scheduler_plugin.notifications import Notice, notice
from scheduler_plugin.records import NewJob
from scheduler_plugin.step_requests import Asked, Store

DEFAULT_FORMATS = ("ipynb",)
LONGEST_NAME = 256
"""Characters of `jobs.name` (jupyter_scheduler/orm.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What somebody asks for, in the words of jupyter_scheduler's `CreateJob`."""

    input_uri: str
    name: str
    runtime_environment_name: str
    input_filename: str = ""
    output_formats: tuple[str, ...] | None = None
    parameters: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    idempotency_token: str | None = None
    job_definition_id: str | None = None
    runtime_environment_parameters: Mapping[str, Any] | None = None
    compute_type: str | None = None
    output_filename_template: str | None = None
    package_input_folder: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that has been checked, with everything that the check found."""

    new: NewJob
    notebook: bytes
    folder: Path  #: the notebook's
    items: tuple[folders.Item, ...]  #: what of the folder goes with it
    prefix: str | None  #: of the environment; None: the server's own
    kernel: str
    options: Mapping[str, Any]  #: the value of every key of `runtime_parameters.KEYS`
    needs: Needs
    notice: Notice | None = None  #: whom to tell how it ended

    def asked(self, store: Store, *, here: bool) -> Asked:
        """What the steps of its runs are asked. `here` says that they are this machine's."""
        secrets, compute = self.needs.secrets, self.needs.compute if here else None
        return Asked(
            input_filename=self.new.input_filename,
            output_formats=self.new.output_formats,
            parameters=self.needs.parameters,
            variables=self.needs.variables,
            secret_parameters=secrets.sources(secrets.parameters),
            secret_variables=secrets.sources(secrets.variables),
            limits={} if compute is None else compute.limits(),
            prefix=self.prefix,
            kernel=self.kernel,
            timeout=self.options["timeout_seconds"],
            store=store,
            notice=self.notice,
        )


def check(request: JobRequest, settings: Settings, environments: Environments) -> Order:
    """The order that a request makes. Raises JobRefused with what is wrong; nothing is created."""
    path = _notebook_path(request, settings.root)
    return _check(request, path, settings, environments, lambda: _survey(path, settings))


def check_snapshot(
    request: JobRequest, snapshot: Path, settings: Settings, environments: Environments
) -> Order:
    """The same for a notebook that was staged before, in the folder `snapshot`."""
    path = snapshot / request.input_filename
    return _check(request, path, settings, environments, lambda: _everything_beside(path))


def _check(
    request: JobRequest,
    path: Path,
    settings: Settings,
    environments: Environments,
    survey: Callable[[], tuple[folders.Item, ...]],
) -> Order:
    notebook = _read(path, request.input_uri)
    source = _source(notebook, path.name)
    _check_fields(request)
    options = runtime_parameters.check(
        request.runtime_environment_parameters, settings.defaults, settings.upper_limits
    )
    wanted = needs(request.parameters, options, request.compute_type, settings)
    _check_as_the_program_does(wanted)
    environment = environments.get(request.runtime_environment_name)
    items = survey() if request.package_input_folder else ()
    return Order(
        new=_new_job(request, path.name, items),
        notebook=notebook,
        folder=path.parent,
        items=items,
        prefix=None if environment.prefix is None else str(environment.prefix),
        kernel=choose_kernel(environment, source),
        options=options,
        needs=wanted,
        notice=notice(
            request.name.strip() or path.name,
            options,
            settings.notification_file,
            bool(settings.notification_secret),
        ),
    )


def _new_job(request: JobRequest, filename: str, items: Iterable[folders.Item]) -> NewJob:
    formats = DEFAULT_FORMATS if request.output_formats is None else request.output_formats
    return NewJob(
        name=request.name.strip() or filename,
        input_filename=request.input_filename or filename,
        runtime_environment_name=request.runtime_environment_name,
        runtime_environment_parameters=request.runtime_environment_parameters,
        compute_type=request.compute_type,
        output_formats=tuple(dict.fromkeys(formats)),
        job_definition_id=request.job_definition_id,
        idempotency_token=request.idempotency_token,
        parameters=request.parameters,
        tags=request.tags,
        output_filename_template=request.output_filename_template,
        package_input_folder=bool(request.package_input_folder),
        packaged_files=tuple(str(item.path) for item in items if not item.folder),
    )


def _notebook_path(request: JobRequest, root: Path) -> Path:
    path = staging.path_under(root, request.input_uri)
    if not path.is_file():
        raise InputMissing(request.input_uri)
    for name in (path.name, request.input_filename or path.name):
        if not staging.is_file_name(name) or not name.endswith(".ipynb"):
            raise JobRefused(f"{name!r} is not the name of a notebook: it is to end in .ipynb.")
    return path


def _read(path: Path, uri: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise JobRefused(f"The notebook {uri!r} cannot be read: {error.strerror}.") from error


def _source(notebook: bytes, name: str) -> Source:
    try:
        return read_source(notebook, name)
    except Refused as error:
        raise JobRefused(str(error)) from error


def _check_fields(request: JobRequest) -> None:
    if len(request.name) > LONGEST_NAME:
        raise JobRefused(f"The job's name is longer than {LONGEST_NAME} characters: shorten it.")
    _check_formats(request.output_formats or ())


def _check_formats(formats: Iterable[str]) -> None:
    exporters = {name: os.devnull for name in formats if name != "ipynb"}
    try:
        check_formats(exporters)
    except Refused as error:
        raise JobRefused(str(error)) from error


def _check_as_the_program_does(wanted: Needs) -> None:
    """The notebook program's own rules, so that it never refuses what was accepted here."""
    secrets = wanted.secrets
    try:
        NotebookRequest(
            input="/i",
            output="/o",
            result="/r",
            parameters=wanted.parameters,
            variables=wanted.variables,
            secret_parameters=secrets.sources(secrets.parameters),
            secret_variables=secrets.sources(secrets.variables),
        )
    except Refused as error:
        raise JobRefused(str(error)) from error


def _survey(path: Path, settings: Settings) -> tuple[folders.Item, ...]:
    apart = [settings.downloads.resolve(), settings.staging.resolve(), path.resolve()]
    items = folders.survey(path.parent, settings.limits, apart)
    return tuple(item for item in items if item.path.name != path.name or item.path.parts[1:])


def _everything_beside(path: Path) -> tuple[folders.Item, ...]:
    no_limits = folders.Limits(size=sys.maxsize, files=sys.maxsize, exclude=())
    return folders.survey(path.parent, no_limits, [path.resolve()])
