"""Runs workflows on Argo Server: the contract of `backends.base`, call by call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.argo_server import api, creation, probe
from couler_jobs.backends.argo_server.api import Kind, Request
from couler_jobs.backends.argo_server.server import Server
from couler_jobs.backends.argo_server.streams import Log, Watch
from couler_jobs.backends.argo_server.transport import HttpTransport, Transport
from couler_jobs.backends.asked import answered, refuse_unanswered
from couler_jobs.backends.base import Backend
from couler_jobs.backends.ended import refuse_ended
from couler_jobs.errors import ConfigError, NotFound, Rejected, Unavailable
from couler_jobs.spec.parse import cron_info, run_info
from couler_jobs.spec.status import CronInfo, LogLine, Manifest, RunInfo

if TYPE_CHECKING:
    from couler_jobs.config import Settings

NEBARI_ROLES = (
    "You may not submit workflows: ask an administrator for the role argo-developer "
    "(or argo-admin) of argo-server-sso."
)
"""What a 403 means on Nebari, where Keycloak's roles decide."""

_META = ("name", "generateName", "namespace", "uid", "labels", "annotations", "creationTimestamp")
_STATUS = ("phase", "message", "progress", "startedAt", "finishedAt")
_LIST_FIELDS = ",".join(
    [
        "metadata",
        *(f"items.metadata.{name}" for name in _META),
        *(f"items.spec.{name}" for name in ("suspend", "shutdown", "activeDeadlineSeconds")),
        *(f"items.status.{name}" for name in _STATUS),
    ]
)
_CRON_FIELDS = ",".join(
    [
        "metadata",
        *(f"items.metadata.{name}" for name in (*_META, "resourceVersion")),
        *(f"items.spec.{name}" for name in ("schedule", "schedules", "timezone", "suspend")),
        "items.status",
    ]
)


