"""Every example compiles to the bytes of its manifests, passes `lint`, and runs where it can."""

from __future__ import annotations

import contextvars
import runpy
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local import daemon
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.couler_programs import workflows_of
from couler_jobs.errors import Rejected
from couler_jobs.inputs import program, read
from couler_jobs.runs.schedule import Schedule
from couler_jobs.spec.wire import decode
from tests.dsl.running import parallel_steps

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
COULERS = FOLDER / "couler_program.py"
"""The one that says `import couler.argo`."""
PROGRAMS = [path for path in EXAMPLES if path != COULERS]
NEEDS_KUBERNETES = {
    "tensorflow_job": r"spec\.templates\[\d\]\.resource",
    "plugin": r"spec\.templates\[\d\]\.plugin",
}
RUNNING = [path for path in EXAMPLES if path.stem not in NEEDS_KUBERNETES]
RETURNS: dict[str, Any] = {
    "hello": "Hello, world!",
    "diamond": "4 to 38",
    "fan_out_and_collect": 60,
    "exit_handler": "done",
    "notebook_with_parameters": "north: 14, at most 9 a day",
    "sub_workflow": "sales 10, stock 10",
    "conditions": "12 rows",
    "hooks": "loaded sales",
    "retries_and_timeouts": "what is at https://example.org",
    "caching": "2026-01-01: 30",
    "files_and_types": "2026-01-01,fast\n2026-01-01,fast\n",
    "repeat": "0.9 in 0.9",
    "cron": "nothing is older than 30 days",
}
RETURNS_THERE = RETURNS | {
    "volumes": "kept for the next step",
    "secrets_in_env": "a token of 6 letters for eu",
    "container_set": "3 in all",
    "services": "it answered a page",
    "approval": "v2: accuracy 0.87, approved by me",
}
"""What needs a volume, a secret or an answer has them on a backend, and not in this process."""
ANSWERS = {"approval": {"tag": "v2", "who": "me"}}


def manifest_of(path: Path, target: str = "4.1") -> Path:
    return (
        path.with_suffix(".yaml") if target == "4.1" else FOLDER / "argo-3.5" / f"{path.stem}.yaml"
    )


def compiled(path: Path, target: str = "4.1") -> dict[str, Any]:
    if path == COULERS:
        (workflow,) = workflows_of(path)
        return cj.compile(workflow, target=target)
    return read(f"{path}:{path.stem}" if has_own_workflow(path) else path, target)


def has_own_workflow(path: Path) -> bool:
    """Whether it declares a `@workflow`, which is then called as the file is."""
    return "@cj.workflow" in path.read_text(encoding="utf-8")


@contextmanager
def own_workflow(path: Path) -> Iterator[Any]:
    with program(path) as module:
        yield getattr(module, path.stem)


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", paths, ids=[path.stem for path in paths])


@pytest.mark.parametrize("target", ["3.5", "4.1"])
@named(EXAMPLES)
def test_an_example_compiles_to_the_bytes_beside_it(example: Path, target: str) -> None:
    expected = manifest_of(example, target).read_text(encoding="utf-8")
    assert cj.to_yaml(compiled(example, target)) == expected


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "argo-3.5"], ids=["4.1", "3.5"])
def test_every_manifest_belongs_to_an_example(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.yaml")} == {path.stem for path in EXAMPLES}


@named(PROGRAMS)
def test_a_script_prints_the_same_bytes(
    example: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(example)])
    contextvars.copy_context().run(runpy.run_path, str(example), run_name="__main__")
    assert capsys.readouterr().out == manifest_of(example).read_text(encoding="utf-8")


@named([path for path in PROGRAMS if has_own_workflow(path)])
def test_two_threads_at_once_get_the_same_bytes(example: Path) -> None:
    with own_workflow(example) as workflow, ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: cj.to_yaml(workflow.compile()), range(2)))
    assert found == [manifest_of(example).read_text(encoding="utf-8")] * 2


@pytest.mark.parametrize("target", ["3.5", "4.1"])
@named(EXAMPLES)
def test_an_example_has_nothing_to_complain_of(example: Path, target: str) -> None:
    assert cj.lint(compiled(example, target), target) == []


@pytest.mark.parametrize("stem", RETURNS)
def test_an_example_runs_in_this_process(
    stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the files that its steps write belong
    with own_workflow(FOLDER / f"{stem}.py") as workflow:
        assert cj.run_here(workflow) == RETURNS[stem]


# --- on this machine


@pytest.fixture
def place(tmp_path: Path) -> LocalBackend:
    """This machine, with the secret that one of them reads."""
    secret = tmp_path / "secrets" / "api" / "token"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text("hushed")
    return LocalBackend(tmp_path)


def with_this_python(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"]
    for template in spec.get("workflowSpec", spec)["templates"]:
        for field in ("container", "script"):
            if template.get(field, {}).get("command") == ["python"]:
                template[field]["command"] = [sys.executable]
    return manifest


@parallel_steps
@named(RUNNING)
def test_an_example_runs_on_this_machine(example: Path, place: LocalBackend) -> None:
    sent = cj.submit(with_this_python(compiled(example)), backend=place)
    run = sent.trigger() if isinstance(sent, Schedule) else sent
    daemon.stop(place.home)  # which a schedule has started
    if example.stem in ANSWERS:
        next(info for info in run.changes(60) if any(node.waits for node in info.nodes.values()))
        run.resume(answers=ANSWERS[example.stem])
    run.wait(timeout=180)
    assert run.phase == "Succeeded"
    outputs = place.get(run.name).outputs.get("parameters", {})
    if example.stem in RETURNS_THERE:
        assert decode(outputs["value"]) == RETURNS_THERE[example.stem]


@pytest.mark.parametrize("stem", NEEDS_KUBERNETES)
def test_what_needs_kubernetes_is_refused_by_its_field(stem: str, place: LocalBackend) -> None:
    with pytest.raises(Rejected, match=NEEDS_KUBERNETES[stem]):
        cj.submit(compiled(FOLDER / f"{stem}.py"), backend=place)
    assert list(place.list()) == []
