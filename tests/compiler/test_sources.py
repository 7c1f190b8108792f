"""Where values come from: entries of secrets and config maps, choices, templates of workflows."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.compiler.compile import manifest
from couler_jobs.dsl.entries import config_key, secret
from couler_jobs.spec import model


def flow(container: model.Container, **more: Any) -> model.Workflow:
    graph = model.Graph(name="main", calls=(model.Call(name="a", template="a"),))
    pod = model.Pod(name="a", container=container)
    return model.Workflow(name="w", entrypoint="main", templates=(graph, pod), **more)


def test_env_comes_from_texts_secrets_and_config_maps() -> None:
    env = (
        ("A", "text"),
        ("B", secret("s", "k").env_source()),
        ("C", config_key("c", "k", optional=True).env_source()),
    )
    found = manifest(flow(model.Container(image="i", env=env)))
    assert found["spec"]["templates"][1]["container"]["env"] == [
        {"name": "A", "value": "text"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {
            "name": "C",
            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
        },
    ]


def test_further_resources_stand_beside_memory() -> None:
    container = model.Container(image="i", memory="1Gi", resources=(("nvidia.com/gpu", "2"),))
    found = manifest(flow(container))["spec"]["templates"][1]["container"]["resources"]
    assert found["limits"] == found["requests"] == {"memory": "1Gi", "nvidia.com/gpu": "2"}


@pytest.mark.parametrize("kind", ["WorkflowTemplate", "ClusterWorkflowTemplate"])
def test_a_template_of_workflows_has_the_name_itself(kind: Any) -> None:
    found = manifest(flow(model.Container(image="i"), kind=kind))
    assert (found["kind"], found["metadata"]) == (kind, {"name": "w"})


def test_a_workflow_takes_choices_and_artifacts() -> None:
    parameters = (model.Parameter(name="p", value="a", enum=("a", "b")),)
    artifacts = (model.Artifact(name="f", extra='{"raw": {"data": "x"}}'),)
    found = manifest(flow(model.Container(image="i"), parameters=parameters, artifacts=artifacts))
    assert found["spec"]["arguments"] == {
        "parameters": [{"name": "p", "value": "a", "enum": ["a", "b"]}],
        "artifacts": [{"name": "f", "raw": {"data": "x"}}],
    }
