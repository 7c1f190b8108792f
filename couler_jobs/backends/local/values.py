"""What the engine (pure) and the supervisor (processes) say to each other.

The engine answers a `Decision`; the supervisor carries it out and reports `Ended` steps.
All times are seconds since the epoch (float), handed in by the supervisor: the engine has no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from couler_jobs.spec.status import NodeInfo, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file that the step is to leave: an output parameter or artifact."""

    name: str
    path: str
    default: str | None = None  #: the value when the file is missing (parameters only)
    optional: bool = False  #: whether a missing file is no error (artifacts only)
    key: str = ""  #: where in the run's repository to keep it (artifacts only)
    packed: bool = False  #: whether a folder is one archive on a cluster (artifacts only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One key of a secret or config map of this machine; its value is read when a step starts."""

    kind: Literal["secret", "config map"]
    name: str
    key: str = ""  #: "" in a `Launch.env_from`: all keys
    optional: bool = False
    prefix: str = ""  #: before each name, in a `Launch.env_from`


Value = str | tuple[str | Reference, ...]
"""The value of a variable: a text, or pieces to be put together when the step starts."""


NOT_RUNNABLE = 64
"""The exit code that Argo gives a command that cannot be run."""

HERE = "127.0.0.1"
"""Where everything of a run is found: it shares this machine's network."""


def unfound(program: str, why: str = "executable file not found in $PATH") -> str:
    """Argo's sentence about a command that cannot be run."""
    return f'failed to find name in PATH: exec: "{program}": {why}'


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file (or folder) to lay before the step starts: an input artifact."""

    name: str
    path: str
    text: str | None = None  #: a raw artifact's content
    source: str | None = None  #: the key of an earlier step's stored artifact (`Ended.artifacts`)
    remote: Mapping[str, Any] | None = None  #: a manifest's `http` or `git`, by that key
    optional: bool = False  #: whether nothing at its source is no error
    recursive: bool = False  #: whether `mode` is for everything in a folder
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A process beside a step's own one."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, Value] = field(default_factory=dict)
    env_from: tuple[Reference, ...] = ()
    working_dir: str | None = None
    needs: tuple[str, ...] = ()  #: in a set: the containers that have to succeed before it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a container of a daemon is asked whether it is ready. Times are seconds."""

    container: str
    check: Mapping[str, Any]  #: a manifest's `httpGet`, `tcpSocket` or `exec`, by that key
    startup: bool = False  #: whether the container is ended when it fails too often
    delay: float = 0.0
    period: float = 1.0
    timeout: float = 1.0
    successes: int = 1
    failures: int = 3


VolumeKind = Literal["empty", "claim", "own claim", "host path", "config map", "secret"]

