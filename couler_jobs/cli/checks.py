"""What `couler-jobs doctor` looks at. Each check answers findings and raises nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from couler_jobs.backends.choose import choose, chosen_name
from couler_jobs.cli.places import enabled_by, file_system_of, is_remote, scheduler_database
from couler_jobs.config import Settings
from couler_jobs.errors import BackendError, ConfigError, CoulerJobsError

if TYPE_CHECKING:
    from couler_jobs.backends.argo_server.client import ArgoServerBackend
    from couler_jobs.backends.kubernetes.client import KubernetesBackend
    from couler_jobs.backends.local.home import Home

Status = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. Only an error keeps something from working."""

    about: str
    status: Status
    message: str


def ok(about: str, message: str) -> Finding:
    """As it should be."""
    return Finding(about=about, status="ok", message=message)


def warning(about: str, message: str) -> Finding:
    """Works, but not all of it, or not for ever."""
    return Finding(about=about, status="warning", message=message)


def wrong(about: str, message: str) -> Finding:
    """Does not work."""
    return Finding(about=about, status="error", message=message)


def examine_all(backend: str | None = None, namespace: str | None = None) -> Iterator[Finding]:
    """Everything, in the order in which it matters."""
    try:
        settings = Settings.load(namespace=namespace)
    except ConfigError as error:
        yield wrong("settings", str(error))
        return
    name = backend or chosen_name(settings)
    yield ok("engine", f"{name}, because {_why(backend, settings)}.")
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        *([("server", partial(SERVERS[name], settings))] if name in SERVERS else []),
        ("state folder", lambda: of_home(settings.home)),
        ("time zones", of_time_zones),
        ("notebooks", of_notebooks),
        ("jupyterlab", of_jupyter),
        ("scheduler database", of_database),
        ("environments", of_environments),
    ]
    for about, check in checks:
        yield from _safely(about, check)


def _safely(about: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except CoulerJobsError as error:
        yield wrong(about, str(error))
    except Exception as error:  # what is broken must not keep the rest from being looked at
        yield wrong(about, f"It could not be looked at: {type(error).__name__}: {error}.")


def _why(backend: str | None, settings: Settings) -> str:
    if backend:
        return "--backend says so"
    if settings.backend:
        return f"COULER_JOBS_BACKEND says so (from {settings.origin('backend')})"
    if settings.server:
        return f"ARGO_SERVER names a server (from {settings.origin('server')})"
    return "nothing else is configured: ARGO_SERVER is not set"


# --- Argo


def of_cluster(settings: Settings) -> Iterator[Finding]:
    """The cluster, what its workflows are made for, the namespace, and what one may do there."""
    place: Any = choose("kubernetes", settings)
    try:
        version = place.version()
    except BackendError as error:
        yield wrong("server", f"{place.address} does not answer as it should. {error}")
        return
    yield ok(
        "server",
        f"Kubernetes at {place.address} takes workflows of Argo {version}; "
        f"namespace {place.namespace}.",
    )
    yield from _of_rights(place)


def of_server(settings: Settings) -> Iterator[Finding]:
    """The server, its version, the namespace, who is asking, and what they may do."""
    place: Any = choose("argo-server", settings)
    try:
        version = place.version()
    except BackendError as error:
        yield wrong("server", f"{settings.url} does not answer as it should. {error}")
        return
    yield ok("server", f"{settings.url} runs Argo {version}; namespace {place.namespace}.")
    yield from _of_identity(place)
    yield from _of_rights(place)


def _of_identity(place: ArgoServerBackend) -> Iterator[Finding]:
    try:
        who = place.userinfo()
    except BackendError as error:
        yield warning("identity", f"The server does not say who you are. {error}")
        return
    name = who.get("email") or who.get("name") or who.get("subject")
    account = who.get("serviceAccountName")
    said = f"{name or 'nobody in particular (no single sign-on)'}"
    yield ok("identity", f"You are {said}{f', service account {account}' if account else ''}.")


PROBE: Mapping[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "couler-jobs-doctor-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "python", "command": ["true"]}}],
    },
}
"""Only ever sent as a dry run: nothing is stored."""


def _of_rights(place: ArgoServerBackend | KubernetesBackend) -> Iterator[Finding]:
    mine = {"argo-workflows-executor/job-id": "doctor"}
    for what, ask in (
        ("submit workflows to", lambda: place.dry_run(PROBE)),
        ("list the workflows of", lambda: any(place.list(mine))),
        ("list the schedules of", lambda: any(place.list_crons(mine))),
    ):
        try:
            ask()
        except BackendError as error:
            yield wrong("rights", f"You may not {what} {place.namespace}. {error}")
        else:
            yield ok("rights", f"You may {what} {place.namespace}.")


SERVERS: Mapping[str, Callable[[Settings], Iterator[Finding]]] = {
    "argo-server": of_server,
    "kubernetes": of_cluster,
}
"""The check of each backend that is not this machine."""


# --- this machine


def of_home(root: Path) -> Iterator[Finding]:
    """The state folder: writable, with locks and WAL; and the daemon that starts schedules."""
    from couler_jobs.backends.local.home import open_home

    if not root.exists():
        yield _to_be_made(root)
        return
    home = open_home(root)
    yield _of_locks(root)
    if home.database.exists():
        yield from _of_daemon(home)


