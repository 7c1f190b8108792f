import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from couler_jobs.spec.status import Phase
from scheduler_plugin.database import Database
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.in_pod import main, record_status
from scheduler_plugin.notifications import Notice
from scheduler_plugin.reconcile import read_outbox
from scheduler_plugin.records import Job, NewJob, Records
from scheduler_plugin.staging import JobFolder
from scheduler_plugin.status import JobStatus
from scheduler_plugin.step_requests import RecordStatus

from .receiver import receiving

REPORT = {
    "status": "failed",
    "message": "Cell 2 of 2 failed: NameError: name 'x' is not defined",
    "started_at": "2026-11-22T01:02:03Z",
}


@pytest.fixture
def job(records: Records) -> Job:
    return records.add(
        NewJob(
            name="n",
            input_filename="n.ipynb",
            runtime_environment_name="server",
            output_formats=("ipynb",),
        )
    )


@pytest.fixture
def folder(tmp_path: Path, job: Job) -> JobFolder:
    folder = JobFolder(tmp_path / "staging" / job.job_id)
    folder.create()
    return folder


@pytest.fixture
def request_(job: Job, folder: JobFolder, db_url: str) -> RecordStatus:
    return RecordStatus(
        job_id=job.job_id,
        result=str(folder.result),
        outbox=str(folder.outbox),
        db_url=db_url,
        seconds=0.2,
    )


def run(request: RecordStatus, folder: JobFolder, phase: str) -> int:
    folder.status_request.write_text(request.as_json(), encoding="utf-8")
    file = str(folder.status_request)
    return main(["record-status", "--request-file", file, "--phase", phase])


def write(report: Mapping[str, object], folder: JobFolder) -> None:
    folder.result.write_text(json.dumps(report), encoding="utf-8")


@pytest.mark.parametrize(
    ("phase", "status"), [("Succeeded", "COMPLETED"), ("Failed", "FAILED"), ("Error", "FAILED")]
)
def test_the_record_says_how_the_workflow_ended(
    request_: RecordStatus, folder: JobFolder, records: Records, phase: str, status: str
) -> None:
    assert run(request_, folder, phase) == 0

    job = records.get(request_.job_id)
    assert job.status == status
    assert job.end_time


def test_a_failure_names_error_and_cell_and_keeps_both_times(
    request_: RecordStatus, folder: JobFolder, records: Records
) -> None:
    write(REPORT, folder)
    run(request_, folder, "Failed")

    job = records.get(request_.job_id)
    assert job.status_message == REPORT["message"]
    assert job.start_time == 1795309323000
    assert (job.end_time or 0) > job.start_time


def test_run_twice_it_writes_once(
    request_: RecordStatus, folder: JobFolder, records: Records
) -> None:
    run(request_, folder, "Failed")
    before = records.get(request_.job_id)

    assert run(request_, folder, "Succeeded") == 0
    assert records.get(request_.job_id) == before


def test_run_by_eight_at_once_one_writes(request_: RecordStatus, folder: JobFolder) -> None:
    patient = replace(request_, seconds=30.0)

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: record_status(patient, Phase.SUCCEEDED), range(8)))
    assert sum(written) == 1


