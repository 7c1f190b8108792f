"""A notebook file as a workflow of one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couler_jobs.errors import DeclarationError
from couler_jobs.inputs import read
from couler_jobs.notebooks import NotebookOptions, notebook_manifest, run_name

EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path / "home"))
    path = tmp_path / """O'Brien's "report" {{x}} $(id) ;é.ipynb"""
    path.write_text(json.dumps(EMPTY), encoding="utf-8")
    return path


def request_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (template,) = manifest["spec"]["templates"]
    program = ["python", "-m", "couler_jobs.in_pod.notebook"]
    assert template["script"]["command"] == [*program, "--request-file"]
    text = template["script"]["source"]
    assert "{{" not in text
    assert "$(" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_notebook_is_one_step_that_runs_it_in_its_folder(notebook: Path) -> None:
    manifest = notebook_manifest(notebook, NotebookOptions(parameters={"day": "{{x}}", "n": 3}))
    request = request_of(manifest)
    assert request["input"] == str(notebook)
    assert request["parameters"] == {"day": "{{x}}", "n": 3}
    ending = manifest["metadata"]["name"].rpartition("-")[2]
    assert request["output"] == str(notebook.with_name(f"{notebook.stem}-{ending}.ipynb"))


def test_values_are_in_no_list_of_processes(notebook: Path) -> None:
    manifest = notebook_manifest(notebook, NotebookOptions(parameters={"token": "canary"}))
    (template,) = manifest["spec"]["templates"]
    assert "canary" in template["script"].pop("source")
    assert "canary" not in json.dumps(manifest)


def test_submitting_a_path_gives_its_parameters_to_the_notebook(notebook: Path) -> None:
    assert request_of(read(notebook, "4.1", {"n": 3}))["parameters"] == {"n": 3}


def test_reports_lie_beside_the_output(notebook: Path, tmp_path: Path) -> None:
    options = NotebookOptions(output=tmp_path / "out.ipynb", formats=("html", "script"))
    formats = request_of(notebook_manifest(notebook, options))["formats"]
    assert formats == {
        "html": str(tmp_path / "out.html"),
        "script": str(tmp_path / "out.script.txt"),
    }


def test_a_folder_as_output_keeps_the_name(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    options = NotebookOptions(output=tmp_path / "out", name="run-abc")
    output = request_of(notebook_manifest(notebook, options))["output"]
    assert output == str(tmp_path / "out" / f"{notebook.stem}-abc.ipynb")


def test_where_the_folder_cannot_be_written_the_output_comes_here(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    output = Path(request_of(notebook_manifest(notebook))["output"])
    assert output.parent == tmp_path / "here"


def test_the_notebook_itself_is_not_overwritten(notebook: Path) -> None:
    with pytest.raises(DeclarationError, match="would overwrite the notebook"):
        notebook_manifest(notebook, NotebookOptions(output=notebook))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (NotebookOptions(kernel="no-such-kernel"), "no-such-kernel"),
        (NotebookOptions(environment="/no/such/environment"), "/no/such/environment"),
        (NotebookOptions(formats=("no-such-format",)), "no-such-format"),
        (NotebookOptions(parameters={"not a name": 1}), "not a name"),
    ],
)
def test_what_would_keep_it_from_running_is_refused(
    notebook: Path, options: NotebookOptions, why: str
) -> None:
    with pytest.raises(DeclarationError, match=why):
        notebook_manifest(notebook, options)


def test_a_missing_notebook_is_refused(notebook: Path) -> None:
    with pytest.raises(DeclarationError, match=r"no notebook at .*missing.ipynb"):
        notebook_manifest(notebook.with_name("missing.ipynb"))


def test_a_broken_notebook_is_refused(notebook: Path) -> None:
    notebook.write_text("{", encoding="utf-8")
    with pytest.raises(DeclarationError):
        notebook_manifest(notebook)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(JSON)
def test_every_value_arrives_as_it_was_given(notebook: Path, value: Any) -> None:
    manifest = notebook_manifest(notebook, NotebookOptions(parameters={"value": value}))
    assert request_of(manifest)["parameters"] == {"value": value}


def test_a_runs_name_is_new_and_short_enough() -> None:
    first, second = run_name("n" * 80), run_name("n" * 80)
    assert first != second
    assert len(first) == 63
    assert run_name("a.").startswith("a-")
