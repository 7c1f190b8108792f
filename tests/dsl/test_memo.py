"""`@step(cache=...)`: what has not changed is not run again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl import memo
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, template
from tests.dsl.running import run_locally


@cj.step(cache=True)
def noted(path: str, word: str) -> list[str]:
    from pathlib import Path

    with Path(path).open("a") as file:
        file.write(word + "\n")
    return [word, word]


@cj.step
def joined(words: list[str], last: str) -> str:
    return " ".join([*words, last])


@cj.workflow
def flow(path: str, word: str = "a") -> str:
    words = noted(path, word)
    return joined(words, words[1])


@pytest.mark.parametrize("target", TARGETS)
def test_each_result_has_a_config_map_and_a_key_of_its_arguments(target: str) -> None:
    found = template(compiled(flow, target, path="p"), "noted")["memoize"]
    assert found["key"].startswith("{{=sprig.sha256sum('")
    assert "inputs.parameters['path'], inputs.parameters['word']" in found["key"]
    assert found["cache"]["configMap"]["name"] == f"cache-noted-{found['key']}"
    assert found["maxAge"] == ""


def test_a_step_runs_again_only_for_other_arguments(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    words = ["a", "b", "a", "a"]
    results = [run_locally(flow, tmp_path / "home", path=str(notes), word=word) for word in words]
    assert results == [f"{word} {word} {word}" for word in words]
    assert notes.read_text() == "a\nb\n"


def test_a_result_may_count_for_a_while() -> None:
    @cj.workflow
    def for_a_week() -> Any:
        return cj.step(cache="7d")(constant)()

    assert template(compiled(for_a_week), "constant")["memoize"]["maxAge"] == "604800s"


@pytest.mark.parametrize("name", ["Load", "load_It", "_L", "L__" * 60, "X1"])
def test_a_config_map_has_a_name_that_kubernetes_allows_whatever_the_step_is_called(
    name: str,
) -> None:
    found = memo.memoize(name.replace("_", "-"), 0, (), [])["cache"]["configMap"]["name"]
    assert re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", found)
    assert len(found) <= 253


def constant() -> int:
    return 1


def key(**options: Any) -> Any:
    @cj.workflow
    def keyed() -> Any:
        return cj.step(cache=True, **options)(constant)()

    return template(compiled(keyed), "constant")["memoize"]["key"]


def test_the_key_tells_images_and_environments_apart() -> None:
    options: list[dict[str, Any]] = [{}, {"image": "python:3.13"}, {"env": {"A": "1"}}]
    assert len({key(**one) for one in options}) == len(options)
    assert key() == key(retries=2)


def test_the_key_tells_what_the_declared_files_hold(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"one")
    before = key(cache_files=[str(file)])
    assert key(cache_files=[str(file)]) == before
    file.write_bytes(b"two")
    assert key(cache_files=[str(file)]) != before


def test_the_key_tells_sources_apart() -> None:
    keys = {memo.memoize("n", 0, ["x"], [source])["key"] for source in ("a", "b")}
    assert len(keys) == 2


@cj.step(cache=True)
def reads(table: Path) -> str:
    return table.read_text()


def reading() -> None:
    reads(cj.raw("text"))


def missing() -> None:
    cj.step(cache=True, cache_files=["there is none"])(constant)()


def no_time() -> None:
    cj.step(cache="soon")(constant)()


def no_cache() -> None:
    cj.step(cache_files=["a"])(constant)()


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (reading, "Argo cannot tell whether its content is the same"),
        (missing, "cache_files: .*there is none cannot be read"),
        (no_time, "cache='soon'"),
        (no_cache, "give cache= too"),
    ],
)
def test_what_cannot_be_cached_is_refused(function: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        cj.workflow(function).compile()
