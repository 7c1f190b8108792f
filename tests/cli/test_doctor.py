"""`couler-jobs doctor`: what it says of this machine, and of an Argo Server."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends import choose
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.cli import checks, main, places
from couler_jobs.cli.checks import Finding
from couler_jobs.errors import Forbidden, Unavailable
from couler_jobs.spec.status import Manifest, RunInfo
from tests.backends.kubernetes.memory import MemoryObjects, backend_of
from tests.backends.local.test_ticking import cron
from tests.runs.fake import FakeBackend, info

Output = pytest.CaptureFixture[str]
MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:30 / /home rw - nfs4 server:/home rw
23 22 0:31 / /home/a\040b rw - tmpfs tmpfs rw
24 21 0:32 / /mnt rw master:1 - fuse.sshfs host: rw
odd line
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and nothing configured."""
    for name in ("ARGO_SERVER", "COULER_JOBS_BACKEND", "ARGO_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    (tmp_path / "data").mkdir()
    configure(tmp_path, {"scheduler_class": places.OURS})
    return tmp_path


def configure(machine: Path, settings: Any) -> None:
    (machine / "config").mkdir(exist_ok=True)
    text = json.dumps({"SchedulerApp": settings})
    (machine / "config" / places.CONFIG).write_text(text, encoding="utf-8")


def finding(about: str, backend: str | None = None) -> Finding:
    found = [one for one in checks.examine_all(backend) if one.about == about]
    assert found, f"nothing was said of {about}"
    return found[-1]


class Server(FakeBackend):
    """An Argo Server: who is asking, and what it answers to a dry run."""

    namespace = "argo"

    def __init__(self, *, away: bool = False, forbidden: bool = False, known: bool = True) -> None:
        super().__init__()
        self.away, self.forbidden, self.known = away, forbidden, known

    def version(self) -> str:
        if self.away:
            raise Unavailable("Connection refused.")
        return "4.1.2"

    def userinfo(self) -> dict[str, str]:
        if not self.known:
            raise Unavailable("Not now.")
        return {"email": "ada@example.org", "serviceAccountName": "ada"}

    def dry_run(self, manifest: Manifest) -> RunInfo:
        if self.forbidden:
            raise Forbidden("Ask for the role argo-developer.")
        return info("w")


def serve(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("ARGO_SERVER", "argo.example.org:2746")
    monkeypatch.setitem(choose.MAKERS, "argo-server", lambda settings: server)


def test_a_machine_in_order_is_0_and_every_line_is_a_sentence(capsys: Output) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "ok       engine: local, because nothing else is configured: ARGO_SERVER is not set."
    )
    assert all(line.endswith(".") for line in lines)


def test_json_says_the_same(capsys: Output) -> None:
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert {"about", "status", "message"} == set(said["findings"][0])


@pytest.mark.parametrize(
    ("environment", "backend", "why"),
    [
        ({}, "local", "--backend says so"),
        ({"COULER_JOBS_BACKEND": "local"}, None, "COULER_JOBS_BACKEND says so (from environment)"),
        ({"ARGO_SERVER": "a:1"}, None, "ARGO_SERVER names a server (from environment)"),
    ],
)
def test_the_engine_and_why(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], backend: str | None, why: str
) -> None:
    serve(monkeypatch, Server())
    monkeypatch.delenv("ARGO_SERVER")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert why in finding("engine", backend).message


def test_a_setting_that_cannot_be_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ARGO_SERVER", "https://nowhere")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.startswith("error    settings: ARGO_SERVER")


# --- Argo


def test_the_server_who_asks_and_that_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Server())
    assert "runs Argo 4.1.2; namespace argo" in finding("server").message
    assert finding("identity").message == "You are ada@example.org, service account ada."
    assert finding("rights").status == "ok"


def test_a_server_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Server(away=True))
    assert finding("server").status == "error"
    assert "Connection refused" in finding("server").message
    assert main(["doctor"]) == 1


