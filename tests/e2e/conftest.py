"""A JupyterLab and a browser for the tests that click."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from couler_jobs.demo.jupyter import JupyterLab

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _chromium() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path:
        return path
    if os.environ.get("CI"):
        pytest.fail("No Chromium on PATH: the browser tests must run in CI.")
    pytest.skip("No Chromium on PATH (Debian: apt-get install chromium), nor in CHROMIUM.")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[JupyterLab]:
    project = tmp_path / "project"
    project.mkdir()
    lab = JupyterLab(project=project, home=tmp_path / "state")
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()
