"""What the README says is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from couler_jobs.cli.exits import CODES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_program_runs_on_this_machine(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARGO_")}
    ended = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**kept, "COULER_JOBS_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (0, "{'value': 10}\n"), ended.stderr


def test_its_test_command_is_what_ci_runs() -> None:
    (command,) = (line for line in README.splitlines() if line.endswith("/tox"))
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_its_map_names_folders_that_exist() -> None:
    folders = re.findall(r"^\| `([\w/]+)` \|", README, re.MULTILINE)
    assert len(folders) == 10
    assert [name for name in folders if not (ROOT / name).is_dir()] == []


def test_it_has_every_exit_code_that_help_has() -> None:
    (listed,) = re.findall(r"^Exit codes: .*?\n\n", README, re.DOTALL | re.MULTILINE)
    assert [code for code in CODES if f" {code:d} " not in listed] == []
