"""Which values reach which step, and what happens where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.backends.local.engine.leaves import step_name
from couler_jobs.backends.local.engine.tags import TagError, Unresolved, replace_tags
from couler_jobs.backends.local.engine.templates import joined, seconds
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.status import Phase
from tests.backends.local.driving import RUN, Drive, dag, script, step, steps, workflow

MAKE = script("make", outputs={"artifacts": [{"name": "f", "path": "/tmp/f"}]})
USE = script("use", inputs={"artifacts": [{"name": "g", "path": "/tmp/g", "optional": True}]})
NEED = script("need", inputs={"artifacts": [{"name": "g", "path": "/tmp/g"}]})
VALUE = script("value", outputs={"parameters": [{"name": "v", "valueFrom": {"path": "/v"}}]})


def using(template: str = "use", **source: Any) -> dict[str, Any]:
    """A step that takes its artifact from somewhere."""
    return {
        "name": "b",
        "template": template,
        "arguments": {"artifacts": [{"name": "g", **source}]},
    }


def output(**source: Any) -> dict[str, Any]:
    """The outputs of a template with one parameter, `r`."""
    return {"parameters": [{"name": "r", "valueFrom": source}]}


# --- artifacts


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"from": "{{steps.a.outputs.artifacts.f}}"}, "k"),
        ({"from": "{{steps.a.outputs.artifacts.f}}", "subPath": "in/it"}, "k/in/it"),
        ({"fromExpression": "steps.a.outputs.artifacts.f"}, "k"),
        ({"fromExpression": "1 == 2 ? nil : steps.a.outputs.artifacts.f"}, "k"),
    ],
)
def test_an_artifact_comes_from_a_step(source: dict[str, Any], key: str) -> None:
    drive = Drive(workflow(steps([step("a", "make")], [using(**source)]), MAKE, USE))
    drive.end("[0].a", artifacts={"f": "k"})
    assert drive.launched[-1].inputs[0].source == key


@pytest.mark.parametrize("source", [{"fromExpression": "nope"}, {"fromExpression": "steps.a.id"}])
def test_an_artifact_that_is_none_is_an_error_unless_it_is_optional(source: dict[str, Any]) -> None:
    main = steps([step("a", "make")], [using(**source)])
    drive = Drive(workflow(main, MAKE, USE))
    drive.end("[0].a")
    assert drive.message("[1]").startswith("failed to resolve references: unable to resolve")
    main = steps([step("a", "make")], [using(**source, optional=True)])
    drive = Drive(workflow(main, MAKE, USE))
    drive.end("[0].a")
    assert drive.launched[-1].inputs == ()


def test_an_artifact_of_a_skipped_task_is_an_error_where_it_is_needed() -> None:
    main = dag(
        step("a", "make", when="1 == 2"),
        {**using("need", **{"from": "{{tasks.a.outputs.artifacts.f}}"}), "depends": "a"},
    )
    drive = Drive(workflow(main, MAKE, NEED))
    assert drive.message(".b") == 'Unable to resolve: "tasks.a.outputs.artifacts.f"'


@pytest.mark.parametrize(("body", "root"), [(dag, "tasks"), (lambda task: steps([task]), "steps")])
def test_a_template_gives_artifacts_and_parameters_of_its_steps(body: Any, root: str) -> None:
    outputs = {
        "artifacts": [
            {"name": "out", "from": f"{{{{{root}.a.outputs.artifacts.f}}}}"},
            {"name": "no", "from": f"{{{{{root}.a.outputs.artifacts.f}}}}", "optional": True},
        ],
        **output(parameter=f"{{{{{root}.a.exitCode}}}}"),
    }
    inner = {"name": "inner", **body(step("a", "make")), "outputs": outputs}
    last = using(**{"from": "{{steps.i.outputs.artifacts.out}}"})
    drive = Drive(workflow(steps([step("i", "inner")], [last]), inner, MAKE, USE))
    name = next(iter(drive.running)).removeprefix(RUN)
    drive.end(name, artifacts={"f": "k"})
    assert drive.launched[-1].inputs[0].source == "k"
    assert drive.nodes[f"{RUN}[0].i"].outputs["parameters"] == {"r": "0"}


def test_an_artifact_passes_through_the_inputs_of_steps() -> None:
    inner = {
        "name": "inner",
        "inputs": {"artifacts": [{"name": "g"}]},
        **steps([using(**{"from": "{{inputs.artifacts.g}}"})]),
    }
    first = using("inner", raw={"data": "text"})
    drive = Drive(workflow(steps([first]), inner, USE))
    assert drive.launched[0].inputs[0].text == "text"


# --- outputs of steps and dag templates


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"parameter": "{{steps.a.outputs.parameters.v}}"}, "7"),
        ({"expression": "asInt(steps.a.outputs.parameters.v) + 1"}, "8"),
        ({"expression": "[steps.a.outputs.parameters.v]"}, "[7]"),
        ({"parameter": "{{=steps.a.outputs.parameters.v + 'x'}}"}, "7x"),
        ({"expression": "nope", "default": "d"}, "d"),
        ({"expression": "nil", "default": 5}, "5"),
    ],
)
def test_a_template_s_output_is_taken_from_its_steps(source: dict[str, Any], value: str) -> None:
    inner = {"name": "inner", **steps([step("a", "value")]), "outputs": output(**source)}
    drive = Drive(workflow(steps([step("i", "inner")]), inner, VALUE))
    drive.end("[0].i[0].a", parameters={"v": "7"})
    assert drive.nodes[f"{RUN}[0].i"].outputs["parameters"] == {"r": value}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"expression": "nope"}, "unknown name nope"),
        ({"expression": "nil"}, 'failed to evaluate expression "nil"'),
        ({"parameter": "{{steps.a.outputs.parameters.v}}"}, "is an absent optional"),
        (
            {"parameter": "{{steps.a.outputs.result}}"},
            'Unable to resolve: "steps.a.outputs.result"',
        ),
    ],
)
def test_an_output_that_has_no_value_is_an_error(source: dict[str, Any], message: str) -> None:
    body = steps([step("a", "value", when="1 == 2")])
    inner = {"name": "inner", **body, "outputs": output(**source)}
    drive = Drive(workflow(steps([step("i", "inner")]), inner, VALUE))
    assert message in drive.message("[0].i")
    assert "step group deemed errored" in drive.decision.message


def test_an_output_of_a_dag_that_has_no_value_is_an_error() -> None:
    inner = {"name": "inner", **dag(step("a")), "outputs": output(expression="nope")}
    drive = Drive(workflow(dag(step("i", "inner")), inner))
    drive.end(".i.a")
    assert drive.message(".i").startswith(f"task '{RUN}.i' errored: unknown name nope (1:1)\n")


def test_results_of_a_loop_that_are_no_json_fail_a_task() -> None:
    main = dag(
        step("a", withItems=[1]), step("b", "echo", depends="a", m="{{tasks.a.outputs.result}}")
    )
    drive = Drive(workflow(main))
    drive.end(".a(0:1)", result="x y")
    assert drive.message(".b") == "invalid character 'x' looking for beginning of value"


@pytest.mark.parametrize(
    "value", ["{{steps.a.outputs.parameters.v}}", "x{{steps.a.outputs.parameters.v}}"]
)
def test_the_output_of_a_skipped_step_without_default_is_an_error(value: str) -> None:
    main = steps([step("a", "value", when="1 == 2")], [step("b", "echo", m=value)])
    drive = Drive(workflow(main, VALUE))
    assert drive.decision.phase is Phase.FAILED
    assert "absent optional" in drive.decision.message


@pytest.mark.parametrize("body", ["{{=tasks}}", "{{=len(keys(tasks))}}"])
def test_an_expression_may_use_all_ancestors(body: str) -> None:
    main = dag(step("a"), step("c"), step("b", "echo", depends="a && c", m=body))
    drive = Drive(workflow(main))
    drive.all()
    assert drive.inputs(".b")["m"].count('"status":"Succeeded"') in (0, 2)


# --- hooks and handlers that cannot run


@pytest.mark.parametrize("body", [dag, lambda task: steps([task])])
@pytest.mark.parametrize("hook", ["exit", "other"])
def test_a_hook_whose_expression_fails_is_an_error(body: Any, hook: str) -> None:
    hooks = {hook: {"expression": "nope == 1", "template": "ok"}}
    drive = Drive(workflow(body(step("a", hooks=hooks))))
    drive.all()
    assert drive.decision.phase in (Phase.ERROR, Phase.FAILED)


def test_an_exit_handler_that_cannot_start_is_the_workflow_s_error() -> None:
    drive = Drive(workflow(steps([step("a")]), script("bad", source="{{=)}}"), onExit="bad"))
    drive.end("[0].a")
    assert drive.decision.phase is Phase.ERROR
    assert drive.decision.message.startswith("error in exit template execution :")


def test_an_exit_handler_that_fails_fails_the_workflow() -> None:
    drive = Drive(workflow(steps([step("a")]), onExit="ok"))
    drive.all(lambda launch: {"exit_code": int(launch.node.endswith("onExit"))})
    assert (drive.decision.phase, drive.decision.message) == ("Failed", "main: Error (exit code 1)")


def test_a_workflow_hook_whose_expression_fails_leaves_the_workflow_its_phase() -> None:
    drive = Drive(
        workflow(steps([step("a")]), hooks={"x": {"expression": "nope", "template": "ok"}})
    )
    drive.end("[0].a")
    assert drive.message("") == "unknown name nope (1:1)\n | nope\n | ^"
    assert (drive.phase(""), drive.decision.phase) == (Phase.ERROR, Phase.SUCCEEDED)


def test_exit_handlers_of_loops_run_for_each_item_and_for_the_loop() -> None:
    hooks = {"exit": {"template": "ok"}}
    drive = Drive(workflow(dag(step("a", "echo", m="{{item}}", withItems=["x"], hooks=hooks))))
    drive.all()
    assert drive.started() == [".a(0:x)", ".a(0:x).onExit", ".a.onExit"]


@pytest.mark.parametrize("when", ["{{item}} == x", "{{item}} =="])
def test_a_loop_in_a_dag_may_run_some_items(when: str) -> None:
    drive = Drive(workflow(dag(step("a", "echo", m="{{item}}", withItems=["x", "y"], when=when))))
    drive.all()
    phases = {"{{item}} == x": ["Succeeded", "Skipped"], "{{item}} ==": ["Error", "Error"]}[when]
    assert [drive.phases()[name] for name in (".a(0:x)", ".a(1:y)")] == phases


def test_a_when_that_fails_in_a_dag_is_the_task_s_error() -> None:
    drive = Drive(workflow(dag(step("a", when="x y"))))
    assert drive.message(".a").startswith("Invalid 'when' expression 'x y'")


# --- retries in odd places


@pytest.mark.parametrize(("policy", "attempts"), [("OnFailure", 1), ("Always", 3)])
def test_an_attempt_that_cannot_start_counts_as_an_error(policy: str, attempts: int) -> None:
    bad = script("bad", activeDeadlineSeconds="{{no.such}}")
    bad["retryStrategy"] = {"limit": 2, "retryPolicy": policy}
    drive = Drive(workflow(dag(step("a", "bad")), bad))
    assert sum(name.startswith(".a(") for name in drive.phases()) == attempts
    assert drive.phase(".a") is Phase.ERROR


@pytest.mark.parametrize(
    "strategy",
    [
        {"limit": "x"},
        {"limit": 1, "backoff": {"factor": 2}},
        {"limit": 1, "backoff": {"duration": "soon"}},
    ],
)
def test_a_strategy_that_makes_no_sense_is_an_error(strategy: dict[str, Any]) -> None:
    drive = Drive(workflow(dag(step("a", "r")), script("r", retryStrategy=strategy)))
    drive.end(".a(0)", 1)
    assert drive.phase(".a") is Phase.ERROR


def test_attempts_wait_for_the_workflow_s_parallelism() -> None:
    retry = script("r", retryStrategy={"limit": 1})
    drive = Drive(workflow(dag(step("a", "r"), step("b", "r")), retry, parallelism=1))
    drive.all(lambda launch: {"exit_code": int(launch.node.endswith("(0)"))})
    assert sorted(drive.started()) == [".a(0)", ".a(1)", ".b(0)", ".b(1)"]
    assert drive.decision.phase is Phase.SUCCEEDED


def test_no_attempt_is_made_after_the_workflow_s_deadline() -> None:
    retry = script("r", retryStrategy={"limit": 5})
    drive = Drive(workflow(steps([step("a", "r")]), retry, activeDeadlineSeconds=5))
    drive.now = 6.0
    drive.end("[0].a(0)", 143)
    assert drive.message("[0].a").startswith("retry exceeded workflow deadline 1970-01-01")


def test_a_stop_lets_no_task_start_that_exits_quietly() -> None:
    drive = Drive(workflow(dag(step("a"), step("b", depends="a"))))
    drive.ask("terminate")
    drive.end(".a", 0)
    assert drive.message(".a") == "workflow shutdown with strategy:  Terminate"
    assert list(drive.phases()) == ["", ".a"]


def test_the_deadline_ends_a_suspended_step() -> None:
    gate = {"name": "gate", "suspend": {"duration": "1h"}}
    drive = Drive(workflow(steps([step("g", "gate")]), gate, activeDeadlineSeconds=5))
    drive.tick(at=5.0)
    assert drive.message("[0].g") == "Step exceeded its deadline"


def test_a_duration_that_is_none_is_an_error() -> None:
    gate = {"name": "gate", "suspend": {"duration": "soon"}}
    assert "unable to parse soon" in Drive(workflow(steps([step("g", "gate")]), gate)).message(
        "[0].g"
    )


# --- small parts


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), (5, 5), ("1h2m3.5s", 3723.5), ("500ms", 0.5), ("-1", -1)]
)
def test_durations_are_read_as_go_reads_them(text: Any, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("run[0].a", "a"),
        ("run.a-b(1:x.y)(0)", "a-b"),
        ("run.sub[0].c(0:k:v)", "c"),
        ("run", "run"),
        ("run[0].a(0:[x.y])(1)", "a"),
        ("run[0].a(0:[1.5])", "a"),
    ],
)
def test_a_step_s_name_is_found_in_its_node_s(node: str, name: str) -> None:
    assert step_name(node) == name


def test_lists_of_named_things_are_joined_by_name() -> None:
    defaults = {"env": [{"name": "A", "value": "1"}], "args": ["d"]}
    own = {"env": [{"name": "B", "value": "2"}], "args": ["o"]}
    merged = joined(defaults, own)
    assert merged["args"] == ["o"]
    assert [variable["name"] for variable in merged["env"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "unresolved", "becomes"),
    [
        ("{{a}}", Unresolved.LEFT, "1"),
        ("{{ a }}", Unresolved.FAIL, "1"),
        ("{{=asInt(a) + 1}}", Unresolved.LEFT, "2"),
        ("{{=item + a}}", Unresolved.LEFT, "{{=item + a}}"),
        ("{{=nil}}", Unresolved.LEFT, "{{=nil}}"),
        ("{{=[a]}}", Unresolved.FAIL, '[\\"1\\"]'),
        (
            "{{steps.x.outputs.artifacts.y}}",
            Unresolved.STEPS_FAIL,
            "{{steps.x.outputs.artifacts.y}}",
        ),
        ("{{b}}", Unresolved.STEPS_FAIL, "{{b}}"),
        ("{{a", Unresolved.FAIL, "{{a"),
    ],
)
def test_tags_are_replaced(text: str, unresolved: Unresolved, becomes: str) -> None:
    assert replace_tags(text, Variables({"a": "1"}), unresolved) == becomes


@pytest.mark.parametrize(
    ("text", "unresolved", "message"),
    [
        ("{{b}}", Unresolved.FAIL, "failed to resolve {{b}}"),
        ("{{tasks.b}}", Unresolved.STEPS_FAIL, "failed to resolve {{tasks.b}}"),
        ("{{none}}", Unresolved.LEFT, "unable to substitute {{none}}"),
        ("{{x.{{none}}}}", Unresolved.LEFT, "unable to substitute nested tag"),
        (
            "{{=steps.b}}",
            Unresolved.STEPS_FAIL,
            "failed to evaluate expression: steps.b is missing",
        ),
        ("{{=none}}", Unresolved.FAIL, 'failed to evaluate expression "none"'),
        ("{{=int(a + 'x')}}", Unresolved.FAIL, "failed to evaluate expression: invalid operation"),
        ("{{=sprig.upper}}", Unresolved.FAIL, "failed to marshal evaluated expression"),
        ("{{=1/0}}", Unresolved.FAIL, "failed to marshal evaluated expression"),
        ("{{=)}}", Unresolved.LEFT, "failed to evaluate expression: unexpected token"),
    ],
)
def test_a_tag_that_can_never_be_replaced_is_an_error(
    text: str, unresolved: Unresolved, message: str
) -> None:
    with pytest.raises(TagError) as caught:
        replace_tags(text, Variables({"a": "1", "none": None}), unresolved)
    assert message in str(caught.value)


# --- what a step asks of its own pod


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata.name", "run-x1-m-1729871263"),
        ("metadata.namespace", "local"),
        ("metadata.labels['team']", "one"),
        ("metadata.labels['workflows.argoproj.io/workflow']", RUN),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['workflows.argoproj.io/node-name']", f"{RUN}.a"),
        ("status.podIP", "127.0.0.1"),
        ("spec.serviceAccountName", "default"),
    ],
)
def test_a_variable_takes_a_field_of_its_pod(field: str, value: str) -> None:
    given = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": field}}}]
    template = script("m", metadata={"labels": {"team": "one"}})
    template["script"]["env"] = given
    (launch,) = Drive(workflow(dag(step("a", "m")), template)).launched
    assert launch.env == {"A": value}


def test_a_field_that_no_pod_has_is_an_error() -> None:
    template = script("m")
    template["script"]["env"] = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec"}}}]
    drive = Drive(workflow(dag(step("a", "m")), template))
    assert "There is no field 'spec' of a pod on this machine." in drive.message(".a")


def test_what_an_argument_says_of_its_place_does_not_count() -> None:
    given = using("need", raw={"data": "x"}, path="/elsewhere", mode=0o777)
    (launch,) = Drive(workflow(steps([given]), NEED)).launched
    assert [(file.path, file.mode, file.text) for file in launch.inputs] == [("/tmp/g", None, "x")]
