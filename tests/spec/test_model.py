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
def test_every_value_is_slotted_and_keyword_only_and_can_be_a_key(value: type) -> None:
    assert vars(value)["__hash__"] is not None
    assert hasattr(value, "__slots__")
    assert all(field.kw_only for field in dataclasses.fields(value))


def test_the_type_checker_refuses_to_change_a_value() -> None:
    item = model.Item(key="a")
    item.key = "b"  # type: ignore[misc]


def test_equal_templates_are_one_key() -> None:
    def pod() -> model.Pod:
        return model.Pod(name="a", container=model.Container(image="x", command=("sh",)))

    assert {pod(), pod()} == {pod()}
