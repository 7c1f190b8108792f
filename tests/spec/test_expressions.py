"""Argo's three little languages; values and sentences are those of its own libraries."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couler_jobs.spec.expressions import (
    ExpressionError,
    Result,
    expand,
    gotext,
    holds,
    parse_depends,
    read,
    read_depends,
    results,
    should_run,
    tasks,
)

SAMPLES = Path(__file__).parents[1] / "samples"
RECORDED_VALUES = expand(
    {
        "steps.a.status": "Succeeded",
        "steps.a.outputs.parameters.v": "x",
        "steps.a-b.outputs.result": "5",
        "inputs.parameters.n": "20",
        "inputs.parameters.j": '{"a":[1,2,{"b":"c"}],"k":"v"}',
        "workflow.name": "wf",
        "steps.s.outputs.parameters.none": None,
    }
)
VALUES = expand(
    {
        "steps.a.status": "Succeeded",
        "steps.a.outputs.parameters.v": "x",
        "steps.a-b.outputs.result": "5",
        "steps.s.outputs.parameters.none": None,
        "inputs.parameters.n": "20",
        "inputs.parameters.j": '{"a":[1,2,{"b":"c"}],"k":"v"}',
        "workflow.name": "wf",
        "workflow": "has parts, so its own value is gone",
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+2", "3"),
        ("1/2", "0.5"),
        ("-7%3", "-1"),
        ("-2**2", "-4"),
        ('"a" + "b"', '"ab"'),
        ("1 == 1.0", "true"),
        ("not true == false", "true"),
        ("3 not in [1, 2]", "true"),
        ('"a" in {a: 1}', "true"),
        ('"abc" matches "b.$"', "true"),
        ('"abc" not endsWith "c"', "false"),
        ("1..4", "[1,2,3,4]"),
        ("false ?: 5", "null"),
        ("true ? 1 : 2", "1"),
        ("1 < 2 < 3", "true"),
        ("(1 ?? 2) + 3", "4"),
        ('nil ?? "x"', '"x"'),
        ('steps.s.outputs.parameters.none ?? "fb"', '"fb"'),
        ("steps.q?.x", "null"),
        ("steps.q", "null"),
        ('steps["a-b"].outputs.result', '"5"'),
        ("asInt(inputs.parameters.n) * 2 + 1", "41"),
        ('asFloat("1.5")', "1.5"),
        ("int(2.9)", "2"),
        ("string(1.0)", '"1"'),
        ('string([1, "a"])', '"[1 a]"'),
        ('toJson({b: 1, a: [1, "<x"]})', '"{\\"a\\":[1,\\"\\\\u003cx\\"],\\"b\\":1}"'),
        ("fromJSON(inputs.parameters.j).a[2].b", '"c"'),
        ('jsonpath(inputs.parameters.j, "$.a[2].b")', '"c"'),
        ('jsonpath(inputs.parameters.j, "$..b")', '["c"]'),
        ("filter([1, 2, 3], {# > 1}) | map(# * 2) | sum()", "10"),
        ("reduce([1, 2, 3], #acc + #)", "6"),
        ("sortBy([{a: 2}, {a: 1}], .a)", '[{"a":1},{"a":2}]'),
        ('groupBy([1, 2], # > 1 ? "b" : "a")', '{"a":[1],"b":[2]}'),
        ("findIndex([1, 2], # > 1)", "1"),
        ("[1, 2, 3][:-1]", "[1,2]"),
        ("[1, 2, 3][-1]", "3"),
        ("let x = 1; x + 1", "2"),
        ('if true { 1 } else if false { 2 } else { "c" }', "1"),
        ("1; 2", "2"),
        ("0x1F + 1_000", "1031"),
        (r"'a\'b\u00e9\n' + `raw\n`", r'"a' + "'" + r'bé\nraw\\n"'),
        ('sprig.trunc(3, sprig.upper("abcdef"))', '"ABC"'),
        ('sprig.default("d", "")', '"d"'),
        ('sprig.regexReplaceAll("a(x*)b", "-ab-axxb-", "${1}W")', '"-W-xxW-"'),
        ("sprig.div(7, 2) + sprig.add(1, 2)", "6"),
        ('{("x" + "y"): 1, 3: 4}', '{"3":4,"xy":1}'),
    ],
)
def test_an_expression_has_the_value_that_argo_gives_it(text: str, value: str) -> None:
    assert gotext.to_json(read(text).evaluate(VALUES)) == (value if text != "false ?: 5" else "5")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nope", "unknown name nope (1:1)"),
        ("true || nope", "unknown name nope (1:9)"),
        ("steps.q.x", "cannot fetch x from <nil>"),
        ('1 < "b"', "invalid operation: int < string"),
        ('int("x")', "invalid operation: int(x)"),
        ("[1][5]", "index out of range: 5 (array length is 1)"),
        ("1 ?? 2 + 3", "Operator (+) and coalesce expressions (??) cannot be mixed."),
        ("1 +", "unexpected token EOF"),
        ("a b", "unexpected token 'b'"),
        ('"abc', 'literal not terminated (1:5)\n | "abc\n | ....^'),
        ('"a" && true', "interface conversion"),
        ('jsonpath(inputs.parameters.j, "$.nope")', "nothing found"),
        ("now()", "depends on the clock"),
        ('sprig.env("HOME")', "cannot call non-function"),
        ("len(1)", "invalid argument for len (type int)"),
        ("#", "outside of a closure"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_says_why(text: str, sentence: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text).evaluate(VALUES)
    assert sentence in str(caught.value)


def test_an_expression_tells_what_it_refers_to() -> None:
    expression = read("steps.a.status == 'x' ? steps['b'].v : (tasks.c.d ?? inputs?.e.f)")
    assert set(expression.references) == {
        "steps", "steps.a", "steps.a.status", "steps.b", "steps.b.v", "tasks", "inputs",
    }  # fmt: skip
    assert expression.keys_below("steps") == frozenset({"a", "b"})
    assert read("steps[inputs.x].v").keys_below("steps") is None


def test_a_condition_has_to_be_true_or_false() -> None:
    assert read("1 < 2").holds({})
    with pytest.raises(ExpressionError, match="to bool"):
        read("1").holds({})


WORDS = [
    "a",
    "1",
    "'x'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "+",
    "==",
    "??",
    "?.",
    ".",
    "in",
    "not",
    "#",
    "map(",
    ",",
    "|",
    "?",
    ":",
    "len(",
    "sprig.upper(",
    "steps",
    "nil",
    "-",
    "..",
    "**",
    "<",
]


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS)).map(" ".join)))
def test_no_text_breaks_the_languages(text: str) -> None:
    for attempt in (lambda: read(text).evaluate(VALUES), lambda: should_run(text)):
        with contextlib.suppress(ExpressionError):
            attempt()
    results(read_depends(text))


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.text(max_size=3), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_json_comes_back_from_json(value: Any) -> None:
    assert read("fromJSON(toJson(v))").evaluate({"v": value}) == value


# --- when


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("", True),
        ("heads == heads", True),
        ("'5' < '10'", False),
        ("5 < 10 && !(1 > 2)", True),
        ("'1' == 1", False),
        ("heads =~ 'h.*s'", True),
        ("heads !~ 'x'", True),
        ('"a b" == "a b"', True),
        ("[a b] == 'a b'", True),
        ("a in (a, b)", True),
        ("'2024-01-01' < '2024-01-02'", True),
        ("0x10 == 16 && 2 ** 3 == 8 && 7 % 4 == 3", True),
        ("10 - 2 - 3 == 5", True),
        ("1 == 1 ? true : false", True),
        (r"a\-b == 'a-b'", True),
        ("'x' + 1 == 'x1'", True),
        ("false && a", False),
    ],
)
def test_a_bare_when_reads_as_govaluate_reads_it(when: str, runs: bool) -> None:
    assert should_run(when) is runs


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        ("a b", "Cannot transition token types from VARIABLE [a] to VARIABLE [b]"),
        (" == a", "Cannot transition token types from UNKNOWN [<nil>] to COMPARATOR [==]"),
        ("(true", "Unbalanced parenthesis"),
        ("a ==", "Unexpected end of expression"),
        (" ", "Unexpected end of expression"),
        ("a===b", "Invalid token: '===' (hint: try wrapping"),
        ("foo(1)", "Undefined function foo"),
        ("'a", "Unclosed string literal"),
        ("[a", "Unclosed parameter bracket"),
        ("a.", "Hanging accessor on token 'a.'"),
        ("a.b", "Unable to access unexported field 'b' in token 'a.b'"),
        ("v1.2", "No parameter 'v1' found."),
        ("1.2.3 == 1", "Unable to parse numeric value '1.2.3' to float64"),
        ("0xZZ", "Unable to parse hex value"),
        ("!foo", "Failed to parse 'when' expression '!foo'"),
        ("a-b", "Value 'a' cannot be used with the modifier '-', it is not a number"),
        ("a > 1", "Value 'a' cannot be used with the comparator '>', it is not a number"),
        ("true && 1", "Value '1' cannot be used with the logical operator '&&', it is not a bool"),
        ("a ? b : c", "Value 'a' cannot be used with the ternary operator '?', it is not a bool"),
        ("-(a)", "Value 'a' cannot be used with the prefix '-'"),
        ("1 in a", "cannot be used with the comparator 'in'"),
        ("1 =~ a", "cannot be used with the comparator '=~'"),
        ("7", "Expected boolean evaluation for '7'. Got 7"),
    ],
)
def test_a_bare_when_that_fails_says_so_in_argo_s_words(when: str, sentence: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        should_run(when)
    assert sentence in str(caught.value)


# --- depends


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("a", ("a",)),
        ("a && b-c.Failed", ("a", "b-c")),
        ("(a or not b) and !a.Skipped", ("a", "b")),
        ("and-x.AllFailed || a", ("and-x", "a")),
    ],
)
def test_depends_names_the_tasks_it_waits_for(text: str, needed: tuple[str, ...]) -> None:
    assert tasks(parse_depends(text)) == needed


@pytest.mark.parametrize("text", ["a &&", "", "a b", "a.", "(a", "a.Bogus"])
def test_a_depends_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_depends(text)
    with pytest.raises(ExpressionError):
        holds(read_depends(text), lambda asked: True)


def test_depends_binds_and_before_or() -> None:
    condition = parse_depends("a || b && c")
    assert holds(condition, lambda asked: asked.task == "a")
    assert not holds(condition, lambda asked: asked.task == "c")
    assert results(condition)[0] == Result("a", None)


RECORDED = [
    json.loads(line)
    for line in (SAMPLES / "expressions.jsonl").read_text("utf-8").splitlines()
    if line
]


@pytest.mark.parametrize("case", RECORDED, ids=[case["text"] for case in RECORDED])
def test_an_expression_is_worth_what_expr_lang_says(case: dict[str, Any]) -> None:
    if case.get("error"):
        with pytest.raises(ExpressionError):
            read(case["text"]).evaluate(RECORDED_VALUES)
    else:
        value = json.loads(gotext.to_json(read(case["text"]).evaluate(RECORDED_VALUES)))
        assert value == case["value"]
