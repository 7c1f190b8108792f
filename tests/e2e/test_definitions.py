from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.ticking import tick_all, upcoming
from couler_jobs.demo.jupyter import JupyterLab, wait_until
from couler_jobs.demo.project import write_project
from couler_jobs.demo.show import end
from tests.e2e.jobs_page import JobsPage, write_notebook

pytestmark = pytest.mark.e2e


@pytest.fixture
def ticking_lab(lab: JupyterLab) -> Iterator[JupyterLab]:
    """A JupyterLab after which nothing ticks any more."""
    yield lab
    end(lab, print)


def test_a_schedule_is_created_paused_resumed_edited_run_and_deleted(
    ticking_lab: JupyterLab, page: Page, tmp_path: Path
) -> None:
    lab = ticking_lab
    notebook = write_project(lab.project)
    ui = JobsPage(page, tmp_path / "screenshots")
    ui.open(lab)
    ui.create_job_from(notebook.name)
    ui.add_parameter("region", "the 'north'")
    ui.run_on_a_schedule("0 2 * * *")
    ui.look("schedule")
    ui.submit_definition()
    ui.look("created")
    expect(ui.row("sales report")).to_contain_text("Active")
    ui.row("sales report").get_by_title("Pause").click()
    expect(ui.row("sales report")).to_contain_text("Paused")
    ui.look("paused")
    ui.row("sales report").get_by_title("Resume").click()
    expect(ui.row("sales report")).to_contain_text("Active")
    ui.look("resumed")
    before = definition(lab)

    ui.row("sales report").get_by_text("sales report", exact=True).click()
    ui.look("detail")
    page.get_by_role("button", name="Edit Job Definition").click()
    ui.schedule("30 4 * * *")
    ui.look("edit")
    ui.save()
    ui.look("edited")
    after = definition(lab)
    assert after["schedule"] == "30 4 * * *"
    changed = {"schedule", "timezone", "update_time"}
    assert without(after, changed) == without(before, changed)

    page.get_by_role("button", name="Run Job").click()
    ui.look("run now")
    page.get_by_role("button", name="Create", exact=True).click()
    wait_until(lambda: job_status(lab) == "COMPLETED", 120, f"The job is {job_status(lab)}.")
    ui.open_definitions()
    ui.row("sales report").get_by_text("sales report", exact=True).click()
    page.get_by_role("button", name="Delete Job Definition").click()
    ui.look("delete")
    page.get_by_role("button", name="Delete", exact=True).last.click()
    wait_until(lambda: not definitions(lab), 60, "The definition was not deleted.")
    ui.look("deleted")


def test_a_paused_schedule_stays_paused_when_it_is_edited_and_its_next_tick_runs_the_new_notebook(
    ticking_lab: JupyterLab, page: Page, tmp_path: Path
) -> None:
    lab = ticking_lab
    notebook = write_project(lab.project)
    write_notebook(lab.project / "other.ipynb", "print('the other one,', region)")
    ui = JobsPage(page, tmp_path / "screenshots")
    ui.open(lab)
    ui.create_job_from(notebook.name)
    ui.add_parameter("region", "Île-de-France")
    ui.run_on_a_schedule("0 2 * * *")
    ui.submit_definition()
    ui.row("sales report").get_by_title("Pause").click()
    expect(ui.row("sales report")).to_contain_text("Paused")

    ui.row("sales report").get_by_text("sales report", exact=True).click()
    page.get_by_role("button", name="Edit Job Definition").click()
    ui.schedule("30 4 * * *")
    ui.time_zone("Asia/Tokyo")
    ui.take_input_from("other.ipynb")
    ui.look("edit")
    ui.save()
    ui.look("edited")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    edited = definition(lab)
    said = [edited[name] for name in ("active", "schedule", "timezone", "input_filename")]
    assert said == [False, "30 4 * * *", "Asia/Tokyo", "other.ipynb"]
    assert edited["parameters"] == {"region": "Île-de-France"}

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    tick(lab)
    wait_until(lambda: job_status(lab) == "COMPLETED", 120, f"The job is {job_status(lab)}.")
    page.get_by_role("button", name="Reload", exact=True).click()
    expect(page.get_by_text("Completed")).to_be_visible()
    ui.look("ticked")
    (log,) = (lab.home / "data" / "scheduler_staging_area").glob("*/out/output.log")
    assert "the other one, Île-de-France" in log.read_text(encoding="utf-8")


def tick(lab: JupyterLab) -> None:
    """Turn the clock to the next tick of its only definition, for one look of the daemon."""
    backend = LocalBackend(lab.runs)
    (cron,) = backend.crons.all()
    tick_all(backend, next(upcoming(cron, datetime.now(UTC))).timestamp())


def definitions(lab: JupyterLab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.get("/scheduler/job_definitions")["job_definitions"]
    return found


def definition(lab: JupyterLab) -> dict[str, Any]:
    (found,) = definitions(lab)
    return found


def job_status(lab: JupyterLab) -> str:
    jobs = lab.get("/scheduler/jobs")["jobs"]
    return jobs[0]["status"] if jobs else "not there"


def without(values: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
