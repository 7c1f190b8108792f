"""Definitions through the REST API of a real JupyterLab; ticks by the local engine's daemon."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import scheduler_plugin
from couler_jobs.backends.local import daemon
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.ticking import tick_all, upcoming

from .test_rest import ENDED, SLOW, Lab, started, wait_for

FAR = "0 2 29 2 *"
"""A tick that comes only when a test turns the clock."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(scheduler_plugin.__file__).parent
        patch.setenv("JUPYTER_CONFIG_PATH", str(folder))
        lab = started(tmp_path_factory.mktemp("lab"))
        try:
            yield lab
        finally:
            lab.stop()
            daemon.stop(engine(lab).home)


def engine(lab: Lab) -> LocalBackend:
    return LocalBackend(lab.home / "runs")


def define(lab: Lab, path: str, **more: Any) -> str:
    asked: dict[str, Any] = {"input_uri": path, "name": path, "schedule": FAR}
    asked |= {"runtime_environment_name": "server", "output_formats": ["ipynb", "html"], **more}
    made: str = lab.post("/scheduler/job_definitions", asked)["job_definition_id"]
    return made


def definition(lab: Lab, definition_id: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.get(f"/scheduler/job_definitions/{definition_id}")
    return found


def jobs(lab: Lab, definition_id: str) -> list[dict[str, Any]]:
    """Oldest first."""
    query = f"job_definition_id={definition_id}&sort_by=asc(create_time)"
    found: list[dict[str, Any]] = lab.get(f"/scheduler/jobs?{query}")["jobs"]
    return found


def tick(lab: Lab, definition_id: str, after: datetime | None = None) -> datetime:
    """Turn the clock to the definition's next tick, for one look of the daemon."""
    backend = engine(lab)
    cron = backend.crons.find(f"def-{definition_id}")
    moment = next(upcoming(cron, after or datetime.now(UTC)))
    tick_all(backend, moment.timestamp())
    return moment


def ended(lab: Lab, definition_id: str, count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wait_for(
        lambda: jobs(lab, definition_id),
        lambda found: len(found) >= count and all(job["status"] in ENDED for job in found),
    )
    return found


# --- a definition from beginning to end


@pytest.fixture(scope="module")
def ticked(lab: Lab) -> dict[str, Any]:
    lab.add("data/O'Brien.ipynb", "# parameters\nday = 0", "print(day, open('in.csv').read())")
    (lab.project / "data" / "in.csv").write_text("beside", encoding="utf-8")
    definition_id = define(
        lab,
        "data/O'Brien.ipynb",
        parameters={"day": "{{workflow.name}}"},
        tags=["mine"],
        package_input_folder=True,
        timezone="Asia/Tokyo",
    )
    tick(lab, definition_id)
    return ended(lab, definition_id)[0]


def test_a_tick_is_a_job_with_the_id_of_its_workflow_and_all_its_files(
    lab: Lab, ticked: dict[str, Any]
) -> None:
    assert ticked["status"] == "COMPLETED", ticked["status_message"]
    assert any(run.uid == ticked["job_id"] for run in engine(lab).list())
    assert ticked["create_time"] <= ticked["start_time"] <= ticked["end_time"]
    assert ticked["tags"] == ["mine"]
    files = lab.files(ticked["job_id"])
    assert set(files) == {"ipynb", "html", "log", "input"}
    assert b"{{workflow.name}} beside" in files["log"]
    assert lab.job(ticked["job_id"])["downloaded"]


def test_outputs_are_named_in_the_definitions_time_zone(lab: Lab, ticked: dict[str, Any]) -> None:
    lab.files(ticked["job_id"])
    shown = lab.job(ticked["job_id"])["job_files"]
    moment = datetime.fromtimestamp(ticked["create_time"] / 1000, UTC)
    tokyo = (moment.hour + 9) % 24
    path = next(file["file_path"] for file in shown if file["file_format"] == "ipynb")

    assert f"-{(tokyo % 12 or 12):02d}-{moment.minute:02d}-{moment.second:02d}-" in path


def test_editing_pausing_resuming_and_run_now_keep_what_was_not_changed(lab: Lab) -> None:
    path = lab.add("edited.ipynb", "# parameters\na = b = 0", "print('got', a, b)")
    definition_id = define(lab, path, parameters={"a": "1", "b": "2"}, tags=["t"])
    url = f"/scheduler/job_definitions/{definition_id}"
    before = definition(lab, definition_id)
    lab.call("PATCH", url, {"active": False})
    assert not definition(lab, definition_id)["active"]
    lab.call("PATCH", url, {"timezone": "Europe/Paris"})
    paused = definition(lab, definition_id)
    lab.call("PATCH", url, {"active": True})
    after = definition(lab, definition_id)
    job_id = lab.post(f"{url}/jobs", {"parameters": {"a": "5"}})["job_id"]
    tick(lab, definition_id)
    found = {job["job_id"]: job for job in ended(lab, definition_id, 2)}

    assert (paused["active"], after["active"]) == (False, True)
    assert (paused["schedule"], paused["timezone"]) == (FAR, "Europe/Paris")
    changed = {"update_time", "timezone"}
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    logs = {one: lab.files(one)["log"] for one in found}
    assert b"got 5 0" in logs.pop(job_id)
    assert b"got 1 2" in logs.popitem()[1]
    assert definition(lab, definition_id) == after


def test_a_scheduled_run_is_stopped_and_stays_stopped(lab: Lab) -> None:
    path = lab.add("long.ipynb", SLOW)
    definition_id = define(lab, path, parameters={"seconds": "600"})
    tick(lab, definition_id)
    (job,) = wait_for(lambda: jobs(lab, definition_id), lambda found: len(found) == 1)
    wait_for((lab.staged(job["job_id"]) / "work" / "started").exists, bool)
    before = lab.job(job["job_id"])
    lab.call("PATCH", f"/scheduler/jobs/{job['job_id']}", {"status": "STOPPED"})
    after = lab.ended(job["job_id"])

    assert (before["status"], after["status"]) == ("IN_PROGRESS", "STOPPED")
    assert after["start_time"] == before["start_time"]


def test_one_run_and_then_the_definition_are_deleted(lab: Lab) -> None:
    path = lab.add("deleted.ipynb", "print(1)")
    definition_id = define(lab, path)
    tick(lab, definition_id)
    lab.post(f"/scheduler/job_definitions/{definition_id}/jobs", {})
    first, second = ended(lab, definition_id, 2)
    lab.call("DELETE", f"/scheduler/jobs/{first['job_id']}")

    assert [job["job_id"] for job in jobs(lab, definition_id)] == [second["job_id"]]
    assert set(lab.files(second["job_id"])) == {"ipynb", "html", "log", "input"}
    lab.call("DELETE", f"/scheduler/job_definitions/{definition_id}")
    assert jobs(lab, definition_id) == []
    path = f"/scheduler/job_definitions/{definition_id}"
    assert "no job definition" in lab.refused("GET", path, status=404)
    assert f"def-{definition_id}" not in [cron.name for cron in engine(lab).crons.all()]
    assert not lab.staged(definition_id).exists()


# --- asking for definitions


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schedule": "61 * * * *"}, "not a minute"),
        ({"timezone": "Mars"}, "no time zone 'Mars'"),
        ({"input_uri": "missing.ipynb"}, "missing.ipynb"),
        ({"runtime_environment_name": "nowhere"}, "no environment"),
    ],
)
def test_a_bad_definition_is_one_sentence_and_no_definition(
    lab: Lab, changes: dict[str, Any], says: str
) -> None:
    lab.add("good.ipynb", "1")
    before = lab.get("/scheduler/job_definitions")["total_count"]
    asked = {"input_uri": "good.ipynb", "name": "x", "schedule": FAR}
    asked["runtime_environment_name"] = "server"

    assert says in lab.refused("POST", "/scheduler/job_definitions", {**asked, **changes})
    assert lab.get("/scheduler/job_definitions")["total_count"] == before


