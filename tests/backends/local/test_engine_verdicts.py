"""The engine's refusals against Argo's: it never refuses on its own account what Argo takes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.engine import Engine
from couler_jobs.errors import Rejected

VERDICTS = Path(__file__).parents[2] / "samples" / "verdicts" / "v4.1.2.jsonl.gz"


def workflows() -> list[dict[str, Any]]:
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["manifest"].get("kind") == "Workflow"]


def refusal(manifest: dict[str, Any]) -> str | None:
    try:
        Engine(manifest, name="x", uid="u", created_at=0)
    except Rejected as error:
        return str(error)
    return None


def test_refusals_are_argo_s() -> None:
    same = other = 0
    wrongly: list[str] = []
    for row in workflows():
        sentence = refusal(row["manifest"])
        if sentence is None or sentence.startswith("The local engine cannot run"):
            continue
        taken = row["argo"]["status"] == 200 and row["kubernetes"]["status"] == 201
        wrongly += [row["id"]] if taken else []
        same += sentence == row["argo"].get("message")
        other += sentence != row["argo"].get("message")
    assert wrongly == []
    assert same > 600
    assert other < 25  # several mistakes at once, and those only Kubernetes words differently


def test_what_argo_refuses_is_refused_but_for_pod_settings() -> None:
    refused = [row for row in workflows() if row["argo"]["status"] != 200]
    taken = [row for row in refused if refusal(row["manifest"]) is None]
    assert len(taken) / len(refused) < 0.12  # metrics, memoize, labels, counts over 200
