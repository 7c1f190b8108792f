"""Artifacts, templates without a container and stored templates in the manifest."""

from __future__ import annotations

from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.compiler.compile import manifest
from couler_jobs.compiler.split import split
from couler_jobs.errors import CompileError
from couler_jobs.spec import model

FILE = model.Output(task="make", name="file", kind="artifact")
MAKE = model.Pod(
    name="make",
    container=model.Container(image="x", command=("x",)),
    outputs=(model.OutputFile(name="file", path="/out", kind="artifact"),),
)
USE = model.Pod(
    name="use",
    container=model.Container(image="x", command=("x",)),
    artifacts=(model.Artifact(name="file", path="/in"),),
)


def flow(*calls: model.Call, more: tuple[model.Template, ...] = ()) -> model.Workflow:
    main = model.Graph(name="main", calls=calls)
    return model.Workflow(name="w", entrypoint="main", templates=(main, MAKE, USE, *more))


def make(**more: Any) -> model.Call:
    return model.Call(name="make", template="make", **more)


def use(source: Any, *after: str) -> model.Call:
    given = (model.Artifact(name="file", source=source),)
    return model.Call(name="use", template="use", depends=after, artifacts=given)


def tasks(workflow: model.Workflow, target: str = "4.1") -> list[dict[str, Any]]:
    found = manifest(workflow, target)
    errors = [f for f in cj.lint(found, target) if f.severity == "error"]
    assert errors == []
    spec: list[dict[str, Any]] = found["spec"]["templates"][0]["dag"]["tasks"]
    return spec


def test_an_artifact_is_passed_on() -> None:
    assert tasks(flow(make(), use(FILE, "make")))[1]["arguments"] == {
        "artifacts": [{"name": "file", "from": "{{tasks.make.outputs.artifacts.file}}"}]
    }


def test_an_artifact_of_a_step_that_may_not_run_is_optional() -> None:
    (given,) = tasks(flow(make(when=model.Every(terms=())), use(FILE, "make")))[1]["arguments"][
        "artifacts"
    ]
    assert given["optional"] is True


def test_an_artifact_of_one_of_several_steps_is_refused() -> None:
    both = model.Either(outputs=(FILE, FILE))
    with pytest.raises(CompileError, match="one of several"):
        manifest(flow(make(), use(both, "make")))


def test_a_graph_hands_out_the_artifact_of_the_step_that_ran() -> None:
    maybe = model.Every(terms=())
    either = model.Joined(parts=(model.Either(outputs=(FILE, FILE)),))
    inner = model.Graph(
        name="inner",
        calls=(make(when=maybe),),
        results=(model.Result(name="file", value=either, kind="artifact"),),
    )
    found = manifest(flow(model.Call(name="inner", template="inner"), more=(inner,)))
    (result,) = found["spec"]["templates"][3]["outputs"]["artifacts"]
    assert result["fromExpression"].startswith("tasks.make.status == 'Succeeded' ? tasks.make.out")
    assert not [f for f in cj.lint(found) if f.severity == "error"]


def test_only_a_reference_is_an_artifact() -> None:
    result = model.Result(name="file", value="text", kind="artifact")
    inner = model.Graph(name="inner", calls=(make(),), results=(result,))
    with pytest.raises(CompileError, match="no artifact"):
        manifest(flow(model.Call(name="inner", template="inner"), more=(inner,)))


def test_further_fields_of_an_artifact_are_kept() -> None:
    raw = model.Artifact(name="file", extra='{"raw": {"data": "x"}}')
    call = model.Call(name="use", template="use", artifacts=(raw,))
    assert tasks(flow(call))[0]["arguments"]["artifacts"] == [
        {"name": "file", "raw": {"data": "x"}}
    ]


def test_a_resource_is_a_template_of_its_own() -> None:
    plain = model.Plain(
        name="pods", kind="resource", fields='{"action": "get", "manifest": "kind: Pod"}'
    )
    found = manifest(flow(model.Call(name="a", template="pods"), more=(plain,)))
    assert found["spec"]["templates"][3] == {
        "name": "pods",
        "resource": {"action": "get", "manifest": "kind: Pod"},
    }


def test_a_call_of_a_stored_template_names_it() -> None:
    stored = model.TemplateRef(name="library", template="t", cluster=True)
    (task,) = tasks(flow(model.Call(name="a", template=stored)))
    assert task["templateRef"] == {"name": "library", "template": "t", "clusterScope": True}


def test_a_sequence_counts() -> None:
    loop = model.Loop(sequence=(("count", "3"), ("format", "%02x")))
    (task,) = tasks(flow(make(loop=loop)))
    assert task["withSequence"] == {"count": "3", "format": "%02x"}


def test_a_field_of_a_call_that_the_target_lacks_is_refused() -> None:
    with pytest.raises(CompileError, match=r"The call make\.inline\.priority is gone"):
        manifest(flow(make(extra='{"inline": {"priority": 1}}')))


def test_an_artifact_crosses_the_parts_of_a_big_graph() -> None:
    calls = [make(), *(model.Call(name=f"m{n}", template="make", depends=("make",)) for n in "ab")]
    found = split(flow(*calls, use(FILE, "ma", "mb")), most=2)
    graphs = {t.name: t for t in found.templates if isinstance(t, model.Graph)}
    parts = [graph for name, graph in graphs.items() if name != "main"]
    handed = [result for graph in parts for result in graph.results if result.kind == "artifact"]
    taken = [a for call in graphs["main"].calls for a in call.artifacts]
    assert len(taken) == 1
    assert [*handed, taken[0].source] != [None]
    assert not [f for f in cj.lint(manifest(found)) if f.severity == "error"]
