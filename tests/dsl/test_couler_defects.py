"""What the original did wrong, each with the behaviour that is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.dsl.recorder import current, record_into, recorded, take_recorded
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.secret import Secret as Values


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    record_into(None)
    yield
    record_into(None)


def job(name: str, **more: Any) -> Any:
    return couler.run_container(image="alpine", command="echo", args=[name], step_name=name, **more)


def template(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in manifest["spec"]["templates"] if t["name"] == name)
    return found


def test_steps_of_a_loop_have_names_of_their_own_and_follow_each_other() -> None:
    for _ in range(3):
        job("same")
    steps = template(cj.compile(), "main")["steps"]
    assert [len(group) for group in steps] == [1, 1, 1]
    assert len({group[0]["name"] for group in steps}) == 3


def test_a_file_among_the_arguments_is_declared() -> None:
    made = job("make", output=couler.create_local_artifact("/tmp/o"))
    couler.run_container("alpine", "cat", [made[0], "x"], step_name="use")
    manifest = cj.compile()
    assert cj.lint(manifest) == []
    inputs = template(manifest, "use")["inputs"]
    (parameter,) = inputs["parameters"]
    assert len(inputs["artifacts"]) == 1
    assert template(manifest, "use")["container"]["args"] == [
        f"{{{{inputs.parameters.{parameter['name']}}}}}"
    ]


def test_a_parallelism_that_argo_refuses_is_never_written() -> None:
    job("a", parallelism=2)
    manifest = cj.compile()
    assert "parallelism" not in template(manifest, "a")
    assert cj.lint(manifest) == []


def test_a_variable_that_is_none_is_left_out() -> None:
    job("a", env={"A": None, "B": 1.5, "C": False})
    assert template(cj.compile(), "a")["container"]["env"] == [
        {"name": "B", "value": "1.5"},
        {"name": "C", "value": "false"},
    ]


def test_an_unknown_secret_is_an_error() -> None:
    with pytest.raises(DeclarationError, match="There is no secret 'nobody'"):
        job("a", secret="nobody")


def test_an_unknown_pull_policy_is_a_sentence() -> None:
    with pytest.raises(DeclarationError, match="image_pull_policy='Sometimes'"):
        job("a", image_pull_policy="Sometimes")


def test_a_function_with_annotations_runs_under_python3() -> None:
    def add(left: int = 1, right: dict[str, int] | None = None) -> None:
        print(left, right)

    couler.run_script(command="python3", source=add, step_name="add")
    script = template(cj.compile(), "add")["script"]
    assert script["command"] == ["python3"]
    compile(script["source"], "add", "exec")


def test_a_closure_is_an_error_that_names_the_variable() -> None:
    hidden = object()

    def use() -> None:
        print(hidden)

    with pytest.raises(DeclarationError, match="hidden"):
        couler.run_script(source=use)


def test_a_script_takes_whole_secrets() -> None:
    couler.run_script(source="print(1)", step_name="s", env_from=[cj.secret("keys")])
    found = template(cj.compile(), "s")["script"]["envFrom"]
    assert found == [{"secretRef": {"name": "keys"}}]


def test_a_job_has_its_action_and_a_reference_that_is_a_boolean() -> None:
    couler.run_job({"kind": "Job"}, step_name="j", action="apply", set_owner_reference=True)
    resource = template(cj.compile(), "j")["resource"]
    assert (resource["action"], resource["setOwnerReference"]) == ("apply", True)


def test_an_upstream_output_in_a_jobs_variables_is_declared() -> None:
    day = job("day")
    couler.run_job(
        {"kind": "Job", "spec": {"containers": [{"name": "a"}]}}, env={"DAY": day}, step_name="j"
    )
    manifest = cj.compile()
    assert cj.lint(manifest) == []
    (parameter,) = template(manifest, "j")["inputs"]["parameters"]
    assert (
        f"{{{{inputs.parameters.{parameter['name']}}}}}"
        in template(manifest, "j")["resource"]["manifest"]
    )


def test_a_template_of_the_cluster_is_referred_to() -> None:
    couler.run_canned_step("shared/load", {"day": "1"}, step_name="load")
    manifest = cj.compile()
    assert cj.lint(manifest) == []
    (step,) = template(manifest, "main")["steps"][0]
    assert step["templateRef"] == {"name": "shared", "template": "load"}


def test_dependencies_are_written_one_way_only() -> None:
    couler.set_dependencies(lambda: job("a"))
    couler.set_dependencies(lambda: job("b"), dependencies=["a"])
    couler.set_dependencies(lambda: job("c"), dependencies="a.Succeeded || b.Failed")
    tasks = template(cj.compile(), "main")["dag"]["tasks"]
    assert not [task for task in tasks if "dependencies" in task]


def test_a_dependency_brings_no_arguments() -> None:
    couler.set_dependencies(lambda: job("a"))
    couler.set_dependencies(lambda: job("b"), dependencies=["a"])
    tasks = template(cj.compile(), "main")["dag"]["tasks"]
    assert len(tasks[1].get("arguments", {}).get("parameters", [])) <= 1
    assert "outputs" not in str(tasks[1])


def test_one_function_can_be_repeated_by_two_loops() -> None:
    def flip() -> Any:
        return couler.run_script(source="print(1)", step_name="flip")

    couler.exec_while(couler.equal("tails"), flip)
    couler.exec_while(couler.equal("heads"), flip)
    assert cj.lint(cj.compile()) == []


def test_two_outputs_of_one_file_name_have_two_names() -> None:
    outputs = [couler.create_parameter_artifact("/a/o"), couler.create_parameter_artifact("/b/o")]
    job("a", output=outputs)
    names = [one["name"] for one in template(cj.compile(), "a")["outputs"]["parameters"]]
    assert len(set(names)) == 2


def test_the_factory_keeps_the_default_endpoint_and_the_keys_are_no_digest() -> None:
    def declared() -> str:
        store = couler.create_s3_artifact("/o", "b", "the-id", "the-secret", "k")
        job("a", output=store)
        return cj.to_yaml(cj.compile())

    found = declared()
    assert "s3.amazonaws.com" in found
    assert "the-id" not in found
    assert "the-secret" not in found
    assert declared() == found


def test_an_unknown_steps_output_is_an_error() -> None:
    with pytest.raises(DeclarationError, match="nobody"):
        couler.get_step_output("nobody")


def test_a_cache_without_an_age_says_none() -> None:
    job("a", cache=couler.Cache("kept", "key"))
    assert "maxAge" not in template(cj.compile(), "a")["memoize"]


def test_a_clean_up_is_one_that_argo_has_and_the_name_has_no_salt() -> None:
    couler.config_workflow(name="nightly", time_to_clean=60)
    job("a")
    manifest = cj.compile()
    assert manifest["spec"]["ttlStrategy"] == {"secondsAfterCompletion": 60}
    assert "ttlSecondsAfterFinished" not in manifest["spec"]
    assert manifest["metadata"]["generateName"] == "nightly-"


def test_a_schedule_is_in_utc_not_suspended_and_keeps_its_name() -> None:
    couler.config_workflow(
        name="nightly", cron_config={"schedule": "0 2 * * *", "suspend": "false"}
    )
    job("a")
    manifest = cj.compile()
    assert manifest["metadata"]["name"] == "nightly"
    assert manifest["spec"].get("suspend", False) is False
    assert manifest["spec"].get("timezone", "UTC") in ("UTC", "Etc/UTC")


# --- the recorder is clean afterwards


class Away:
    def submit(self, manifest: Any) -> None:
        raise ConnectionError("nobody answers")


def test_after_a_failed_submit_nothing_is_recorded() -> None:
    job("a")
    with pytest.raises(ConnectionError):
        couler.run(Away())
    assert recorded() is None


def test_an_error_in_a_workflow_leaves_nothing_of_it() -> None:
    def broken() -> None:
        job("inside")
        raise ValueError("as asked")

    flow = cj.workflow(broken)
    job("outside")
    with pytest.raises(ValueError, match="as asked"):
        flow.compile()
    assert [step["name"] for (step,) in template(cj.compile(), "main")["steps"]] == ["outside"]


def test_an_error_in_a_workflow_that_another_one_calls_leaves_nothing_of_either() -> None:
    steps: list[Any] = []

    @cj.workflow
    def inner() -> None:
        job("inside")
        if not steps:
            raise ValueError("as asked")

    @cj.workflow
    def outer() -> None:
        job("before")
        inner()
        job("after")

    job("outside")
    with pytest.raises(ValueError, match="as asked"):
        outer.compile()
    assert current() is None
    steps.append("now it works")
    graphs = [t["dag"]["tasks"] for t in outer.compile()["spec"]["templates"] if "dag" in t]
    assert sorted(len(tasks) for tasks in graphs) == [1, 3]
    assert [step["name"] for (step,) in template(cj.compile(), "main")["steps"]] == ["outside"]


def test_an_error_that_the_outer_workflow_catches_leaves_its_own_calls() -> None:
    @cj.workflow
    def inner() -> None:
        job("inside")
        raise ValueError("as asked")

    @cj.workflow
    def outer() -> None:
        with pytest.raises(ValueError, match="as asked"):
            inner()
        job("after")

    manifest = outer.compile()
    assert [task["name"] for task in template(manifest, "outer")["dag"]["tasks"]] == ["after"]
    assert cj.lint(manifest) == []


# --- secrets, once more


def declared_secret(data: dict[str, str], **more: Any) -> Values:
    job("a", secret=couler.create_secret(data, **more))
    (found,) = take_recorded().secrets
    return found


def test_a_named_secret_is_sent_again_with_its_new_values() -> None:
    first, second = (declared_secret({"KEY": value}, name="keys") for value in ("old", "new"))
    assert (first.name, second.name) == ("keys", "keys")
    assert dict(second.data) == {"KEY": "new"}
    assert second.may_change


def test_a_secret_without_a_name_has_one_that_its_values_do_not_change() -> None:
    first, second = (declared_secret({"KEY": value}) for value in ("old", "new"))
    assert first.name == second.name
    assert not second.may_change


def test_two_secrets_of_one_name_and_other_values_are_refused() -> None:
    couler.create_secret({"KEY": "old"}, name="keys")
    with pytest.raises(DeclarationError, match="Two secrets are called 'keys'"):
        couler.create_secret({"KEY": "new"}, name="keys")


@pytest.mark.parametrize(("given", "meant"), [("default", ""), ("team", "team")])
def test_a_secret_goes_where_it_says_or_where_the_workflow_runs(given: str, meant: str) -> None:
    assert declared_secret({"KEY": "v"}, namespace=given).namespace == meant


# --- outputs, on this machine's engine


def lines_of(folder: Path, step: str) -> list[str]:
    """What the step printed, in a run of what has been recorded, which has succeeded."""
    run = cj.submit(backend=LocalBackend(folder))
    run.wait(timeout=60)
    return [line.text for line in run.logs(node=step)]


def shell(name: str, script: str, *args: Any, **more: Any) -> Any:
    return couler.run_container(
        "alpine", ["sh", "-c", script, "sh"], list(args), step_name=name, **more
    )


def test_a_global_output_is_read_under_the_name_that_it_has(tmp_path: Path) -> None:
    path = str(tmp_path / "day.txt")
    output = couler.create_parameter_artifact(path, is_global=True)
    made = shell("make", f"echo monday > {path}", output=output)
    shell("use", 'echo "it is $1"', made[0])
    assert lines_of(tmp_path / "home", "use") == ["it is monday"]


def test_a_global_output_has_one_name_for_the_run() -> None:
    output = couler.create_parameter_artifact("/tmp/day.txt", is_global=True)
    made = shell("make", "echo monday > /tmp/day.txt", output=output)
    shell("use", 'echo "it is $1"', made[0])
    manifest = cj.compile()
    (declared,) = template(manifest, "make")["outputs"]["parameters"]
    assert declared["globalName"]
    assert cj.lint(manifest) == []


def test_two_global_outputs_of_one_file_name_have_two_names_for_the_run() -> None:
    for name in ("one", "two"):
        output = couler.create_parameter_artifact("/tmp/day.txt", is_global=True)
        shell(name, "echo monday > /tmp/day.txt", output=output)
    manifest = cj.compile()
    found = [template(manifest, name)["outputs"]["parameters"][0] for name in ("one", "two")]
    assert len({declared["globalName"] for declared in found}) == 2


def test_an_outputs_folder_keeps_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("was here", encoding="utf-8")
    output = couler.create_parameter_artifact(str(tmp_path / "out.txt"))
    shell(
        "make", f"cp {tmp_path}/there.txt {tmp_path}/out.txt; cat {tmp_path}/*.txt", output=output
    )
    assert "volumes" not in couler.workflow_yaml()["spec"]
    assert lines_of(tmp_path / "home", "make") == ["was herewas here"]
