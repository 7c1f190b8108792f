from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from couler_jobs.demo.jupyter import JupyterLab, wait_until
from couler_jobs.demo.project import write_project
from couler_jobs.demo.show import end
from tests.e2e.jobs_page import JobsPage

pytestmark = pytest.mark.e2e


@pytest.fixture
def ticking_lab(lab: JupyterLab) -> Iterator[JupyterLab]:
    """A JupyterLab after which nothing ticks any more."""
    yield lab
    end(lab)


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
    page.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_role("button", name="Edit Job Definition")).to_be_visible()
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
