"""The schedule half of the backend protocol on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.base import Backend
from couler_jobs.backends.local import daemon, names
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import CRON_LABEL, CronInfo, Manifest, RunInfo

if TYPE_CHECKING:
    from couler_jobs.backends.local.cron_store import CronStore, StoredCron
    from couler_jobs.backends.local.home import Home

NOT_HERE = ("when", "stopStrategy")
"""Fields of a CronWorkflow's spec that this machine's daemon does not know."""


class Crons(Backend):
    """What `LocalBackend` does with cron workflows; a daemon of the user's starts their runs."""

    home: Home
    crons: CronStore

    def apply_cron(self, manifest: Manifest) -> CronInfo:
        """Create it or make the one of that name like this manifest, and see that it ticks."""
        self.lint_cron(manifest)
        cron = self.crons.apply(_named(manifest), time.time())
        daemon.ensure(self.home)
        return self._cron_info(cron)

    def lint_cron(self, manifest: Manifest) -> None:
        """Raise `Rejected` if this machine could not run it on its schedule."""
        _named(manifest)
        spec = manifest.get("spec") or {}
        strange = [f"spec.{name}" for name in NOT_HERE if name in spec]
        if strange:
            raise Rejected(
                f"Schedules on this machine do not know {', '.join(strange)}: leave it out, "
                "or set ARGO_SERVER."
            )
        _check_schedule(spec)
        self.lint(
            {
                "kind": "Workflow",
                "metadata": {"name": "tick"},
                "spec": spec.get("workflowSpec") or {},
            }
        )

    def get_cron(self, name: str) -> CronInfo:
        """The cron workflow as it is now; its daemon is started again should it be gone."""
        cron = self.crons.find(name)
        daemon.look_after(self.home)
        return self._cron_info(cron)

    def list_crons(self, labels: Mapping[str, str] | None = None) -> Iterator[CronInfo]:
        """All cron workflows that carry the labels, by name."""
        found = [c for c in self.crons.all() if (labels or {}).items() <= dict(c.labels).items()]
        if found:
            daemon.look_after(self.home)
        return (self._cron_info(cron) for cron in found)

    def suspend_cron(self, name: str) -> CronInfo:
        """Start no run of it until it is resumed."""
        return self._cron_info(self.crons.suspend(name, True, time.time()))

    def resume_cron(self, name: str) -> CronInfo:
        """Start runs of it again, from the next tick on."""
        cron = self.crons.suspend(name, False, time.time())
        daemon.ensure(self.home)
        return self._cron_info(cron)

    def delete_cron(self, name: str) -> None:
        """Remove it; its runs stay."""
        self.crons.delete(name)
        daemon.wake(self.home)

    def trigger_cron(self, name: str) -> RunInfo:
        """Start one run of it now, also while it is suspended."""
        from couler_jobs.backends.local.ticking import run_manifest

        cron = self.crons.find(name)
        naming = {"name": names.generate(f"{name}-")}
        return self.submit(run_manifest(cron, naming, datetime.now(UTC)))

    def _cron_info(self, cron: StoredCron) -> CronInfo:
        from couler_jobs.backends.local.ticking import complaints

        runs = self.list({CRON_LABEL: cron.name})
        tick = cron.last_run
        return CronInfo(
            name=cron.name,
            uid=cron.uid,
            namespace=cron.manifest["metadata"].get("namespace") or "local",
            schedules=cron.schedules,
            timezone=cron.timezone,
            suspended=bool(cron.spec.get("suspend")),
            labels=dict(cron.labels),
            annotations=dict(cron.manifest["metadata"].get("annotations") or {}),
            last_scheduled_at=None if tick is None else datetime.fromtimestamp(tick, UTC),
            active=tuple(run.name for run in runs if not run.ended),
            resource_version=str(cron.revision),
            conditions=complaints(cron, time.time()),
        )


LONGEST = 52
"""Of a cron workflow's name, so that its runs' names fit (Argo's `validate.go`)."""


def _named(manifest: Manifest) -> Manifest:
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    if manifest.get("kind") != "CronWorkflow":
        raise Rejected(f"This is a {manifest.get('kind')}, not a CronWorkflow.")
    name = metadata.get("name")
    if not name:
        raise Rejected("A CronWorkflow needs a name of its own: set metadata.name.")
    names.choose(manifest)
    if len(name) > LONGEST:
        raise Rejected(
            f"The cron workflow name {name!r} has {len(name)} characters: at most {LONGEST}."
        )
    return manifest


def _check_schedule(spec: Mapping[str, Any]) -> None:
    from couler_jobs.spec.cron import CronError, is_zone, parse

    lines = spec.get("schedules") or ([spec["schedule"]] if spec.get("schedule") else [])
    if not lines:
        raise Rejected("A CronWorkflow needs at least one line in spec.schedules.")
    zone = spec.get("timezone") or ""
    if not is_zone(zone):
        raise Rejected(f"There is no time zone {zone!r}: use a name such as Europe/Paris.")
    try:
        for line in lines:
            parse(line)
    except CronError as error:
        raise Rejected(str(error)) from error
