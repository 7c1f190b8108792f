from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.compiler import size

TEXT = "x" * size.LARGEST


def manifest(task: dict[str, Any], template: dict[str, Any], spec: dict[str, Any]) -> Any:
    tasks = [{"name": f"t{number}", "template": "t"} for number in range(40)]
    tasks[3] |= task
    return {"spec": {**spec, "templates": [{"dag": {"tasks": tasks}, **template}]}}


def test_a_small_manifest_fits() -> None:
    assert size.fits(manifest({}, {}, {}))


@pytest.mark.parametrize(
    ("task", "template", "spec"),
    [
        ({"arguments": {"parameters": [{"name": "a", "value": TEXT}]}}, {}, {}),
        ({"arguments": {"artifacts": [{"name": "a", "raw": {"data": TEXT}}]}}, {}, {}),
        ({"arguments": {"parameters": [{"name": "a", "value": "\n" * 1_000_000}]}}, {}, {}),
        ({"depends": TEXT}, {}, {}),
        ({"withItems": [TEXT]}, {}, {}),
        ({"inline": {"script": {"source": TEXT}}}, {}, {}),
        ({}, {"outputs": {"parameters": [{"name": "a", "value": TEXT}]}}, {}),
        ({}, {}, {"arguments": {"parameters": [{"name": "a", "value": TEXT}]}}),
    ],
    ids=["argument", "artifact", "lines", "depends", "items", "inline", "outputs", "parameter"],
)
def test_what_is_large_is_found_wherever_it_stands(task: Any, template: Any, spec: Any) -> None:
    assert not size.fits(manifest(task, template, spec))