def test_who_may_not_submit_is_told_what_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Server(forbidden=True, known=False))
    assert finding("identity").status == "warning"
    rights = [one for one in checks.examine_all() if one.about == "rights"]
    assert rights[0].status == "error"
    assert "argo-developer" in rights[0].message


def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    """A cluster that `--backend kubernetes` leads to."""
    objects = MemoryObjects()
    objects.unknown = {"coulerJobsProbe"}
    monkeypatch.setitem(choose.MAKERS, "kubernetes", lambda settings: backend_of(objects))
    return objects


def test_the_cluster_its_namespace_and_every_right(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch)
    assert finding("server", "kubernetes").message == (
        "Kubernetes at https://cluster.example.org takes workflows of Argo 4.1; namespace lab."
    )
    rights = [one for one in checks.examine_all("kubernetes") if one.about == "rights"]
    assert [one.message for one in rights] == [
        "You may submit workflows to lab.",
        "You may list the workflows of lab.",
        "You may list the schedules of lab.",
    ]


def test_a_cluster_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch).faults["create"] = [Unavailable("Connection refused.")]
    found = finding("server", "kubernetes")
    assert (found.status, "Connection refused" in found.message) == ("error", True)


def test_a_right_that_is_missing_is_named_and_the_others_are_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster(monkeypatch).faults["page"] = [Forbidden("Ask an administrator.")]
    rights = [one for one in checks.examine_all("kubernetes") if one.about == "rights"]
    assert [one.status for one in rights] == ["ok", "error", "ok"]
    assert rights[1].message == "You may not list the workflows of lab. Ask an administrator."


# --- this machine


def test_a_state_folder_that_is_not_there_is_not_made(machine: Path) -> None:
    assert "is made at the first run" in finding("state folder").message
    assert not (machine / "state").exists()


def test_a_state_folder_that_cannot_be_made_is_an_error(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    assert finding("state folder").status == "error"


def test_a_state_folder_is_tried(machine: Path) -> None:
    (machine / "state").mkdir()
    assert "has locks and WAL" in finding("state folder").message
    assert list((machine / "state").glob(".doctor*")) == []


def test_a_state_folder_on_another_host_is_a_warning(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "state").mkdir()
    monkeypatch.setattr(checks, "file_system_of", lambda path: "nfs4")
    assert finding("state folder").status == "warning"
    assert "nfs4" in finding("state folder").message


def test_a_state_folder_without_locks_is_an_error(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(root: Path) -> str:
        raise sqlite3.OperationalError("locking protocol")

    (machine / "state").mkdir()
    monkeypatch.setattr(checks, "_journal_after_trying", refuse)
    assert "locking protocol" in finding("state folder").message


def test_a_state_folder_that_is_a_file_is_an_error(machine: Path) -> None:
    (machine / "state").write_text("")
    assert finding("state folder").status == "error"


def test_schedules_without_a_daemon_are_a_warning(machine: Path) -> None:
    backend = LocalBackend(machine / "state")
    assert "None runs" in finding("daemon").message
    backend.crons.apply(cron(), time.time())
    assert "1 schedule would need it" in finding("daemon").message


def test_the_daemon_is_named(machine: Path) -> None:
    from dataclasses import asdict

    from couler_jobs.backends.local.identity import own

    backend = LocalBackend(machine / "state")
    backend.home.cron_daemon.write_text(json.dumps(asdict(own())), encoding="utf-8")
    assert "serves 0 schedules" in finding("daemon").message


def test_a_schedule_that_waits_for_a_time_long_ahead_is_named(machine: Path) -> None:
    backend = LocalBackend(machine / "state")
    stored = backend.crons.apply(cron(), time.time())
    backend.crons.claim(stored, time.time() + 1e8)
    assert "yet to come" in finding("daemon").message


def test_a_machine_without_time_zones_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert "install the package tzdata" in finding("time zones").message


# --- notebooks


def test_what_notebooks_lack_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_version", lambda name: "" if name == "papermill" else "1")
    assert finding("notebooks").message.endswith("install papermill.")


def test_without_jupyter_scheduler_there_are_no_notebook_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "_version", lambda name: "")
    assert "is not installed here" in finding("jupyterlab").message


def test_a_scheduler_of_somebody_else_is_a_warning(machine: Path) -> None:
    assert "uses this package, by" in finding("jupyterlab").message
    configure(machine, {"scheduler_class": "other.Scheduler"})
    assert "does not use this package" in finding("jupyterlab").message


def test_a_configuration_that_cannot_be_read_counts_for_nothing(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "config" / places.CONFIG).write_text("{")
    monkeypatch.setattr("jupyter_core.paths.jupyter_config_path", lambda: [machine / "config"])
    assert places.enabled_by() is None


def test_a_database_that_is_not_there_yet_is_in_order(machine: Path) -> None:
    assert "is made when JupyterLab is first started" in finding("scheduler database").message


def test_the_database_is_read(machine: Path) -> None:
    path = machine / "data" / "scheduler.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (job_id)")
    database.close()
    found = finding("scheduler database")
    assert (found.status, str(path) in found.message) == ("ok", True)
    assert "journal mode delete) holds 0 jobs" in found.message


