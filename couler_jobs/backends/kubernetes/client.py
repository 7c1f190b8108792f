"""Runs workflows through the Kubernetes API, for sites without an Argo Server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couler_jobs.backends import submissions
from couler_jobs.backends.argo_server.answers import Conflict
from couler_jobs.backends.asked import answered
from couler_jobs.backends.base import Backend
from couler_jobs.backends.ended import refuse_ended
from couler_jobs.backends.kubernetes import derived, nodes, secrets, streams
from couler_jobs.backends.kubernetes.checks import check_cron, check_workflow
from couler_jobs.backends.kubernetes.objects import Object, Objects, Resource, meta
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)
from couler_jobs.once import once
from couler_jobs.spec.parse import cron_info, run_info
from couler_jobs.spec.secret import Secret
from couler_jobs.spec.status import CronInfo, LogLine, Manifest, RunInfo

if TYPE_CHECKING:
    from couler_jobs.config import Settings

WHERE = "Kubernetes"
TRIES = 5
"""How often a change is made again that somebody else's change came before."""

_PROBE: Manifest = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "couler-jobs-probe"},
}
_TEMPLATE = {"name": "main", "container": {"image": "x", "command": ["x"]}}


class KubernetesBackend(Backend):
    """Argo Workflows by its custom resources, without Argo Server. Safe for threads.

    What Argo Server checks before it creates is not checked by Kubernetes: `checks` does the part
    that would else end in silence, and unknown fields are refused where the cluster knows them.
    """

    name = "kubernetes"

    def __init__(
        self,
        objects: Objects,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._objects, self._now = objects, now
        self._place = streams.Place(objects=objects, sleep=sleep, clock=clock)

    @classmethod
    def from_settings(cls, settings: Settings) -> KubernetesBackend:
        """The cluster of the kubeconfig (KUBECONFIG, else ~/.kube/config), else this pod's own.

        The namespace is the settings', else the context's or the pod's, else "default".
        Raises ConfigError where there is no way to a cluster.
        """
        from couler_jobs.backends.kubernetes.http import HttpObjects

        return cls(HttpObjects.from_settings(settings))

    def __repr__(self) -> str:
        return f"KubernetesBackend({self._objects!r})"

    # --- the cluster

    @property
    def address(self) -> str:
        """The URL of the cluster."""
        return self._objects.address

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace that runs go to."""
        return self._objects.namespace

    def version(self) -> str:
        """The Argo version to compile for: "4.1", "4.0" or "3.7". Asked for once.

        Kubernetes does not know the controller's version, but the fields of its workflows, which
        dry runs tell. Where it knows none (the minimal definitions of Argo 3.x, or of a 4.x
        installed with them) it is "3.7": what is written for that, Argo 3.6 to 4.1 understand.
        """
        return self._version

    def lint(self, manifest: Manifest) -> None:
        """Raise `Rejected` for what Kubernetes, or Argo afterwards, would not take."""
        is_cron = manifest.get("kind") == "CronWorkflow"
        (check_cron if is_cron else check_workflow)(manifest)
        resource = Resource.CRON if is_cron else Resource.WORKFLOW
        try:
            self._objects.create(resource, self._here(manifest), dry=True)
        except AlreadyExists:
            return  # Kubernetes has looked at it, and another one has the name

    def dry_run(self, manifest: Manifest) -> RunInfo:
        """Have the cluster check a Workflow as if it were created; nothing is stored."""
        return run_info(self._objects.create(Resource.WORKFLOW, self._here(manifest), dry=True))

    def make_secret(self, secret: Secret) -> None:
        """Create a Secret, or change one that was made so; `Rejected` for somebody else's."""
        secrets.make(self._objects, secret)

    # --- workflows

    def submit(self, manifest: Manifest) -> RunInfo:
        """Start a Workflow manifest; a `generateName` becomes a name before it is sent."""
        ours = submissions.named(manifest, self.namespace, WHERE)
        check_workflow(ours)
        name = ours["metadata"]["name"]
        return run_info(
            submissions.Submission(
                where=WHERE,
                name=name,
                mark=ours["metadata"]["annotations"][submissions.SUBMISSION],
                create=lambda: self._objects.create(Resource.WORKFLOW, ours),
                get=lambda: self._objects.get(Resource.WORKFLOW, name),
                sleep=self._place.sleep,
                clock=self._place.clock,
            ).settle()
        )

    def get(self, name: str) -> RunInfo:
        """The workflow as it is now, with its nodes; `Rejected` if they are in Argo's database."""
        return run_info(self._place.workflow(name))

    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        """All workflows that carry the labels, newest first, without nodes.

        Kubernetes gives them by name, so all are read before the first one comes.
        """
        found = self._place.pages(Resource.WORKFLOW, labels or {})
        plain = [run_info(nodes.without_nodes(one)) for one in found]
        yield from sorted(plain, key=_created, reverse=True)

    def watch(self, name: str) -> Iterator[RunInfo]:
        """The workflow each time that it changed, beginning with now; stops at its end."""
        yield from streams.runs(self._place, name)

    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        """The lines that steps printed, pod by pod; of the node and what is inside it."""
        yield from streams.Log(self._place, name, node).lines(follow=follow)

    def stop(self, name: str) -> RunInfo:
        """End it gently: its exit handler runs."""
        return self._shut_down(name, "Stop")

    def terminate(self, name: str) -> RunInfo:
        """End it at once: no exit handler runs."""
        return self._shut_down(name, "Terminate")

    def suspend(self, name: str) -> RunInfo:
        """Start no further step until it is resumed."""
        refuse_ended(self.get(name), "suspended")
        return self._changed(name, {"spec": {"suspend": True}})

    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        """Go on after `suspend`, or past suspend templates (all, or the node of that name)."""
        for _ in range(TRIES):
            with contextlib.suppress(Conflict):  # the controller was quicker: once more
                return self._resume(name, node, answers or {})
        raise Unavailable(f"Workflow {name} changes too quickly to be resumed; try again later.")

    def retry(self, name: str) -> RunInfo:
        """Not possible here: `Rejected`.

        Argo Server and the argo command line rebuild the tree of nodes for a retry and delete
        pods; Kubernetes has no such call. `resubmit` runs all of it again.
        """
        run = self.get(name)
        if run.phase not in ("Failed", "Error"):
            raise Rejected(f"Workflow {name} is {run.phase}: only a failed one can be retried.")
        raise Rejected(
            f"Workflow {name} cannot be retried through the Kubernetes API: set ARGO_SERVER and "
            "use argo-server, or call `argo retry`; or resubmit it, which runs all of it again."
        )

    def resubmit(self, name: str) -> RunInfo:
        """Run the whole of it again, under a new name."""
        there = self._objects.get(Resource.WORKFLOW, name)
        return self.submit(derived.resubmission(there, submissions.SUBMISSION))

    def delete(self, name: str) -> None:
        """End it if it runs, and forget it with its pods and their logs."""
        self._objects.delete(Resource.WORKFLOW, name)

    # --- cron workflows

    def apply_cron(self, manifest: Manifest) -> CronInfo:
        """Create the CronWorkflow, or make the existing one of that name like this manifest."""
        check_cron(manifest)
        ours = self._here(manifest)
        return cron_info(self._applied(Resource.CRON, ours))

    def get_cron(self, name: str) -> CronInfo:
        """The cron workflow as it is now."""
        return cron_info(self._objects.get(Resource.CRON, name))

    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        """All cron workflows that carry the labels."""
        yield from map(cron_info, self._place.pages(Resource.CRON, labels or {}))

    def suspend_cron(self, name: str) -> CronInfo:
        """Start no run of it until it is resumed."""
        return self._pause_cron(name, paused=True)

    def resume_cron(self, name: str) -> CronInfo:
        """Start runs of it again, from the next tick on."""
        return self._pause_cron(name, paused=False)

    def delete_cron(self, name: str, wait: float = 5.0) -> None:
        """Remove it; its runs stay.

        It goes only once the cluster's garbage collector has let go of the runs, and would fire
        until then, so it is suspended first: and resumed, if it then cannot be removed. Where no
        collector runs, its mark is taken off.
        """
        ticked = not self.get_cron(name).suspended
        try:
            with contextlib.suppress(Rejected, Unavailable, Forbidden):
                self.suspend_cron(name)
            self._objects.delete(Resource.CRON, name, orphan=True)
        except BackendError:
            if ticked:
                with contextlib.suppress(BackendError):
                    self.resume_cron(name)
            raise
        deadline = self._place.clock() + wait
        with contextlib.suppress(NotFound):
            while self._objects.get(Resource.CRON, name):
                if self._place.clock() > deadline:
                    self._objects.patch(Resource.CRON, name, {"metadata": {"finalizers": []}})
                    return
                self._place.sleep(0.25)

    def trigger_cron(self, name: str) -> RunInfo:
        """Start one run of it now, also while it is suspended."""
        there = self._objects.get(Resource.CRON, name)
        return self.submit(derived.tick(there, self._now()))

    # --- workflow templates

    def apply_template(self, manifest: Manifest) -> None:
        """Create the WorkflowTemplate, or make the existing one of that name like this manifest."""
        self._applied(Resource.TEMPLATE, self._here(manifest))

    def get_template(self, name: str) -> Manifest:
        """The WorkflowTemplate as it is now."""
        return self._objects.get(Resource.TEMPLATE, name)

    def delete_template(self, name: str) -> None:
        """Remove it; runs that were made of it stay."""
        self._objects.delete(Resource.TEMPLATE, name)

    # --- helpers

    @once
    def _version(self) -> str:
        if self._takes({"coulerJobsProbe": 1}, {}):
            return "3.7"  # it looks at no field
        return "4.1" if self._takes({}, {"pendingTimeout": "1h"}) else "4.0"

    def _takes(self, more: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
        """Whether the cluster knows fields of a workflow's spec and of a template."""
        spec = {"entrypoint": "main", "templates": [{**_TEMPLATE, **template}], **more}
        try:
            self._objects.create(Resource.WORKFLOW, self._here({**_PROBE, "spec": spec}), dry=True)
        except Rejected:
            return False
        return True

    def _here(self, manifest: Manifest) -> Object:
        return submissions.in_namespace(manifest, self.namespace, WHERE)

    def _changed(self, name: str, change: Object) -> RunInfo:
        return run_info(nodes.unpacked(self._objects.patch(Resource.WORKFLOW, name, change)))

    def _shut_down(self, name: str, how: str) -> RunInfo:
        run = run_info(nodes.without_nodes(self._objects.get(Resource.WORKFLOW, name)))
        if run.ended or (run.shutdown in (how, "Terminate") and not run.suspended):
            return self.get(name)
        how = run.shutdown if run.shutdown == "Terminate" else how
        # The controller looks no further at a suspended workflow, not even to end it.
        return self._changed(name, {"spec": {"shutdown": how, "suspend": None}})

    def _resume(self, name: str, node: str | None, said: Mapping[str, str]) -> RunInfo:
        there = self._objects.get(Resource.WORKFLOW, name)
        run = run_info(nodes.unpacked(there))
        refuse_ended(run, "resumed")
        if node is not None:
            if node not in run.nodes:
                raise NotFound(f"Workflow {name} has no node {node}.")
            said = answered(run.nodes[node], said)
        change: Object = {"metadata": {"resourceVersion": meta(there).get("resourceVersion")}}
        if node is None and (there.get("spec") or {}).get("suspend"):
            change["spec"] = {"suspend": None}
        if status := nodes.passed(there, node, self._now(), said):
            change["status"] = status
        return self._changed(name, change) if len(change) > 1 else run

    def _applied(self, resource: Resource, manifest: Object) -> Object:
        try:
            return self._objects.create(resource, manifest)
        except (AlreadyExists, Unavailable) as error:
            try:
                return self._made_alike(resource, manifest)
            except NotFound:
                raise error from None  # the create did nothing, so its own end is the news

    def _made_alike(self, resource: Resource, manifest: Object) -> Object:
        name = manifest["metadata"]["name"]
        for _ in range(TRIES):
            there = self._objects.get(resource, name)
            with contextlib.suppress(Conflict):  # its controller was quicker: once more
                return self._objects.replace(resource, submissions.merged(there, manifest))
        words = resource.words.capitalize()
        raise Unavailable(f"{words} {name} changes too quickly; try again later.")

    def _pause_cron(self, name: str, *, paused: bool) -> CronInfo:
        return cron_info(self._objects.patch(Resource.CRON, name, {"spec": {"suspend": paused}}))


def _created(run: RunInfo) -> float:
    return run.created_at.timestamp() if run.created_at else 0.0
