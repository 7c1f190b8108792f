"""`submit`: from what was declared to a run, over a backend in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.errors import (
    AlreadyExists,
    ConfigError,
    DeclarationError,
    LintError,
    WorkflowFailed,
)
from couler_jobs.spec.status import Phase
from couler_jobs.submission import prepare, submit, target_of
from tests.runs.fake import FakeBackend, info, node

HELLO: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "hello-"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "who", "value": "world"}]},
        "templates": [{"name": "main", "container": {"image": "python", "command": ["true"]}}],
    },
}


@cj.step
def double(number: int) -> int:
    return 2 * number


@cj.workflow
def doubling(number: int = 1) -> None:
    double(number)


def sent(backend: FakeBackend) -> dict[str, Any]:
    (manifest,) = backend.submitted
    return manifest


def value_of(manifest: dict[str, Any], name: str) -> str:
    parameters = manifest["spec"]["arguments"]["parameters"]
    return str(next(one["value"] for one in parameters if one["name"] == name))


def test_a_manifest_is_sent_and_its_run_comes_back() -> None:
    backend = FakeBackend()
    run = submit(HELLO, backend=backend)
    assert (run.name, run.phase) == ("hello-x7k2p", Phase.PENDING)
    assert sent(backend) == HELLO


def test_a_declared_workflow_is_compiled_with_its_parameters() -> None:
    backend = FakeBackend()
    submit(doubling, backend=backend, number=21)
    assert sent(backend)["kind"] == "Workflow"
    assert value_of(sent(backend), "number") == "21"


def test_parameters_may_have_the_names_of_submits_own_arguments() -> None:
    @cj.workflow
    def named(name: str = "x", target: str = "y") -> None:
        double(1)

    backend = FakeBackend()
    submit(named, backend=backend, parameters={"name": "a", "target": "b"})
    assert (value_of(sent(backend), "name"), value_of(sent(backend), "target")) == ('"a"', '"b"')


def test_a_manifest_that_is_handed_in_is_not_changed() -> None:
    submit(HELLO, backend=FakeBackend(), name="mine", who="me")
    assert HELLO["metadata"] == {"generateName": "hello-"}
    assert value_of(HELLO, "who") == "world"


def test_a_given_name_is_the_runs() -> None:
    backend = FakeBackend()
    assert submit(HELLO, backend=backend, name="mine").name == "mine"
    with pytest.raises(AlreadyExists):
        submit(HELLO, backend=backend, name="mine")


def test_a_manifest_without_a_name_gets_one() -> None:
    nameless = {key: value for key, value in HELLO.items() if key != "metadata"}
    assert prepare(nameless, target="4.1")[0]["metadata"] == {"generateName": "workflow-"}


def test_a_manifest_that_would_be_refused_is_not_sent() -> None:
    backend = FakeBackend()
    broken = {**HELLO, "spec": {**HELLO["spec"], "entrypoint": "nowhere"}}
    with pytest.raises(LintError, match="nowhere"):
        submit(broken, backend=backend)
    assert backend.submitted == []


@pytest.mark.parametrize(
    ("target", "field", "value"),
    [
        ("3.5", "synchronization", {"mutexes": [{"name": "one"}]}),
        ("3.6", "synchronization", {"mutexes": [{"name": "one", "database": True}]}),
        ("3.7", "podPriority", 1),
        ("4.0", "podPriority", 1),
        ("3.7", "executorPlugins", []),
        ("3.7", "nosuchField", 1),
    ],
)
def test_what_the_version_would_drop_in_silence_is_not_sent(
    target: str, field: str, value: Any
) -> None:
    backend = FakeBackend()
    backend.speaks = f"{target}.9"
    with pytest.raises(LintError, match=r"does not exist|not a field|unknown"):
        submit({**HELLO, "spec": {**HELLO["spec"], field: value}}, backend=backend)
    assert backend.submitted == []


def test_waiting_gives_the_run_at_its_end() -> None:
    backend = FakeBackend(info(phase=Phase.RUNNING), info(phase=Phase.SUCCEEDED))
    assert submit(HELLO, backend=backend, wait=True).phase == Phase.SUCCEEDED


def test_waiting_for_a_run_that_fails_raises() -> None:
    failed = info("w", Phase.FAILED, node("w.a", Phase.FAILED, message="exit code 3"))
    with pytest.raises(WorkflowFailed, match="exit code 3"):
        submit(HELLO, backend=FakeBackend(failed), wait=True)


@pytest.mark.parametrize("what", [42, object(), len])
def test_what_is_no_workflow_is_refused(what: object) -> None:
    with pytest.raises(DeclarationError):
        submit(what, backend=FakeBackend())


def record() -> None:
    couler.run_container(image="alpine", command=["true"], step_name="hello")


def test_without_an_argument_it_is_what_has_been_recorded_and_only_once() -> None:
    record()
    backend = FakeBackend()
    submit(backend=backend)
    assert "hello" in [one["name"] for one in sent(backend)["spec"]["templates"]]
    with pytest.raises(DeclarationError):
        submit(backend=backend)


def test_what_has_been_recorded_is_forgotten_also_after_an_error() -> None:
    record()
    with pytest.raises(ConfigError):
        submit(backend="docker")
    with pytest.raises(DeclarationError):
        submit(backend=FakeBackend())


class OtherVersion(FakeBackend):
    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    def version(self) -> str:
        return self._version


@pytest.mark.parametrize(
    ("version", "target"), [("v3.5.15", "3.5"), ("4.1.2", "4.1"), ("9.0.0", "4.1"), ("odd", "4.1")]
)
def test_the_backends_version_is_compiled_for_or_else_our_newest(version: str, target: str) -> None:
    assert target_of(OtherVersion(version)) == target


def test_an_unknown_backend_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match="no backend 'docker'"):
        submit("missing.yaml", backend="docker")


def test_the_function_is_reached_by_its_public_name_in_every_order_of_imports() -> None:
    program = (
        "import couler_jobs, couler_jobs.submission\n"
        "assert callable(couler_jobs.submit)\n"
        "from couler_jobs import submit, Run\n"
        "assert submit is couler_jobs.submission.submit"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])


def test_lint_takes_a_workflow_function_and_names_its_lines() -> None:
    @cj.workflow
    def needs(number: int) -> None:
        double(number)

    (found,) = cj.lint(needs)
    assert (found.severity, found.code) == ("warning", "no-value")
    assert f"{Path(__file__).name}, line " in found.place
    with pytest.raises(LintError, match="number has no value"):
        submit(needs, backend=FakeBackend())


def test_a_name_that_is_none_is_not_the_programs_fault() -> None:
    with pytest.raises(DeclarationError) as told:
        submit(doubling, backend=FakeBackend(), name="Bad Name")
    assert str(told.value).startswith("'Bad Name' was given as the name, by name= or --name")
