from __future__ import annotations

import gc
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl.recorder import Scope
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model


@cj.step
def same(value: Any) -> Any:
    return value


@cj.workflow
def flow(day: Any = 1) -> Any:
    return same(day)


@cj.workflow
def needy(day: Any) -> Any:
    return same(day)


def test_a_workflow_a_model_and_its_manifest_compile_to_the_same() -> None:
    manifest = cj.compile(flow, day=2)
    assert cj.compile(flow.declare(day=2)) == manifest
    assert cj.compile(flow.declare(), day=2) == manifest
    assert cj.compile(flow.compile(), day=2) == manifest


@cj.workflow
def around(day: Any) -> Any:
    parts = flow(day)
    return same([parts["a"], parts["b"]])


def test_compiling_leaves_nothing_to_the_collector_of_cycles() -> None:
    gc.collect()
    gc.freeze()  # what other tests hold is not looked at
    gc.disable()
    try:
        around.compile(day=1)
        left = [one for one in gc.get_objects() if isinstance(one, Scope | model.Call)]
    finally:
        gc.enable()
        gc.unfreeze()
    assert left == []


def test_a_text_for_a_manifest_is_what_its_steps_read() -> None:
    manifest = flow.compile(day="2026-01-01")
    assert cj.compile(manifest, day="2026-11-22") == flow.compile(day="2026-11-22")


def test_a_manifest_that_is_handed_in_is_not_changed() -> None:
    manifest = flow.compile()
    before = cj.to_yaml(manifest)
    cj.compile(manifest, day={"a": 1})
    assert cj.to_yaml(manifest) == before


def test_a_parameter_that_the_manifest_does_not_have_is_refused() -> None:
    with pytest.raises(DeclarationError, match="has no parameter 'other'"):
        cj.compile(flow.compile(), other=1)


def test_something_else_is_refused() -> None:
    with pytest.raises(DeclarationError, match="3 cannot be compiled"):
        cj.compile(3)
    with pytest.raises(DeclarationError, match="is none"):
        cj.run_here(3)  # type: ignore[arg-type]


def test_a_run_here_needs_every_parameter() -> None:
    with pytest.raises(DeclarationError, match="The parameter 'day' has no value"):
        cj.run_here(needy)
