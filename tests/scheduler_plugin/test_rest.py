"""Jobs through the REST API of a real JupyterLab, run by the local engine as real processes."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import scheduler_plugin
from couler_jobs.demo.jupyter import JupyterLab
from scheduler_plugin.database import Database
from scheduler_plugin.records import Job, Records

from .conftest import notebook

HOSTILE = "O'Brien's \"report\" {{x}} $(id) ;é.ipynb"
PATIENCE = 120.0
ENDED = ("COMPLETED", "FAILED", "STOPPED")
SLOW = "import time\nopen('started', 'w').close()\ntime.sleep(seconds)\nprint('slept')"


class Lab(JupyterLab):
    """A JupyterLab with words for jobs."""

    def add(self, name: str, *cells: str) -> str:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook(*cells)), encoding="utf-8")
        return name

    def create(self, path: str, **more: Any) -> str:
        asked = {"input_uri": path, "name": path, "runtime_environment_name": "server", **more}
        asked.setdefault("output_formats", ["ipynb", "html"])
        answer: str = self.post("/scheduler/jobs", asked)["job_id"]
        return answer

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/scheduler/jobs/{job_id}")
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        ended: dict[str, Any] = wait_for(
            lambda: self.job(job_id), lambda job: job["status"] in ENDED
        )
        return ended

    def refused(self, method: str, path: str, body: Any = None, *, status: int = 400) -> str:
        """What the server says when it refuses."""
        headers = {"Authorization": f"token {self.token}"}
        url = self.url + path
        reply = requests.request(method, url, json=body, headers=headers, timeout=60)
        assert reply.status_code == status
        return str(reply.json()["message"])

    def files(self, job_id: str) -> dict[str, bytes]:
        """The job's files by format, downloaded."""
        self.call("GET", f"/scheduler/jobs/{job_id}/download_files")
        shown = self.job(job_id)["job_files"]
        return {
            file["file_format"]: self.download(file["file_path"])
            for file in shown
            if file["file_path"] and file["file_format"] != "files"
        }

    @property
    def records(self) -> Records:
        return Records(Database(f"sqlite:///{self.database}"))

    def staged(self, job_id: str) -> Path:
        return self.home / "data" / "scheduler_staging_area" / job_id


