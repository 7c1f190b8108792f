"""Artifacts between the steps of a run: where from, where to, and what they look like there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local import private
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.supported import refuse_unsupported
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.local.driving import RUN, Drive, dag, script, step, steps, workflow
from tests.backends.workflows import IMAGE, finish


def out(**more: Any) -> dict[str, Any]:
    return {"outputs": {"artifacts": [{"name": "o", "path": "o", **more}]}}


def into(**more: Any) -> dict[str, Any]:
    return {"inputs": {"artifacts": [{"name": "i", "path": "i", **more}]}}


def given(name: str, template: str, **artifact: Any) -> dict[str, Any]:
    arguments = {"artifacts": [{"name": "i", **artifact}]} if artifact else {}
    return {"name": name, "template": template, "arguments": arguments}


# --- what the engine hands on


@pytest.mark.parametrize(
    ("artifact", "source"),
    [
        ({"from": "{{steps.a.outputs.artifacts.o}}"}, "k"),
        ({"from": "{{steps.a.outputs.artifacts.o}}", "subPath": "x/y"}, "k/x/y"),
        ({"fromExpression": "steps.a.outputs.artifacts.o"}, "k"),
        ({"from": "{{workflow.outputs.artifacts.g}}"}, "k"),
        ({"s3": {"key": "p/q"}}, "repository/p/q"),
        ({"gcs": {"key": "p"}}, "repository/p"),
        ({"oss": {"key": "p"}}, "repository/p"),
        ({"azure": {"blob": "p"}}, "repository/p"),
        ({"hdfs": {"path": "/p"}}, "repository/p"),
    ],
)
def test_an_argument_says_where_an_artifact_is_copied_from(artifact: Any, source: str) -> None:
    manifest = workflow(
        steps([step("a", "make")], [given("b", "take", **artifact)]),
        script("make", **out(globalName="g")),
        script("take", **into()),
    )
    drive = Drive(manifest)
    drive.end("[0].a", artifacts={"o": "k"})
    assert drive.launched[-1].inputs[0].source == source


def test_a_global_artifact_is_known_after_a_restart() -> None:
    manifest = workflow(
        steps(
            [step("a", "make")],
            [given("b", "take", **{"from": "{{workflow.outputs.artifacts.g}}"})],
        ),
        script("make", **out(globalName="g")),
        script("take", **into()),
    )
    first = Drive(manifest)
    first.end("[0].a", artifacts={"o": "k"})
    before_b = [n for n in first.nodes.values() if n.name != RUN + "[1].b"]
    assert Drive(manifest, nodes=before_b).launched[-1].inputs[0].source == "k"


def test_a_global_parameter_is_known_after_a_restart() -> None:
    outputs = {"parameters": [{"name": "p", "globalName": "g", "valueFrom": {"path": "p"}}]}
    manifest = workflow(
        dag(step("a", "make"), step("b", depends="a")), script("make", outputs=outputs)
    )
    first = Drive(manifest)
    first.end(".a", parameters={"p": "1"})
    second = Drive(manifest, nodes=list(first.nodes.values()))
    assert second.decision.outputs == {"g": "1"}


@pytest.mark.parametrize("kind", ["http", "git"])
def test_a_remote_artifact_is_left_to_the_step_itself(kind: str) -> None:
    where = {kind: {"url": "u"} if kind == "http" else {"repo": "r"}}
    drive = Drive(workflow(steps([step("a", "take")]), script("take", **into(**where))))
    assert drive.launched[0].inputs[0].remote == where


def test_an_output_with_a_key_is_kept_at_that_key() -> None:
    manifest = workflow(
        steps([step("a", "make")]), script("make", **out(s3={"key": "{{workflow.name}}/x"}))
    )
    assert Drive(manifest).launched[0].output_artifacts[0].key == f"repository/{RUN}/x"


def test_a_part_of_what_is_no_folder_is_an_error() -> None:
    manifest = workflow(
        steps([given("a", "mid", http={"url": "http://u"})]),
        {
            "name": "mid",
            "inputs": {"artifacts": [{"name": "i"}]},
            **steps([given("b", "take", **{"from": "{{inputs.artifacts.i}}", "subPath": "x"})]),
        },
        script("take", **into()),
    )
    assert "has a subPath" in Drive(manifest).message("[0].a[0]")


@pytest.mark.parametrize(
    ("where", "location", "path"),
    [
        (into, {"s3": {"bucket": "b", "key": "k"}}, "inputs.artifacts[0].s3.bucket"),
        (into, {"gcs": {"bucket": "b", "key": "k"}}, "inputs.artifacts[0].gcs.bucket"),
        (into, {"artifactory": {"url": "u"}}, "inputs.artifacts[0].artifactory"),
        (into, {"hdfs": {"addresses": ["a"]}}, "inputs.artifacts[0].hdfs.addresses"),
        (into, {"http": {"url": "u", "auth": {"oauth2": {"scopes": ["s"]}}}}, "http.auth.oauth2"),
        (out, {"s3": {"endpoint": "e", "key": "k"}}, "outputs.artifacts[0].s3.endpoint"),
        (out, {"http": {"url": "u"}}, "outputs.artifacts[0].http"),
        (out, {"azure": {"container": "c", "blob": "k"}}, "outputs.artifacts[0].azure.container"),
    ],
)
def test_a_location_that_needs_credentials_is_refused_by_name(
    where: Any, location: dict[str, Any], path: str
) -> None:
    manifest = workflow(steps([step("a", "t")]), script("t", **where(**location)))
    with pytest.raises(Rejected) as caught:
        refuse_unsupported(manifest)
    assert path in str(caught.value)


# --- real runs


def sh(name: str, text: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "container": {"image": IMAGE, "command": ["sh", "-c", text]}, **more}


def ran(local: LocalBackend, *templates: dict[str, Any], groups: Any) -> RunInfo:
    main = {"name": "main", "steps": [[one] for one in groups]}
    spec = {"entrypoint": "main", "templates": [main, *templates]}
    manifest = {"kind": "Workflow", "metadata": {"generateName": "a-"}, "spec": spec}
    return finish(local, local.submit(manifest).name)


FROM_A = {"from": "{{steps.a.outputs.artifacts.o}}"}


@pytest.mark.parametrize(
    ("make", "artifact", "options", "check"),
    [
        ("echo 1 > o", FROM_A, {}, "test $(cat i) = 1"),
        ("mkdir -p o/d; echo 1 > o/d/f", FROM_A, {}, "test $(cat i/d/f) = 1"),
        ("mkdir -p o/d; echo 1 > o/d/f", {**FROM_A, "subPath": "d/f"}, {}, "test $(cat i) = 1"),
        ("echo 1 > o", FROM_A, {"mode": 0o700}, "test -x i"),
        ("mkdir o; echo 1 > o/f", FROM_A, {"mode": 0o711, "recurseMode": True}, "test -x i/f"),
        ("true", {**FROM_A, "optional": True}, {"optional": True}, "test ! -e i"),
        ("mkdir o", {**FROM_A, "subPath": "no"}, {"optional": True}, "test ! -e i"),
    ],
)
def test_what_one_step_leaves_another_finds(
    local: LocalBackend, make: str, artifact: Any, options: dict[str, Any], check: str
) -> None:
    run = ran(
        local,
        sh("make", make, **out(optional=True, archive={"none": {}})),
        sh("take", check, **into(**options)),
        groups=[step("a", "make"), given("b", "take", **artifact)],
    )
    assert (run.phase, run.message) == (Phase.SUCCEEDED, "")


@pytest.mark.skipif(not private.possible(), reason="no private mounts: steps see this machine's")
def test_an_input_that_nobody_gives_is_not_there_whatever_this_machine_has_there(
    local: LocalBackend, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.write_text("of another run")
    take = sh("take", f"test ! -e {stranger}", **into(path=str(stranger), optional=True))
    run = ran(local, take, groups=[given("b", "take")])
    assert (run.phase, run.message) == (Phase.SUCCEEDED, "")
    assert stranger.read_text() == "of another run"


def test_a_key_is_a_place_that_steps_share(local: LocalBackend) -> None:
    run = ran(
        local,
        sh("make", "mkdir o; echo 1 > o/f", **out(s3={"key": "p"})),
        sh("again", "echo 2 > o", **out(s3={"key": "p"})),
        sh("take", "test $(cat i) = 2", **into(s3={"key": "p"})),
        groups=[step("a", "make"), step("b", "again"), step("c", "take")],
    )
    assert (run.phase, run.message) == (Phase.SUCCEEDED, "")


def test_a_key_that_leads_out_of_the_run_is_an_error(local: LocalBackend) -> None:
    run = ran(
        local, sh("make", "echo 1 > o", **out(s3={"key": "../../x"})), groups=[step("a", "make")]
    )
    assert run.nodes[f"{run.name}[0].a"].phase is Phase.ERROR
    assert "cannot be the key of an artifact" in run.nodes[f"{run.name}[0].a"].message
