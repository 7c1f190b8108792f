"""A backend that keeps what it is sent and runs nothing: a test says what became of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from couler_jobs.errors import AlreadyExists, NotFound
from couler_jobs.spec.status import CronInfo, LogLine, Manifest, Phase, RunInfo
from tests.backends.templates import TemplatesInMemory


class StandIn(TemplatesInMemory):
    """Runs by name; with `error` set, every call raises it."""

    name = "stand-in"

    def __init__(self) -> None:
        self.runs: dict[str, RunInfo] = {}
        self.manifests: dict[str, Manifest] = {}
        self.listings = 0
        self.error: Exception | None = None
        self.after_submit: Callable[[], None] = lambda: None
        self.crons: dict[str, Manifest] = {}
        self.after_apply: Callable[[], None] = lambda: None
        self.after_list: Callable[[], None] = lambda: None

    def end(self, name: str, phase: Phase, **more: Any) -> None:
        """Let a run end."""
        self.runs[name] = replace(self.runs[name], phase=phase, **more)

    def version(self) -> str:
        return "4.1.2"

    def lint(self, manifest: Manifest) -> None:
        self._check()

    def submit(self, manifest: Manifest) -> RunInfo:
        self._check()
        name = manifest["metadata"]["name"]
        if name in self.runs:
            raise AlreadyExists(name)
        self.manifests[name] = manifest
        self.runs[name] = RunInfo(
            name=name,
            uid=f"uid-{name}",
            phase=Phase.RUNNING,
            labels=manifest["metadata"].get("labels", {}),
            created_at=datetime.now(UTC),
        )
        self.after_submit()
        return self.runs[name]

    def get(self, name: str) -> RunInfo:
        self._check()
        if name not in self.runs:
            raise NotFound(f"There is no workflow {name}.")
        return self.runs[name]

    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        self._check()
        self.listings += 1
        wanted = (labels or {}).items()
        yield from [run for run in self.runs.values() if wanted <= dict(run.labels).items()]

    def stop(self, name: str) -> RunInfo:
        if not self.get(name).ended:
            self.runs[name] = replace(self.runs[name], shutdown="Stop")
        return self.runs[name]

    def delete(self, name: str) -> None:
        self.get(name)
        del self.runs[name]

    def _check(self) -> None:
        if self.error:
            raise self.error

    # what the scheduler does not ask of a backend

    def watch(self, name: str) -> Iterator[RunInfo]:
        raise NotImplementedError

    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        raise NotImplementedError

    def terminate(self, name: str) -> RunInfo:
        raise NotImplementedError

    def suspend(self, name: str) -> RunInfo:
        raise NotImplementedError

    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        raise NotImplementedError

    def retry(self, name: str) -> RunInfo:
        raise NotImplementedError

    def resubmit(self, name: str) -> RunInfo:
        raise NotImplementedError

    def trigger_cron(self, name: str) -> RunInfo:
        raise NotImplementedError

    # --- cron workflows

    def apply_cron(self, manifest: Manifest) -> CronInfo:
        self._check()
        name = manifest["metadata"]["name"]
        self.crons[name] = dict(manifest)
        self.after_apply()
        return self.get_cron(name)

    def get_cron(self, name: str) -> CronInfo:
        self._check()
        if name not in self.crons:
            raise NotFound(f"There is no cron workflow {name}.")
        spec = self.crons[name]["spec"]
        return CronInfo(
            name=name,
            uid=f"uid-{name}",
            schedules=tuple(spec["schedules"]),
            timezone=spec["timezone"],
            suspended=bool(spec.get("suspend")),
            labels=self.crons[name]["metadata"]["labels"],
        )

    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        self._check()
        wanted = (labels or {}).items()
        every = [self.get_cron(name) for name in self.crons]
        found = [cron for cron in every if wanted <= dict(cron.labels).items()]
        self.after_list()
        yield from found

    def suspend_cron(self, name: str) -> CronInfo:
        return self._suspend(name, True)

    def resume_cron(self, name: str) -> CronInfo:
        return self._suspend(name, False)

    def delete_cron(self, name: str) -> None:
        self.get_cron(name)
        del self.crons[name]

    def _suspend(self, name: str, suspend: bool) -> CronInfo:
        self.get_cron(name)
        manifest = self.crons[name]
        self.crons[name] = {**manifest, "spec": {**manifest["spec"], "suspend": suspend}}
        return self.get_cron(name)
