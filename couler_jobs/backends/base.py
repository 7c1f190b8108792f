"""Where a manifest runs: the contract that every backend keeps.

A backend is handed a manifest (a plain dict) and never sees how it was written. All calls are
synchronous, bounded in time, and raise `couler_jobs.errors.BackendError` or one of its children;
an unknown name is `NotFound`. One test suite (`tests/backends/`) runs over every backend.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from couler_jobs.errors import Rejected
from couler_jobs.spec.secret import Secret
from couler_jobs.spec.status import CronInfo, LogLine, Manifest, RunInfo


class Backend(ABC):
    """Somewhere to run workflows."""

    name: str  #: "local", "argo-server" or "kubernetes"

    @abstractmethod
    def version(self) -> str:
        """The Argo version it speaks: "4.1.2"; the local engine answers the version it follows."""

    @abstractmethod
    def lint(self, manifest: Manifest) -> None:
        """Raise `Rejected` with the backend's own sentence if it would refuse the manifest."""

    def make_secret(self, secret: Secret) -> None:
        """See to it that a Secret is there as it is described.

        `Rejected`, with what to do instead, where the backend cannot do that, or may not.
        """
        raise Rejected(
            f"The backend {self.name} makes no Secrets. Make {secret.name} once with `kubectl "
            f"create secret generic {secret.name} --from-literal=...` for the keys "
            f"{', '.join(key for key, _ in secret.data)}, and name it in the program by "
            "obtain_secret(keys, name=...)."
        )

    def artifact_path(self, info: RunInfo, artifact: Any) -> Path | None:
        """Where a file of the run's outputs lies on this machine; None if it lies elsewhere."""
        return None

    # --- workflows

    @abstractmethod
    def submit(self, manifest: Manifest) -> RunInfo:
        """Start a Workflow manifest. The same `metadata.name` is never run twice.

        `AlreadyExists` if the name is taken; `Rejected` if the manifest cannot run here.
        """

    @abstractmethod
    def get(self, name: str) -> RunInfo:
        """The workflow as it is now, with its nodes."""

    @abstractmethod
    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        """All workflows that carry the labels, newest first, without nodes, paged as read."""

    @abstractmethod
    def watch(self, name: str) -> Iterator[RunInfo]:
        """The workflow each time that it changed, beginning with now; stops at its end."""

    @abstractmethod
    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        """The lines that steps printed, of one node (by name) or of all; `follow` to its end."""

    @abstractmethod
    def stop(self, name: str) -> RunInfo:
        """End it gently: running steps are ended, the exit handler runs. Idempotent."""

    @abstractmethod
    def terminate(self, name: str) -> RunInfo:
        """End it at once: no exit handler runs. Idempotent."""

    @abstractmethod
    def suspend(self, name: str) -> RunInfo:
        """Start no further step until it is resumed. `Rejected` for one that has ended."""

    @abstractmethod
    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        """Go on after `suspend`, or past suspend templates (all, or the node of that name).

        `answers` are what the named node asks for: `Rejected` for others, and where one without a
        default is missing, which leaves it waiting. `Rejected` for a run that has ended.
        """

    @abstractmethod
    def retry(self, name: str) -> RunInfo:
        """Run what failed again, under the same name; what succeeded is kept."""

    @abstractmethod
    def resubmit(self, name: str) -> RunInfo:
        """Run the whole of it again, under a new name."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """End it if it runs, and forget it, its logs and its files."""

    # --- cron workflows

    @abstractmethod
    def apply_cron(self, manifest: Manifest) -> CronInfo:
        """Create the CronWorkflow, or make the existing one of that name like this manifest."""

    @abstractmethod
    def get_cron(self, name: str) -> CronInfo:
        """The cron workflow as it is now."""

    @abstractmethod
    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        """All cron workflows that carry the labels."""

    @abstractmethod
    def suspend_cron(self, name: str) -> CronInfo:
        """Start no run of it until it is resumed."""

    @abstractmethod
    def resume_cron(self, name: str) -> CronInfo:
        """Start runs of it again, from the next tick on."""

    @abstractmethod
    def delete_cron(self, name: str) -> None:
        """Remove it; its runs stay."""

    @abstractmethod
    def trigger_cron(self, name: str) -> RunInfo:
        """Start one run of it now, also while it is suspended."""

    # --- workflow templates

    @abstractmethod
    def apply_template(self, manifest: Manifest) -> None:
        """Create the WorkflowTemplate, or make the existing one of that name like this manifest."""

    @abstractmethod
    def get_template(self, name: str) -> Manifest:
        """The WorkflowTemplate as it is now."""

    @abstractmethod
    def delete_template(self, name: str) -> None:
        """Remove it; runs that were made of it stay."""