def test_definitions_are_listed_by_name_and_page(lab: Lab) -> None:
    lab.add("good.ipynb", "1")
    for number in range(3):
        define(lab, "good.ipynb", name=f"listed {number}", tags=["listed"])
    path = "/scheduler/job_definitions?name=listed&tags=listed&sort_by=asc(name)&max_items=2"
    page = lab.get(path)
    rest = lab.get(f"{path}&next_token={page['next_token']}")

    assert [one["name"] for one in page["job_definitions"]] == ["listed 0", "listed 1"]
    assert [one["name"] for one in rest["job_definitions"]] == ["listed 2"]
    assert (page["total_count"], "next_token" in rest) == (3, False)


# --- beside a server


def test_two_looks_at_the_same_tick_make_one_job(lab: Lab) -> None:
    definition_id = define(lab, lab.add("once.ipynb", "1"))
    with ThreadPoolExecutor(4) as pool:
        moments = set(pool.map(lambda _: tick(lab, definition_id), range(4)))
    found = ended(lab, definition_id)
    time.sleep(1)

    assert len(moments) == 1
    assert len(found) == len(jobs(lab, definition_id)) == 1


def test_a_tick_completes_its_record_while_the_server_is_dead(lab: Lab) -> None:
    definition_id = define(lab, lab.add("alone.ipynb", "print('alone')"))
    records = lab.records
    lab.kill()
    tick(lab, definition_id)
    query = query_of(definition_id)
    found = wait_for(
        lambda: records.list(query).jobs, lambda jobs: len(jobs) == 1 and jobs[0].status in ENDED
    )
    lab.start()

    assert found[0].status == "COMPLETED"
    assert b"alone" in lab.files(found[0].job_id)["log"]


def test_the_daemon_is_started_again_by_a_listing_of_nothing_but_a_change(lab: Lab) -> None:
    definition_id = define(lab, lab.add("again.ipynb", "1"))
    home = engine(lab).home
    running = wait_for(lambda: daemon.running(home), lambda found: found is not None)
    os.kill(running.pid, signal.SIGKILL)
    wait_for(lambda: daemon.running(home), lambda found: found is None)
    lab.call("PATCH", f"/scheduler/job_definitions/{definition_id}", {"active": True})

    assert wait_for(lambda: daemon.running(home), lambda found: found is not None)


def query_of(definition_id: str) -> Any:
    from scheduler_plugin.records import JobsQuery

    return JobsQuery(job_definition_id=definition_id)


def test_no_secret_and_no_value_of_a_user_is_in_a_process_list(lab: Lab) -> None:
    definition_id = define(lab, lab.add("hidden.ipynb", SLOW), parameters={"seconds": "8675309"})
    tick(lab, definition_id)
    (job,) = wait_for(lambda: jobs(lab, definition_id), lambda found: len(found) == 1)
    wait_for((lab.staged(job["job_id"]) / "work" / "started").exists, bool)
    seen = [command_line(path) for path in Path("/proc").glob("[0-9]*")]
    lab.call("DELETE", f"/scheduler/job_definitions/{definition_id}")

    assert any(job["job_id"] in text for text in seen)
    assert not any("8675309" in text for text in seen)
    assert json.dumps(lab.get("/scheduler/jobs")).count("8675309") == 0


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
