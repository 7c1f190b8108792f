"""Notebooks in environments that are not the server's: another Python's packages, another language.

Each environment is real, with its interpreter and kernel; its jobs run on this machine.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Job, Records
from scheduler_plugin.status import JobStatus

Write = Callable[..., Path]
BASH = {"name": "bash", "display_name": "Bash", "language": "bash"}


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    folder = tmp_path / "envs"
    folder.mkdir()
    return folder


@pytest.fixture
def jobs(settings: Settings, records: Records, envs: Path, tmp_path: Path) -> Jobs:
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path), "CONDA_ENVS_PATH": str(envs)}
    backend = LocalBackend(tmp_path / "runs")
    return Jobs(settings, records, Environments(environ), lambda: backend)


def make(prefix: Path) -> Path:
    """A virtual environment, whose packages of its own come before those of these tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = prefix / "lib" / version / "site-packages"
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib"))
    return packages


def install_kernel(prefix: Path, *module: str) -> None:
    python = prefix / "bin" / "python"
    command = [str(python), "-m", *module, "--prefix", str(prefix)]
    subprocess.run(command, check=True, capture_output=True, cwd=prefix)


def request(environment: str, **more: Any) -> JobRequest:
    return JobRequest(input_uri="nb.ipynb", name="x", runtime_environment_name=environment, **more)


def ended(jobs: Jobs, asked: JobRequest) -> tuple[Job, str]:
    """The job and its log."""
    job_id, deadline = jobs.create(asked), time.monotonic() + 240
    while not jobs.get(job_id).status.ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return jobs.get(job_id), jobs.folder(job_id).output("log").read_text()


def test_a_cell_sees_the_packages_of_the_chosen_environment(
    jobs: Jobs, envs: Path, write_notebook: Write
) -> None:
    (make(envs / "science") / "only_there.py").write_text("answer = 42")
    install_kernel(envs / "science", "ipykernel", "install")
    write_notebook("nb.ipynb", "import sys, only_there", "print(only_there.answer, sys.prefix)")
    job, log = ended(jobs, request("science"))

    assert (job.status, job.status_message) == (JobStatus.COMPLETED, None)
    assert f"42 {envs / 'science'}" in log


def test_a_notebook_of_bash_runs_in_bash_with_its_parameters(
    jobs: Jobs, envs: Path, write_notebook: Write
) -> None:
    make(envs / "shell")
    install_kernel(envs / "shell", "bash_kernel.install")
    cells = ("# parameters\nname=nobody", 'echo "$BASH_VERSION is for $name"')
    write_notebook("nb.ipynb", *cells, kernelspec=BASH)
    job, log = ended(jobs, request("shell", parameters={"name": "Ada O'Brien $(id)"}))

    assert (job.status, job.status_message) == (JobStatus.COMPLETED, None)
    assert " is for Ada O'Brien $(id)\n" in log


def test_a_notebook_of_bash_that_fails_is_failed(
    jobs: Jobs, envs: Path, write_notebook: Write
) -> None:
    make(envs / "shell")
    install_kernel(envs / "shell", "bash_kernel.install")
    write_notebook("nb.ipynb", "true", "cat nowhere.csv", kernelspec=BASH)
    job, log = ended(jobs, request("shell"))

    assert job.status is JobStatus.FAILED
    assert "Cell 2 of 2 failed" in (job.status_message or "")
    assert "nowhere.csv" in log


@pytest.mark.parametrize(
    ("kernelspec", "sentence"),
    [
        ({"name": "python3", "language": "python"}, "has no kernel: install one with"),
        (BASH, "has no kernel"),
    ],
)
def test_an_environment_without_a_kernel_makes_no_job(
    jobs: Jobs, envs: Path, write_notebook: Write, kernelspec: dict[str, str], sentence: str
) -> None:
    make(envs / "bare")
    write_notebook("nb.ipynb", "1", kernelspec=kernelspec)

    with pytest.raises(JobRefused, match=sentence):
        jobs.create(request("bare"))
    assert not list(jobs.settings.staging.glob("*"))


def test_a_kernelspec_whose_ipykernel_was_removed_makes_no_job(
    jobs: Jobs, envs: Path, write_notebook: Write
) -> None:
    packages = make(envs / "science")
    install_kernel(envs / "science", "ipykernel", "install")
    (packages / "shared.pth").unlink()
    write_notebook("nb.ipynb", "1")

    with pytest.raises(JobRefused, match=r"has no ipykernel.*python -m pip install ipykernel"):
        jobs.create(request("science"))


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packages of a virtual environment whose kernel is registered for the server."""
    packages = make(tmp_path / "project")
    python = tmp_path / "project" / "bin" / "python"
    command = [python, "-m", "ipykernel", "install", "--name", "project", "--prefix", tmp_path]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    return packages


def test_a_virtual_environment_with_a_registered_kernel_runs_notebooks(
    jobs: Jobs, registered: Path, write_notebook: Write
) -> None:
    (registered / "only_there.py").write_text("answer = 42")
    write_notebook("nb.ipynb", "import only_there; print('found', only_there.answer)")
    job, log = ended(jobs, request("server/project"))

    assert job.status is JobStatus.COMPLETED
    assert "found 42" in log


def test_a_registered_kernel_whose_environment_lost_ipykernel_makes_no_job(
    jobs: Jobs, registered: Path, write_notebook: Write
) -> None:
    (registered / "shared.pth").unlink()
    write_notebook("nb.ipynb", "1")

    with pytest.raises(JobRefused, match=r"project has no ipykernel.*project/bin/python -m pip"):
        jobs.create(request("server/project"))