def test_a_database_that_is_none_is_an_error(machine: Path) -> None:
    (machine / "data" / "scheduler.sqlite").write_bytes(b"not a database" * 100)
    found = finding("scheduler database")
    assert (found.status, "move the file away" in found.message) == ("error", True)


def test_a_database_that_is_read_only_is_an_error(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_the_database_is_read(machine)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "not writable" in finding("scheduler database").message


def test_a_database_on_another_host_is_a_warning(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "file_system_of", lambda path: "cifs")
    found = [one for one in checks.examine_all() if one.about == "scheduler database"]
    assert (found[0].status, "cifs" in found[0].message) == ("warning", True)
    assert "c.ArgoScheduler.outbox_only = True" in found[0].message


def test_the_setting_that_the_doctor_names_is_one() -> None:
    from scheduler_plugin.config import Options

    assert "outbox_only" in Options.class_trait_names(config=True)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////somewhere/jobs.sqlite", Path("/somewhere/jobs.sqlite")),
        ("sqlite:///jobs.sqlite", Path("jobs.sqlite")),
        ("postgresql://host/jobs", None),
    ],
)
def test_the_database_that_is_configured_is_looked_at(
    machine: Path, url: str, path: Path | None
) -> None:
    configure(machine, {"db_url": url})
    assert places.scheduler_database() == path


def test_a_database_that_is_no_file_is_not_looked_at(machine: Path) -> None:
    configure(machine, {"db_url": "postgresql://host/jobs"})
    assert "is not a file" in finding("scheduler database").message


def test_a_machine_without_kernels_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "server" in finding("environments").message
    monkeypatch.setattr("scheduler_plugin.environments.Environments.all", lambda self: ())
    assert finding("environments").status == "warning"


def test_a_check_that_breaks_does_not_keep_the_others_from_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", None)
    assert "could not be looked at: TypeError" in finding("time zones").message
    assert finding("environments").status == "ok"


# --- file systems


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/homestead", "ext4"),
        ("/home/ada/x", "nfs4"),
        ("/home/a b/c", "tmpfs"),
        ("/mnt", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    assert places.file_system_of(Path(path), MOUNTS) == kind


def test_a_machine_that_tells_no_mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "MOUNTS", tmp_path / "none")
    assert places.file_system_of(tmp_path) == "unknown"


@pytest.mark.parametrize(
    ("kind", "remote"),
    [("nfs4", True), ("fuse.sshfs", True), ("cifs", True), ("ext4", False), ("overlay", False)],
)
def test_remote_file_systems_are_known(kind: str, remote: bool) -> None:
    assert places.is_remote(kind) is remote
