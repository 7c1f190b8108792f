"""`LocalBackend`: the backend protocol over processes of this machine."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from couler_jobs.backends.asked import answered, refuse_unanswered
from couler_jobs.backends.ended import refuse_ended
from couler_jobs.backends.local import launching, logs, names
from couler_jobs.backends.local.cache import Cache
from couler_jobs.backends.local.config_map_values import fill_from_config_maps
from couler_jobs.backends.local.cron_store import CronStore
from couler_jobs.backends.local.crons import Crons
from couler_jobs.backends.local.engine import Engine, reset_for_retry
from couler_jobs.backends.local.home import open_home
from couler_jobs.backends.local.references import References, unmet
from couler_jobs.backends.local.step_folder import step_folder
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.backends.local.supported import refuse_unsupported
from couler_jobs.backends.local.template_refs import standalone
from couler_jobs.backends.local.values import Request
from couler_jobs.backends.local.workflow_templates import WorkflowTemplates
from couler_jobs.errors import NotFound, Rejected, Unavailable
from couler_jobs.spec.status import LogLine, Manifest, Phase, RunInfo

FOLLOWS = "4.1.2"
"""The Argo version whose behaviour the engine has."""

_PAGE = 200
_LOOK_EVERY = 0.1  # seconds between two looks at a run that is watched
_END_WITHIN = 60.0  # seconds for a run that is deleted to end

_logger = logging.getLogger("couler_jobs")


class LocalBackend(Crons):
    """Workflows as processes of this machine, below `home` (`COULER_JOBS_HOME`)."""

    name = "local"

    def __init__(self, home: Path | None = None) -> None:
        self.home = open_home(home)
        self._store = Store(self.home.database)
        self.crons = CronStore(self._store)

    @cached_property
    def cache(self) -> Cache:
        """What `memoize` remembers on this machine."""
        return Cache(self.home, self._store)

    @cached_property
    def templates(self) -> WorkflowTemplates:
        """The workflow templates of this machine."""
        return WorkflowTemplates(self._store)

    def version(self) -> str:
        """The Argo version whose behaviour the engine has."""
        return FOLLOWS

    def lint(self, manifest: Manifest) -> None:
        """Raise `Rejected` if the manifest cannot run on this machine."""
        if manifest.get("kind") == "CronWorkflow":
            self.lint_cron(manifest)
            return
        if manifest.get("kind") == "WorkflowTemplate":
            self._check_template(manifest)
            return
        self._checked(manifest, names.choose(manifest), str(uuid.uuid4()), time.time())

    # --- starting

    def submit(self, manifest: Manifest) -> RunInfo:
        """Store the run, start its supervisor, and answer at once."""
        return self._submit(manifest, names.choose(manifest))

    def _submit(self, manifest: Manifest, name: str) -> RunInfo:
        uid, now = str(uuid.uuid4()), time.time()
        stored = self._checked(manifest, name, uid, now)
        run = StoredRun(
            uid=uid,
            name=name,
            created_at=now,
            manifest=stored,
            suspended=bool(stored["spec"].get("suspend")),
            asked_at=now,
        )
        with contextlib.suppress(NotFound):
            self._look_after(name)  # one that has outlived its time leaves its name
        self._store.add(run)
        try:
            launching.start_supervisor(self.home, run.uid)
        except Unavailable:
            self._forget(run.uid)  # it never ran, so it never was
            raise
        _logger.info(
            "%s runs as processes of this machine: container images are not used, so every "
            "command must exist here.",
            name,
        )
        return run.info()

    def _checked(self, manifest: Manifest, name: str, uid: str, now: float) -> dict[str, Any]:
        """The manifest as it is stored, with its name; `Rejected` if it cannot run here."""
        if manifest.get("kind") != "Workflow":
            raise Rejected(f"This is a {manifest.get('kind')}, not a Workflow: it cannot be run.")
        stored = self.complete(manifest)
        stored["metadata"] = {**(stored.get("metadata") or {}), "name": name}
        refuse_unsupported(stored)
        engine = Engine(stored, name=name, uid=uid, created_at=now)
        if "workflowMetadata" in stored["spec"]:
            stored["spec"]["workflowMetadata"] = engine.metadata
        for sentence in unmet(stored["spec"], References(self.home.root), "spec"):
            raise Rejected(sentence)
        return stored

    def resolved(self, manifest: Manifest) -> dict[str, Any]:
        """A copy in which templates stand for the references to them; `Rejected`."""
        return standalone(manifest, lambda name: self.templates.find(name))

    def complete(self, manifest: Manifest) -> dict[str, Any]:
        """A copy for one run: the same, with the values that lie in config maps; `Rejected`."""
        whole = self.resolved(manifest)
        if isinstance(whole.get("spec"), dict):
            fill_from_config_maps(whole["spec"], References(self.home.root))
        return whole

    def resubmit(self, name: str) -> RunInfo:
        """Run the manifest again under a new name."""
        run = self._look_after(name)
        return self._submit(run.manifest, names.again(run.manifest, name))

    def retry(self, name: str) -> RunInfo:
        """Go on from the nodes that succeeded. `Rejected` unless the run failed."""
        run = self._look_after(name)
        if run.phase not in (Phase.FAILED, Phase.ERROR):
            raise Rejected(
                f"{name} is {run.phase}: only a workflow that failed or ended in error can be "
                "retried."
            )
        before = self._store.nodes(run.uid)
        kept = reset_for_retry(run.manifest, before)
        self._forget_folders(run.uid, {n.name for n in before} - {n.name for n in kept})
        self._store.restart(run.uid, kept, time.time())
        launching.start_supervisor(self.home, run.uid)
        return self.get(name)

    # --- looking

    def artifact_path(self, info: RunInfo, artifact: Any) -> Path | None:
        """Where it lies in the run's folder; None for one that is fetched from elsewhere."""
        key = artifact.get("key") if isinstance(artifact, Mapping) else artifact
        return self.home.run(info.uid).artifacts / key if key else None

    def get(self, name: str) -> RunInfo:
        """The run with its nodes."""
        run = self._look_after(name)
        return run.info(self._store.nodes(run.uid))

    def list(self, labels: Mapping[str, str] | None = None) -> Iterator[RunInfo]:
        """Runs that carry the labels, newest first, without nodes."""
        last = None
        while page := self._store.page(labels or {}, after=last, size=_PAGE):
            for run in page:
                if self._is_over(run):
                    continue
                yield launching.look_after(self.home, self._store, run).info()
            last = (page[-1].created_at, page[-1].uid)

    def watch(self, name: str) -> Iterator[RunInfo]:
        """The run now and after each change, until it has ended. `NotFound` once it is deleted."""
        uid = self._look_after(name).uid
        revision = None
        while True:
            current = self._store.revision(uid)
            if current != revision:
                revision = current
                info = self._by_uid(uid)
                yield info
                if info.ended:
                    return
            else:
                launching.look_after(self.home, self._store, self._store.by_uid(uid))
                time.sleep(_LOOK_EVERY)

    def logs(
        self, name: str, node: str | None = None, *, follow: bool = False
    ) -> Iterator[LogLine]:
        """The lines of one step, of all below one node, or of all steps."""
        run = self.get(name)
        folder = self.home.run(run.uid)
        if not follow:
            return logs.read(folder, run, node)
        return logs.follow(folder, lambda: self._looks(run.uid), node)

    def _looks(self, uid: str) -> Iterator[RunInfo]:
        while True:
            began = time.monotonic()
            info = self._by_uid(uid)
            cost = time.monotonic() - began
            yield info
            if info.ended:
                return
            time.sleep(max(_LOOK_EVERY, 4 * cost))  # a huge run must not keep a core busy

    def _by_uid(self, uid: str) -> RunInfo:
        run = launching.look_after(self.home, self._store, self._store.by_uid(uid))
        return run.info(self._store.nodes(uid))

    def _look_after(self, name: str) -> StoredRun:
        run = self._store.find(name)
        if self._is_over(run):
            return self._store.find(name)  # which says that it is not there
        return launching.look_after(self.home, self._store, run)

    def _is_over(self, run: StoredRun) -> bool:
        """Whether a run has outlived its `ttlStrategy`: whoever looks at it next deletes it."""
        over = run.expires_at is not None and run.expires_at <= time.time()
        if over:
            self._forget(run.uid)
        return over

    def forget_expired(self) -> None:
        """Delete every run that has outlived its `ttlStrategy`."""
        for uid in self._store.expired(time.time()):
            self._forget(uid)

    # --- steering

    def stop(self, name: str) -> RunInfo:
        """End it gently; nothing happens to one that has ended."""
        return self._ask(name, Request(action="stop", at=time.time()), shutdown="Stop")

    def terminate(self, name: str) -> RunInfo:
        """End it at once; nothing happens to one that has ended."""
        return self._ask(name, Request(action="terminate", at=time.time()), shutdown="Terminate")

    def suspend(self, name: str) -> RunInfo:
        """Start no further step until it is resumed. `Rejected` for one that has ended."""
        refuse_ended(self.get(name), "suspended")
        return self._ask(name, Request(action="suspend", at=time.time()), suspended=True)

    def resume(
        self, name: str, node: str | None = None, answers: Mapping[str, str] | None = None
    ) -> RunInfo:
        """Go on; past one suspend node if `node` names it, `NotFound` if there is none."""
        run = self.get(name)
        refuse_ended(run, "resumed")
        if node is None:
            refuse_unanswered(run.nodes.values())
            return self._ask(name, Request(action="resume", at=time.time()), suspended=False)
        found = run.nodes.get(node)
        if found is None or found.type != "Suspend":
            raise NotFound(f"{name} has no suspend node named {node} (yet).")
        said = answered(found, answers or {}) if found.waits else {}
        request = Request(action="resume", at=time.time(), node=node, parameters=said)
        return self._ask(name, request)

    def _ask(self, name: str, request: Request, **changes: Any) -> RunInfo:
        run = self._look_after(name)
        if not run.phase.ended and run.shutdown != "Terminate":
            self._store.ask(run.uid, request, **changes)
            launching.wake(self.home, run.uid)
        return self._by_uid(run.uid)

    # --- workflow templates

    def apply_template(self, manifest: Manifest) -> None:
        """Store the WorkflowTemplate, in place of one of that name."""
        self._check_template(manifest)
        self.templates.apply(manifest)

    def _check_template(self, manifest: Manifest) -> None:
        if manifest.get("kind") != "WorkflowTemplate":
            raise Rejected(f"This is a {manifest.get('kind')}, not a WorkflowTemplate.")
        if not (manifest.get("metadata") or {}).get("name"):
            raise Rejected("A WorkflowTemplate needs a name of its own: set metadata.name.")
        names.choose(manifest)
        refuse_unsupported({**self.resolved(manifest), "kind": "Workflow"})

    def get_template(self, name: str) -> Manifest:
        """The WorkflowTemplate as it was stored."""
        return self.templates.get(name)

    def delete_template(self, name: str) -> None:
        """Forget it; runs and schedules that were made of it stay."""
        self.templates.delete(name)

    # --- forgetting

    def delete(self, name: str) -> None:
        """End it if it runs, and forget it, its logs and its files."""
        run = self._look_after(name)
        if not run.phase.ended:
            self.terminate(name)
            self._wait_for_end(run)
        self._forget(run.uid)

    def _wait_for_end(self, run: StoredRun) -> None:
        deadline = time.monotonic() + _END_WITHIN
        for info in self._looks(run.uid):
            if not info.ended and time.monotonic() > deadline:
                raise Unavailable(f"{run.name} has not ended yet and was not deleted: try again.")

    def _forget(self, uid: str) -> None:
        self._store.delete(uid)
        shutil.rmtree(self.home.run(uid).root, ignore_errors=True)

    def _forget_folders(self, uid: str, nodes: set[str]) -> None:
        for node in nodes:
            folder = step_folder(self.home.run(uid), node)
            shutil.rmtree(folder.root, ignore_errors=True)
