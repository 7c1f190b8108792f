"""What an operator can set, and what the service is given of it.

Everything has a default that works: installed is enabled. Set in `jupyter_server_config.py`:
`c.ArgoScheduler.folder_size_limit = 5_000_000_000`.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Enum, Float, Int, List, TraitError, Unicode, validate
from traitlets.config import Configurable

from scheduler_plugin import compute
from scheduler_plugin.compute import ComputeType
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.folders import Limits
from scheduler_plugin.notifications import OCCASIONS
from scheduler_plugin.retention import KEEP_ALL, Retention
from scheduler_plugin.runtime_parameters import KEYS, check_limits

DEFAULTS = Limits()


class Options(Configurable):  # type: ignore[misc]  # traitlets is not checked here
    """The settings of the scheduler."""

    image = Unicode(
        "",
        config=True,
        help="The image of a job's steps, with pod = 'template'.",
    )
    pod = Unicode(
        "",
        config=True,
        help="What a job's pods look like: like this JupyterLab's pod (self), as Nebari makes them "
        "(nebari), or as pod_template says (template). Empty: nebari on Nebari, self in any other "
        "pod, else template. Not used where jobs run on this machine.",
    )
    pod_template = Dict(
        config=True,
        help="With pod = 'template': image, and in Argo's words the fields of the container, of "
        "the template (volumes, nodeSelector, tolerations) and of the workflow's spec, and labels.",
    )
    database_secret = Unicode(
        "",
        config=True,
        help="The Kubernetes Secret that holds db_url, as 'name' (its key is db_url) or "
        "'name/key'. Needed where db_url has a password and jobs run in a cluster.",
    )
    outbox_only = Bool(
        False,
        config=True,
        help="Let jobs write how they ended into files of the staging folder alone, which this "
        "server takes into its database. For a database on a file system whose locks cannot be "
        "relied on; records are right a little later then. For jobs and schedules saved later.",
    )
    python = Unicode(
        sys.executable,
        config=True,
        help="The Python that runs a job's steps; this package has to be installed there.",
    )
    timeout_seconds = Float(
        None,
        allow_none=True,
        config=True,
        help="How long a notebook may run that does not say it itself. None: for ever.",
    )
    retries = Int(
        KEYS["retries"].default,
        config=True,
        help="How often a notebook that failed is run again, if its job does not say it.",
    )
    retry_delay_seconds = Int(
        KEYS["retry_delay_seconds"].default,
        config=True,
        help="How long to wait before the first of these runs.",
    )
    retry_delay_factor = Int(
        KEYS["retry_delay_factor"].default,
        config=True,
        help="How many times as long each next wait is.",
    )
    upper_limits = Dict(
        config=True,
        help="The highest numbers that jobs may ask for in their runtime environment parameters, "
        "by key: {'timeout_seconds': 86400, 'retries': 5}.",
    )
    folder_size_limit = Int(
        DEFAULTS.size,
        config=True,
        help="How many bytes a folder may have that is copied with its notebook.",
    )
    folder_files_limit = Int(
        DEFAULTS.files,
        config=True,
        help="How many files a folder may have that is copied with its notebook.",
    )
    folder_exclude = List(
        Unicode(),
        list(DEFAULTS.exclude),
        config=True,
        help="Patterns of names that are not copied with a notebook's folder.",
    )
    concurrency_policy = Enum(
        ["Forbid", "Allow", "Replace"],
        "Forbid",
        config=True,
        help="What happens at a tick of a schedule whose last run has not ended: the tick is left "
        "out (Forbid), runs as well (Allow), or replaces that run. For schedules saved later.",
    )
    starting_deadline_seconds = Int(
        None,
        allow_none=True,
        config=True,
        help="How late a tick that was missed may still run. None: it is left out.",
    )
    successful_runs_kept = Int(
        3,
        config=True,
        help="How many workflows of a schedule that succeeded are kept. Job records stay.",
    )
    failed_runs_kept = Int(
        1,
        config=True,
        help="How many workflows of a schedule that failed are kept. Job records stay.",
    )
    jobs_kept = Int(
        None,
        allow_none=True,
        config=True,
        help="How many ended jobs of a definition are kept, if that does not say it: what is older "
        "is deleted, with its files and its workflow. None: all.",
    )
    days_kept = Int(
        None,
        allow_none=True,
        config=True,
        help="For how many days an ended job of a definition is kept, likewise. None: for ever.",
    )
    notify = Unicode(
        "",
        config=True,
        help="Whom to tell how a job ended that does not say it itself: names of the addresses, "
        "separated by commas.",
    )
    notify_on = Enum(
        OCCASIONS,
        OCCASIONS[0],
        config=True,
        help="When: after a failure, a success, or both.",
    )
    notification_file = Unicode(
        "",
        config=True,
        help="The addresses of notifications: a file that only its owner may read, a line each, "
        "NAME=URL, with the URLs of apprise (mailtos://, slack://, json://).",
    )
    notification_secret = Unicode(
        "",
        config=True,
        help="The Kubernetes Secret with the same text, for jobs in a cluster, as 'name' (its key "
        "is addresses) or 'name/key'.",
    )
    all_jobs_kept = Int(
        None,
        allow_none=True,
        config=True,
        help="How many ended jobs are kept in all, whatever definitions say. None: all.",
    )
    all_days_kept = Int(
        None,
        allow_none=True,
        config=True,
        help="For how many days any ended job is kept, whatever definitions say. None: for ever.",
    )

    compute_types = List(
        Dict(),
        config=True,
        help="What a job's notebook may be given: name, and any of cpu, memory, gpu, gpu_resource, "
        "node_selector, tolerations and image, in Kubernetes' words. The first is the default.",
    )

    @validate("compute_types")  # type: ignore[untyped-decorator]
    def _checked_types(self, proposal: Mapping[str, Any]) -> Any:
        try:
            compute.read(proposal["value"])
        except JobRefused as error:
            raise TraitError(f"compute_types: {error}") from None
        return proposal["value"]

    @validate("upper_limits")  # type: ignore[untyped-decorator]
    def _checked_limits(self, proposal: Mapping[str, Any]) -> dict[str, int]:
        try:
            return check_limits(proposal["value"])
        except JobRefused as error:
            raise TraitError(f"upper_limits: {error}") from None

    def runtime_defaults(self) -> dict[str, Any]:
        """The operator's values of runtime environment parameters: settings of the same names."""
        return {name: getattr(self, name) for name in KEYS if self.has_trait(name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The same as plain values, with what jupyter_scheduler adds."""

    root: Path  #: what JupyterLab shows
    staging: Path
    downloads: Path  #: below `root`: one folder for each job
    db_url: str
    owner: str
    image: str = ""
    pod: str = ""  #: one of `pod.FORMS`, or "" to find it out
    pod_template: Mapping[str, Any] = field(default_factory=dict)  #: see `pod.like_template`
    database_secret: str = ""  #: see `pod.SecretKey`
    outbox_only: bool = False  #: whether steps leave the database alone
    notification_file: Path | None = None
    notification_secret: str = ""  #: see `pod.SecretKey`
    python: str = sys.executable
    limits: Limits = DEFAULTS
    defaults: Mapping[str, Any] = field(default_factory=dict)  #: see `runtime_parameters.check`
    upper_limits: Mapping[str, int] = field(default_factory=dict)
    compute_types: tuple[ComputeType, ...] = ()
    keep: Retention = KEEP_ALL  #: of all jobs; a definition's are in its options


def owner(environ: Mapping[str, str]) -> str:
    """Who this server belongs to: by its hub, else by its system. Never what a client says."""
    for name in ("JUPYTERHUB_USER", "PREFERRED_USERNAME"):
        if environ.get(name):
            return environ[name]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no entry
        return f"uid-{os.getuid()}"
