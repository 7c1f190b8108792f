"""`couler-jobs apply` of a template, over a backend in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from couler_jobs.cli import main
from tests.runs.fake import FakeBackend
from tests.test_apply_template import CLUSTER, TEMPLATE

Output = pytest.CaptureFixture[str]


@pytest.fixture
def template(tmp_path: Path) -> str:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(TEMPLATE), encoding="utf-8")
    return str(path)


def test_a_template_is_stored_and_its_name_printed(
    template: str, fake: FakeBackend, capsys: Output
) -> None:
    assert main(["apply", template]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert (fake.templates, fake.submitted) == ({"hello": TEMPLATE}, [])


def test_json_says_what_was_stored_and_where(
    template: str, fake: FakeBackend, capsys: Output
) -> None:
    assert main(["apply", template, "--name", "mine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"name": "mine", "kind": "WorkflowTemplate", "backend": "fake"}


def test_a_program_that_declares_a_template_is_stored(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    path = tmp_path / "flow.py"
    path.write_text(
        "import couler_jobs as cj\n\n@cj.step\ndef a() -> None:\n    pass\n\n"
        '@cj.workflow(kind="WorkflowTemplate")\ndef shared():\n    a()\n'
    )
    assert main(["apply", str(path)]) == 0
    assert list(fake.templates) == ["shared"]


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_a_template_is_not_run_and_the_error_names_apply(
    verb: str, template: str, fake: FakeBackend, capsys: Output
) -> None:
    assert main([verb, template]) == 2
    assert "`couler-jobs apply`" in capsys.readouterr().err
    assert (fake.templates, fake.submitted) == ({}, [])


def test_a_template_of_a_whole_cluster_is_refused(
    tmp_path: Path, fake: FakeBackend, capsys: Output
) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(CLUSTER), encoding="utf-8")
    assert main(["apply", str(path)]) == 2
    assert "make it a WorkflowTemplate" in capsys.readouterr().err
    assert fake.templates == {}
