"""A program that was written from a manifest gives that manifest back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couler_jobs.importer.program import program
from couler_jobs.manifests import read_manifest

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "tests" / "samples" / "verdicts"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
EMPTY: tuple[Any, ...] = (None, "", 0, [], {})


def runs(text: str) -> Any:
    """What `flow` is once the program has run."""
    names: dict[str, Any] = {}
    exec(compile(text, "program", "exec"), names)
    return names["flow"]


def exactly(value: Any) -> str:
    """A text that differs for True and 1, and for 1 and 1.0, but not for the order of keys."""
    return json.dumps(value, sort_keys=True)


def samples() -> Iterator[dict[str, Any]]:
    for path in sorted(SAMPLES.glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_back(path: Path) -> None:
    manifest = read_manifest(path)
    assert exactly(runs(program(manifest))) == exactly(manifest)


def test_all_samples_come_back_the_wrong_ones_too() -> None:
    manifests = {exactly(row["manifest"]): row["manifest"] for row in samples()}
    assert len(manifests) > 400
    different = [known for known, one in manifests.items() if exactly(runs(program(one))) != known]
    assert different == []


def test_the_keys_stay_in_their_order() -> None:
    call = {"name": "b", "template": "a", "arguments": {"parameters": [{"name": "x", "value": 1}]}}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "x-"},
        "spec": {"entrypoint": "a", "templates": [{"name": "a", "steps": [[call]]}]},
    }
    assert json.dumps(runs(program(manifest))) == json.dumps(manifest)


VALUES = st.recursive(
    st.sampled_from([*EMPTY, "a", 'say "hi"', "two\nlines\\\n", "é", 1, 1.5, True, "{{item}}"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "a-b", "class", "value"]), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMED = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "flow", "class", "container", "1-2", "é", ""]),
        "template": VALUES | st.just("a"),
        "templateRef": VALUES | st.just({"name": "w", "template": "t", "clusterScope": True}),
        "depends": VALUES,
        "withItems": VALUES,
        "arguments": VALUES,
        "function": VALUES,
    },
)
TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "flow", "class", "container", "1-2", "é", ""]),
        "inputs": VALUES,
        "outputs": VALUES,
        "container": VALUES,
        "script": VALUES,
        "dag": st.fixed_dictionaries({"tasks": st.lists(NAMED, max_size=2) | VALUES}) | VALUES,
        "steps": st.lists(st.lists(NAMED, max_size=2), max_size=2) | VALUES,
        "self": VALUES,
    },
)
MANIFESTS = st.fixed_dictionaries(
    {
        "apiVersion": st.just("argoproj.io/v1alpha1") | VALUES,
        "kind": st.sampled_from(["Workflow", "CronWorkflow", "WorkflowTemplate", "", None]),
        "metadata": VALUES,
        "spec": VALUES
        | st.fixed_dictionaries(
            {"templates": st.lists(TEMPLATES, max_size=3), "entrypoint": VALUES},
            optional={"arguments": VALUES, "workflowSpec": VALUES},
        ),
    }
)


@settings(deadline=None)
@given(MANIFESTS)
def test_any_manifest_comes_back(manifest: dict[str, Any]) -> None:
    assert exactly(runs(program(manifest))) == exactly(manifest)
