"""Whole runs with real kernels. Each run costs seconds, so several tests look at one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.in_pod.laid import lay_environment, spec, wrap_python
from tests.in_pod.running import Cell, Ran, code, markdown, request_for, run

HARD_NAME = """O'Brien's "report" {{x}} $(id) ;é.ipynb"""
HARD_TEXT = 'it\'s "quoted"\n{{x}} $(id) `id`\n%magic\n!ls \\n é \U0001f600 \u2028'
VALUES = {
    "text": HARD_TEXT,
    "number": 1e308,
    "count": 2**70,
    "off": False,
    "nothing": None,
    "nested": [1, [2.5, {"k'": ["", None, True]}]],
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("good") / "{{y}} 'f'"
    folder.mkdir()
    cells: list[Cell] = [
        markdown("# Title"),
        code("text, untouched, number = 'default', 'default', 0", "parameters"),
        "import json, os, sys\nprint('first', untouched)",
        "json.dump([text, number, count, off, nothing, nested], open('seen.json', 'w'))",
        "print('cwd', os.getcwd())\nprint('no newline', end='')",
        "print('python', sys.executable, file=sys.stderr)",
        "print('PATH is', PATH, 'and not', os.environ['PATH'])\n6 * 7",
    ]
    request = request_for(folder, cells, HARD_NAME, parameters=VALUES | {"PATH": "mine"})
    request["formats"] = {
        "html": str(folder / "out" / "r.html"),
        "markdown": str(folder / "more" / "r.md"),
    }
    return run(request, JPY_API_TOKEN="canary")


def test_a_good_run_succeeds(good: Ran) -> None:
    assert (good.exit_code, good.result["status"], good.result["message"]) == (0, "succeeded", "")


def test_parameters_arrive_typed_and_equal(good: Ran) -> None:
    seen = json.loads((Path(good.request["input"]).parent / "seen.json").read_text())
    assert seen == list(VALUES.values())


def test_a_parameter_named_like_a_variable_leaves_the_variable_alone(good: Ran) -> None:
    assert f"PATH is mine and not {Path(sys.executable).parent}" in good.log


def test_a_parameter_that_is_not_given_keeps_its_default(good: Ran) -> None:
    assert "first default" in good.log


def test_parameters_are_injected_after_the_tagged_cell(good: Ran) -> None:
    tags = [cell["metadata"]["tags"] for cell in good.code_cells[:3]]
    assert tags == [["parameters"], ["injected-parameters"], []]


def test_parameter_values_are_not_in_the_log(good: Ran) -> None:
    assert "quoted" not in good.log + good.stdout + good.stderr


def test_the_log_has_a_header_for_each_code_cell(good: Ran) -> None:
    places = [
        "cell 1 of 6",
        "the injected parameters cell",
        *(f"cell {k} of 6" for k in range(2, 7)),
    ]
    headers = [line for line in good.log.splitlines() if line.startswith("--- ")]
    assert [line.split(",")[0] for line in headers] == [f"--- {place}" for place in places]


def test_the_log_goes_to_stdout_too(good: Ran) -> None:
    assert good.stdout == good.log


def test_the_log_has_results_and_errors_printed(good: Ran) -> None:
    assert f"python {Path(sys.executable).parent}" in good.log
    assert "\n42\n" in good.log


def test_cells_run_in_the_folder_of_the_input(good: Ran) -> None:
    assert f"cwd {Path(good.request['input']).parent}\n" in good.log


def test_every_report_is_written(good: Ran) -> None:
    html, text = (Path(path).read_text() for path in good.request["formats"].values())
    assert "<h1" in html
    assert "# Title" in text


def test_a_good_run_leaves_only_what_was_asked_for(good: Ran) -> None:
    left = {path.name for path in Path(good.request["output"]).parent.iterdir()}
    assert left == {HARD_NAME, "result.json", "log.txt", "progress.json", "r.html"}


def test_the_result_says_when_and_what(good: Ran) -> None:
    result = good.result
    assert result["started_at"] < result["finished_at"]
    assert (result["kernel"], result["cells"], result["cell"]) == ("python3", 6, None)
    assert len(result["input_sha256"]) == 64


def test_the_progress_ends_at_the_last_cell(good: Ran) -> None:
    progress = json.loads(Path(good.request["progress"]).read_text())
    assert (progress["cell"], progress["cells"], progress["status"]) == (6, 6, "succeeded")


def test_the_notebook_names_its_real_places(good: Ran) -> None:
    told = good.notebook["metadata"]["papermill"]
    assert (told["input_path"], told["output_path"]) == (
        good.request["input"],
        good.request["output"],
    )


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("failed")
    cells: list[Cell] = [
        code("raise KeyError('allowed')", "raises-exception"),
        markdown("text"),
        "print('before')",
        "def broken():\n    raise ValueError('\\x1b[31mred\\nline ' + 'x' * 600)\nbroken()",
        "print('never')",
    ]
    html = str(folder / "out" / "r.html")
    return run(request_for(folder, cells, formats={"html": html}))


def test_a_cell_that_raises_fails_the_run(failed: Ran) -> None:
    assert (failed.exit_code, failed.result["status"]) == (1, "failed")


def test_the_error_names_its_class_and_cell(failed: Ran) -> None:
    result = failed.result
    assert (result["error_name"], result["cell"], result["cells"]) == ("ValueError", 3, 4)


def test_the_error_message_is_one_bounded_line(failed: Ran) -> None:
    message = failed.result["message"]
    assert message.startswith("Cell 3 of 4 failed: ValueError: red line xxx")
    assert len(message) <= 500


def test_the_traceback_has_no_terminal_codes(failed: Ran) -> None:
    traceback = "\n".join(failed.result["traceback"])
    assert "broken()" in traceback
    assert "\x1b" not in traceback


def test_cells_after_the_error_do_not_run(failed: Ran) -> None:
    assert failed.code_cells[3]["outputs"] == []
    assert "before" in failed.log


def test_the_output_of_a_failed_run_shows_the_error(failed: Ran) -> None:
    assert failed.code_cells[2]["outputs"][-1]["ename"] == "ValueError"


def test_a_failed_run_has_its_report(failed: Ran) -> None:
    assert "ValueError" in Path(failed.request["formats"]["html"]).read_text()


def test_the_injected_cell_is_not_counted(tmp_path: Path) -> None:
    cells: list[Cell] = [code("x = 1", "parameters"), "1 / 0"]
    ran = run(request_for(tmp_path, cells, parameters={"x": 2}))
    assert ran.result["message"].startswith("Cell 2 of 2 failed: ZeroDivisionError")
    assert (ran.result["cell"], ran.result["cells"]) == (2, 2)


def test_an_error_in_the_injected_cell_is_said_to_be_there(tmp_path: Path) -> None:
    ran = run(request_for(tmp_path, ["print('own')"], parameters={"class": 2}))
    assert ran.result["message"].startswith("The injected parameters cell failed: SyntaxError")
    assert (ran.result["cell"], ran.result["cells"]) == (None, 1)


def test_an_injected_cell_of_an_earlier_run_is_the_inputs_own(tmp_path: Path) -> None:
    cells: list[Cell] = [code("x = 1", "injected-parameters"), "1 / 0"]
    ran = run(request_for(tmp_path, cells, parameters={"x": 2}))
    assert ran.result["message"].startswith("Cell 2 of 2 failed")


LEAVING = [
    ("import sys; sys.exit()", 0, "succeeded", "Cell 1 ended the notebook with sys.exit(0)."),
    ("import sys; sys.exit(3)", 1, "failed", "Cell 1 of 2 failed: SystemExit: 3"),
]


@pytest.mark.parametrize(("cell", "exit_code", "status", "message"), LEAVING)
def test_leaving_a_notebook_by_sys_exit(
    tmp_path: Path, cell: str, exit_code: int, status: str, message: str
) -> None:
    ran = run(request_for(tmp_path, [cell, "print('never')"]))
    assert (ran.exit_code, ran.result["status"], ran.result["message"]) == (
        exit_code,
        status,
        message,
    )


@pytest.mark.parametrize("cells", [[], [markdown("only text")]])
def test_a_notebook_without_code_succeeds(tmp_path: Path, cells: list[Cell]) -> None:
    ran = run(request_for(tmp_path, cells))
    assert (ran.exit_code, ran.result["cells"]) == (0, 0)
    # A kernel that is ended while it still answers its first message may say that it was.
    assert [line for line in ran.log.splitlines() if "caught in kernel" not in line] == []


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run in another environment, with the oldest kind of notebook."""
    folder = tmp_path_factory.mktemp("elsewhere")
    home = lay_environment(folder / "envs" / "stats", mine=spec(env={"FROM_SPEC": "yes"}))
    (home / "conda-meta").mkdir()
    wrap_python(home)
    request = request_for(folder, [], environment=str(home), parameters={"x": 1})
    names = ["PATH", "CONDA_PREFIX", "FROM_SPEC", "JPY_API_TOKEN", "JUPYTER_RUNTIME_DIR"]
    source = f"import os\nprint([os.environ.get(name) for name in {names}])\nprint('x', x)"
    cell = {"cell_type": "code", "input": source, "language": "python", "outputs": []}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    Path(request["input"]).write_text(json.dumps(old))
    return run(request, JPY_API_TOKEN="canary")


def test_the_environments_only_kernel_runs_the_notebook(elsewhere: Ran) -> None:
    assert (elsewhere.exit_code, elsewhere.result["kernel"]) == (0, "mine")


def test_the_kernel_has_its_environments_variables_and_none_of_ours(elsewhere: Ran) -> None:
    home = elsewhere.request["environment"]
    assert f"['{home}/bin:" in elsewhere.log
    assert f"', '{home}', 'yes', None, None]" in elsewhere.log


def test_a_notebook_of_the_old_format_runs_with_parameters(elsewhere: Ran) -> None:
    assert "x 1\n" in elsewhere.log


def test_parameters_of_a_language_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    home = lay_environment(tmp_path / "env", mine=spec("klingon"))
    ran = run(request_for(tmp_path, ["1"], environment=str(home), parameters={"x": 1}))
    assert (ran.exit_code, ran.result["status"]) == (3, "refused")
    assert "klingon" in ran.result["message"]
