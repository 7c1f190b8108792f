from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import couler_jobs as cj
from couler_jobs.compiler.compile import manifest
from couler_jobs.compiler.expressions import Writer, quoted
from couler_jobs.dsl.here import _compared as compared_here
from couler_jobs.errors import CompileError
from couler_jobs.spec import model, wire
from couler_jobs.spec.expressions import read
from tests.spec.test_wire import TEXTS, VALUES


@cj.step
def same(value: Any) -> Any:
    return value


def graph(*calls: model.Call) -> model.Workflow:
    return model.Workflow(
        name="w", entrypoint="main", templates=(model.Graph(name="main", calls=calls),)
    )


def call(name: str, *depends: str) -> model.Call:
    return model.Call(name=name, template="t", depends=depends)


@given(VALUES)
def test_every_argument_arrives_equal(value: Any) -> None:
    @cj.workflow
    def flow() -> None:
        same(value)

    task = flow.compile()["spec"]["templates"][0]["dag"]["tasks"][0]
    text = task["arguments"]["parameters"][0]["value"]
    assert wire.decode(text) == value
    assert "{{" not in text
    assert "$(" not in text


@given(VALUES)
def test_a_manifest_survives_yaml(value: Any) -> None:
    @cj.workflow(annotations={"note": wire.encode(value)})
    def flow(value: Any = value) -> None:
        same(value)

    found = flow.compile()
    assert yaml.safe_load(cj.to_yaml(found)) == found
    assert json.loads(json.dumps(found)) == found


@given(st.text(), st.text())
def test_every_name_becomes_a_legal_manifest(workflow_name: str, step_name: str) -> None:
    named = cj.step(name=step_name or "x")(same.function)

    @cj.workflow(name=workflow_name or "x")
    def flow() -> None:
        named(1)

    assert [finding for finding in cj.lint(flow.compile()) if finding.severity == "error"] == []


# --- conditions: what Argo's expressions say is what run_here does


@given(TEXTS)
def test_a_text_in_an_expression_is_that_text(text: str) -> None:
    assert "{{" not in quoted(text)
    assert "}}" not in quoted(text)
    assert read(quoted(text)).evaluate({}) == text


OPERATORS: list[Any] = ["==", "!=", "<", "<=", ">", ">="]
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | TEXTS
NUMBERS = st.integers(-9, 9) | st.floats(-9, 9)


def evaluated(condition: model.Condition, **values: Any) -> bool:
    outputs = {
        name: {"outputs": {"parameters": {"value": wire.encode(value)}}, "status": "Succeeded"}
        for name, value in values.items()
    }
    return read(Writer("tasks", ()).condition(condition)).holds({"tasks": outputs})


@given(SCALARS, st.sampled_from(OPERATORS), NUMBERS)
def test_a_value_is_compared_with_a_number(value: Any, operator: Any, number: float) -> None:
    condition = model.Compare(
        left=model.Output(task="a"),
        operator=operator,
        right=model.Constant(text=wire.encode(number), number=True),
    )
    found = evaluated(condition, a=value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    assert found == (_python(value, operator, number) if is_number else operator == "!=")


@given(SCALARS, st.sampled_from(["==", "!="]), TEXTS)
def test_a_value_is_compared_with_a_text(value: Any, operator: Any, text: str) -> None:
    condition = model.Compare(
        left=model.Output(task="a"), operator=operator, right=model.Constant(text=wire.encode(text))
    )
    assert evaluated(condition, a=value) == _python(value, operator, text)


@given(SCALARS, st.sampled_from(OPERATORS), SCALARS)
def test_two_values_are_compared_as_here(left: Any, operator: Any, right: Any) -> None:
    condition = model.Compare(
        left=model.Output(task="a"), operator=operator, right=model.Output(task="b")
    )
    here = compared_here(
        wire.encode(left), "==" if operator == "!=" else operator, wire.encode(right)
    )
    assert evaluated(condition, a=left, b=right) == (not here if operator == "!=" else here)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(1, 1.0, True), (0, 0.5, False), (2**60, 2**60 + 1, False), ("1", 1.0, False)],
    ids=["whole and float", "different", "whole numbers beyond a float's digits", "a text"],
)
@pytest.mark.parametrize("operator", ["==", "!="])
def test_equality_of_two_values_is_pythons(
    left: Any, right: Any, equal: bool, operator: Any
) -> None:
    condition = model.Compare(
        left=model.Output(task="a"), operator=operator, right=model.Output(task="b")
    )
    assert evaluated(condition, a=left, b=right) == (equal == (operator == "=="))


@given(
    SCALARS
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(), st.integers(), max_size=1)
)
def test_truth_is_pythons(value: Any) -> None:
    assert evaluated(model.Truth(of=model.Output(task="a")), a=value) is bool(value)


@pytest.mark.parametrize(("a", "b"), list(itertools.product([True, False], repeat=2)))
def test_terms_are_joined(a: bool, b: bool) -> None:
    terms = (model.Truth(of=model.Output(task="a")), model.Truth(of=model.Output(task="b")))
    assert evaluated(model.Every(terms=terms), a=a, b=b) is (a and b)
    assert evaluated(model.Some(terms=terms), a=a, b=b) is (a or b)
    assert evaluated(model.Not(term=terms[0]), a=a) is not a
    assert evaluated(model.Every(terms=())) is True
    assert evaluated(model.Some(terms=())) is False