def test_a_deleted_job_is_left_alone(
    request_: RecordStatus, folder: JobFolder, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    records.remove(request_.job_id)

    assert run(request_, folder, "Succeeded") == 0
    assert "deleted" in capsys.readouterr().err


def test_a_stopped_job_stays_stopped(
    request_: RecordStatus, folder: JobFolder, records: Records
) -> None:
    records.ask_stop(request_.job_id)
    run(request_, folder, "Succeeded")

    assert records.get(request_.job_id).status is JobStatus.STOPPED


@pytest.fixture
def lock(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "scheduler.sqlite"
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def test_with_a_database_that_stays_locked_the_truth_is_in_the_outbox(
    request_: RecordStatus,
    folder: JobFolder,
    lock: sqlite3.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    assert run(request_, folder, "Succeeded") == 1
    lock.execute("ROLLBACK")
    lock.close()

    outbox = read_outbox(folder.outbox)
    assert outbox is not None
    assert outbox.status is JobStatus.COMPLETED
    assert str(folder.outbox) in capsys.readouterr().err


def test_a_lock_that_is_given_back_in_time_is_waited_for(
    request_: RecordStatus, lock: sqlite3.Connection, records: Records
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        patient = replace(request_, seconds=30.0)
        written = pool.submit(record_status, patient, Phase.SUCCEEDED)
        with pytest.raises(TimeoutError):
            written.result(0.5)
        lock.execute("ROLLBACK")
        lock.close()

        assert written.result(30)
    assert records.get(request_.job_id).status is JobStatus.COMPLETED


def test_an_outbox_that_cannot_be_written_does_not_keep_the_record_back(
    request_: RecordStatus, tmp_path: Path, records: Records
) -> None:
    nowhere = replace(request_, outbox=str(tmp_path / "nowhere" / "status.json"))

    assert record_status(nowhere, Phase.SUCCEEDED)
    assert records.get(request_.job_id).status is JobStatus.COMPLETED


def test_where_the_outbox_is_all_the_database_is_left_alone(
    request_: RecordStatus, folder: JobFolder, records: Records
) -> None:
    asked = replace(request_, db_url=None, outbox_only=True)
    assert run(asked, folder, "Succeeded") == 0
    assert records.get(request_.job_id).status is JobStatus.CREATED
    outcome = read_outbox(folder.outbox)
    assert outcome is not None
    assert outcome.status is JobStatus.COMPLETED


def test_where_the_outbox_is_all_its_failure_is_the_steps(
    request_: RecordStatus, folder: JobFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = replace(request_, outbox=str(folder.root / "gone" / "status.json"), outbox_only=True)
    assert run(asked, folder, "Succeeded") == 1
    assert "status.json could not be written" in capsys.readouterr().err


def test_a_url_with_a_password_is_read_from_its_file(
    request_: RecordStatus, folder: JobFolder, db_url: str
) -> None:
    folder.db_url.write_text(f"{db_url}\n", encoding="utf-8")
    secret = replace(request_, db_url=None, db_url_file=str(folder.db_url))

    assert record_status(secret, Phase.SUCCEEDED)


def test_files_that_the_notebook_made_are_listed(
    request_: RecordStatus, folder: JobFolder, records: Records
) -> None:
    (folder.work / "n.ipynb").write_text("{}")
    (folder.work / "data").mkdir()
    (folder.work / "data" / "made.csv").write_text("1")
    run(replace(request_, work=str(folder.work), input_filename="n.ipynb"), folder, "Succeeded")

    assert records.get(request_.job_id).packaged_files == ("data/made.csv",)


def test_an_unwritable_database_is_said(request_: RecordStatus, tmp_path: Path) -> None:
    away = replace(request_, db_url=f"sqlite:///{tmp_path}/nowhere/x.sqlite")

    with pytest.raises(DatabaseUnavailable, match="nowhere"):
        record_status(away, Phase.SUCCEEDED)


def test_the_program_starts_without_jupyter_and_does_its_work(
    request_: RecordStatus, folder: JobFolder, db_url: str
) -> None:
    folder.status_request.write_text(request_.as_json(), encoding="utf-8")
    command = ["-X", "importtime", "-m", "scheduler_plugin.in_pod", "record-status"]
    asked = ["--request-file", str(folder.status_request), "--phase", "Succeeded"]
    ended = subprocess.run(
        [sys.executable, *command, *asked], capture_output=True, text=True, check=True, timeout=60
    )

    assert "jupyter" not in ended.stderr
    assert Records(Database(db_url)).get(request_.job_id).status is JobStatus.COMPLETED


def test_the_end_is_told_once_and_a_failing_notification_changes_nothing_but_the_log(
    request_: RecordStatus, folder: JobFolder, records: Records, tmp_path: Path, job: Job
) -> None:
    addresses = tmp_path / "addresses"
    notice = Notice(job="n", names=("team", "away"), on="both", file=str(addresses))
    request = replace(request_, notice=notice, log=str(folder.output("log")))
    with receiving() as receiver:
        addresses.write_text(f"team={receiver.url}\naway=json://ada:s3cret@127.0.0.1:1/x\n")
        addresses.chmod(0o600)

        assert [run(request, folder, "Succeeded") for _ in range(2)] == [0, 0]
    assert len(receiver.came) == 1
    assert records.get(job.job_id).status is JobStatus.COMPLETED
    log = folder.output("log").read_text()
    assert log == "[notification] The notification to 'away' could not be sent.\n"


BROKEN = {
    "raise ImportError('libffi.so.8')": "apprise cannot be imported (libffi.so.8).",
    "this is no Python": "SyntaxError was raised.",
    "class Panic(BaseException): ...\nraise Panic('s3cret')": "Panic was raised.",
    "raise SystemExit(3)": "SystemExit was raised.",
    "": "AttributeError was raised.",
}


@pytest.mark.parametrize("installed", BROKEN)
def test_a_broken_apprise_is_a_line_in_the_log_and_the_step_succeeds(
    request_: RecordStatus, folder: JobFolder, records: Records, tmp_path: Path, installed: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "apprise.py").write_text(installed)
    (tmp_path / "addresses").write_text("team=json://127.0.0.1:1/x\n")
    (tmp_path / "addresses").chmod(0o600)
    notice = Notice(job="n", names=("team",), on="both", file=str(tmp_path / "addresses"))
    request = replace(request_, notice=notice, log=str(folder.output("log")))
    folder.status_request.write_text(request.as_json(), encoding="utf-8")
    asked = ["--request-file", str(folder.status_request), "--phase", "Succeeded"]
    ended = subprocess.run(
        [sys.executable, "-m", "scheduler_plugin.in_pod", "record-status", *asked],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "broken")},
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0
    assert records.get(request.job_id).status is JobStatus.COMPLETED
    (line,) = folder.output("log").read_text().splitlines()
    assert line.startswith("[notification] N")
    assert line.endswith(BROKEN[installed])
