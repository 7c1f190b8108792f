"""What the steps of a run are asked: the files in its folder that name its paths and its record.

They are files so that no value of a user and no URL of a database is in a manifest or in a list of
processes. Imported by steps: nothing here is slow to import.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.request import NotebookRequest
from scheduler_plugin.database import IN_STEP, Database, Patience
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.notifications import Notice, read_notice
from scheduler_plugin.staging import JobFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the records are: a URL, or where that is found since it has a password.

    With `outbox_only` a step is not to know: what it has to say lies in its folder.
    """

    db_url: str | None = None
    db_url_file: str | None = None
    db_url_variable: str | None = None  #: of the step's environment
    outbox_only: bool = False

    @property
    def url(self) -> str:
        """The URL itself. Raises DatabaseUnavailable when it is not where it should be."""
        if self.db_url:
            return self.db_url
        if self.db_url_variable:
            return _variable(self.db_url_variable)
        return Path(self.db_url_file or "").read_text(encoding="utf-8").strip()

    def database(self, seconds: float = IN_STEP.total) -> Database:
        """The database, a locked one waited for so long."""
        return Database(self.url, Patience(attempt=min(IN_STEP.attempt, seconds), total=seconds))


def _variable(name: str) -> str:
    url = os.environ.get(name)
    if not url:
        raise DatabaseUnavailable(
            f"The variable {name} is not set, which the Kubernetes Secret of the scheduler's "
            "database gives to this step."
        )
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStatus:
    """What is asked of `record-status`. Paths are absolute, seconds floats."""

    job_id: str
    result: str  #: the notebook step's result file
    outbox: str  #: where the outcome is written first
    db_url: str | None = None
    db_url_file: str | None = None  #: instead: a file that holds the URL, since it has a password
    db_url_variable: str | None = None  #: or a variable of the step's environment that does
    outbox_only: bool = False  #: whether the outbox is all that is written
    work: str | None = None  #: the working folder, whose files are results
    input_filename: str = ""
    log: str | None = None  #: the job's log, which says what went wrong afterwards
    notice: Notice | None = None  #: whom to tell
    seconds: float = IN_STEP.total  #: how long a locked database is waited for

    def as_json(self) -> str:
        """The text of a request file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RecordStatus:
        """Read such a file's text. Raises ValueError, KeyError or TypeError if it is none."""
        values = json.loads(text)
        return cls(**values | {"notice": read_notice(values.get("notice"))})

    def database(self) -> Database:
        """The database of the records."""
        store = Store(
            db_url=self.db_url,
            db_url_file=self.db_url_file,
            db_url_variable=self.db_url_variable,
        )
        return store.database(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is about, whoever it is and wherever its folder lies."""

    input_filename: str
    output_formats: tuple[str, ...]
    parameters: Mapping[str, Any]  #: JSON values
    prefix: str | None  #: of the environment; None: the one that the steps run in
    kernel: str
    timeout: float | None  #: seconds
    store: Store
    variables: Mapping[str, str] = field(default_factory=dict)  #: of the kernel's environment
    secret_parameters: Mapping[str, str] = field(default_factory=dict)  #: see `NotebookRequest`
    secret_variables: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)  #: see `compute.ComputeType.limits`
    notice: Notice | None = None


def request_files(job_id: str, folder: JobFolder, asked: Asked) -> Mapping[Path, str]:
    """The files that the steps of a run read, with their texts."""
    return {
        folder.notebook_request: json.dumps(_notebook(folder, asked).as_dict()),
        folder.status_request: _status(job_id, folder, asked).as_json(),
    }


def _notebook(folder: JobFolder, asked: Asked) -> NotebookRequest:
    formats = [one for one in asked.output_formats if one != "ipynb"]
    return NotebookRequest(
        input=str(folder.input(asked.input_filename)),
        output=str(folder.output("ipynb")),
        result=str(folder.result),
        log=str(folder.output("log")),
        progress=str(folder.progress),
        formats={one: str(folder.output(one)) for one in formats},
        parameters=asked.parameters,
        environment=asked.prefix,
        kernel=asked.kernel,
        working_dir=str(folder.work),
        timeout=asked.timeout,
        variables=asked.variables,
        secret_parameters=asked.secret_parameters,
        secret_variables=asked.secret_variables,
        **asked.limits,
    )


def _status(job_id: str, folder: JobFolder, asked: Asked) -> RecordStatus:
    return RecordStatus(
        job_id=job_id,
        result=str(folder.result),
        outbox=str(folder.outbox),
        db_url=asked.store.db_url,
        db_url_file=asked.store.db_url_file,
        db_url_variable=asked.store.db_url_variable,
        outbox_only=asked.store.outbox_only,
        work=str(folder.work),
        input_filename=asked.input_filename,
        log=str(folder.output("log")),
        notice=asked.notice,
    )