def _python(left: Any, operator: str, right: Any) -> bool:
    return bool(
        {
            "==": lambda: left == right,
            "!=": lambda: left != right,
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[operator]()
    )


# --- tags


@pytest.mark.parametrize(
    ("reference", "tag"),
    [
        (model.Output(task="a-2"), "{{tasks.a-2.outputs.parameters.value}}"),
        (model.Output(task="a", name="result", kind="result"), "{{tasks.a.outputs.result}}"),
        (
            model.Output(task="m-1"),
            "{{=(tasks['m-1'].status == 'Succeeded'"
            " ? tasks['m-1'].outputs.parameters.value : 'null')}}",
        ),
        (
            model.Either(outputs=(model.Output(task="m-1"), model.Output(task="a"))),
            "{{=(tasks['m-1'].status == 'Succeeded' ? tasks['m-1'].outputs.parameters.value"
            " : tasks.a.status == 'Succeeded' ? tasks.a.outputs.parameters.value : 'null')}}",
        ),
        (model.Input(name="x-y"), "{{inputs.parameters.x-y}}"),
        (model.Item(), "{{item}}"),
        (model.Item(key="k"), "{{item.k}}"),
        (model.Variable(name="workflow.name"), "{{workflow.name}}"),
    ],
)
def test_a_reference_becomes_a_tag(reference: model.Reference, tag: str) -> None:
    assert Writer("tasks", {"m-1"}).tag(reference) == tag


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (model.Input(name="x-y"), "inputs.parameters['x-y']"),
        (model.Item(), "item"),
        (model.Item(key="k"), "item.k"),
        (model.Variable(name="workflow.name"), "workflow.name"),
    ],
)
def test_a_reference_stands_in_an_expression(reference: model.Reference, text: str) -> None:
    assert Writer("tasks", ()).value(reference) == text


def test_an_output_of_a_graph_is_a_parameter_or_an_expression() -> None:
    writer = Writer("tasks", {"m"})
    plain = model.Joined(parts=(model.Input(name="x"),))
    maybe = model.Joined(parts=(model.Output(task="m"),))
    mixed = model.Joined(parts=("[", model.Input(name="x"), "]"))
    assert writer.value_from(plain) == {"parameter": "{{inputs.parameters.x}}"}
    assert list(writer.value_from(maybe)) == ["expression"]
    assert writer.value_from(mixed) == {"expression": "'[' + inputs.parameters.x + ']'"}


# --- mistakes


@pytest.mark.parametrize(
    ("workflow", "sentence"),
    [
        (graph(call("a", "b")), "a in main follows b, which is no step of it"),
        (graph(call("a", "b"), call("b", "a.Failed")), "wait for each other: a -> b -> a"),
        (graph(call("a"), call("a")), "Two calls in main have the name a: give one"),
    ],
)
def test_a_graph_that_cannot_run_is_refused(workflow: model.Workflow, sentence: str) -> None:
    with pytest.raises(CompileError, match=sentence):
        manifest(workflow)


def test_a_model_becomes_every_field() -> None:
    pod = model.Pod(
        name="t",
        container=model.Container(
            image="i", args=("a",), pull_policy="Always", extra='{"tty": true}'
        ),
        inputs=(model.Parameter(name="p", value="1", description="d"),),
        outputs=(
            model.OutputFile(name="o", path="/o", global_name="g"),
            model.OutputFile(name="f", path="/f", kind="artifact"),
        ),
        retry=model.Retry(limit=1),
    )
    main = model.Graph(name="main", calls=(call("a"),), parallelism=2, extra='{"failFast": false}')
    found = manifest(model.Workflow(name="w", entrypoint="main", templates=(main, pod)))
    assert found["spec"]["templates"] == [
        {
            "name": "main",
            "parallelism": 2,
            "dag": {"tasks": [{"name": "a", "template": "t"}]},
            "failFast": False,
        },
        {
            "name": "t",
            "inputs": {"parameters": [{"name": "p", "value": "1", "description": "d"}]},
            "outputs": {
                "parameters": [{"name": "o", "valueFrom": {"path": "/o"}, "globalName": "g"}],
                "artifacts": [{"name": "f", "path": "/f"}],
            },
            "retryStrategy": {"limit": "1", "retryPolicy": "Always"},
            "container": {"image": "i", "args": ["a"], "imagePullPolicy": "Always", "tty": True},
        },
    ]


# --- the same bytes everywhere


def test_scripts_are_written_as_blocks() -> None:
    @cj.workflow
    def flow() -> None:
        same("é")

    text = cj.to_yaml(flow.compile())
    assert "      source: |\n        from __future__ import annotations\n" in text
    assert "&id" not in text


def test_a_program_gives_the_same_bytes_with_every_hash_seed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import couler_jobs as cj\n"
        "NAMES = {'a', 'b', 'c', 'd'}\n"
        "@cj.step\ndef names():\n    return sorted(NAMES)\n"
        "@cj.workflow\ndef flow():\n    return names()\n"
        "print(cj.to_yaml(flow.compile()))\n",
        encoding="utf-8",
    )
    found = {
        subprocess.run(
            [sys.executable, str(program)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(cj.__file__).parent.parent)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "0123"
    }
    assert len(found) == 1
