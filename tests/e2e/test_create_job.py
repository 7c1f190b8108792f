from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from couler_jobs.demo.jupyter import JupyterLab, wait_until
from couler_jobs.demo.project import write_project
from tests.e2e.jobs_page import JobsPage

pytestmark = pytest.mark.e2e


def test_a_notebook_job_is_created_runs_and_is_downloaded(
    lab: JupyterLab, page: Page, tmp_path: Path
) -> None:
    notebook = write_project(lab.project)
    ui = JobsPage(page, tmp_path / "screenshots")
    ui.open(lab)
    ui.create_job_from(notebook.name)
    ui.look("create job")
    ui.add_parameter("region", "Île-de-France, the 'north'")
    ui.add_parameter("days", "2")
    ui.look("parameters")
    ui.submit()
    ui.look("created")
    ui.reload_until("sales report", "Completed")
    ui.look("completed")
    ui.row("sales report").get_by_title("Download").click()
    wait_until(lambda: len(downloaded(lab)) == 4, 30, f"Only {downloaded(lab)} came down.")
    page.get_by_role("button", name="Reload").click()
    ui.look("downloaded")
    (output,) = (p for p in downloaded(lab) if p.suffix == ".ipynb" and p.name != notebook.name)
    text = nbformat.writes(nbformat.read(output, as_version=4))
    assert "sold in Île-de-France, the 'north'" in text
    ui.row("sales report").get_by_text("sales report", exact=True).click()
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    ui.look("detail")


def downloaded(lab: JupyterLab) -> list[Path]:
    return [path for path in (lab.project / "jobs").rglob("*") if path.is_file()]
