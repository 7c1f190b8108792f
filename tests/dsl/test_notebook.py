from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl.braces import EXPANDED
from couler_jobs.errors import DeclarationError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*sources: str, language: str = "python", nbformat: int = 4) -> Path:
        cells = [
            {
                "cell_type": "code",
                "metadata": {"tags": ["parameters"], "collapsed": True},
                "execution_count": 7,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
                "source": source,
            }
            for source in sources
        ]
        path = tmp_path / "the_day.ipynb"
        spec = {"name": "python3", "language": language, "display_name": "Python 3"}
        document = {
            "cells": cells,
            "metadata": {"kernelspec": spec, "widgets": {"state": "x"}},
            "nbformat": nbformat,
            "nbformat_minor": 5,
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


def pods(workflow: Any) -> list[dict[str, Any]]:
    templates = workflow.compile()["spec"]["templates"]
    return [template for template in templates if "script" in template]


def notebook_in(pod: dict[str, Any]) -> dict[str, Any]:
    """What the step's script hands to the program."""
    for statement in ast.parse(pod["script"]["source"]).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            found: dict[str, Any] = json.loads(str(statement.value.value))
            return found
    raise AssertionError("The script holds no notebook.")


def test_the_cells_travel_and_what_a_run_left_does_not(write: Write) -> None:
    path = write("a = 1\nb = 2")

    @cj.workflow
    def flow() -> None:
        cj.notebook(path)

    (pod,) = pods(flow)
    assert pod["name"] == "the-day"
    found = notebook_in(pod)
    assert found["cells"] == [
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": ["a = 1\n", "b = 2"],
            "outputs": [],
            "execution_count": None,
        }
    ]
    assert list(found["metadata"]) == ["kernelspec"]


@pytest.mark.parametrize(
    "source",
    ["'''{{x}}'''", "f'{{{x}}}'", "\\{{", "ä 😀", "\ud800 😀", "''''''", "$(x)\r\n\x85", "$$x$$"],
)
def test_any_text_in_a_cell_arrives(write: Write, source: str) -> None:
    path = write(source)

    @cj.workflow
    def flow() -> None:
        cj.notebook(path)

    (pod,) = pods(flow)
    assert not EXPANDED.search(pod["script"]["source"])
    assert "".join(notebook_in(pod)["cells"][0]["source"]) == source


def test_parameters_make_order_and_outputs_are_a_mapping(write: Write) -> None:
    path = write("total = 0")

    @cj.workflow
    def flow(day: str = "x") -> Any:
        first = cj.notebook(path, {"day": day}, outputs=["total"])
        return cj.notebook(path, {"day": first["total"]}, outputs=["total"])["total"]

    main = flow.compile()["spec"]["templates"][0]
    second = main["dag"]["tasks"][1]
    assert second["depends"] == "the-day"
    value = second["arguments"]["parameters"][0]["value"]
    assert value == "{{tasks.the-day.outputs.parameters.value-total}}"
    assert len(pods(flow)) == 1


def test_options_are_those_of_a_step(write: Write) -> None:
    path, after = write("1"), []

    @cj.workflow
    def flow() -> None:
        after.append(cj.notebook(path, name="first"))
        cj.notebook(path, name="second", image="lab:1", retries=2, kernel="ir", after=after)

    _, pod = pods(flow)
    assert pod["script"]["image"] == "lab:1"
    assert pod["retryStrategy"]["limit"] == "2"
    assert "NOTEBOOK, parameters, [], 'ir')" in pod["script"]["source"]


def test_a_notebook_runs_here_as_well(write: Write) -> None:
    path = write("day = 0", "twice = [day * 2]")

    @cj.workflow
    def flow(day: int) -> Any:
        return cj.notebook(path, {"day": day}, outputs=["twice"])["twice"]

    assert cj.run_here(flow, day=4) == [8]


def test_a_notebook_that_fails_here_fails_the_run(write: Write) -> None:
    path = write("1 / 0")

    @cj.workflow
    def flow() -> None:
        cj.notebook(path)

    with pytest.raises(RuntimeError, match="the-day ended with code 1"):
        cj.run_here(flow)


def test_an_output_that_no_cell_sets_is_told_by_its_name(
    write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write("total = 1")

    @cj.workflow
    def flow() -> None:
        cj.notebook(path, outputs=["total", "nope"])

    with pytest.raises(RuntimeError):
        cj.run_here(flow)
    assert "NameError: outputs= asks for nope: no cell has set that" in capfd.readouterr().out


def missing(_: Write) -> Any:
    return cj.notebook("missing.ipynb")


def strange_parameter(write: Write) -> Any:
    return cj.notebook(write("1"), {"a b": 1})


def strange_output(write: Write) -> Any:
    return cj.notebook(write("1"), outputs=["a.b"])


def other_language(write: Write) -> Any:
    return cj.notebook(write("1", language="R"), outputs=["a"])


def too_long(write: Write) -> Any:
    return cj.notebook(write("x" * 200_000))


def of_the_future(write: Write) -> Any:
    return cj.notebook(write("1", nbformat=5))


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (missing, "missing.ipynb cannot be read: No such file"),
        (strange_parameter, "'a b' is no name of a variable"),
        (strange_output, "'a.b' is no name of a variable"),
        (other_language, "is in R: outputs= reads Python only"),
        (too_long, "195 KiB without its outputs, and a step carries 128 KiB"),
        (of_the_future, "has format 5"),
    ],
)
def test_a_mistake_is_told_when_it_is_declared(write: Write, use: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        cj.workflow(lambda: use(write)).compile()


def test_a_notebook_stands_in_a_workflow() -> None:
    with pytest.raises(DeclarationError, match=r"only inside a @cj\.workflow"):
        cj.notebook("a.ipynb")


def test_an_old_notebook_is_to_be_saved_again(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    path.write_text('{"nbformat": 3, "worksheets": [{"cells": []}]}', encoding="utf-8")
    with pytest.raises(DeclarationError, match="save it again in JupyterLab"):
        cj.workflow(lambda: cj.notebook(path)).compile()
