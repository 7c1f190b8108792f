"""`couler-jobs jobs` over the database of a home, without a JupyterLab."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.cli import main
from couler_jobs.cli.exits import Exit
from tests.runs.fake import FakeBackend
from tests.scheduler_plugin.conftest import notebook
from tests.scheduler_plugin.many import add_jobs

ROWS: list[dict[str, Any]] = [
    {"job_id": "old-failed", "status": "FAILED"},
    {"job_id": "old-completed", "name": "nightly"},
    {"job_id": "running-1", "status": "IN_PROGRESS", "end_time": None},
    {"job_id": "new-failed", "status": "FAILED", "end_time": 1 << 42},
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeBackend) -> Path:
    """A home with four jobs, where only the test's own configuration counts."""
    from jupyter_scheduler.orm import create_tables

    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    url = f"sqlite:///{tmp_path}/scheduler.sqlite"
    create_tables(url)
    add_jobs(url, ROWS)
    return tmp_path


def left(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "scheduler.sqlite")) as database:
        return {row[0] for row in database.execute("SELECT job_id FROM jobs")}


def everything() -> set[str]:
    return {row["job_id"] for row in ROWS}


def test_jobs_are_listed_the_newest_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "list"]) == Exit.OK

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [row["job_id"] for row in reversed(ROWS)]


def test_a_list_for_programs_has_the_total(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "list", "--status", "failed", "--limit", "1", "--json"]) == Exit.OK

    shown = json.loads(capsys.readouterr().out)
    assert (shown["total"], [job["job_id"] for job in shown["jobs"]]) == (2, ["new-failed"])


def test_old_failed_jobs_are_deleted_and_no_others(home: Path) -> None:
    assert main(["jobs", "delete", "--older-than", "30d", "--status", "failed"]) == Exit.OK

    assert left(home) == everything() - {"old-failed"}


def test_a_dry_run_says_how_many_and_deletes_none(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "delete", "--older-than", "1w", "--dry-run"]) == Exit.OK

    assert capsys.readouterr().out == "2 jobs would be deleted.\n"
    assert left(home) == everything()


def test_a_job_is_deleted_by_its_id(home: Path) -> None:
    assert main(["jobs", "delete", "old-completed"]) == Exit.OK

    assert left(home) == everything() - {"old-completed"}


@pytest.mark.parametrize("more", [[], ["old-failed", "--status", "failed"]])
def test_deleting_wants_ids_or_a_description(
    home: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "delete", *more]) == Exit.USAGE

    assert "--older-than" in capsys.readouterr().err
    assert left(home) == everything()


@pytest.mark.parametrize("typed", ["30", "d", "1y", "-1d", "1.5d"])
def test_what_is_no_age_is_refused(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["jobs", "delete", f"--older-than={typed}"])
    assert "such as 30d" in capsys.readouterr().err


def test_pruning_follows_the_operators_settings(home: Path) -> None:
    (home / "jupyter_server_config.json").write_text('{"ArgoScheduler": {"all_jobs_kept": 1}}')

    assert main(["jobs", "prune"]) == Exit.OK
    assert left(home) == {"running-1", "new-failed"}


def test_an_unknown_job_is_said_to_be_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "delete", "no-such"]) == Exit.USAGE

    assert "There is no job no-such" in capsys.readouterr().err


def test_a_job_is_downloaded_while_it_runs(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert main(["jobs", "download", "running-1"]) == Exit.FAILED
    assert "has no files" in capsys.readouterr().err
    staged = home / "scheduler_staging_area" / "running-1" / "out"
    staged.mkdir(parents=True)
    (staged / "output.log").write_text("so far")

    assert main(["jobs", "download", "running-1"]) == Exit.OK
    folder = Path(capsys.readouterr().out.strip())
    assert folder.parent == home / "jobs"
    assert [file.read_text() for file in folder.iterdir()] == ["so far"]


def test_without_a_database_the_command_says_who_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))

    assert main(["jobs", "list"]) == Exit.USAGE
    assert "JupyterLab makes it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["rerun", "no-such"], "There is no job no-such"),
        (["rerun", "running-1"], "still runs"),
        (["rerun", "old-failed"], "create the job again"),
        (["run", "no-such"], "no-such: `couler-jobs jobs definitions` lists"),
    ],
)
def test_what_cannot_be_run_again_is_said_in_a_sentence(
    home: Path, command: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "scheduler_staging_area").mkdir()

    assert main(["jobs", *command]) == Exit.USAGE
    assert says in capsys.readouterr().err
    assert left(home) == everything()


def test_a_past_job_is_run_again_by_its_id(
    home: Path,
    fake: FakeBackend,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scheduler_plugin.orders import JobRequest
    from scheduler_plugin.standalone import open_scheduler
    from scheduler_plugin.status import JobStatus, Outcome

    monkeypatch.chdir(home)
    (home / "jupyter_server_config.json").write_text('{"ArgoScheduler": {"image": "python"}}')
    (home / "nb.ipynb").write_text(json.dumps(notebook("1")))
    jobs = open_scheduler().jobs
    asked = JobRequest(input_uri="nb.ipynb", name="mine", runtime_environment_name="server")
    first = jobs.create(asked)
    jobs.records.finish(first, Outcome(status=JobStatus.FAILED, message="x", ended_at=1))

    assert main(["jobs", "rerun", first, "--json"]) == Exit.OK
    again = json.loads(capsys.readouterr().out)["job_id"]
    assert jobs.get(again).name == "mine"


@pytest.fixture
def definitions(
    home: Path, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[str]]:
    """The ids of three definitions, by their names."""
    from scheduler_plugin.definitions import DefinitionRequest
    from scheduler_plugin.orders import JobRequest
    from scheduler_plugin.standalone import open_scheduler

    monkeypatch.chdir(home)
    (home / "jupyter_server_config.json").write_text('{"ArgoScheduler": {"image": "python"}}')
    (home / "nb.ipynb").write_text(json.dumps(notebook("1")))
    made = open_scheduler().definitions
    ids: dict[str, list[str]] = {}
    for name in ("once", "twice", "twice"):
        job = JobRequest(input_uri="nb.ipynb", name=name, runtime_environment_name="server")
        ids.setdefault(name, []).append(made.create(DefinitionRequest(job=job)))
    return ids


def test_job_definitions_are_listed_by_name(
    definitions: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "definitions"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert main(["jobs", "definitions", "--json"]) == Exit.OK
    listed = json.loads(capsys.readouterr().out)

    assert [line.split()[-1] for line in lines] == ["once", "twice", "twice"]
    assert lines[0].startswith(definitions["once"][0])
    assert {one["job_definition_id"] for one in listed} == {
        one for ids in definitions.values() for one in ids
    }


@pytest.mark.parametrize("form", ["{}", "def-{}", "once"])
def test_a_job_definition_is_run_by_its_id_its_cron_workflow_or_its_name(
    definitions: dict[str, list[str]], form: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert main(["jobs", "run", form.format(definitions["once"][0])]) == Exit.OK

    assert capsys.readouterr().out.strip() in left(home)


def test_a_name_that_several_definitions_have_is_refused_with_their_ids(
    definitions: dict[str, list[str]], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert main(["jobs", "run", "twice"]) == Exit.USAGE

    said = capsys.readouterr().err
    assert all(one in said for one in definitions["twice"])
    assert left(home) == everything()
