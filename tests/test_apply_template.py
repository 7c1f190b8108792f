"""`apply_template`, and `submit` of a template, over a backend in memory."""

from __future__ import annotations

from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError, LintError
from tests.runs.fake import FakeBackend
from tests.test_submission import HELLO, value_of

TEMPLATE: dict[str, Any] = {**HELLO, "kind": "WorkflowTemplate", "metadata": {"name": "hello"}}
CLUSTER: dict[str, Any] = {**TEMPLATE, "kind": "ClusterWorkflowTemplate"}


@cj.step
def half(number: int) -> int:
    return number // 2


@cj.workflow(kind="WorkflowTemplate")
def halving(number: int = 2) -> None:
    half(number)


def test_a_manifest_is_stored_under_its_name() -> None:
    backend = FakeBackend()
    assert cj.apply_template(TEMPLATE, backend=backend) == "hello"
    assert (backend.templates, backend.submitted) == ({"hello": TEMPLATE}, [])


def test_a_declared_template_is_compiled_with_its_defaults() -> None:
    backend = FakeBackend()
    cj.apply_template(halving, backend=backend, number=8)
    assert value_of(dict(backend.templates["halving"]), "number") == "8"


def test_a_given_name_is_the_templates() -> None:
    backend = FakeBackend()
    assert cj.apply_template(halving, backend=backend, name="mine") == "mine"
    assert list(backend.templates) == ["mine"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (HELLO, "is a Workflow, not a WorkflowTemplate"),
        ({**TEMPLATE, "metadata": {"generateName": "hello-"}}, "needs a name"),
        ({**TEMPLATE, "metadata": {}}, "needs a name"),
        (CLUSTER, "hello is a ClusterWorkflowTemplate.* make it a WorkflowTemplate"),
    ],
)
def test_what_is_no_template_with_a_name_is_not_stored(
    manifest: dict[str, Any], words: str
) -> None:
    backend = FakeBackend()
    with pytest.raises(DeclarationError, match=words):
        cj.apply_template(manifest, backend=backend)
    assert backend.templates == {}


def test_a_template_that_would_be_refused_is_not_stored() -> None:
    backend = FakeBackend()
    broken = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "entrypoint": "nowhere"}}
    with pytest.raises(LintError, match="nowhere"):
        cj.apply_template(broken, backend=backend)
    assert backend.templates == {}


@pytest.mark.parametrize("what", [TEMPLATE, CLUSTER, halving])
def test_a_template_is_not_submitted_and_the_error_says_what_to_do(what: object) -> None:
    backend = FakeBackend()
    with pytest.raises(DeclarationError, match=r"does not run by itself.*apply_template"):
        cj.submit(what, backend=backend)
    assert (backend.templates, backend.submitted) == ({}, [])