def wait_for(look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not done(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def config_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(scheduler_plugin.__file__).parent
        patch.setenv("JUPYTER_CONFIG_PATH", str(folder))
        yield


def started(folder: Path) -> Lab:
    (folder / "project").mkdir()
    lab = Lab(project=folder / "project", home=folder / "state")
    lab.start()
    return lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, config_path: None) -> Iterator[Lab]:
    lab = started(tmp_path_factory.mktemp("lab"))
    try:
        yield lab
    finally:
        lab.stop()


# --- a job from beginning to end


@pytest.fixture(scope="module")
def completed(lab: Lab) -> dict[str, Any]:
    """A job with everything at once, ended."""
    lab.add("data/" + HOSTILE, "# parameters\ntext = number = value = None", CELL)
    (lab.project / "data" / "in.csv").write_text("1", encoding="utf-8")
    typed = {"text": "{{workflow.name}} $(HOME)", "number": "5", "value": '{"a": [true]}'}
    job_id = lab.create(
        "data/" + HOSTILE, parameters=typed, tags=["mine"], package_input_folder=True
    )
    return lab.ended(job_id)


CELL = """
print(repr((text, number, value)))
print(open("in.csv").read(), file=open("out.csv", "w"))
"""


def test_a_job_runs_to_its_end_whatever_its_notebook_is_called(completed: dict[str, Any]) -> None:
    assert (completed["status"], completed["status_message"]) == ("COMPLETED", None)
    assert completed["create_time"] <= completed["start_time"] <= completed["end_time"]
    assert completed["tags"] == ["mine"]


def test_output_report_log_and_input_are_downloaded(lab: Lab, completed: dict[str, Any]) -> None:
    files = lab.files(completed["job_id"])

    assert set(files) == {"ipynb", "html", "log", "input"}
    assert b"<html" in files["html"]
    assert json.loads(files["input"])["cells"][1]["source"] == CELL
    assert lab.job(completed["job_id"])["downloaded"]


def test_parameters_arrive_in_the_notebook_as_they_were_typed(
    lab: Lab, completed: dict[str, Any]
) -> None:
    log = lab.files(completed["job_id"])["log"].decode()

    assert repr(("{{workflow.name}} $(HOME)", 5, {"a": [True]})) in log


def test_files_beside_the_notebook_go_along_and_new_ones_come_back(
    lab: Lab, completed: dict[str, Any]
) -> None:
    lab.files(completed["job_id"])
    job = lab.job(completed["job_id"])
    folder = next(file for file in job["job_files"] if file["file_format"] == "files")

    assert sorted(job["packaged_files"]) == ["in.csv", "out.csv"]
    assert lab.download(folder["file_path"] + "/out.csv") == b"1\n"


def test_a_failed_notebook_says_which_error_and_cell_and_leaves_every_file(lab: Lab) -> None:
    job = lab.ended(lab.create(lab.add("fails.ipynb", "1", "missing_name")))

    assert job["status"] == "FAILED"
    assert "NameError" in job["status_message"]
    assert "missing_name" in job["status_message"]
    assert "ell 2" in job["status_message"]
    assert job["end_time"] >= job["start_time"]
    files = lab.files(job["job_id"])
    assert b"NameError" in files["ipynb"]
    assert b"<html" in files["html"]
    assert b"NameError" in files["log"]


def test_a_stopped_job_is_stopped_and_keeps_its_start_time(lab: Lab) -> None:
    job_id = lab.create(lab.add("stops.ipynb", SLOW), parameters={"seconds": "600"})
    wait_for((lab.staged(job_id) / "work" / "started").exists, bool)
    before = lab.job(job_id)
    lab.call("PATCH", f"/scheduler/jobs/{job_id}", {"status": "STOPPED"})

    after = lab.ended(job_id)
    assert (before["status"], after["status"]) == ("IN_PROGRESS", "STOPPED")
    assert after["status_message"].startswith("Stopped while running cell 1 of 1.")
    assert after["start_time"] == before["start_time"]
    assert after["end_time"]
    brought = wait_for(lambda: lab.job(job_id), lambda job: job["downloaded"])
    there = {one["file_format"]: one["file_path"] for one in brought["job_files"]}
    assert all(there.values())
    assert there.keys() >= {"ipynb", "html", "log"}
    assert brought["status_message"].endswith(f" Its files: {Path(there['log']).parent}")


def test_a_job_outlives_the_server(tmp_path: Path, config_path: None) -> None:
    lab = started(tmp_path)
    try:
        job_id = lab.create(lab.add("slow.ipynb", SLOW), parameters={"seconds": "3"})
        wait_for((lab.staged(job_id) / "work" / "started").exists, bool)
        records = lab.records
        lab.kill()
        killed_while: Job = records.get(job_id)
        job = wait_for(lambda: records.get(job_id), lambda job: job.status in ENDED)

        assert (killed_while.status, job.status) == ("IN_PROGRESS", "COMPLETED")
        lab.start()
        assert b"slept" in lab.files(job_id)["log"]
    finally:
        lab.stop()


# --- logs, and running again


def test_a_log_is_read_while_it_is_written_and_followed_to_the_end(lab: Lab) -> None:
    job_id = lab.create(lab.add("talks.ipynb", "print('begun')", SLOW), parameters={"seconds": "3"})
    path = f"/scheduler/jobs/{job_id}/log"
    reply = wait_for(lambda: lab.call("GET", path), lambda found: "begun" in found.text)
    offset = reply.headers["Log-Next-Offset"]
    followed = lab.call("GET", f"{path}?offset={offset}&follow=true").text

    assert reply.headers["Content-Type"].startswith("text/plain")
    assert "slept" in followed
    assert "begun" not in followed


def test_the_last_lines_of_a_log_are_answered_alone(lab: Lab, completed: dict[str, Any]) -> None:
    reply = lab.call("GET", f"/scheduler/jobs/{completed['job_id']}/log?tail=1")

    assert reply.text.count("\n") == 1
    assert reply.headers["Job-Status"] == "COMPLETED"


@pytest.mark.parametrize("job_id", ["no-such", "nope", "a b"])
def test_no_job_has_no_log(lab: Lab, job_id: str) -> None:
    said = lab.refused("GET", f"/scheduler/jobs/{job_id}/log", status=404)

    assert f"There is no job {job_id}" in said


def test_a_line_that_is_no_number_is_refused(lab: Lab, completed: dict[str, Any]) -> None:
    path = f"/scheduler/jobs/{completed['job_id']}/log?tail=all"

    assert "tail is to be a number" in lab.refused("GET", path, status=400)


def test_a_past_run_is_run_again_with_its_input_and_parameters(
    lab: Lab, completed: dict[str, Any]
) -> None:
    (lab.project / "data" / "in.csv").write_text("changed since", encoding="utf-8")
    path = f"/scheduler/jobs/{completed['job_id']}/rerun"
    again = lab.ended(lab.post(path, {})["job_id"])

    assert again["status"] == "COMPLETED"
    same = ("name", "parameters", "tags", "output_formats", "input_filename", "packaged_files")
    assert [again[name] for name in same] == [completed[name] for name in same]
    assert (lab.staged(again["job_id"]) / "work" / "out.csv").read_text() == "1\n"


def test_a_job_that_still_runs_is_not_run_again(lab: Lab) -> None:
    job_id = lab.create(lab.add("twice.ipynb", SLOW), parameters={"seconds": "600"})

    path = f"/scheduler/jobs/{job_id}/rerun"
    assert "still runs" in lab.refused("POST", path, {}, status=409)
    lab.call("DELETE", f"/scheduler/jobs/{job_id}")


# --- asking for jobs


def test_the_documented_request_makes_a_job(lab: Lab) -> None:
    page = Path(__file__).parents[2] / "docs" / "notebook-jobs.md"
    (body,) = re.findall(r"-d '(\{.*?\n\})'", page.read_text(encoding="utf-8"), re.DOTALL)
    lab.add("report.ipynb", "import os\nprint(day, os.environ['REGION'])")

    job_id = lab.post("/scheduler/jobs", json.loads(body))["job_id"]
    assert lab.ended(job_id)["status"] == "COMPLETED"
    log = lab.call("GET", f"/scheduler/jobs/{job_id}/log").text
    assert "2026-11-22 eu" in log


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_uri": "missing.ipynb"}, "missing.ipynb"),
        ({"input_uri": "../secret.ipynb"}, "leads out"),
        ({"input_uri": "file:///etc/passwd"}, "is a URL"),
        ({"runtime_environment_name": "nowhere"}, "no environment 'nowhere'"),
        ({"output_formats": ["exe"]}, "no output format 'exe'"),
        ({"parameters": {"a b": "1"}}, "'a b' is not a variable name"),
    ],
)
def test_bad_input_is_one_sentence_and_no_job(lab: Lab, changes: dict[str, Any], says: str) -> None:
    lab.add("good.ipynb", "1")
    before = lab.get("/scheduler/jobs")["total_count"]
    asked = {"input_uri": "good.ipynb", "name": "x", "runtime_environment_name": "server"}

    assert says in lab.refused("POST", "/scheduler/jobs", {**asked, **changes})
    assert lab.get("/scheduler/jobs")["total_count"] == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "jobs", {"input_uri": "a.ipynb", "name": "x"}, 400),
        ("GET", "jobs?sort_by=asc(size)", None, 400),
        ("GET", "jobs?next_token=x", None, 400),
        ("GET", "jobs/no-such/download_files", None, 404),
        ("PATCH", "jobs/no-such", {"status": "STOPPED"}, 404),
        ("DELETE", "jobs/no-such", None, 404),
        ("DELETE", "batch/jobs?job_id=no-such", None, 404),
        ("POST", "job_definitions/no-such/jobs", {}, 404),
        ("PATCH", "job_definitions/no-such", {"active": False}, 404),
        ("DELETE", "job_definitions/no-such", None, 404),
    ],
)
def test_what_a_client_got_wrong_is_no_fault_of_the_server(
    lab: Lab, method: str, path: str, body: Any, status: int
) -> None:
    assert lab.refused(method, f"/scheduler/{path}", body, status=status)


