from __future__ import annotations

import dataclasses

import pytest

from couler_jobs.spec import model

VALUES = [
    value
    for value in vars(model).values()
    if dataclasses.is_dataclass(value) and value.__module__ == model.__name__
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_every_value_is_frozen_slotted_and_keyword_only(value: type) -> None:
    parameters = value.__dataclass_params__  # type: ignore[attr-defined]
    assert parameters.frozen
    assert hasattr(value, "__slots__")
    assert all(field.kw_only for field in dataclasses.fields(value))


def test_equal_templates_are_one_key() -> None:
    def pod() -> model.Pod:
        return model.Pod(name="a", container=model.Container(image="x", command=("sh",)))

    assert {pod(), pod()} == {pod()}
