"""A backend in memory: the protocol, whole, so that what stands on it can be tested alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from couler_jobs.errors import AlreadyExists, BackendError, NotFound
from couler_jobs.spec.names import is_within
from couler_jobs.spec.status import CronInfo, LogLine, Manifest, NodeInfo, Phase, RunInfo
from tests.backends.templates import TemplatesInMemory

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Answer = RunInfo | BackendError


def node(name: str, phase: Phase = Phase.SUCCEEDED, **more: Any) -> NodeInfo:
    """A node that ran for two seconds; its display name is the last part of its name."""
    display = name.rpartition("[")[0] or name
    fields: dict[str, Any] = {
        "display_name": name.rpartition(".")[2] if "." in name else display,
        "type": "Pod",
        "template_name": "t",
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(seconds=2) if phase.ended else None,
    }
    return NodeInfo(name=name, phase=phase, **{**fields, **more})


def info(name: str = "w", phase: Phase = Phase.SUCCEEDED, *nodes: NodeInfo, **more: Any) -> RunInfo:
    """A run with these nodes, three seconds old when it has ended."""
    fields: dict[str, Any] = {
        "uid": f"uid-of-{name}",
        "created_at": BEGAN,
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(seconds=3) if phase.ended else None,
        "nodes": {one.name: one for one in nodes},
    }
    return RunInfo(name=name, phase=phase, **{**fields, **more})


class FakeBackend(TemplatesInMemory):
    """Answers `get` from a list, the last one for ever, and remembers what it was asked."""

    name = "fake"
    speaks = "4.1.2"  #: its Argo version

    def __init__(self, *answers: Answer, lines: Mapping[str, list[str]] | None = None) -> None:
        self.answers = list(answers)
        self.lines = dict(lines or {})
        self.asked: list[tuple[str, ...]] = []
        self.submitted: list[dict[str, Any]] = []
        self.crons: dict[str, CronInfo] = {}
        self.applied: list[dict[str, Any]] = []

    def _next(self) -> RunInfo:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BackendError):
            raise answer
        return answer

    def _did(self, *words: str) -> RunInfo:
        self.asked.append(words)
        return self._next()

    def version(self) -> str:
        return self.speaks

    def lint(self, manifest: Manifest) -> None:
        self.asked.append(("lint",))

    def submit(self, manifest: Manifest) -> RunInfo:
        metadata = manifest["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}x7k2p"
        if any(one["metadata"].get("name") == name for one in self.submitted):
            raise AlreadyExists(f"There is a workflow {name} already.")
        self.submitted.append(dict(manifest))
        self.answers = [replace(one, name=name) for one in self.answers if isinstance(one, RunInfo)]
        return self._next() if self.answers else info(name, Phase.PENDING)

    def get(self, name: str) -> RunInfo:
        self.asked.append(("get", name))
        if not self.answers:
            raise NotFound(f"There is no workflow {name}.")
        return self._next()

    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        wanted = dict(labels or {}).items()
        return (
            one for one in self.answers if isinstance(one, RunInfo) and wanted <= one.labels.items()
        )

    def watch(self, name: str) -> Iterator[RunInfo]:
        yield self.get(name)

    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        self.asked.append(("logs", name, node or "", "follow" if follow else ""))
        if node is not None and node not in self.lines:
            raise NotFound(f"{name} has no log of {node}.")
        for one in self.lines if node is None else [o for o in self.lines if is_within(o, node)]:
            yield from (LogLine(node=one, text=text) for text in self.lines[one])

    def stop(self, name: str) -> RunInfo:
        return self._did("stop", name)

    def terminate(self, name: str) -> RunInfo:
        return self._did("terminate", name)

    def suspend(self, name: str) -> RunInfo:
        return self._did("suspend", name)

    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        said = [f"{key}={text}" for key, text in (answers or {}).items()]
        return self._did("resume", name, node or "", *said)

    def retry(self, name: str) -> RunInfo:
        return self._did("retry", name)

    def resubmit(self, name: str) -> RunInfo:
        return self._did("resubmit", name)

    def delete(self, name: str) -> None:
        self.asked.append(("delete", name))

    def apply_cron(self, manifest: Manifest) -> CronInfo:
        self.asked.append(("apply_cron",))
        name, spec = manifest["metadata"]["name"], manifest["spec"]
        self.applied.append(dict(manifest))
        self.crons[name] = CronInfo(
            name=name,
            uid=f"uid-of-{name}",
            schedules=tuple(spec.get("schedules") or [spec["schedule"]]),
            timezone=spec.get("timezone", ""),
            suspended=bool(spec.get("suspend")),
            labels=manifest["metadata"].get("labels") or {},
        )
        return self.crons[name]

    def get_cron(self, name: str) -> CronInfo:
        if name not in self.crons:
            raise NotFound(f"There is no cron workflow {name}.")
        return self.crons[name]

    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        wanted = dict(labels or {}).items()
        return (one for one in self.crons.values() if wanted <= dict(one.labels).items())

    def suspend_cron(self, name: str) -> CronInfo:
        self.crons[name] = replace(self.get_cron(name), suspended=True)
        return self.crons[name]

    def resume_cron(self, name: str) -> CronInfo:
        self.crons[name] = replace(self.get_cron(name), suspended=False)
        return self.crons[name]

    def delete_cron(self, name: str) -> None:
        self.get_cron(name)
        self.asked.append(("delete_cron", name))
        del self.crons[name]

    def trigger_cron(self, name: str) -> RunInfo:
        self.get_cron(name)
        self.asked.append(("trigger_cron", name))
        return info(f"{name}-now", Phase.PENDING)
