from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.compiler.cron import CronOptions, changed, cron_manifest, cron_name
from couler_jobs.compiler.lint import lint
from couler_jobs.errors import CompileError

WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "w-", "labels": {"team": "a"}, "annotations": {"note": "b"}},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "python", "command": ["true"]}}],
    },
}
TARGETS = ("3.5", "3.6", "3.7", "4.0", "4.1")


@pytest.mark.parametrize("target", TARGETS)
def test_the_manifest_passes_lint_for_its_target(target: str) -> None:
    made = cron_manifest(WORKFLOW, ["0 2 * * *"], target=target)
    assert lint(made, target) == []
    assert ("schedule" in made["spec"]) == (target == "3.5")


def test_runs_carry_the_labels_and_annotations_of_the_workflow() -> None:
    made = cron_manifest(WORKFLOW, ["@daily"], target="4.1")
    runs = {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    assert made["metadata"] == {"name": "w", **runs}
    assert made["spec"]["workflowMetadata"] == runs


def test_what_has_neither_gives_its_runs_neither() -> None:
    plain = {**WORKFLOW, "metadata": {"name": "w"}}
    assert "workflowMetadata" not in cron_manifest(plain, ["@daily"], target="4.1")["spec"]


def test_every_option_has_its_field() -> None:
    options = CronOptions(
        timezone="Asia/Tokyo",
        concurrency="Allow",
        starting_deadline=60,
        suspend=False,
        keep_succeeded=0,
        keep_failed=7,
    )
    del (spec := cron_manifest(WORKFLOW, ["@daily"], target="4.1", options=options)["spec"])[
        "workflowSpec"
    ]
    del spec["workflowMetadata"]
    assert spec == {
        "schedules": ["@daily"],
        "timezone": "Asia/Tokyo",
        "concurrencyPolicy": "Allow",
        "startingDeadlineSeconds": 60,
        "suspend": False,
        "successfulJobsHistoryLimit": 0,
        "failedJobsHistoryLimit": 7,
    }


@pytest.mark.parametrize(
    ("lines", "zone", "sentence"),
    [
        ([], "", "at least one cron line"),
        (["0 0 * *"], "", "five fields"),
        (["0 0 30 2 x"], "", "is not a day of week"),
        (["0 x * * *"], "", "is not an hour"),
        (["@daily"], "Europe/Atlantis", "no time zone 'Europe/Atlantis'"),
    ],
)
def test_what_argo_would_refuse_is_refused(lines: list[str], zone: str, sentence: str) -> None:
    with pytest.raises(CompileError, match=sentence):
        cron_manifest(WORKFLOW, lines, target="4.1", options=CronOptions(timezone=zone))


def test_a_change_replaces_a_line_in_either_spelling() -> None:
    old = cron_manifest(WORKFLOW, ["@daily"], target="3.5")
    new = changed(old, ["@hourly"], target="4.1", options=CronOptions())
    assert (new["spec"]["schedules"], "schedule" in new["spec"]) == (["@hourly"], False)
    assert old["spec"]["schedule"] == "@daily"


def test_a_change_of_nothing_changes_nothing() -> None:
    made = cron_manifest(WORKFLOW, ["@daily"], target="4.1")
    assert changed(made, target="4.1", options=CronOptions()) == made


@pytest.mark.parametrize(
    ("metadata", "name"),
    [({"name": "a"}, "a"), ({"generateName": "b-"}, "b"), ({"name": "x" * 52}, "x" * 52)],
)
def test_the_name_is_always_the_same(metadata: dict[str, str], name: str) -> None:
    assert cron_name(metadata) == name


@pytest.mark.parametrize(
    ("metadata", "sentence"), [({}, "needs a name"), ({"name": "x" * 53}, "at most 52")]
)
def test_a_name_that_cannot_be_is_refused(metadata: dict[str, str], sentence: str) -> None:
    with pytest.raises(CompileError, match=sentence):
        cron_name(metadata)
