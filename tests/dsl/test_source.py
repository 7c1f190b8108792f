from __future__ import annotations

import ast
import functools
import linecache
import math as maths
import re
import sys
import types
import xml.etree.ElementTree
from collections.abc import Callable
from typing import Any

import pytest

from couler_jobs.dsl.braces import without_tags
from couler_jobs.dsl.source import import_script, literal, script
from couler_jobs.dsl.steps import step
from couler_jobs.errors import DeclarationError

LIMIT = 3
NAMES = {"b", "a"}
PATTERN = re.compile("x")


def helper(value: int) -> int:
    return value + LIMIT


@functools.lru_cache
def cached(value: int) -> int:
    return helper(value) * 2


class Base:
    def value(self) -> int:
        return LIMIT


class Child(Base):
    pass


@step
def other_step(value: int) -> int:
    return value * 10


def uses_much(value: int) -> Any:
    root = xml.etree.ElementTree.fromstring("<a/>")
    return [maths.floor(cached(value)), Child().value(), sorted(NAMES), root.tag, other_step(value)]


def uses_object() -> bool:
    return bool(PATTERN.match("x"))


def uses_unknown() -> Any:
    return no_such_name  # type: ignore[name-defined]  # noqa: F821


def annotated(value: re.Pattern[str] | None = None) -> Callable[..., Any] | None:
    return None if value is None else print


def braces(name: str) -> str:
    """Says {{workflow.name}}."""
    text = "{{a}}" + f"{{{name}}}" + r"\d{{b}}"  # {{c}}
    return text + "{{{{"


def recursive(value: int) -> int:
    return 1 if value < 2 else value * recursive(value - 1)


def run(text: str, call: str) -> Any:
    """What a script defines, called as another process would."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "script", "exec"), names)
    return eval(call, names)


def test_what_a_function_uses_travels_with_it() -> None:
    assert run(script(uses_much), "uses_much(1)") == [8, 3, ["a", "b"], "a", 10]


def test_a_script_imports_what_it_uses_first() -> None:
    assert script(uses_much).startswith(
        "from __future__ import annotations\n\n"
        "import functools\nimport math as maths\nimport xml\nimport xml.etree\n"
        "import xml.etree.ElementTree\nfrom typing import Any\n\n"
        "LIMIT = 3\nNAMES = {'a', 'b'}\n"
    )


def test_a_function_may_call_itself() -> None:
    assert run(script(recursive), "recursive(5)") == 120


def test_annotations_do_not_have_to_survive() -> None:
    assert run(script(annotated), "annotated()") is None


@pytest.mark.parametrize(
    ("function", "variable", "line"),
    [
        (uses_object, "'PATTERN'", "return bool(PATTERN"),
        (uses_unknown, "'no_such_name'", "return no_such_name"),
    ],
)
def test_what_would_not_survive_is_named_with_its_line(
    function: types.FunctionType, variable: str, line: str
) -> None:
    with pytest.raises(DeclarationError) as error:
        script(function)
    number = next(n for n, text in enumerate(linecache.getlines(__file__), 1) if line in text)
    assert variable in str(error.value)
    assert f"line {number}" in str(error.value)


def test_a_variable_of_the_function_around_is_refused() -> None:
    local = 1

    def inner() -> int:
        return local

    with pytest.raises(DeclarationError, match=r"inner uses the variable 'local' .*line \d+"):
        script(inner)


def test_a_module_imported_in_the_function_around_travels() -> None:
    import json

    def inner() -> str:
        return json.dumps([1])

    assert run(script(inner), "inner()") == "[1]"


def test_a_decorator_other_than_step_is_refused() -> None:
    def marked(function: Any) -> Any:
        return function

    @step
    @marked
    def decorated() -> None:
        """Do nothing."""

    with pytest.raises(DeclarationError, match=r"The decorator @marked .*line \d+"):
        script(decorated.function)


def test_a_wrapped_function_is_refused() -> None:
    @step
    @functools.wraps(helper)
    def wrapper() -> None:
        """Do nothing."""

    with pytest.raises(DeclarationError, match="A decorator wraps helper"):
        script(wrapper.function)


def test_a_function_without_a_text_is_refused() -> None:
    names: dict[str, Any] = {}
    exec("def made(): return 1", names)
    with pytest.raises(DeclarationError, match="The source text of 'made' cannot be found"):
        script(names["made"])


def test_notebook_cells_are_read() -> None:
    module = types.ModuleType("__notebook__")
    cells = ["class Thing:\n    size = 4\n", "def of_cell():\n    return Thing.size\n"]
    module.__dict__["In"] = cells
    sys.modules["__notebook__"] = module
    try:
        for number, cell in enumerate(cells):
            name = f"<cell-{number}>"
            linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
            exec(compile(cell, name, "exec"), module.__dict__)
        assert run(script(module.__dict__["of_cell"]), "of_cell()") == 4
    finally:
        del sys.modules["__notebook__"]


def test_braces_are_written_so_that_argo_sees_none() -> None:
    text = script(braces)
    assert "{{" not in text
    assert run(text, "braces('n')") == braces("n")


@pytest.mark.parametrize(
    "text",
    [
        'x = f"{{a}}"',
        "x = {1: { 2: 3}}",
        "x = '{{{{{'",
        "x = rb'\\d{{'",
        "x = 'costs $$5, $$$'",
        "x = 1  # $$ and $(HOME)",
        "x = r'^\\$$'",
        "x = f'$${1}$(ARGO_POD_NAME)'",
        "x = b'echo $$ $(NAME)'",
        "x = r'$(A.b-c)'",
    ],
)
def test_a_script_without_tags_means_the_same(text: str) -> None:
    safe = without_tags(text, "x")
    assert not re.search(r"\{\{|\$\$|\$\([\w.-]+\)", safe)
    assert ast.dump(ast.parse(safe)) == ast.dump(ast.parse(text))


def test_braces_that_cannot_be_written_otherwise_are_refused() -> None:
    with pytest.raises(DeclarationError, match="build that text from two pieces"):
        without_tags("x = rf'''{{\"'''", "x") and without_tags('x = rf"\\d{{{1}"', "x")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        1.5,
        "é\n{",
        b"x",
        [1, [2]],
        (1,),
        (1, 2),
        {"a": {1: 2}},
        {3, 1},
        set(),
        frozenset({1}),
    ],
)
def test_a_constant_is_written_as_python_reads_it(value: object) -> None:
    text = literal(value)
    assert text is not None
    assert eval(text) == value


@pytest.mark.parametrize("value", [object(), [object()], {"a": object()}, (1, print)])
def test_an_object_has_no_literal(value: object) -> None:
    assert literal(value) is None


def test_infinity_is_a_literal() -> None:
    assert literal(float("-inf")) == 'float("-inf")'


def test_an_installed_function_is_imported_by_its_name() -> None:
    assert import_script(helper) == "from tests.dsl.test_source import helper\n"


def test_a_function_inside_another_cannot_be_imported() -> None:
    def inner() -> None:
        """Do nothing."""

    with pytest.raises(DeclarationError, match="cannot be imported where the step runs"):
        import_script(inner)