class ArgoServerBackend(Backend):
    """Argo Workflows through Argo Server's REST interface. Safe for threads.

    `namespace` "" is the server's own managed one, else "default". `advice` is added to every
    `Forbidden`: what a user of this site can do about it.
    """

    name = "argo-server"

    def __init__(
        self,
        transport: Transport,
        *,
        namespace: str = "",
        advice: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = Server(
            transport=transport, given=namespace, advice=advice, sleep=sleep, clock=clock
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> ArgoServerBackend:
        """The backend that the settings name; `ConfigError` if they name no server."""
        if not settings.url:
            raise ConfigError("No Argo Server is configured: set ARGO_SERVER to its host:port.")

        def token() -> str:
            secret = settings.read_token()
            return secret.reveal() if secret else ""

        verify = not settings.insecure_skip_verify
        transport = HttpTransport(settings.url, token=token, verify=verify)
        # set in every JupyterLab pod of Nebari
        nebari = "PREFERRED_USERNAME" in os.environ or "CONDA_STORE_SERVICE" in os.environ
        advice = NEBARI_ROLES if nebari else ""
        return cls(transport, namespace=settings.namespace, advice=advice)

    def __repr__(self) -> str:
        return f"ArgoServerBackend({self._server.transport!r})"

    # --- the server

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace that runs go to."""
        return self._server.namespace

    def version(self) -> str:
        """The server's version: "4.1.2"; "4.1" where it does not know its own. Asked for once."""
        return probe.stated(self._server.version) or self.target()

    def target(self) -> str:
        """The Argo version to compile for: "3.5", "3.6", "3.7", "4.0" or "4.1". Asked for once."""
        return self._server.target

    def lint(self, manifest: Manifest) -> None:
        """Raise `Rejected` with Argo's sentence, or with the fields that are unknown here."""
        kinds = {"CronWorkflow": Kind.CRON, "WorkflowTemplate": Kind.TEMPLATE}
        kind = kinds.get(str(manifest.get("kind")), Kind.WORKFLOW)
        creation.lint(self._server, kind, manifest)

    def dry_run(self, manifest: Manifest) -> RunInfo:
        """Have the cluster check a Workflow as if it were created; nothing is stored."""
        ours = creation.in_namespace(manifest, self.namespace)
        return self._run(api.dry_run(self.namespace, ours))

    def userinfo(self) -> Mapping[str, Any]:
        """Who the token is, where the server uses single sign-on; else empty."""
        found: Mapping[str, Any] = self._server.ask(api.userinfo())
        return found

    # --- workflows

    def submit(self, manifest: Manifest) -> RunInfo:
        """Start a Workflow manifest; a `generateName` becomes a name before it is sent."""
        return run_info(creation.start(self._server, manifest))

    def get(self, name: str) -> RunInfo:
        """The workflow as it is now, with its nodes."""
        return run_info(self._server.get(Kind.WORKFLOW, name))

    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        """All workflows that carry the labels, newest first, without nodes and parameters.

        What is deleted meanwhile can hide another one: who misses one asks `get`.
        """
        for workflows in self._server.pages(Kind.WORKFLOW, labels, _LIST_FIELDS):
            # pages are by age; within one, Argo Server puts first what runs
            yield from sorted((run_info(one) for one in workflows), key=_created, reverse=True)

    def watch(self, name: str) -> Iterator[RunInfo]:
        """The workflow each time that it changed, and after each time it had to be asked."""
        yield from Watch(self._server, name).runs()

    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        """The lines that steps printed; of the node and what is inside it, where one is named."""
        yield from Log(self._server, name, node).lines(follow=follow)

    def stop(self, name: str) -> RunInfo:
        """End it gently: its exit handler runs."""
        return self._shut_down(api.stop(self.namespace, name), name)

    def terminate(self, name: str) -> RunInfo:
        """End it at once: no exit handler runs."""
        return self._shut_down(api.terminate(self.namespace, name), name)

    def suspend(self, name: str) -> RunInfo:
        """Start no further step until it is resumed."""
        refuse_ended(self.get(name), "suspended")
        return self._run(api.suspend(self.namespace, name))

    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        """Go on after `suspend`, or past suspend templates (all, or the node of that name).

        Of a node that asks, the server is told all answers: it would let it go on without them.
        """
        run = self.get(name)
        refuse_ended(run, "resumed")
        if node is None:
            return self._resume_all(run)
        found = run.nodes.get(node)
        if found is None:
            raise NotFound(f"Workflow {name} has no node {node}.")
        if said := answered(found, answers or {}):
            return self._run(api.answer(self.namespace, name, found.id, said))
        return self._run(api.resume(self.namespace, name, found.id))

    def retry(self, name: str) -> RunInfo:
        """Run what failed again, under the same name; what succeeded is kept."""
        try:
            return self._run(api.retry(self.namespace, name))
        except Unavailable:
            run = self.get(name)
            if run.ended:
                raise
            return run  # the answer was lost, the retry was not

    def resubmit(self, name: str) -> RunInfo:
        """Run the whole of it again, under a new name."""
        return self._run(api.resubmit(self.namespace, name))

    def delete(self, name: str) -> None:
        """End it if it runs, and forget it with its pods and their logs."""
        self._server.delete(Kind.WORKFLOW, name)

    # --- cron workflows

    def apply_cron(self, manifest: Manifest) -> CronInfo:
        """Create the CronWorkflow, or make the existing one of that name like this manifest."""
        return cron_info(creation.apply(self._server, Kind.CRON, manifest))

    def get_cron(self, name: str) -> CronInfo:
        """The cron workflow as it is now."""
        return cron_info(self._server.get(Kind.CRON, name))

    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        """All cron workflows that carry the labels."""
        for crons in self._server.pages(Kind.CRON, labels, _CRON_FIELDS):
            yield from (cron_info(cron) for cron in crons)

    def suspend_cron(self, name: str) -> CronInfo:
        """Start no run of it until it is resumed."""
        return cron_info(self._server.ask(api.pause_cron(self.namespace, name)))

    def resume_cron(self, name: str) -> CronInfo:
        """Start runs of it again, from the next tick on."""
        return cron_info(self._server.ask(api.resume_cron(self.namespace, name)))

    def delete_cron(self, name: str) -> None:
        """Remove it; its runs stay."""
        creation.remove_cron(self._server, name)

    def trigger_cron(self, name: str) -> RunInfo:
        """Start one run of it now, also while it is suspended."""
        return run_info(creation.start_from_cron(self._server, name))

    # --- workflow templates

    def apply_template(self, manifest: Manifest) -> None:
        """Create the WorkflowTemplate, or make the existing one of that name like this manifest."""
        creation.apply(self._server, Kind.TEMPLATE, manifest)

    def get_template(self, name: str) -> Mapping[str, Any]:
        """The WorkflowTemplate as it is now."""
        return self._server.get(Kind.TEMPLATE, name)

    def delete_template(self, name: str) -> None:
        """Remove it."""
        self._server.delete(Kind.TEMPLATE, name)

    # --- helpers

    def _run(self, request: Request) -> RunInfo:
        return run_info(self._server.ask(request))

    def _resume_all(self, run: RunInfo) -> RunInfo:
        refuse_unanswered(run.nodes.values())
        return self._run(api.resume(self.namespace, run.name))

    def _shut_down(self, request: Request, name: str) -> RunInfo:
        try:
            there = self._server.ask(request)
        except Rejected:
            run = self.get(name)
            if not run.ended:
                raise
            return run  # it had ended before we came
        if there.get("spec", {}).get("suspend"):
            # The controller looks no further at a suspended workflow, not even to end it.
            return self._resume_all(self.get(name))
        return run_info(there)


def _created(run: RunInfo) -> float:
    return run.created_at.timestamp() if run.created_at else 0.0
