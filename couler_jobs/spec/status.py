"""What a workflow and its nodes look like while they run and when they have ended, in Argo's words.

The phases and node types are those of Argo's `pkg/apis/workflow/v1alpha1/workflow_types.go`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypedDict

Manifest = Mapping[str, Any]
"""A manifest: the plain dict that YAML or JSON text of it gives."""

CRON_LABEL = "workflows.argoproj.io/cron-workflow"
"""What a run of a cron workflow carries: that one's name."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Phase(enum.StrEnum):
    """Where a workflow or a node stands."""

    PENDING = "Pending"  #: not started: a new workflow, a step whose pod waits, a paused retry
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"  #: user code said so, or it was stopped, or its deadline passed
    ERROR = "Error"  #: it could not be run, or its outputs could not be read
    SKIPPED = "Skipped"  #: its `when` was false (nodes only)
    OMITTED = "Omitted"  #: its `depends` was not met (nodes only)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self not in (Phase.PENDING, Phase.RUNNING)


class Outputs(TypedDict, total=False):
    """A node's outputs, each part only where it exists."""

    result: str
    exitCode: str
    parameters: dict[str, str]
    artifacts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """One node of a run. `name` is Argo's: `run-name[0].step(1:item)`; times are UTC."""

    name: str
    display_name: str
    type: str  #: Pod, HTTP, Container, Steps, StepGroup, DAG, TaskGroup, Retry, Suspend, Skipped
    phase: Phase
    id: str = ""
    message: str = ""
    template_name: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    boundary: str = ""  #: the id of the steps or dag node it belongs to; "" for the entrypoint
    children: tuple[str, ...] = ()  #: ids
    memoization: Mapping[str, Any] | None = None  #: Argo's memoizationStatus: hit, key, cacheName
    asks: Mapping[str, str | None] = field(default_factory=dict)  #: answers it waits for: defaults

    @property
    def waits(self) -> bool:
        """Whether it is a pause that goes on when the run is resumed."""
        return self.type == "Suspend" and not self.phase.ended


_COUNTED = frozenset(("Pod", "HTTP", "Plugin", "Container", "Suspend"))
_DONE = frozenset((Phase.SUCCEEDED, Phase.SKIPPED, Phase.OMITTED))


def progress(nodes: Iterable[NodeInfo]) -> str:
    """How many steps are done, of how many: `3/5` (Argo's `workflow/progress/updater.go`)."""
    steps = [node for node in nodes if node.type in _COUNTED]
    return f"{sum(node.phase in _DONE for node in steps)}/{len(steps)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One workflow as its backend sees it now. Times are UTC."""

    name: str
    uid: str
    namespace: str = ""
    generate_name: str = ""  #: what its name was made of, where it was generated
    phase: Phase = Phase.PENDING
    message: str = ""
    progress: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, NodeInfo] = field(default_factory=dict)  #: by node name
    outputs: Outputs = field(default_factory=Outputs)  #: `globalName` outputs
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    suspended: bool = False
    shutdown: str = ""  #: "Stop" or "Terminate" once asked for
    active_deadline: int | None = None  #: seconds that it may run (its activeDeadlineSeconds)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.phase.ended

    @property
    def workflow(self) -> str:
        """The name that all runs of this workflow share: `nightly` of `nightly-x7k2p`."""
        generated = self.generate_name.rstrip("-.")
        return self.labels.get(CRON_LABEL) or generated or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class CronInfo:
    """One cron workflow as its backend sees it now. Times are UTC."""

    name: str
    uid: str
    namespace: str = ""
    schedules: tuple[str, ...] = ()
    timezone: str = ""
    suspended: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    last_scheduled_at: datetime | None = None
    active: tuple[str, ...] = ()  #: names of the runs that are under way
    resource_version: str = ""
    conditions: tuple[str, ...] = ()  #: what its controller complains of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a step's output, without its line feed."""

    node: str  #: the node's name, or the pod's where only that is known
    text: str
