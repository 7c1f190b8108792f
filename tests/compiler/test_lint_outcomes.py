"""Lint refuses the manifests that a real Argo refused to create, and no other of those that ran."""

import json
from pathlib import Path

import pytest

from couler_jobs.compiler.lint import lint

SAMPLES = Path(__file__).parent.parent / "samples" / "outcomes"
CASES = sorted(path.stem for path in SAMPLES.glob("*.json"))


@pytest.mark.parametrize("name", CASES)
def test_what_argo_refused_is_an_error_and_what_it_ran_is_none(name: str) -> None:
    case = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    errors = [found for found in lint(case["manifest"], "4.1") if found.severity == "error"]
    assert bool(errors) == ("refused" in case)