def test_one_idempotency_token_makes_one_job(lab: Lab) -> None:
    asked = {
        "input_uri": lab.add("once.ipynb", "1"),
        "name": "once",
        "runtime_environment_name": "server",
        "idempotency_token": "once",
    }
    job_id = lab.post("/scheduler/jobs", asked)["job_id"]

    assert "once" in lab.refused("POST", "/scheduler/jobs", asked, status=409)
    assert lab.ended(job_id)["output_formats"] == ["ipynb"]


def test_jobs_are_found_renamed_and_deleted(lab: Lab) -> None:
    job_ids = [lab.create(lab.add("many.ipynb", "1"), name=f"many {n}") for n in range(2)]
    lab.call("PATCH", f"/scheduler/jobs/{job_ids[0]}", {"name": "renamed"})
    found = lab.get("/scheduler/jobs?name=many&sort_by=desc(name)&max_items=5")
    assert [job["name"] for job in found["jobs"]] == ["many 1"]
    for job_id in job_ids:
        lab.ended(job_id)

    lab.call("DELETE", f"/scheduler/batch/jobs?job_id={job_ids[0]}&job_id={job_ids[1]}")
    assert "no job" in lab.refused("GET", f"/scheduler/jobs/{job_ids[0]}", status=404)
    assert not lab.staged(job_ids[1]).exists()


