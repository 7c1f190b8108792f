"""Definitions over a backend that only keeps what it is sent: what is asked of it, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.errors import CoulerJobsError, Forbidden, Unavailable
from couler_jobs.spec.status import Phase, RunInfo
from scheduler_plugin import labels, ticks
from scheduler_plugin.config import Settings
from scheduler_plugin.database import Database
from scheduler_plugin.definition_records import DefinitionRecords, DefinitionsQuery
from scheduler_plugin.definitions import DefinitionRequest, Definitions
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import (
    DatabaseUnavailable,
    InputMissing,
    JobRefused,
    NoSuchDefinition,
    NoSuchJob,
    StagingFailed,
)
from scheduler_plugin.in_pod import TickRun, main
from scheduler_plugin.jobs import Jobs
from scheduler_plugin.orders import JobRequest
from scheduler_plugin.records import Job, JobsQuery, Records
from scheduler_plugin.status import JobStatus

from .conftest import SHORT
from .standin import StandIn

Write = Callable[..., Path]
AWAY = Unavailable("Argo Server did not answer.")
HOSTILE = "O'Brien's \"report\" {{workflow.name}} $(id) ;é.ipynb"


@pytest.fixture
def backend() -> StandIn:
    return StandIn()


@pytest.fixture
def definitions(
    settings: Settings, records: Records, environments: Environments, backend: StandIn
) -> Definitions:
    jobs = Jobs(settings, records, environments, lambda: backend)
    return Definitions(DefinitionRecords(Database(settings.db_url, SHORT)), jobs)


@pytest.fixture
def request_(write_notebook: Write) -> DefinitionRequest:
    write_notebook(HOSTILE, "print(1)")
    return asked(
        HOSTILE,
        output_formats=("ipynb", "html"),
        parameters={"password": "{{workflow.name}} $(HOME)", "days": "7"},
        tags=("mine",),
    )


def asked(
    path: str, *, schedule: str | None = "0 2 * * *", timezone: str | None = None, **more: Any
) -> DefinitionRequest:
    more.setdefault("runtime_environment_name", "server")
    job = JobRequest(**{"input_uri": path, "name": "nightly", **more})
    return DefinitionRequest(job=job, schedule=schedule, timezone=timezone)


@pytest.fixture
def definition_id(definitions: Definitions, request_: DefinitionRequest) -> str:
    return definitions.create(request_)


def cron(backend: StandIn, definition_id: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(backend.crons[f"def-{definition_id}"])
    return found


def tick_of(definitions: Definitions, definition_id: str) -> ticks.Tick:
    return ticks.read_tick(definitions.folder(definition_id).tick)


def run(definitions: Definitions, definition_id: str, uid: str = "uid-1") -> Job:
    """What the first step of a tick does."""
    begin(definitions, definition_id, uid)
    return definitions.jobs.get(uid)


def begin(definitions: Definitions, definition_id: str, uid: str = "uid-1") -> TickRun:
    """The same, whoever makes the record."""
    name = f"def-{definition_id}-{uid}"
    backend = definitions.jobs.backend
    assert isinstance(backend, StandIn)
    mine = {labels.JOB_DEFINITION_ID: definition_id} | definitions.jobs.home
    backend.runs[name] = RunInfo(name=name, uid=uid, phase=Phase.RUNNING, labels=mine)
    tick = tick_run(definitions, definition_id, uid)
    tick.create()
    return tick


def tick_run(definitions: Definitions, definition_id: str, uid: str = "uid-1") -> TickRun:
    file = definitions.folder(definition_id).tick
    return TickRun(tick_file=file, job_id=uid, workflow=f"def-{definition_id}-{uid}")


def everything(definitions: Definitions) -> tuple[int, list[Path]]:
    staging = definitions.jobs.settings.staging
    return definitions.list(DefinitionsQuery()).total, list(staging.glob("*"))


def test_a_definition_that_an_older_version_wrote_can_be_run(
    definitions: Definitions, definition_id: str
) -> None:
    file = definitions.folder(definition_id).tick
    written = json.loads(file.read_text())
    del written["asked"]["notice"]
    file.write_text(json.dumps(written))

    assert run(definitions, definition_id).status is JobStatus.IN_PROGRESS


# --- creating


def test_a_definition_is_a_cron_workflow_under_its_own_name_and_labels(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    manifest = cron(backend, definition_id)
    own = {labels.JOB_DEFINITION_ID: definition_id, labels.OWNER: "ada"}

    assert manifest["metadata"]["labels"].items() >= own.items()
    assert manifest["spec"]["workflowMetadata"]["labels"].items() >= own.items()
    assert manifest["spec"]["schedules"] == ["0 2 * * *"]
    assert manifest["spec"]["timezone"] == "UTC"
    assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
    assert definitions.get(definition_id).active


def test_a_tick_has_three_steps_and_only_argos_own_tags(
    definition_id: str, backend: StandIn
) -> None:
    spec = cron(backend, definition_id)["spec"]["workflowSpec"]
    programs = {
        t["name"]: t["container"]["command"][-1] for t in spec["templates"] if "container" in t
    }

    assert set(programs.values()) == {"scheduler_plugin.in_pod", "couler_jobs.in_pod.notebook"}
    assert len(programs) == 3
    assert spec["onExit"]
    assert "{{workflow.uid}}" in json.dumps(spec)


def test_nothing_that_a_user_typed_is_in_the_manifest(definition_id: str, backend: StandIn) -> None:
    text = json.dumps(cron(backend, definition_id))

    assert "O'Brien" not in text
    assert "password" not in text
    assert "nightly" not in text


def test_a_database_password_is_in_no_manifest_and_in_no_tick(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    jobs = definitions.jobs
    backend.name = "local"
    jobs.settings = replace(jobs.settings, db_url="postgresql://ada:hunter2@db/scheduler")
    definition_id = definitions.create(request_)

    assert "hunter2" not in json.dumps(cron(backend, definition_id))
    folder = definitions.folder(definition_id)
    assert "hunter2" not in folder.tick.read_text(encoding="utf-8")
    assert folder.db_url.read_text(encoding="utf-8") == jobs.settings.db_url
    assert folder.root.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("schedule", "zone", "says"),
    [
        ("", None, "empty"),
        ("61 * * * *", None, "not a minute"),
        ("* * * *", None, "five fields"),
        ("0 0 30 2 *", None, "never runs"),
        ("0 2 * * *", "Europe/Atlantis", "no time zone 'Europe/Atlantis'"),
        ("0 2 * * " + "*" * 300, None, "longer than 256"),
        ("@every 1h", None, "'@every 1h' is a period"),
        ("CRON_TZ=Asia/Tokyo 0 2 * * *", None, "as `timezone`"),
    ],
)
def test_a_bad_schedule_is_one_sentence_and_nothing_is_left(
    definitions: Definitions,
    request_: DefinitionRequest,
    schedule: str,
    zone: str | None,
    says: str,
) -> None:
    with pytest.raises(JobRefused, match=says):
        definitions.create(replace(request_, schedule=schedule, timezone=zone))
    assert everything(definitions) == (0, [])


def test_a_schedule_is_kept_in_the_five_fields_that_jupyterlab_can_show(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    definition_id = definitions.create(replace(request_, schedule="@daily"))
    assert definitions.get(definition_id).schedule == "0 0 * * *"
    definitions.update(definition_id, {"schedule": "@weekly"})

    assert definitions.get(definition_id).schedule == "0 0 * * 0"
    assert cron(backend, definition_id)["spec"]["schedules"] == ["0 0 * * 0"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_uri": "missing.ipynb"}, "missing.ipynb"),
        ({"runtime_environment_name": "nowhere"}, "no environment 'nowhere'"),
        ({"output_formats": ("exe",)}, "no output format 'exe'"),
        ({"parameters": {"a b": "1"}}, "'a b' is not a variable name"),
    ],
)
def test_what_cannot_be_a_job_cannot_be_a_definition(
    definitions: Definitions, request_: DefinitionRequest, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(JobRefused, match=says):
        definitions.create(replace(request_, job=replace(request_.job, **changes)))
    assert everything(definitions) == (0, [])


def test_a_definition_that_was_refused_leaves_neither_row_nor_files_nor_cron_workflow(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    backend.error = Forbidden("You may not create cron workflows.")
    with pytest.raises(Forbidden, match="You may not"):
        definitions.create(request_)

    assert everything(definitions) == (0, [])


def test_a_definition_whose_answer_was_lost_leaves_no_cron_workflow(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    backend.after_apply = raising(AWAY)
    with pytest.raises(Unavailable):
        definitions.create(request_)

    assert everything(definitions) == (0, [])
    assert not backend.crons


def test_a_definition_that_cannot_be_taken_back_is_shown_as_paused(
    definitions: Definitions,
    request_: DefinitionRequest,
    backend: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend.error = AWAY
    monkeypatch.setattr(definitions.records, "remove", raising(DatabaseUnavailable("locked")))
    with pytest.raises(Unavailable):
        definitions.create(request_)

    (definition,) = definitions.list(DefinitionsQuery()).definitions
    assert not definition.active


def raising(error: Exception) -> Callable[..., None]:
    def work(*_: object) -> None:
        raise error

    return work


def test_output_formats_that_were_left_out_are_the_notebook(
    definitions: Definitions, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "1")
    definition_id = definitions.create(asked("nb.ipynb"))

    assert definitions.get(definition_id).output_formats == ("ipynb",)


POLICIES = {
    "concurrency_policy": "Allow",
    "starting_deadline_seconds": 600,
    "successful_runs_kept": 7,
    "failed_runs_kept": 0,
}


def policies_of(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "concurrency_policy": spec["concurrencyPolicy"],
        "starting_deadline_seconds": spec["startingDeadlineSeconds"],
        "successful_runs_kept": spec["successfulJobsHistoryLimit"],
        "failed_runs_kept": spec["failedJobsHistoryLimit"],
    }


def test_the_operators_policy_deadline_and_limits_are_in_the_cron_workflow(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, defaults=POLICIES)

    assert policies_of(cron(backend, definitions.create(request_))["spec"]) == POLICIES


def test_a_definitions_own_policies_are_in_its_cron_workflow(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    job = replace(request_.job, runtime_environment_parameters=POLICIES)
    definition_id = definitions.create(replace(request_, job=job))

    assert policies_of(cron(backend, definition_id)["spec"]) == POLICIES


def test_an_edit_of_a_policy_is_an_edit_of_the_cron_workflow(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    definitions.update(definition_id, {"runtime_environment_parameters": POLICIES})

    assert policies_of(cron(backend, definition_id)["spec"]) == POLICIES
    assert definitions.get(definition_id).runtime_environment_parameters == POLICIES


def test_an_edit_with_a_wrong_policy_changes_nothing(
    definitions: Definitions, definition_id: str
) -> None:
    with pytest.raises(JobRefused, match="one of Forbid, Allow, Replace"):
        definitions.update(
            definition_id, {"runtime_environment_parameters": {"concurrency_policy": "x"}}
        )

    assert definitions.get(definition_id).runtime_environment_parameters is None


def test_a_definition_without_a_schedule_is_only_run_by_hand(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    definition_id = definitions.create(replace(request_, schedule=None))

    assert not backend.crons
    assert definitions.jobs.get(definitions.run_now(definition_id, None)).parameters
    definitions.update(definition_id, {"active": False, "schedule": "0 3 * * *"})
    assert cron(backend, definition_id)["spec"]["suspend"]
    definitions.delete(definition_id)


# --- listing


def test_lists_and_definitions_show_while_the_backend_is_away(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.error = AWAY

    assert definitions.list(DefinitionsQuery()).total == 1
    assert definitions.get(definition_id).name == "nightly"


def test_definitions_are_found_by_name_tag_and_time_and_sorted(
    definitions: Definitions, write_notebook: Write
) -> None:
    write_notebook("nb.ipynb", "1")
    for name in ("b", "a", "c"):
        definitions.create(asked("nb.ipynb", name=name, tags=(f"tag {name}",)))

    def names(**query: Any) -> list[str]:
        return [d.name for d in definitions.list(DefinitionsQuery(**query)).definitions]

    assert names(sort_by=(("name", True),)) == ["c", "b", "a"]
    assert names(name="a") == ["a"]
    assert names(tags=("tag b",)) == ["b"]
    assert names(created_after=1 << 60) == []
    assert names(sort_by=(("name", False),), limit=1, offset=1) == ["b"]
    with pytest.raises(JobRefused, match="sorted by 'color'"):
        names(sort_by=(("color", False),))


def test_an_unknown_definition_is_said_to_be_unknown(definitions: Definitions) -> None:
    for call in (definitions.get, definitions.delete):
        with pytest.raises(NoSuchDefinition, match="no job definition nothing"):
            call("nothing")
    with pytest.raises(NoSuchDefinition):
        definitions.update("nothing", {"name": "x"})
    with pytest.raises(NoSuchDefinition):
        definitions.records.change("nothing", {"name": "x"})


# --- editing changes only what was changed


def test_pausing_and_resuming_keep_parameters_and_everything_else(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    before, tick = definitions.get(definition_id), tick_of(definitions, definition_id)
    manifest = cron(backend, definition_id)
    definitions.update(definition_id, {"active": False})
    assert not definitions.get(definition_id).active
    assert cron(backend, definition_id)["spec"]["suspend"]
    definitions.update(definition_id, {"active": True})

    after = definitions.get(definition_id)
    assert replace(after, update_time=0) == replace(before, update_time=0)
    assert tick_of(definitions, definition_id) == tick
    assert (
        cron(backend, definition_id)["spec"]["workflowSpec"] == (manifest["spec"]["workflowSpec"])
    )
    assert not cron(backend, definition_id)["spec"]["suspend"]


EDITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "weekly"}, {"name": "weekly"}),
    ({"parameters": {"days": "8"}}, {"parameters": {"days": "8"}}),
    ({"parameters": {}}, {"parameters": {}}),
    ({"tags": ["other"]}, {"tags": ("other",)}),
    ({"output_formats": ["html"]}, {"output_formats": ("html",)}),
    ({"runtime_environment_name": "server/python3"}, {}),
    ({"output_filename_template": "{{name}}"}, {"output_filename_template": "{{name}}"}),
]


@pytest.mark.parametrize(("changes", "seen"), EDITS)
def test_an_edit_changes_what_was_sent_and_nothing_else_even_with_the_backend_away(
    definitions: Definitions,
    definition_id: str,
    backend: StandIn,
    changes: dict[str, Any],
    seen: dict[str, Any],
) -> None:
    before, manifest = definitions.get(definition_id), cron(backend, definition_id)
    definitions.update(definition_id, changes)

    after = definitions.get(definition_id)
    expected = seen or changes
    assert replace(after, update_time=0) == replace(before, update_time=0, **expected)
    assert cron(backend, definition_id) == manifest
    job = run(definitions, definition_id)
    for name, value in expected.items():
        if name != "output_filename_template":
            assert getattr(job, name) == value


def test_changing_only_the_time_zone_keeps_the_schedule(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    definitions.update(definition_id, {"timezone": "Asia/Tokyo"})

    spec = cron(backend, definition_id)["spec"]
    assert (spec["schedules"], spec["timezone"]) == (["0 2 * * *"], "Asia/Tokyo")
    assert tick_of(definitions, definition_id).timezone == "Asia/Tokyo"
    assert definitions.get(definition_id).timezone == "Asia/Tokyo"


def test_a_paused_definition_stays_paused_when_its_schedule_is_edited(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    definitions.update(definition_id, {"active": False})
    definitions.update(definition_id, {"schedule": "0 3 * * *", "timezone": "UTC"})

    spec = cron(backend, definition_id)["spec"]
    assert (spec["schedules"], spec["suspend"]) == (["0 3 * * *"], True)
    assert not definitions.get(definition_id).active


def test_one_that_was_suspended_elsewhere_is_not_resumed_by_an_edit_and_then_shown_as_it_is(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.suspend_cron(f"def-{definition_id}")
    definitions.update(definition_id, {"schedule": "0 3 * * *"})

    assert cron(backend, definition_id)["spec"]["suspend"]
    assert not definitions.get(definition_id).active


def test_schedule_and_resume_in_one_edit(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    definitions.update(definition_id, {"active": False})
    definitions.update(definition_id, {"schedule": "0 3 * * *", "active": True})

    assert not cron(backend, definition_id)["spec"]["suspend"]
    assert definitions.get(definition_id).active


def test_resuming_makes_a_cron_workflow_anew_that_somebody_deleted(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.delete_cron(f"def-{definition_id}")
    definitions.update(definition_id, {"active": False})
    assert not definitions.get(definition_id).active
    definitions.update(definition_id, {"active": True})

    assert cron(backend, definition_id)["spec"]["schedules"] == ["0 2 * * *"]


@pytest.mark.parametrize("changes", [{"active": False}, {"schedule": "0 3 * * *"}])
def test_an_edit_that_the_backend_does_not_hear_of_changes_nothing(
    definitions: Definitions,
    definition_id: str,
    backend: StandIn,
    write_notebook: Write,
    changes: dict[str, Any],
) -> None:
    before, tick = definitions.get(definition_id), tick_of(definitions, definition_id)
    write_notebook("new.ipynb", "2")
    backend.error = AWAY
    with pytest.raises(Unavailable):
        definitions.update(definition_id, {**changes, "name": "x", "input_uri": "new.ipynb"})

    assert definitions.get(definition_id) == before
    assert tick_of(definitions, definition_id) == tick
    assert len(list(definitions.folder(definition_id).inputs.iterdir())) == 1


@pytest.mark.parametrize("schedule", ["0 2 * * *", None])
def test_an_edit_that_the_database_does_not_take_is_taken_back(
    definitions: Definitions,
    request_: DefinitionRequest,
    backend: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    schedule: str | None,
) -> None:
    definition_id = definitions.create(replace(request_, schedule=schedule))
    tick = tick_of(definitions, definition_id)
    monkeypatch.setattr(definitions.records, "change", raising(DatabaseUnavailable("locked")))
    with pytest.raises(DatabaseUnavailable):
        definitions.update(definition_id, {"schedule": "0 3 * * *", "parameters": {}})

    assert tick_of(definitions, definition_id) == tick
    found = backend.crons.get(f"def-{definition_id}")
    assert (found and found["spec"]["schedules"]) == (schedule and [schedule])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schedule": "tomorrow"}, "five fields"),
        ({"timezone": "Mars"}, "no time zone"),
        ({"parameters": {"a b": "1"}}, "variable name"),
        ({"runtime_environment_name": "nowhere"}, "no environment"),
        ({"input_uri": "missing.ipynb"}, "missing.ipynb"),
        ({"input_uri": "../out.ipynb"}, "leads out"),
    ],
)
def test_a_bad_edit_is_one_sentence_and_changes_nothing(
    definitions: Definitions, definition_id: str, changes: dict[str, Any], says: str
) -> None:
    before, tick = definitions.get(definition_id), tick_of(definitions, definition_id)
    with pytest.raises(CoulerJobsError, match=says):
        definitions.update(definition_id, changes)

    assert (definitions.get(definition_id), tick_of(definitions, definition_id)) == (before, tick)


# --- the input notebook


def source(definitions: Definitions, definition_id: str, uid: str) -> str:
    job = run(definitions, definition_id, uid)
    text = definitions.jobs.folder(uid).input(job.input_filename).read_text(encoding="utf-8")
    cell: str = json.loads(text)["cells"][0]["source"]
    return cell


def test_a_new_input_is_used_from_the_next_tick_on(
    definitions: Definitions, definition_id: str, write_notebook: Write
) -> None:
    assert source(definitions, definition_id, "uid-1") == "print(1)"
    write_notebook("data/new.ipynb", "print(2)")
    definitions.update(definition_id, {"input_uri": "data/new.ipynb"})

    assert definitions.get(definition_id).input_filename == "new.ipynb"
    assert source(definitions, definition_id, "uid-2") == "print(2)"
    assert definitions.jobs.get("uid-1").input_filename == HOSTILE
    assert definitions.jobs.folder("uid-1").input(HOSTILE).exists()


def test_a_new_input_under_the_same_name_is_used_too(
    definitions: Definitions, definition_id: str, write_notebook: Write
) -> None:
    write_notebook(HOSTILE, "print(2)")
    assert source(definitions, definition_id, "uid-1") == "print(1)"
    definitions.update(definition_id, {"input_uri": HOSTILE})

    assert source(definitions, definition_id, "uid-2") == "print(2)"


FORM = {"schedule": "0 2 * * *", "timezone": "UTC"}


def test_the_form_takes_the_notebook_as_it_is_now(
    definitions: Definitions, definition_id: str, write_notebook: Write
) -> None:
    write_notebook(HOSTILE, "print(2)")
    definitions.update(definition_id, {**FORM, "input_uri": HOSTILE})

    assert source(definitions, definition_id, "uid-1") == "print(2)"


def test_the_form_can_be_saved_although_the_notebook_is_gone(
    definitions: Definitions, definition_id: str
) -> None:
    (definitions.jobs.settings.root / HOSTILE).unlink()
    definitions.update(definition_id, {**FORM, "schedule": "1 1 * * *", "input_uri": HOSTILE})

    assert definitions.get(definition_id).schedule == "1 1 * * *"
    assert source(definitions, definition_id, "uid-1") == "print(1)"


def test_the_form_does_not_take_a_namesake_from_another_folder(
    definitions: Definitions, write_notebook: Write
) -> None:
    write_notebook("reports/nb.ipynb", "print('reports')")
    write_notebook("nb.ipynb", "print('top')")
    definition_id = definitions.create(asked("reports/nb.ipynb"))
    definitions.update(definition_id, {**FORM, "input_uri": "nb.ipynb"})

    assert source(definitions, definition_id, "uid-1") == "print('reports')"


def test_old_snapshots_go_but_not_the_last_one(
    definitions: Definitions, definition_id: str, write_notebook: Write
) -> None:
    for number in range(4):
        write_notebook("n.ipynb", f"print({number})")
        definitions.update(definition_id, {"input_uri": "n.ipynb"})

    assert len(list(definitions.folder(definition_id).inputs.iterdir())) == 2


def test_a_packaged_folder_is_a_snapshot_too(
    definitions: Definitions, write_notebook: Write, settings: Settings
) -> None:
    write_notebook("p/nb.ipynb", "1")
    (settings.root / "p" / "data").mkdir()
    (settings.root / "p" / "data" / "in.csv").write_text("old", encoding="utf-8")
    definition_id = definitions.create(asked("p/nb.ipynb", package_input_folder=True))
    (settings.root / "p" / "data" / "in.csv").write_text("new", encoding="utf-8")
    run(definitions, definition_id)
    job_id = definitions.run_now(definition_id, None)

    for one in ("uid-1", job_id):
        copied = definitions.jobs.folder(one).work / "data" / "in.csv"
        assert copied.read_text(encoding="utf-8") == "old"
        assert definitions.jobs.get(one).packaged_files == ("data/in.csv",)
    definitions.update(definition_id, {"name": "x"})
    assert definitions.get(definition_id).packaged_files == ("data/in.csv",)


# --- a tick's record


def test_a_tick_makes_one_record_however_often_its_first_step_runs(
    definitions: Definitions, definition_id: str
) -> None:
    first = run(definitions, definition_id)
    again = run(definitions, definition_id)

    assert first == again
    assert (first.job_id, first.status) == ("uid-1", JobStatus.IN_PROGRESS)
    assert first.job_definition_id == definition_id
    assert (first.name, first.input_filename) == ("nightly", HOSTILE)
    assert (first.parameters, first.tags) == (
        {"password": "{{workflow.name}} $(HOME)", "days": "7"},
        ("mine",),
    )
    assert first.start_time == first.create_time
    assert definitions.jobs.list(JobsQuery(job_definition_id=definition_id)).total == 1
    staging = definitions.jobs.settings.staging
    assert {path.name for path in staging.iterdir()} == {definition_id, "uid-1"}


def test_overlapping_ticks_end_each_its_own_record(
    definitions: Definitions, definition_id: str
) -> None:
    for uid in ("uid-1", "uid-2"):
        run(definitions, definition_id, uid)
    tick_run(definitions, definition_id, "uid-1").finish(Phase.FAILED)

    found = {uid: definitions.jobs.get(uid).status for uid in ("uid-1", "uid-2")}
    assert found == {"uid-1": JobStatus.FAILED, "uid-2": JobStatus.IN_PROGRESS}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_steps_of_a_tick_are_commands(
    definitions: Definitions, definition_id: str, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(definitions.folder(definition_id).tick)
    run_ = ["--tick-file", file, "--job-id", "uid-1", "--workflow", "w"]

    assert main(["create-record", *run_]) == 0
    assert main(["finish-run", *run_, "--phase", phase]) == 0
    assert definitions.jobs.get("uid-1").status.ended
    assert capsys.readouterr().err == ""
    definitions.folder(definition_id).remove()
    assert main(["create-record", *run_]) == 1
    assert "its files were deleted" in capsys.readouterr().err


def test_first_steps_at_the_same_time_make_one_folder_and_one_record(
    definitions: Definitions, definition_id: str
) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(tick_run(definitions, definition_id).create) for _ in range(8)]
    assert [one.result() for one in made] == [None] * 8

    staging = definitions.jobs.settings.staging
    assert {path.name for path in staging.iterdir()} == {definition_id, "uid-1"}
    assert definitions.jobs.list(JobsQuery()).total == 1


def test_a_tick_whose_first_step_never_came_has_a_failed_record(
    definitions: Definitions, definition_id: str
) -> None:
    assert tick_run(definitions, definition_id).finish(Phase.ERROR)

    assert definitions.jobs.get("uid-1").status is JobStatus.FAILED


def test_a_tick_whose_files_cannot_be_made_says_why_in_its_record(
    definitions: Definitions, definition_id: str
) -> None:
    tick = tick_of(definitions, definition_id)
    Path(tick.snapshot).rename(tick.snapshot + "-away")
    with pytest.raises(StagingFailed):
        run(definitions, definition_id)

    job = definitions.jobs.get("uid-1")
    assert job.status is JobStatus.FAILED
    assert "cannot be staged" in (job.status_message or "")
    assert not list(definitions.jobs.settings.staging.glob(".*"))


def test_a_damaged_tick_file_is_said_to_be_damaged(
    definitions: Definitions, definition_id: str
) -> None:
    definitions.folder(definition_id).tick.write_text("{", encoding="utf-8")
    with pytest.raises(StagingFailed, match="damaged"):
        definitions.update(definition_id, {"name": "x"})


def test_no_record_is_made_for_a_definition_that_is_deleted(
    definitions: Definitions, definition_id: str
) -> None:
    definitions.records.remove(definition_id)
    with pytest.raises(NoSuchDefinition):
        run(definitions, definition_id)
    with pytest.raises(NoSuchJob):
        definitions.jobs.get("uid-1")


def test_a_run_that_leaves_its_record_to_the_server_gets_it_when_the_server_looks(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, outbox_only=True)
    definition_id = definitions.create(request_)
    tick = begin(definitions, definition_id)
    with pytest.raises(NoSuchJob):
        definitions.jobs.get("uid-1")

    definitions.jobs.reconcile()
    job = definitions.jobs.get("uid-1")
    assert (job.status, job.tags) == (JobStatus.IN_PROGRESS, ("mine",))
    assert tick.finish(Phase.SUCCEEDED)
    backend.end(tick.workflow, Phase.SUCCEEDED)
    definitions.jobs.reconcile()
    assert definitions.jobs.get("uid-1").status is JobStatus.COMPLETED


def test_a_run_that_ended_while_no_server_was_up_has_its_record_afterwards(
    definitions: Definitions, request_: DefinitionRequest
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, outbox_only=True)
    tick = tick_run(definitions, definitions.create(request_))
    tick.create()
    tick.finish(Phase.SUCCEEDED)  # and its workflow is forgotten by the history limit

    definitions.jobs.reconcile()
    assert definitions.jobs.get("uid-1").status is JobStatus.COMPLETED


def test_a_deleted_run_that_left_its_record_to_the_server_does_not_come_back(
    definitions: Definitions, request_: DefinitionRequest
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, outbox_only=True)
    begin(definitions, definitions.create(request_))
    definitions.jobs.reconcile()
    definitions.jobs.delete("uid-1")
    definitions.jobs.reconcile()
    with pytest.raises(NoSuchJob):
        definitions.jobs.get("uid-1")


def test_files_of_a_run_whose_definition_is_deleted_before_it_has_a_record_go(
    definitions: Definitions, request_: DefinitionRequest
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, outbox_only=True)
    definition_id = definitions.create(request_)
    begin(definitions, definition_id)
    definitions.records.remove(definition_id)
    definitions.jobs.reconcile()
    assert not definitions.jobs.folder("uid-1").root.exists()


def test_a_damaged_note_of_a_record_to_make_keeps_no_other_from_being_made(
    definitions: Definitions, request_: DefinitionRequest
) -> None:
    definitions.jobs.settings = replace(definitions.jobs.settings, outbox_only=True)
    definition_id = definitions.create(request_)
    for uid in ("uid-1", "uid-2"):
        begin(definitions, definition_id, uid)
    definitions.jobs.folder("uid-1").unrecorded.write_text("{", encoding="utf-8")
    definitions.jobs.reconcile()
    assert definitions.jobs.get("uid-2").status is JobStatus.IN_PROGRESS


def test_a_deleted_record_is_not_made_again_by_the_exit_handler(
    definitions: Definitions, definition_id: str
) -> None:
    run(definitions, definition_id)
    definitions.jobs.records.remove("uid-1")

    assert not tick_run(definitions, definition_id).finish(Phase.FAILED)
    with pytest.raises(NoSuchJob):
        definitions.jobs.get("uid-1")


# --- stopping, running and deleting


def test_a_scheduled_run_is_stopped_by_its_own_name_and_stays_stopped(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    before = run(definitions, definition_id)
    run(definitions, definition_id, "uid-2")
    definitions.jobs.stop("uid-1")
    tick_run(definitions, definition_id).finish(Phase.SUCCEEDED)

    job = definitions.jobs.get("uid-1")
    assert (job.status, job.start_time) == (JobStatus.STOPPED, before.start_time)
    stopped = {name for name, info in backend.runs.items() if info.shutdown}
    assert stopped == {f"def-{definition_id}-uid-1"}


def test_run_now_starts_a_job_of_its_own_with_the_parameters_of_that_run(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    before = definitions.get(definition_id)
    job_id = definitions.run_now(definition_id, {"days": "1"})

    job = definitions.jobs.get(job_id)
    assert (job.status, job.parameters) == (JobStatus.IN_PROGRESS, {"days": "1"})
    assert (job.job_definition_id, job.input_filename) == (definition_id, HOSTILE)
    assert definitions.get(definition_id) == before
    own = backend.manifests[f"job-{job_id}"]["metadata"]["labels"]
    assert own[labels.JOB_DEFINITION_ID] == definition_id


def test_run_now_uses_the_snapshot_although_the_notebook_is_gone(
    definitions: Definitions, definition_id: str
) -> None:
    (definitions.jobs.settings.root / HOSTILE).unlink()
    job = definitions.jobs.get(definitions.run_now(definition_id, None))

    assert job.parameters == definitions.get(definition_id).parameters


def test_deleting_one_run_touches_nothing_of_its_definition_or_siblings(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    for uid in ("uid-1", "uid-2"):
        run(definitions, definition_id, uid)
    definition, tick = definitions.get(definition_id), tick_of(definitions, definition_id)
    definitions.jobs.delete("uid-1")

    assert set(backend.runs) == {f"def-{definition_id}-uid-2"}
    assert definitions.get(definition_id) == definition
    assert (Path(tick.snapshot) / HOSTILE).exists()
    assert definitions.jobs.folder("uid-2").input(HOSTILE).exists()
    assert not definitions.jobs.folder("uid-1").root.exists()
    assert definitions.jobs.get("uid-2").status is JobStatus.IN_PROGRESS


def test_deleting_a_definition_ends_its_runs_and_deletes_its_jobs_and_nothing_of_others(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    mine, other = definitions.create(request_), definitions.create(request_)
    run(definitions, mine)
    definitions.run_now(mine, None)
    run(definitions, other, "uid-2")
    definitions.delete(mine)

    assert set(backend.crons) == {f"def-{other}"}
    assert set(backend.runs) == {f"def-{other}-uid-2"}
    assert [job.job_id for job in definitions.jobs.list(JobsQuery()).jobs] == ["uid-2"]
    staging = definitions.jobs.settings.staging
    assert {path.name for path in staging.iterdir()} == {other, "uid-2"}
    assert definitions.list(DefinitionsQuery()).total == 1


def test_a_definition_is_not_deleted_while_the_backend_is_away(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    job, definition = run(definitions, definition_id), definitions.get(definition_id)
    backend.error = AWAY
    with pytest.raises(Unavailable, match="did not answer"):
        definitions.delete(definition_id)

    assert definitions.get(definition_id) == definition
    assert definitions.jobs.get(job.job_id) == job


def test_a_definition_whose_cron_workflow_is_gone_can_be_deleted(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.delete_cron(f"def-{definition_id}")
    definitions.delete(definition_id)

    assert everything(definitions) == (0, [])


def test_the_input_has_to_be_there_when_a_definition_is_made(definitions: Definitions) -> None:
    with pytest.raises(InputMissing):
        definitions.create(asked("nothing.ipynb"))


# --- as it really ticks


def test_one_that_was_suspended_or_deleted_elsewhere_is_shown_as_paused(
    definitions: Definitions, request_: DefinitionRequest, backend: StandIn
) -> None:
    ids = [definitions.create(request_) for _ in range(4)]
    definitions.create(replace(request_, schedule=None))
    backend.suspend_cron(f"def-{ids[0]}")
    backend.delete_cron(f"def-{ids[1]}")
    definitions.records.change(ids[2], {"active": False})

    assert definitions.reconcile() == 3
    assert [definitions.get(one).active for one in ids] == [False, False, True, True]
    assert definitions.reconcile() == 0


def test_one_that_was_edited_elsewhere_is_shown_as_it_ticks_and_left_so(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    spec = backend.crons[f"def-{definition_id}"]["spec"]
    spec |= {"schedules": ["5 5 * * *"], "timezone": "Asia/Tokyo"}

    assert definitions.reconcile() == 1
    shown = definitions.get(definition_id)
    assert (shown.schedule, shown.timezone, shown.active) == ("5 5 * * *", "Asia/Tokyo", True)
    assert tick_of(definitions, definition_id).timezone == "Asia/Tokyo"
    assert cron(backend, definition_id)["spec"]["schedules"] == ["5 5 * * *"]
    assert definitions.reconcile() == 0


def test_one_that_was_given_several_lines_elsewhere_keeps_its_own_in_the_record(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.crons[f"def-{definition_id}"]["spec"]["schedules"] = ["5 5 * * *", "6 6 * * *"]

    assert definitions.reconcile() == 0
    assert definitions.get(definition_id).schedule == "0 2 * * *"


def test_without_schedules_no_backend_is_asked(definitions: Definitions, backend: StandIn) -> None:
    backend.error = AWAY

    assert definitions.reconcile() == 0


def test_nothing_is_said_to_have_changed_while_the_backend_is_away(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.error = AWAY

    assert definitions.reconcile() == 0
    assert definitions.get(definition_id).active


def test_a_definition_that_is_edited_meanwhile_is_left_to_the_edit(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    def resume() -> None:
        backend.after_list = lambda: None
        definitions.update(definition_id, {"active": False, "name": "edited"})

    backend.after_list = resume
    backend.suspend_cron(f"def-{definition_id}")

    assert definitions.reconcile() == 0
    assert not definitions.get(definition_id).active


def test_a_definition_of_another_backend_goes_on_there_and_is_not_half_deleted(
    definitions: Definitions, definition_id: str, backend: StandIn
) -> None:
    backend.name, backend.crons = "another", {}
    sentence = r"ticks on the backend stand-in.*COULER_JOBS_BACKEND"
    with pytest.raises(JobRefused, match=sentence):
        definitions.delete(definition_id)
    with pytest.raises(JobRefused, match=sentence):
        definitions.update(definition_id, {"active": False})
    definitions.update(definition_id, {"name": "renamed"})

    assert definitions.reconcile() == 0
    assert definitions.get(definition_id).active
    assert tick_of(definitions, definition_id).backend == "stand-in"


def test_a_definition_whose_files_are_lost_can_be_deleted(
    definitions: Definitions, definition_id: str
) -> None:
    definitions.folder(definition_id).remove()
    definitions.delete(definition_id)

    assert everything(definitions) == (0, [])
