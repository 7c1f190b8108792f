"""The programs in the documentation are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from couler_jobs.backends.local.crons import NOT_HERE
from couler_jobs.compiler.lint import lint
from couler_jobs.inputs import read
from couler_jobs.spec.versions import TARGETS

DOCS = Path(__file__).parents[1] / "docs"
PROGRAMS = [
    pytest.param(program, id=f"{path.stem}-{number}")
    for path in sorted(DOCS.glob("*.md"))
    for number, program in enumerate(
        re.findall(r"```python\n(import.*?)```", path.read_text(encoding="utf-8"), re.DOTALL), 1
    )
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_compiles_to_what_every_argo_takes(program: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    names = re.findall(r"@cj\.workflow.*\ndef (\w+)", program)
    what = f"{file}:{names[-1]}" if names else file
    for target in map(str, TARGETS):
        found = lint(read(what, target), target)
        assert [one for one in found if one.severity == "error"] == []


def test_a_link_leads_to_a_file_that_exists() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.glob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    ]
    assert [link for page, link in links if not (page.parent / link).exists()] == []


def test_what_a_schedule_cannot_have_on_this_machine_is_listed() -> None:
    page = (DOCS / "workflows.md").read_text(encoding="utf-8")
    listed = page.split("## What this machine does not do")[1].split("\n## ")[0]
    assert [name for name in NOT_HERE if f"`{name}`" not in listed] == []
