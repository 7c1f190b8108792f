"""JupyterLab's scheduler pages, in the words of the person who clicks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from couler_jobs.demo.jupyter import JupyterLab


@dataclass
class JobsPage:
    """Clicks, and keeps a numbered screenshot of each look in `shots`."""

    page: Page
    shots: Path
    taken: int = 0

    def open(self, lab: JupyterLab) -> None:
        self.page.goto(lab.link)
        self.page.wait_for_selector(".jp-DirListing-item")

    def look(self, what: str) -> None:
        self.shots.mkdir(exist_ok=True)
        self.taken += 1
        self.page.screenshot(path=self.shots / f"{self.taken:02d} {what}.png")

    def create_job_from(self, notebook: str) -> None:
        file = self.page.locator(".jp-DirListing-item", has_text=notebook)
        file.click(button="right")
        self.page.get_by_text("Create Job", exact=True).click()
        expect(self.page.get_by_label("Job name")).to_be_visible()

    def add_parameter(self, name: str, value: str) -> None:
        fields = self.page.locator("input[name^='parameter-']")
        before = fields.count()
        self.page.get_by_title("Add new parameter").click()
        expect(fields).to_have_count(before + 2)
        fields.nth(before).fill(name)
        fields.nth(before + 1).fill(value)
        fields.nth(before + 1).blur()

    def submit(self) -> None:
        self.page.get_by_role("button", name="Create", exact=True).click()
        expect(self.page.get_by_role("alert")).to_contain_text("has been created")

    def run_on_a_schedule(self, line: str) -> None:
        self.page.get_by_label("Run on a schedule").click()
        self.schedule(line)

    def schedule(self, line: str) -> None:
        interval = self.page.locator("[id$='scheduleInterval'], [id$='-interval']")
        if interval.count():
            interval.first.click()
            self.page.get_by_role("option", name="Custom schedule").click()
        field = self.page.get_by_label("Cron expression")
        field.fill(line)
        field.blur()

    def time_zone(self, zone: str) -> None:
        field = self.page.get_by_role("combobox", name="Time zone")
        field.fill(zone)
        self.page.get_by_role("option", name=zone).first.click()

    def take_input_from(self, notebook: str) -> None:
        """Drag a file from the file browser over the form's field, and let go."""
        file = self.page.locator(".jp-DirListing-item", has_text=notebook)
        field = self.page.get_by_label("Input file snapshot")
        file.hover()
        self.page.mouse.down()
        box = field.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y - 5, steps=10)
        self.page.mouse.move(x, y, steps=10)
        self.page.mouse.up()
        expect(field).to_have_value(re.compile(re.escape(notebook)))

    def save(self) -> None:
        self.page.get_by_role("button", name="Save Changes").click()
        expect(self.page.get_by_role("button", name="Edit Job Definition")).to_be_visible()

    def submit_definition(self) -> None:
        self.page.get_by_role("button", name="Create", exact=True).click()
        expect(self.page.locator("tbody tr").first).to_be_visible()

    def open_definitions(self) -> None:
        self.page.get_by_role("tab", name="Job Definitions").click()

    def row(self, job: str) -> Locator:
        return self.page.locator("tbody tr", has_text=job)

    def reload_until(self, job: str, status: str, seconds: float = 90) -> None:
        for _ in range(int(seconds)):
            self.page.get_by_role("button", name="Reload").click()
            self.page.wait_for_timeout(1000)
            if status in self.row(job).inner_text():
                return
        raise AssertionError(f"{job} did not become {status}: {self.row(job).inner_text()}")


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook of these cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = kernel
    nbformat.write(notebook, path)
