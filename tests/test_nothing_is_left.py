"""What tests that fail would leave behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.backends.local.processes import gone, pid_in, soon, unmeasured

ROOT = Path(__file__).parents[1]

FAILING = """
from couler_jobs.backends.local.client import LocalBackend
from tests.backends.workflows import sh, workflow
from tests.backends.local.processes import pid_in
from tests.conftest import _nothing_is_left

def test(tmp_path):
    step = sh("a", f"echo $$$$ > {{tmp_path}}/step; exec sleep 1000")
    LocalBackend(tmp_path / "home").submit(workflow(step, name="left"))
    number = pid_in(tmp_path / "step")
    with open({note!r}, "w") as file:
        file.write(str(number))
    assert False
"""


def test_a_failing_test_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "note"
    (tmp_path / "test_it.py").write_text(FAILING.format(note=str(note)), encoding="utf-8")
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path}/base", str(tmp_path)],
        env=unmeasured() | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode
    assert code == 1
    assert soon(lambda: gone(pid_in(note)))
