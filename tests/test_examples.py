"""Every example compiles to the bytes of its `.yaml`, passes `lint`, and runs."""

from __future__ import annotations

import contextvars
import runpy
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.inputs import read
from couler_jobs.spec.wire import decode

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
RETURNS: dict[str, Any] = {
    "hello": "Hello, world!",
    "diamond": "4 to 38",
    "fan_out_and_collect": 60,
    "exit_handler": "done",
    "notebook_with_parameters": "north: 14, at most 9 a day",
}


def compiled(path: Path) -> dict[str, Any]:
    return read(path, "4.1")


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_an_example_compiles_to_the_bytes_beside_it(example: Path) -> None:
    expected = example.with_suffix(".yaml").read_text(encoding="utf-8")
    assert cj.to_yaml(compiled(example)) == expected


def test_a_script_prints_the_same_bytes(
    example: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(example)])
    contextvars.copy_context().run(runpy.run_path, str(example), run_name="__main__")
    assert capsys.readouterr().out == example.with_suffix(".yaml").read_text(encoding="utf-8")


def test_two_threads_at_once_get_the_same_bytes(example: Path) -> None:
    if not example.stem.startswith("couler"):
        module = runpy.run_path(str(example), run_name=example.stem)
        workflow = module[example.stem]
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.append(cj.to_yaml(workflow.compile())))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [example.with_suffix(".yaml").read_text(encoding="utf-8")] * 2


def test_an_example_has_nothing_to_complain_of(example: Path) -> None:
    assert cj.lint(compiled(example)) == []


def test_an_example_runs_on_this_machine(example: Path, tmp_path: Path) -> None:
    manifest = compiled(example)
    for template in manifest["spec"]["templates"]:
        for field in ("container", "script"):
            if template.get(field, {}).get("command") == ["python"]:
                template[field]["command"] = [sys.executable]
    backend = LocalBackend(tmp_path)
    run = cj.submit(manifest, backend=backend)
    run.wait(timeout=60)
    assert run.phase == "Succeeded"
    outputs = backend.get(run.name).outputs.get("parameters", {})
    if example.stem in RETURNS:
        assert decode(outputs["value"]) == RETURNS[example.stem]


@pytest.mark.parametrize("stem", RETURNS)
def test_an_example_runs_in_this_process(stem: str) -> None:
    path = next(path for path in EXAMPLES if path.stem == stem)
    workflow = runpy.run_path(str(path), run_name=stem)[stem]
    assert cj.run_here(workflow) == RETURNS[stem]
