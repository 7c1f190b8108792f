from __future__ import annotations

import argparse
import json
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import responses

from couler_jobs.cli import demo as cli
from couler_jobs.cli import main
from couler_jobs.demo.jupyter import DemoError, JupyterLab, free_port, wait_until
from couler_jobs.demo.project import write_project
from couler_jobs.demo.show import DemoResult, check, end, has_begun
from couler_jobs.errors import ConfigError


def test_the_demo_shows_a_job_and_a_schedule_that_outlive_jupyterlab(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "couler_jobs", "demo", "--json", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["server_killed_while"]) == ("COMPLETED", "IN_PROGRESS")
    assert told["ticked_status"] == "COMPLETED"
    assert len({told["definition_id"], told["ticked_job_id"], told["job_id"]}) == 3
    assert told["seconds"] < 240
    assert {Path(name).suffix for name in told["files"]} >= {".ipynb", ".html", ".log"}


@pytest.mark.parametrize(
    ("number", "heard"), [(signal.SIGTERM, "Created job"), (signal.SIGHUP, "Starting JupyterLab")]
)
def test_a_demo_that_is_ended_takes_its_jupyterlab_with_it(
    number: signal.Signals, heard: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "couler_jobs", "demo", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        next(line for line in demo.stdout if heard in line)
        wait_until(lambda: bool(servers_in(tmp_path)), 120, "JupyterLab was not started.")
        demo.send_signal(number)
        assert demo.wait(timeout=120) == 128 + number
    assert not servers_in(tmp_path)


@pytest.fixture
def scheduled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JupyterLab:
    """A JupyterLab that is down, and has a schedule on a cluster."""
    monkeypatch.setenv("ARGO_SERVER", "argo.example:2746")
    monkeypatch.setenv("ARGO_NAMESPACE", "argo")
    lab = JupyterLab(project=tmp_path, home=tmp_path)
    lab.database.parent.mkdir()
    with closing(sqlite3.connect(lab.database)) as database:
        database.execute("CREATE TABLE job_definitions (job_definition_id TEXT)")
        database.execute("INSERT INTO job_definitions VALUES ('d1')")
        database.commit()
    return lab


PAUSE = "https://argo.example:2746/api/v1/cron-workflows/argo/def-d1/suspend"


@responses.activate
def test_a_demo_that_is_ended_while_jupyterlab_is_down_pauses_its_schedule_and_says_so(
    scheduled: JupyterLab,
) -> None:
    cron = {"metadata": {"name": "def-d1"}, "spec": {"schedules": ["* * * * *"], "suspend": True}}
    responses.put(PAUSE, json=cron)
    said: list[str] = []
    end(scheduled, said.append)
    responses.assert_call_count(PAUSE, 1)
    delete = "couler-jobs schedule delete def-d1"
    assert said == [f"The schedule def-d1 is paused. Remove it: {delete}"]


@responses.activate
def test_a_demo_whose_schedule_cannot_be_paused_says_that_it_goes_on(scheduled: JupyterLab) -> None:
    responses.put(PAUSE, status=403, json={"message": "not you", "code": 7})
    said: list[str] = []
    end(scheduled, said.append)
    (sentence,) = said
    assert sentence.startswith("The schedule def-d1 goes on: ")
    assert sentence.endswith("Pause it: couler-jobs schedule pause def-d1")


def servers_in(folder: Path) -> list[psutil.Process]:
    """The JupyterLab processes that serve something in `folder`."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if f"--ServerApp.root_dir={folder / 'project'}" in (process.info["cmdline"] or ())
    ]


def test_the_sample_notebook_is_valid(tmp_path: Path) -> None:
    nbformat.validate(nbformat.read(write_project(tmp_path), as_version=4))


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    lab = JupyterLab(project=tmp_path / "nowhere", home=tmp_path / "state")
    lab.project.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", lab.port))
        with pytest.raises(DemoError, match=r"ended at once.*jupyterlab\.log"):
            lab.start()


def test_waiting_ends_with_the_sentence_it_was_given() -> None:
    with pytest.raises(DemoError, match="It did not come"):
        wait_until(lambda: False, 0.1, "It did not come.")


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
@responses.activate
def test_a_job_that_fails_before_its_notebook_runs_ends_the_wait(
    tmp_path: Path, status: str
) -> None:
    lab = JupyterLab(project=tmp_path, home=tmp_path)
    job = {"status": status, "status_message": "No room for the pod."}
    responses.get(f"{lab.url}/scheduler/jobs/a", json=job)
    with pytest.raises(DemoError, match=f"{status} before its notebook ran: No room for the pod"):
        has_begun(lab, "a")


@responses.activate
def test_a_job_whose_first_cell_has_run_has_begun(tmp_path: Path) -> None:
    lab = JupyterLab(project=tmp_path, home=tmp_path)
    responses.get(f"{lab.url}/scheduler/jobs/a", json={"status": "IN_PROGRESS"})
    assert not has_begun(lab, "a")
    (tmp_path / "first cell has run").touch()
    assert has_begun(lab, "a")


def test_the_token_is_neither_shown_nor_an_argument(tmp_path: Path) -> None:
    lab = JupyterLab(project=tmp_path, home=tmp_path, port=free_port())
    assert lab.token not in repr(lab)
    assert lab.token not in " ".join(lab.command)


def result(**changes: Any) -> DemoResult:
    seen: dict[str, Any] = {
        "job_id": "1",
        "status": "COMPLETED",
        "server_killed_while": "IN_PROGRESS",
        "files": ["a.ipynb", "a.html", "a.log"],
        "definition_id": "2",
        "ticked_job_id": "3",
        "ticked_status": "COMPLETED",
        "seconds": 1.0,
    }
    return DemoResult(**{**seen, **changes})


@pytest.mark.parametrize(
    ("changes", "job", "sentence"),
    [
        ({"status": "FAILED"}, {"end_time": 1, "status_message": "no disk"}, "FAILED.*no disk"),
        ({"server_killed_while": "CREATED"}, {"end_time": 1}, "not killed mid-run"),
        ({"ticked_status": "FAILED"}, {"end_time": 1}, "schedule's says FAILED"),
        ({}, {"end_time": None}, "no end time"),
        ({"files": ["a.ipynb"]}, {"end_time": 1}, r"only \['a.ipynb'\]"),
    ],
)
def test_whatever_is_not_as_promised_fails_the_demo(
    changes: dict[str, Any], job: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DemoError, match=sentence):
        check(result(**changes), job)


def test_a_demo_that_is_as_promised_passes() -> None:
    check(result(), {"end_time": 1})


def test_a_pod_template_becomes_the_servers_configuration(tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    file.write_text('{"image": "a:1"}')
    wanted = {"ArgoScheduler": {"pod": "template", "pod_template": {"image": "a:1"}}}
    assert cli.config(argparse.Namespace(pod_template=file)) == wanted
    assert cli.config(argparse.Namespace(pod_template=None)) == {}


def test_on_a_cluster_a_pod_template_has_to_be_given_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARGO_SERVER", "argo.example:2746")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    folder = tmp_path / "demo"
    assert main(["demo", "--folder", str(folder)]) == 2
    assert "give --pod-template FILE" in capsys.readouterr().err
    assert not folder.exists()


def test_in_a_pod_of_the_cluster_that_pod_is_the_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SERVER", "argo.example:2746")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert cli.config(argparse.Namespace(pod_template=None)) == {}


@pytest.mark.parametrize("text", [None, "{", '"a"', "{}", '{"volumes": []}'])
def test_a_pod_template_that_is_none_is_refused_before_anything_starts(
    text: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "pod.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match="pod template"):
        cli.config(argparse.Namespace(pod_template=file))
