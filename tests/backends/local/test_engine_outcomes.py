"""The engine against Argo: all recorded manifests, and everything that Argo showed of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.values import Request
from couler_jobs.errors import Rejected
from tests.backends.local.outcomes import Runner, cases, outcome, recorded

_REASON = "failed to resolve references: failed to resolve {{steps.a.outputs.result}}"
DISAGREEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "when-skipped-output-used": (
        "Argo waits for ever for an output that will never be; the engine ends with the reason",
        {
            "phase": "Failed",
            "message": _REASON,
            "nodes": {
                "NAME": {
                    "displayName": "NAME",
                    "type": "Steps",
                    "phase": "Failed",
                    "message": _REASON,
                },
                "NAME[1]": {
                    "displayName": "[1]",
                    "type": "StepGroup",
                    "phase": "Error",
                    "message": _REASON,
                },
            },
        },
    ),
}
ALL = list(cases())


@pytest.mark.parametrize("case", ALL, ids=[case["case"] for case in ALL])
def test_the_engine_makes_of_a_manifest_what_argo_made_of_it(
    case: dict[str, Any], tmp_path: Path
) -> None:
    assert result_of(case, tmp_path) == expected(case)


def expected(case: dict[str, Any]) -> dict[str, Any]:
    if "refused" in case:
        return {"refused": case["refused"]["message"]}
    wanted = recorded(case)
    _, changes = DISAGREEMENTS.get(case["case"], ("", {}))
    nodes = {**wanted["nodes"], **changes.get("nodes", {})}
    return {**wanted, **changes, "nodes": nodes}


def result_of(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    action = case.get("action")
    requests = [(1.0, Request(action=action["call"], at=0))] if action else []
    try:
        runner = Runner(case["manifest"], folder)
    except Rejected as error:
        return {"refused": str(error)}
    result = outcome(runner, runner.run(requests))
    return {**result, "message": re.sub(r"NAME-\d+", "NAME-ID", result["message"])}
