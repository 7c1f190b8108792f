from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from couler_jobs.demo.jupyter import JupyterLab, wait_until
from couler_jobs.demo.project import write_project
from tests.e2e.jobs_page import JobsPage, write_notebook

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


def test_a_running_job_says_its_cell_and_a_failed_one_the_last_lines_of_its_traceback(
    lab: JupyterLab, page: Page, tmp_path: Path
) -> None:
    go = lab.project / "go"
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.1)"
    write_notebook(lab.project / "fails.ipynb", "x = 0", waits, "y = 1\n1 / x")
    ui = JobsPage(page, tmp_path / "screenshots")
    ui.open(lab)
    ui.create_job_from("fails.ipynb")
    ui.submit()
    job_id = lab.get("/scheduler/jobs")["jobs"][0]["job_id"]
    running = "Running cell 2 of 3."
    wait_until(lambda: message(lab, job_id) == running, 120, "It did not say how far it is.")
    ui.row("fails").get_by_text("fails", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text=running)).to_be_visible()
    ui.look("running")
    go.touch()
    wait_until(lambda: "failed" in message(lab, job_id), 120, "It did not fail.")
    page.get_by_role("button", name="Reload Job").click()
    said = page.get_by_role("alert").filter(has_text="Cell 3 of 3 failed: ZeroDivisionError")
    expect(said).to_contain_text("2 1 / x")
    ui.look("failed")


def message(lab: JupyterLab, job_id: str) -> str:
    """The job's status message, as a client sees it."""
    return lab.get(f"/scheduler/jobs/{job_id}")["status_message"] or ""


def downloaded(lab: JupyterLab) -> list[Path]:
    return [path for path in (lab.project / "jobs").rglob("*") if path.is_file()]


def test_a_job_with_every_option_of_the_form_runs_and_gives_everything_back(
    lab: JupyterLab, page: Page, tmp_path: Path
) -> None:
    writes = "open('out.txt', 'w').write(open('in.txt').read() * times)"
    write_notebook(lab.project / "all.ipynb", writes)
    (lab.project / "in.txt").write_text("ab")
    (lab.project / "big.bin").write_text("left behind")
    (lab.project / ".jobignore").write_text("*.bin\n")
    ui = JobsPage(page, tmp_path / "screenshots")
    ui.open(lab)
    ui.create_job_from("all.ipynb")
    page.get_by_label("Job name").fill("every option")
    page.get_by_label("Run job with input folder").check()
    page.get_by_role("checkbox", name="HTML").check()
    page.get_by_role("checkbox", name="Notebook").check()
    ui.add_parameter("times", "3")
    page.get_by_role("button", name="Additional options").click()
    page.get_by_label("Idempotency token").fill("once")
    page.get_by_title("Add new tag").click()
    page.get_by_label("Tag 1").fill("monthly")
    page.get_by_label("Run now").check()
    ui.look("every option")
    ui.submit()
    ui.reload_until("every option", "Completed")
    ui.row("every option").get_by_title("Download").click()
    wait_until(lambda: len(downloaded(lab)) == 7, 30, f"Only {downloaded(lab)} came down.")
    page.get_by_role("button", name="Reload").click()
    expect(ui.row("every option").get_by_text("Files", exact=True)).to_be_visible()
    ui.look("downloaded")
    (job,) = lab.get("/scheduler/jobs")["jobs"]
    assert (job["parameters"], job["output_formats"]) == ({"times": "3"}, ["ipynb", "html"])
    assert (job["tags"], job["idempotency_token"]) == (["monthly"], "once")
    found = {path.name: path for path in downloaded(lab)}
    assert found["out.txt"].read_text() == "ababab"
    assert {"in.txt", "all.ipynb"} < set(found)
    assert "big.bin" not in found
