"""A run and its nodes as the database keeps them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from couler_jobs.backends.local.identity import Identity
from couler_jobs.spec.status import Manifest, NodeInfo, Phase, RunInfo, progress


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One row of the runs. Times are seconds since the epoch."""

    uid: str
    name: str
    created_at: float
    manifest: Manifest
    started_at: float | None = None
    finished_at: float | None = None
    phase: Phase = Phase.PENDING
    message: str = ""
    suspended: bool = False
    shutdown: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    supervisor: Identity | None = None
    guard: Identity | None = None
    starts: int = 0
    asked_at: float = 0.0

    @property
    def namespace(self) -> str:
        """The manifest's own, "local" where it names none."""
        return self.manifest["metadata"].get("namespace") or "local"

    @property
    def labels(self) -> dict[str, str]:
        """The manifest's, with those of its `workflowMetadata`."""
        more = self.manifest["spec"].get("workflowMetadata") or {}
        return {**(self.manifest["metadata"].get("labels") or {}), **(more.get("labels") or {})}

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's, with those of its `workflowMetadata`."""
        own = self.manifest["metadata"].get("annotations") or {}
        more = self.manifest["spec"].get("workflowMetadata") or {}
        return {**own, **(more.get("annotations") or {})}

    @property
    def expires_at(self) -> float | None:
        """When its `ttlStrategy` has it deleted: that of its phase, else the one for any end."""
        ttl = self.manifest["spec"].get("ttlStrategy")
        if not ttl or self.finished_at is None or not self.phase.ended:
            return None
        good = self.phase is Phase.SUCCEEDED
        seconds = ttl.get("secondsAfterSuccess" if good else "secondsAfterFailure")
        seconds = ttl.get("secondsAfterCompletion") if seconds is None else seconds
        return None if seconds is None else self.finished_at + float(seconds)

    def info(self, nodes: Iterable[NodeInfo] = ()) -> RunInfo:
        """The run as the backend protocol shows it."""
        by_name = {node.name: node for node in nodes}
        spec = self.manifest["spec"]
        arguments = (spec.get("arguments") or {}).get("parameters") or ()
        return RunInfo(
            name=self.name,
            uid=self.uid,
            namespace=self.namespace,
            generate_name=self.manifest["metadata"].get("generateName") or "",
            phase=self.phase,
            message=self.message,
            progress=progress(by_name.values()) if by_name else "",
            labels=self.labels,
            annotations=self.annotations,
            parameters={p["name"]: str(p["value"]) for p in arguments if "value" in p},
            nodes=by_name,
            outputs={"parameters": dict(self.outputs)} if self.outputs else {},
            created_at=moment(self.created_at),
            started_at=moment(self.started_at),
            finished_at=moment(self.finished_at),
            suspended=self.suspended,
            shutdown=self.shutdown,
            active_deadline=spec.get("activeDeadlineSeconds"),
        )


def plain_node(node: NodeInfo) -> dict[str, Any]:
    """A node as JSON carries it, without what is empty."""
    fields = {name: getattr(node, name) for name in node.__slots__}
    for name in ("started_at", "finished_at"):
        fields[name] = None if fields[name] is None else fields[name].timestamp()
    kept = {name: value for name, value in fields.items() if value not in (None, "", (), {})}
    return {name: _plain(value) for name, value in kept.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def node_from(plain: Mapping[str, Any]) -> NodeInfo:
    """What `plain_node` made of a node, as it was."""
    fields = dict(plain)
    fields["phase"] = Phase(fields["phase"])
    fields["children"] = tuple(fields.get("children", ()))
    for name in ("started_at", "finished_at"):
        fields[name] = moment(fields.get(name))
    return NodeInfo(**fields)


def run_row(run: StoredRun) -> dict[str, Any]:
    """The columns of a run."""
    row: dict[str, Any] = {name: getattr(run, name) for name in run.__slots__}
    row["phase"] = run.phase.value
    row["manifest"] = json.loads(json.dumps(run.manifest))
    row["outputs"] = dict(run.outputs)
    for name in ("supervisor", "guard"):
        row[name] = None if row[name] is None else asdict(row[name])
    return row


def run_from(row: Any) -> StoredRun:
    """The run that a row is."""
    fields = dict(row._mapping)
    fields["phase"] = Phase(fields["phase"])
    for name in ("supervisor", "guard"):
        fields[name] = Identity(**fields[name]) if fields[name] else None
    return StoredRun(**fields)


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
