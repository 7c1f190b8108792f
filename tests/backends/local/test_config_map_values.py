"""Parameters whose value lies in a config map of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.config_map_values import fill_from_config_maps
from couler_jobs.backends.local.references import References
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase
from tests.backends.workflows import finish, sh, text_of, workflow


@pytest.fixture
def references(tmp_path: Path) -> References:
    lay(tmp_path)
    return References(tmp_path)


def lay(home: Path) -> None:
    (home / "configmaps" / "site").mkdir(parents=True)
    (home / "configmaps" / "site" / "region").write_text("north")


def kept(key: str = "region", name: str = "site", **more: Any) -> dict[str, Any]:
    source = {"configMapKeyRef": {"name": name, "key": key}, **more}
    return {"name": "p", "valueFrom": source}


def given(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"arguments": {"parameters": list(parameters)}}


FILLED = {"name": "p", "value": "north"}


@pytest.mark.parametrize(
    ("spec", "filled"),
    [
        (given(kept()), given(FILLED)),
        (given({"name": "p", "value": "x"}), given({"name": "p", "value": "x"})),
        (given(kept("no", default="south")), given({"name": "p", "value": "south"})),
        (
            {"templates": [{"inputs": {"parameters": [kept()]}}]},
            {"templates": [{"inputs": {"parameters": [FILLED]}}]},
        ),
        (
            {"templates": [{"steps": [[given(kept())]]}]},
            {"templates": [{"steps": [[given(FILLED)]]}]},
        ),
        (
            {"templates": [{"container": {"env": [kept()]}}]},
            {"templates": [{"container": {"env": [kept()]}}]},
        ),
    ],
    ids=["workflow", "no reference", "default", "template", "step", "a variable's is not one"],
)
def test_a_reference_is_replaced_by_what_it_names(
    spec: dict[str, Any], filled: dict[str, Any], references: References
) -> None:
    fill_from_config_maps(spec, references)
    assert spec == filled


def test_a_parameter_of_the_workflow_may_choose_the_config_map(references: References) -> None:
    spec = given({"name": "where", "value": "site"})
    chosen = kept(name="{{workflow.parameters.where}}")
    spec["templates"] = [{"inputs": {"parameters": [chosen]}}]
    fill_from_config_maps(spec, references)
    assert spec["templates"] == [{"inputs": {"parameters": [FILLED]}}]


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (kept("no"), r"parameters\[0\]: There is no config map site with the key no"),
        (kept(name="{{steps.a.outputs.result}}"), "not known when the run is made"),
    ],
)
def test_what_is_not_there_is_refused_with_its_place(
    parameter: dict[str, Any], words: str, references: References
) -> None:
    with pytest.raises(Rejected, match=words):
        fill_from_config_maps(given(parameter), references)


def test_a_run_has_the_values_of_the_moment_it_was_made(local: LocalBackend) -> None:
    lay(local.home.root)
    say = sh("a", "echo {{workflow.parameters.p}} {{inputs.parameters.p}}")
    say["template"]["inputs"] = {"parameters": [kept()]}
    run = local.submit(workflow(say, arguments={"parameters": [kept()]}))
    done = finish(local, run.name)
    assert (done.phase, text_of(local, run.name).strip()) == (Phase.SUCCEEDED, "north north")
