import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couler_jobs.spec.manifest import (
    MAX_DEPTH,
    ManifestError,
    load_with_lines,
    path_of,
    path_text,
)

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


def value(text: str) -> Any:
    (document,), _ = load_with_lines(f"v: {text}")
    return document["v"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (path_of(), "(the manifest)"),
        (path_of("spec"), "spec"),
        (path_of("spec", "templates", 0, "dag", "tasks", 2), "spec.templates[0].dag.tasks[2]"),
    ],
)
def test_a_path_is_written_as_people_write_it(path: Any, text: str) -> None:
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "x"),
        ("'5'", "5"),
        ("5", 5),
        ("-5", -5),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 15),
        ("0b11", 3),
        ("1_000", 1000),
        ("5.5", 5.5),
        ("1e3", 1000),
        ("3.0", 3),
        ("1e21", 1e21),
        ("1_0.5", 10.5),
        ("-_1", -1),
        ("0X1f", 31),
        ("0O10", 8),
        ("1e400", "1e400"),
        (".7_", ".7_"),
        (".5", 0.5),
        ("yes", True),
        ("y", True),
        ("N", False),
        ("off", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("1.2.3", "1.2.3"),
        ("089", 89),
        ("-", [None]),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("|\n  two\n  lines", "two\nlines"),
        ("+.", "+."),
        ("+", "+"),
    ],
)
def test_a_value_is_read_as_argo_reads_it(text: str, expected: Any) -> None:
    if text == "-":
        text = "\n- "
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


def test_each_part_has_its_line() -> None:
    _, (lines,) = load_with_lines("a:\n  - b: 1\n    c:\n      d: 2\n")
    assert dict(lines) == {"": 1, "a": 1, "a[0]": 2, "a[0].b": 2, "a[0].c": 3, "a[0].c.d": 4}
    assert len(lines) == 6


def test_each_document_has_its_own_lines() -> None:
    documents, lines = load_with_lines("a: 1\n---\n---\nb: 2\n")
    assert documents == [{"a": 1}, {"b": 2}]
    assert [found[key] for found, key in zip(lines, "ab", strict=True)] == [1, 4]


def test_aliases_and_merges_are_put_in() -> None:
    (document,), _ = load_with_lines(
        "a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}\nc: *a\nd: &s z\ne: *s\n"
    )
    assert document["b"] == {"x": 1, "y": 2}
    assert document["c"] == {"x": 1, "y": 1}
    assert document["e"] == "z"


def test_a_key_may_be_an_alias() -> None:
    (document,), _ = load_with_lines("a: &k word\n*k : 1\n")
    assert document["word"] == 1


def test_several_merges_are_put_in_the_first_one_first() -> None:
    (document,), _ = load_with_lines("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n")
    assert document["c"] == {"x": 1, "y": 2}


def test_json_is_yaml() -> None:
    (document,), _ = load_with_lines('{"a": [1, "b", null, true]}')
    assert document == {"a": [1, "b", None, True]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "repeats aliases"),
        ("[" * (MAX_DEPTH + 50), "nested deeper"),
        ("a: {" * 100_000, "nested deeper"),
        ("a: 1\na: 2\n", "Line 2 has the key 'a' a second time"),
        ("a: !!python/object/apply:os.system [ls]", "tag !!python/object/apply:os.system"),
        ("a: !secret x", "tag !secret"),
        ("a: !!binary eA==", "tag !!binary"),
        ("? [a]\n: b\n", "as a key"),
        ("a: &a {x: 1}\n*a : 1\n", "as a key"),
        ("a: *b", "anchor"),
        ("a: &a [*a]", "anchor"),
        ("- a\n", "not a mapping"),
        ("just text", "not a mapping"),
        ("a: {<<: text}", "not a mapping"),
        ("a: [1,", "is not YAML"),
        ("a: \x00", "not YAML"),
        ("a: 'x", "is not YAML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_not_a_manifest_is_refused_at_once_with_a_sentence(text: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(ManifestError, match=said):
        load_with_lines(text)
    assert time.monotonic() - began < 5


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!<>|#'\"\n\t 1.,?%@\\~", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        documents, lines = load_with_lines(text)
    except ManifestError:
        return
    assert len(documents) == len(lines)