def test_the_picker_lists_the_servers_kernels(lab: Lab) -> None:
    shown = {one["name"]: one for one in lab.get("/scheduler/runtime_environments")}

    assert shown["server/python3"]["metadata"]["kernel"] == "python3"
    assert [one["name"] for one in shown["server"]["output_formats"]] == ["ipynb", "html"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/scheduler/jobs"),
        ("POST", "/scheduler/jobs"),
        ("GET", "/scheduler/jobs/1-2"),
        ("PATCH", "/scheduler/jobs/1-2"),
        ("DELETE", "/scheduler/jobs/1-2"),
        ("GET", "/scheduler/jobs/1-2/download_files"),
        ("GET", "/scheduler/jobs/1-2/log"),
        ("POST", "/scheduler/jobs/1-2/rerun"),
        ("GET", "/scheduler/jobs/count"),
        ("GET", "/scheduler/job_definitions"),
        ("POST", "/scheduler/job_definitions"),
        ("GET", "/scheduler/job_definitions/1-2"),
        ("PATCH", "/scheduler/job_definitions/1-2"),
        ("DELETE", "/scheduler/job_definitions/1-2"),
        ("POST", "/scheduler/job_definitions/1-2/jobs"),
        ("GET", "/scheduler/runtime_environments"),
    ],
)
def test_nothing_is_answered_without_a_token(lab: Lab, method: str, path: str) -> None:
    reply = requests.request(method, lab.url + path, json={}, timeout=60)

    assert reply.status_code in (401, 403)


# --- beside a server


def test_the_event_loop_is_free_while_the_database_is_locked(lab: Lab) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = lab.add("waits.ipynb", "1")
    lock = sqlite3.connect(lab.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(lab.create, path)
        time.sleep(0.5)
        begin = time.monotonic()
        lab.get("/api/status")
        waited = time.monotonic() - begin
        assert not creating.done()
        lock.execute("ROLLBACK")
        lock.close()
        lab.ended(creating.result())
    assert waited < 1


OURS = "tags"  # a feature that upstream's scheduler says it does not have


def test_installed_is_enabled(lab: Lab) -> None:
    assert lab.get("/scheduler/config")["supported_features"][OURS]


def test_an_operators_own_configuration_wins(tmp_path: Path, config_path: None) -> None:
    config = tmp_path / "state" / "config" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    upstream = "jupyter_scheduler.scheduler.Scheduler"
    config.write_text(f"c.SchedulerApp.scheduler_class = {upstream!r}\n", encoding="utf-8")
    lab = started(tmp_path)
    try:
        assert not lab.get("/scheduler/config")["supported_features"][OURS]
    finally:
        lab.stop()


# --- with a database that is malformed


def test_a_malformed_database_is_kept_and_the_scheduler_starts_without_it(
    tmp_path: Path, config_path: None
) -> None:
    database = tmp_path / "state" / "data" / "scheduler.sqlite"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"\xa5" * 8192)
    lab = started(tmp_path)
    try:
        (notice,) = lab.get("/scheduler/jobs")["jobs"]
        found = lab.job(notice["job_id"])
        done = lab.ended(lab.create(lab.add("after.ipynb", "1")))
    finally:
        lab.stop()

    (backup,) = database.parent.glob("scheduler.sqlite.malformed-*")
    assert backup.read_bytes() == b"\xa5" * 8192
    assert done["status"] == "COMPLETED"
    assert str(backup) in found["status_message"]
    assert found["status_message"] in lab.log.read_text(encoding="utf-8")
