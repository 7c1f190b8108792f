"""Lint answers whatever it is given."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couler_jobs.compiler.lint import lint
from couler_jobs.spec.fields import KINDS, fields_of
from couler_jobs.spec.versions import TARGETS, Target

SAMPLES = Path(__file__).parent.parent / "samples" / "verdicts" / "v4.1.2.jsonl.gz"
MANIFESTS = [
    json.loads(line)["manifest"]
    for line in gzip.decompress(SAMPLES.read_bytes()).decode().splitlines()[::40]
]

words = st.sampled_from(
    [
        "",
        "a",
        "main",
        "{{",
        "}}",
        "{{item}}",
        "{{=",
        "{{steps.a.outputs.result}}",
        "a.Failed || (",
        "é",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def of_type(name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a type of the tables, a little wrong at times."""
    if name[0] == "[":
        return st.lists(of_type(name[1:-1], depth), max_size=2)
    if name[0] == "{":
        return st.dictionaries(words, of_type(name[1:-1], depth), max_size=2)
    if not name[0].isupper() or depth > 4:
        return anything
    fields = fields_of(name, Target(4, 1))
    return st.lists(st.sampled_from(sorted(fields)) if fields else words, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries(
            {
                field: of_type(fields[field].type, depth + 1) if field in fields else anything
                for field in names
            }
        )
    )


specs = of_type("WorkflowSpec")


@settings(max_examples=60, deadline=None)
@given(anything, st.sampled_from(TARGETS))
def test_any_value_gets_an_answer(value: Any, target: Target) -> None:
    assert lint(value, str(target))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KINDS), specs, st.sampled_from(TARGETS))
def test_any_spec_gets_an_answer(kind: str, spec: Any, target: Target) -> None:
    manifest = {"kind": kind, "spec": {"workflowSpec": spec} if kind == "CronWorkflow" else spec}
    assert isinstance(lint(manifest, str(target)), list)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MANIFESTS), st.data())
def test_a_manifest_with_anything_in_one_place_gets_an_answer(
    manifest: dict[str, Any], data: st.DataObject
) -> None:
    changed = json.loads(json.dumps(manifest))
    part: Any = changed
    while isinstance(part, (dict, list)) and part:
        key = data.draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        if data.draw(st.booleans()) and isinstance(part[key], (dict, list)):
            part = part[key]
        else:
            part[key] = data.draw(anything)
            break
    for target in TARGETS:
        assert isinstance(lint(changed, str(target)), list)


ENDLESS = [f"'{'a' * 40}b' matches '^(a+)+$'", "sprig.repeat(1000000000, 'a')", "1..10000000000"]


@pytest.mark.parametrize("expression", ["1/0", "0/0.0", "1e308*10", "asFloat('1e400')", *ENDLESS])
def test_an_expression_that_has_no_value_in_lint_gets_an_answer(expression: str) -> None:
    step = {"name": "a", "template": f"{{{{={expression}}}}}"}
    templates = [{"name": "main", "steps": [[step]]}]
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "odd-"},
        "spec": {"entrypoint": "main", "templates": templates},
    }
    assert [one.code for one in lint(manifest) if one.severity == "error"] == ["unknown-template"]