def _to_be_made(root: Path) -> Finding:
    parent = next(folder for folder in root.absolute().parents if folder.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return ok("state folder", f"{root} is made at the first run.")
    return wrong(
        "state folder",
        f"{root} cannot be made, since {parent} is not writable: set COULER_JOBS_HOME.",
    )


def _of_locks(root: Path) -> Finding:
    kind = file_system_of(root)
    try:
        mode = _journal_after_trying(root)
    except sqlite3.Error as error:
        return wrong(
            "state folder",
            f"A database in {root} ({kind}) cannot be locked ({error}): set COULER_JOBS_HOME to a "
            "folder on a local disk.",
        )
    if is_remote(kind) or mode != "wal":
        return warning(
            "state folder",
            f"{root} is on {kind}, where SQLite's locks and WAL (here: {mode}) cannot be relied "
            "on: set COULER_JOBS_HOME to a folder on a local disk.",
        )
    return ok("state folder", f"{root} ({kind}) is writable, and has locks and WAL.")


def _journal_after_trying(root: Path) -> str:
    probe = root / f".doctor-{os.getpid()}.sqlite"
    try:
        with contextlib.closing(sqlite3.connect(probe, timeout=2, isolation_level=None)) as one:
            mode = str(one.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            one.execute("BEGIN IMMEDIATE")
            one.execute("CREATE TABLE probe (x)")
            one.execute("COMMIT")
        return mode
    finally:
        for path in root.glob(f"{probe.name}*"):
            path.unlink(missing_ok=True)


def _of_daemon(home: Home) -> Iterator[Finding]:
    from couler_jobs.backends.local import daemon
    from couler_jobs.backends.local.client import LocalBackend

    crons = LocalBackend(home.root).crons.all()
    running = daemon.running(home)
    if running is not None:
        yield ok("daemon", f"Process {running.pid} serves {_counted(len(crons), 'schedule')}.")
    elif crons:
        yield warning(
            "daemon",
            f"No daemon runs, and {_counted(len(crons), 'schedule')} would need it: "
            "`couler-jobs schedule list` starts it again.",
        )
    else:
        yield ok("daemon", "None runs, and there is no schedule that needs it.")
    for cron in crons:
        if (cron.last_tick or 0) > time.time() + 60:
            yield warning(
                "daemon",
                f"The schedule {cron.name} ran last at a time that is yet to come (the clock was "
                "set back) and waits until then: delete it and apply it again.",
            )


def of_time_zones() -> Iterator[Finding]:
    """The names of time zones, which schedules need."""
    import zoneinfo

    known = zoneinfo.available_timezones()
    if "Europe/Paris" in known:
        yield ok("time zones", f"{len(known)} are known.")
    else:
        yield wrong("time zones", "None is known: install the package tzdata.")


# --- notebooks


def of_notebooks() -> Iterator[Finding]:
    """What notebook jobs need in this environment."""
    versions = {name: _version(name) for name in ("papermill", "ipykernel", "nbconvert")}
    missing = [name for name, version in versions.items() if not version]
    if missing:
        yield warning(
            "notebooks", f"Notebooks do not run in this environment: install {', '.join(missing)}."
        )
    else:
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield ok("notebooks", f"They can run in this environment: {listed}.")


def of_jupyter() -> Iterator[Finding]:
    """Whether JupyterLab's scheduler uses this package."""
    version = _version("jupyter_scheduler")
    if not version:
        yield warning("jupyterlab", "jupyter_scheduler is not installed here: no notebook jobs.")
        return
    found = enabled_by()
    if found is None:
        yield warning(
            "jupyterlab",
            f"jupyter_scheduler {version} does not use this package: reinstall it in JupyterLab's "
            "environment, or set c.SchedulerApp.scheduler_class to "
            "scheduler_plugin.scheduler.ArgoScheduler.",
        )
    else:
        yield ok("jupyterlab", f"jupyter_scheduler {version} uses this package, by {found}.")


def of_database() -> Iterator[Finding]:
    """jupyter_scheduler's database: where it is, and whether it can be shared with a pod."""
    if not _version("jupyter_scheduler"):
        return
    path = scheduler_database()
    if path is None:
        yield ok("scheduler database", "It is not a file (db_url is set).")
        return
    kind = file_system_of(path.parent)
    if is_remote(kind):
        yield warning(
            "scheduler database",
            f"{path} is on {kind}, whose locks cannot be relied on: set "
            "c.ArgoScheduler.outbox_only = True, so that only this server writes it.",
        )
    if not path.exists():
        yield ok("scheduler database", f"{path} is made when JupyterLab is first started.")
        return
    try:
        mode, jobs = _read_jobs(path)
    except sqlite3.Error as error:
        yield wrong(
            "scheduler database",
            f"{path} cannot be read ({error}), and JupyterLab starts without its scheduler: move "
            "the file away and start it again. Jobs whose workflows still exist come back.",
        )
        return
    if not os.access(path, os.W_OK):
        yield wrong("scheduler database", f"{path} is not writable: no job could be recorded.")
        return
    yield ok(
        "scheduler database", f"{path} ({kind}, journal mode {mode}) holds {_counted(jobs, 'job')}."
    )


def _read_jobs(path: Path) -> tuple[str, int]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=2)) as database:
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
        (jobs,) = database.execute("SELECT count(*) FROM jobs").fetchone()
        return str(mode), int(jobs)


def of_environments() -> Iterator[Finding]:
    """What a notebook job can choose to run in."""
    try:
        from scheduler_plugin.environments import Environments
    except ImportError as error:
        yield warning("environments", f"The plug-in for JupyterLab is not usable here ({error}).")
        return
    environments = Environments()
    names = [environment.name for environment in environments.all()]
    if environments.trouble:
        yield warning("environments", environments.trouble)
    if names:
        yield ok("environments", f"{', '.join(names)}.")
    else:
        yield warning("environments", "No kernel was found that a notebook could run with.")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
