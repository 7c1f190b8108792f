"""Secrets reach the cells, and nothing that a run leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.in_pod.running import Ran, code, request_for, run

TOKEN, PASSWORD = "canary-Tok3n/+=", "canary'pass\"word"
PRINTS = """\
import os, subprocess, sys, time
from IPython.display import display, HTML
print(token, repr(password_variable := os.environ['DB_PASSWORD']))
for sign in token:
    print(sign, end='', flush=True)
    time.sleep(0.01)
subprocess.run(['sh', '-c', 'printenv DB_PASSWORD; printenv DB_PASSWORD >&2'])
os.write(1, token.encode())
display(HTML(f'<b>{token}</b>'))
print(dict(os.environ), file=sys.stderr)
open('seen', 'w').write(token + '\\n' + password_variable + '\\n' + os.environ['REGION'])
token"""
ENVIRONMENT = {"COULER_JOBS_SECRET_0": TOKEN, "COULER_JOBS_SECRET_1": PASSWORD}


def asked(folder: Path, *cells: Any, **more: Any) -> dict[str, Any]:
    request = request_for(
        folder,
        [code("token = 'default'; day = ''", "parameters"), *cells],
        secret_parameters={"token": "COULER_JOBS_SECRET_0"},
        secret_variables={"DB_PASSWORD": "COULER_JOBS_SECRET_1"},
        variables={"REGION": "eu"},
        **more,
    )
    request["formats"] = {"html": str(folder / "out" / "r.html")}
    return request


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("secrets")
    cells = [PRINTS, "raise ValueError('x' * 460 + token)"]
    return run(asked(folder, *cells, parameters={"day": "2026-01-01"}), **ENVIRONMENT)


def test_a_secret_parameter_and_variable_reach_the_cells(printed: Ran) -> None:
    seen = (Path(printed.request["input"]).parent / "seen").read_text()
    assert seen.splitlines() == [TOKEN, PASSWORD, "eu"]


def test_nothing_that_a_run_leaves_holds_a_secret(printed: Ran) -> None:
    assert printed.result["status"] == "failed"
    left = [path for path in Path(printed.request["output"]).parent.iterdir() if path.is_file()]
    texts = {path.name: path.read_text() for path in left} | {
        "stdout": printed.stdout,
        "stderr": printed.stderr,
    }
    assert {"in.ipynb", "log.txt", "result.json", "r.html", "progress.json"} <= texts.keys()
    for name, text in texts.items():
        assert "canary" not in text, name


def test_what_was_printed_is_there_but_for_the_secret(printed: Ran) -> None:
    texts = json.dumps(printed.notebook["cells"])
    assert "<b>***</b>" in texts
    assert "***" in printed.log
    assert printed.result["message"].startswith("Cell 3 of 3 failed: ValueError: xxx")


def test_the_injected_cell_says_which_parameters_are_secret(printed: Ran) -> None:
    (injected,) = (
        cell for cell in printed.code_cells if "injected-parameters" in cell["metadata"]["tags"]
    )
    assert "".join(injected["source"]).splitlines() == [
        "# Parameters",
        'day = "2026-01-01"',
        "# token: a secret, set in the kernel only",
    ]
    assert printed.notebook["metadata"]["papermill"]["parameters"] == {"day": "2026-01-01"}


def test_the_kernel_has_no_other_name_of_a_secret(tmp_path: Path) -> None:
    cell = "import os; print([name for name in os.environ if name.startswith('COULER_JOBS_S')])"
    ran = run(asked(tmp_path, cell), **ENVIRONMENT)

    assert ran.exit_code == 0
    assert "\n[]\n" in ran.log


def test_a_secret_that_did_not_arrive_is_a_refusal(tmp_path: Path) -> None:
    ran = run(asked(tmp_path, "1"), COULER_JOBS_SECRET_0=TOKEN)

    assert ran.exit_code == 3
    assert "The secret for DB_PASSWORD did not reach the notebook's step" in ran.result["message"]