STORED_VOLUMES: Mapping[str, tuple[VolumeKind, str]] = {
    "configMap": ("config map", "name"),
    "secret": ("secret", "secretName"),
}
"""Volumes of what this machine's operator stores: a volume's field -> what it is here, and the
field in it that names what is mounted. No step may write in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume, and where a step sees it."""

    path: str
    kind: VolumeKind
    name: str  #: the volume's, the claim's, or the path on this machine
    sub_path: str = ""  #: the part of the volume that is seen
    read_only: bool = False  #: whether the step may write nothing in it
    optional: bool = False  #: whether a config map or secret may be missing
    spread: bool = False  #: whether each of its keys is mounted by itself, beside others


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One host process to start for a node; every `{{tag}}` in it is already replaced."""

    node: str  #: node name
    template: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    source: str | None = None  #: a script's text: written to a file whose path follows the command
    env: Mapping[str, Value] = field(default_factory=dict)
    env_from: tuple[Reference, ...] = ()
    working_dir: str | None = None
    init: tuple[Container, ...] = ()  #: run one after another, before the step's own process
    sidecars: tuple[Container, ...] = ()  #: run beside it, and are ended with it
    containers: tuple[Container, ...] = ()  #: those of a set, in place of the one command
    tries: int = 1  #: how often each container of a set is run until it succeeds
    pause: float = 0.0  #: seconds between two tries
    daemon: bool = False  #: whether it is to tell when it is ready
    probes: tuple[Probe, ...] = ()  #: a daemon's
    mounts: tuple[Mount, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    work: Mapping[str, Any] | None = None  #: instead of a command: an `http` or `data`, by that key
    left_out: tuple[str, ...] = ()  #: paths of optional inputs that nobody gives: nothing is there
    output_parameters: tuple[OutputFile, ...] = ()
    output_artifacts: tuple[OutputFile, ...] = ()
    wants_result: bool = False  #: whether stdout is to be reported as `Ended.result`
    grace: float = 30.0  #: seconds between SIGTERM and SIGKILL

    @property
    def reports(self) -> bool:
        """Whether it tells something while it runs."""
        return self.daemon or bool(self.containers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a launched process.

    `exit_code` is the process's own, 128 + the signal's number when a signal ended it, and None
    when it never ran, with `error` saying why. `parameters` holds each declared output parameter's
    text, `missing` the names of those files that were not there and had no default.
    """

    node: str
    at: float
    exit_code: int | None
    error: str = ""
    container: str = "main"  #: whose exit code it is
    result: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a launched process tells while it runs: a daemon that it is ready, or, of a set, that a
    container has ended (`exit_code`), with a sentence if it never ran.
    """

    node: str
    at: float
    container: str = ""  #: "": the daemon is ready
    exit_code: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something a user asked of a run that is under way."""

    action: Literal["stop", "terminate", "suspend", "resume"]
    at: float
    node: str | None = None  #: resume only: one suspend node's name
    parameters: Mapping[str, str] = field(default_factory=dict)  #: resume only: supplied outputs

    @property
    def holds_or_frees(self) -> bool:
        """Whether it decides if the whole run may go on."""
        return self.action in ("suspend", "resume") and self.node is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A node asks whether its template's outputs are remembered."""

    node: str
    cache: str  #: the config map's name on a cluster
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """The answer to a `Lookup`; `outputs` is None where nothing is remembered."""

    node: str
    at: float
    outputs: Mapping[str, Any] | None = None
    created_at: float = 0.0  #: when they were remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """The outputs of a node that succeeded, to be remembered."""

    node: str
    cache: str
    key: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A mutex, or a semaphore whose limit stands in a config map."""

    name: str  #: `local/Mutex/x`, `local/ConfigMap/c/key`
    limit: tuple[str, str] | None = None  #: the config map's name and key; None: one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A node (of the workflow itself: "") waits until it holds all of these locks."""

    node: str
    locks: tuple[Lock, ...]
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """What became of a `Wish`: granted, or why it waits, or (`error`) why it never will be."""

    node: str
    at: float
    granted: bool = False
    message: str = ""
    error: str = ""


Event = Ended | Reported | Request | Cached | Locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the supervisor has to do now, and how the workflow stands.

    `changed` are the nodes to store (one transaction, before anything of `launch` starts); `kill`
    the node names whose processes are to end (SIGTERM, then SIGKILL after the grace);
    `wake_at` is when to ask again even if nothing happened.
    """

    changed: tuple[NodeInfo, ...] = ()
    launch: tuple[Launch, ...] = ()
    kill: tuple[str, ...] = ()
    wake_at: float | None = None
    phase: Phase = Phase.RUNNING
    message: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)  #: `globalName` parameters
    lookups: tuple[Lookup, ...] = ()  #: to be answered with `Cached` events
    remember: tuple[Remember, ...] = ()
    wishes: tuple[Wish, ...] = ()  #: to be answered with `Locked` events
    released: tuple[str, ...] = ()  #: nodes that hold, or wait for, locks no longer

    @property
    def ended(self) -> bool:
        """Whether the workflow has ended and nothing is left to do."""
        return self.phase.ended
