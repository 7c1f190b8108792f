"""What Argo takes, and reads only when a step begins or is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.compiler.lint import lint

PLAIN: dict[str, Any] = {"container": {"image": "a", "command": ["a"]}}


def found(step: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, str]]:
    """The severity and the path, below the step or the template, of each finding."""
    templates = [
        {"name": "main", "steps": [[{"name": "a", "template": "one", **step}]]},
        {"name": "one", **body},
    ]
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": templates},
    }
    paths = [(one.severity, one.path.split("].")[-1]) for one in lint(manifest)]
    return [(severity, path.removesuffix("]")) for severity, path in paths]


def retried(**words: Any) -> dict[str, Any]:
    return {**PLAIN, "retryStrategy": {"limit": 1, **words}}


UNREADABLE = [
    ({}, retried(limit="many"), "retryStrategy.limit"),
    ({}, retried(backoff={"duration": "10 s"}), "retryStrategy.backoff.duration"),
    ({}, retried(backoff={"duration": "10", "cap": "1d"}), "retryStrategy.backoff.cap"),
    ({}, retried(backoff={"duration": "1", "factor": "x"}), "retryStrategy.backoff.factor"),
    ({}, retried(backoff={"maxDuration": "1h"}), "retryStrategy.backoff"),
    ({}, {**PLAIN, "timeout": "1 day"}, "timeout"),
    ({}, {"suspend": {"duration": "3d"}}, "suspend.duration"),
    ({"withSequence": {"start": "1"}}, PLAIN, "withSequence"),
    ({"withSequence": {"count": "many"}}, PLAIN, "withSequence.count"),
    ({"withParam": "not json"}, PLAIN, "withParam"),
    ({"withParam": '{"a": 1}'}, PLAIN, "withParam"),
]


@pytest.mark.parametrize(("step", "body", "path"), UNREADABLE, ids=[f"{p}" for *_, p in UNREADABLE])
def test_what_cannot_be_read_is_a_warning(
    step: dict[str, Any], body: dict[str, Any], path: str
) -> None:
    assert found(step, body) == [("warning", path)]


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ({}, retried(limit="3", backoff={"duration": "10", "factor": "2", "maxDuration": "1h5m"})),
        ({}, {**retried(backoff={"duration": "1.5s", "cap": "5m"}), "timeout": "90s"}),
        ({}, {"suspend": {"duration": "20"}}),
        ({"withSequence": {"count": "3"}}, PLAIN),
        ({"withSequence": {"start": 1, "end": "{{workflow.name}}"}}, PLAIN),
        ({"withParam": "[1, 2]"}, PLAIN),
        ({"withParam": "{{workflow.name}}"}, {**PLAIN, "timeout": "{{workflow.name}}"}),
    ],
)
def test_what_can_be_read_is_none(step: dict[str, Any], body: dict[str, Any]) -> None:
    assert found(step, body) == []
