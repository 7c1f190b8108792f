"""Lint says yes exactly where real servers of five versions did."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.compiler.lint import lint

SAMPLES = Path(__file__).parent.parent / "samples" / "verdicts"


def verdicts(version: str) -> Iterator[dict[str, Any]]:
    with gzip.open(SAMPLES / f"v{version}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def was_taken(row: dict[str, Any], version: str) -> bool:
    """Kubernetes' word counts where Argo's CRDs are full; before, it takes nearly anything."""
    taken: bool = row["argo"]["status"] == 200
    return taken and (version.startswith("3.") or row["kubernetes"]["status"] == 201)


@pytest.mark.parametrize("version", ["3.5.15", "3.6.19", "3.7.18", "4.0.10", "4.1.2"])
def test_every_verdict_of_a_real_server_is_shared(version: str) -> None:
    different = [
        row["id"]
        for row in verdicts(version)
        if was_taken(row, version)
        != (not any(found.severity == "error" for found in lint(row["manifest"], version)))
    ]
    assert different == []
