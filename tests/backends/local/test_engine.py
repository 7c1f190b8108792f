"""What the engine decides, without processes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couler_jobs.backends.local.engine import Engine, reset_for_retry
from couler_jobs.backends.local.engine.tags import Unresolved, replace_tags
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.backends.local.supported import refuse_unsupported
from couler_jobs.backends.local.values import Launch
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, progress
from tests.backends.local.driving import RUN, Drive, dag, echo, script, step, steps, workflow


def fails(*names: str) -> Any:
    """Answer 1 for these steps."""
    return lambda launch: {"exit_code": 1} if launch.node.removeprefix(RUN) in names else {}


# --- order


def test_a_group_of_steps_waits_for_the_group_before() -> None:
    drive = Drive(workflow(steps([step("a"), step("b")], [step("c")])))
    drive.end("[0].a")
    assert drive.started() == ["[0].a", "[0].b"]
    drive.end("[0].b")
    assert drive.started()[-1] == "[1].c"


def test_a_task_starts_as_soon_as_its_own_dependencies_have_ended() -> None:
    drive = Drive(workflow(dag(step("a"), step("b"), step("c", depends="a"))))
    drive.end(".a")
    assert drive.started() == [".a", ".b", ".c"]


@pytest.mark.parametrize(
    ("depends", "a", "runs"),
    [
        ("a", 0, True),
        ("a", 1, False),
        ("a.Failed", 1, True),
        ("!a.Succeeded", 1, True),
        ("a.Errored", None, True),
        ("a.Skipped || a.Omitted", 0, False),
        ("(a.Succeeded || a.Failed) && !a.Daemoned", 1, True),
        ("not a.Failed and a.Succeeded", 0, True),
    ],
)
def test_depends_decides_whether_a_task_runs(depends: str, a: int | None, runs: bool) -> None:
    drive = Drive(workflow(dag(step("a"), step("b", depends=depends))))
    drive.end(".a", a)
    assert (".b" in drive.started()) is runs


def test_a_depends_that_cannot_be_read_makes_its_task_an_error() -> None:
    drive = Drive(workflow(dag(step("a"), step("b", depends="a &&"))))
    drive.all()
    assert drive.phase(".b") is Phase.ERROR
    assert drive.decision.phase is Phase.ERROR


@pytest.mark.parametrize(
    ("on", "phase"), [({"failed": True}, "Succeeded"), ({"error": True}, "Failed"), ({}, "Failed")]
)
def test_continue_on_counts_for_dependencies(on: dict[str, bool], phase: str) -> None:
    drive = Drive(workflow(dag(step("a", continueOn=on), step("b", dependencies=["a"]))))
    drive.all(fails(".a"))
    assert drive.decision.phase == phase


def test_a_task_after_a_nested_failure_takes_its_phase() -> None:
    inner = {"name": "inner", **steps([step("x")])}
    drive = Drive(workflow(dag(step("a", "inner"), step("b", depends="a")), inner))
    drive.all(fails(".a[0].x"))
    assert drive.phases()[".b"] == "Omitted"
    assert drive.decision.phase is Phase.FAILED


def test_an_inline_template_runs() -> None:
    inline = {key: value for key, value in script("x").items() if key != "name"}
    drive = Drive(workflow(dag({"name": "a", "inline": inline})))
    assert drive.all().phase is Phase.SUCCEEDED


# --- how much at once


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_workflow_parallelism_bounds_the_processes(limit: int) -> None:
    drive = Drive(workflow(dag(*(step(f"t{n}") for n in range(5))), parallelism=limit))
    most = 0
    while drive.running:
        most = max(most, len(drive.running))
        drive.end(next(iter(drive.running)).removeprefix(RUN))
    assert most == limit
    assert drive.decision.phase is Phase.SUCCEEDED


def test_template_parallelism_bounds_its_own_children_only() -> None:
    narrow = {"name": "narrow", "parallelism": 1, **steps([step("x"), step("y"), step("z")])}
    drive = Drive(workflow(dag(step("a", "narrow"), step("b", "narrow")), narrow))
    assert sorted(drive.started()) == [".a[0].x", ".b[0].x"]
    drive.end(".a[0].x")
    assert drive.started()[-1] == ".a[0].y"
    assert drive.all().phase is Phase.SUCCEEDED


def test_fail_fast_starts_nothing_more() -> None:
    main = {"parallelism": 1, "failFast": True, **dag(step("a"), step("b"))}
    drive = Drive(workflow(main))
    drive.end(".a", 1)
    assert drive.started() == [".a"]
    assert drive.decision.phase is Phase.FAILED
    assert "failFast enabled" in drive.decision.message


def test_fail_fast_in_steps_marks_the_group_too() -> None:
    main = {"parallelism": 1, "failFast": True, **steps([step("a"), step("b")])}
    drive = Drive(workflow(main))
    drive.end("[0].a", 1)
    assert drive.phase("[0]") is Phase.FAILED


def test_templates_that_call_themselves_end_at_a_hundred() -> None:
    again = {"name": "again", **steps([step("x", "again")])}
    drive = Drive(workflow(steps([step("x", "again")]), again))
    assert drive.decision.phase is Phase.FAILED
    assert any("Maximum recursion depth" in node.message for node in drive.nodes.values())


# --- values


def test_a_result_reaches_the_next_step() -> None:
    drive = Drive(workflow(steps([step("a")], [step("b", "echo", m="{{steps.a.outputs.result}}")])))
    assert drive.launched[0].wants_result
    drive.end("[0].a", result="it is {{workflow.name}}")
    assert drive.inputs("[1].b") == {"m": f"it is {RUN}"}


def test_a_result_that_nobody_refers_to_is_not_asked_for() -> None:
    assert not Drive(workflow(steps([step("a")]))).launched[0].wants_result


def test_an_unknown_tag_stays() -> None:
    drive = Drive(workflow(steps([step("a", "echo", m="{{no such}} {{=nor.this}} {{")])))
    assert drive.inputs("[0].a") == {"m": "{{no such}} {{=nor.this}} {{"}


def test_a_tag_inside_a_tag_is_replaced_first() -> None:
    variables = Variables({"in": "x", "out.x": "deep"})
    once = replace_tags("{{out.{{in}}}}", variables, Unresolved.LEFT)
    assert replace_tags(once, variables, Unresolved.LEFT) == "deep"


@pytest.mark.parametrize(
    ("value", "arrives"),
    [(5, "5"), (1.5, "1.5"), (True, "true"), ("x", "x"), (1e21, "1e+21")],
)
def test_values_of_other_kinds_become_text(value: Any, arrives: str) -> None:
    arguments = {"parameters": [{"name": "p", "value": "o"}]}
    manifest = workflow(
        steps([step("a", "echo", m="{{workflow.parameters.p}}")]), arguments=arguments
    )
    drive = Drive(manifest, parameters={"p": value})
    assert drive.inputs("[0].a") == {"m": arrives}


def test_parameters_given_at_submit_replace_those_of_the_manifest() -> None:
    arguments = {"parameters": [{"name": "p", "value": "old"}]}
    tags = "{{workflow.parameters.p}} {{workflow.parameters.q}}"
    manifest = workflow(steps([step("a", "echo", m=tags)]), arguments=arguments)
    assert Drive(manifest, parameters={"p": "new", "q": "more"}).inputs("[0].a") == {
        "m": "new more"
    }


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("workflow.name", RUN),
        ("workflow.uid", "uid-1"),
        ("workflow.namespace", "local"),
        ("workflow.creationTimestamp", "1970-01-01T00:00:00Z"),
        ("workflow.creationTimestamp.Y", "1970"),
        ("workflow.labels.team", "red"),
        ("workflow.annotations.note", "hi"),
        ("workflow.priority", "7"),
        ("workflow.scheduledTime", "{{workflow.scheduledTime}}"),
        ("workflow.status", ""),
        ("node.name", f"{RUN}[0].a"),
        ("steps.name", "a"),
    ],
)
def test_variables_of_the_workflow_are_known(tag: str, value: str) -> None:
    manifest = workflow(
        steps([step("a", "say")]), script("say", source=f"{{{{{tag}}}}}"), priority=7
    )
    manifest["metadata"] = {"labels": {"team": "red"}, "annotations": {"note": "hi"}}
    assert Drive(manifest).launched[0].source == (value or None)


def test_environment_and_arguments_take_variables_that_stand_before() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2 $(NO) $$(A)"}]
    container = {"image": "x", "command": ["echo", "$(B)"], "args": ["$(A)"], "env": env}
    launch = Drive(
        {"spec": {"entrypoint": "m", "templates": [{"name": "m", "container": container}]}}
    )
    assert launch.launched[0].env == {"A": "1", "B": "12 $(NO) $(A)"}
    assert (launch.launched[0].command[1], launch.launched[0].args) == ("12 $(NO) $(A)", ("1",))


def test_defaults_of_templates_are_joined_into_each() -> None:
    env = [{"name": "A", "value": "d"}, {"name": "B", "value": "d"}]
    defaults = {"script": {"env": env}, "container": {"image": "y"}, "timeout": "5s"}
    own = script("own")
    own["script"]["env"] = [{"name": "B", "value": "own"}]
    body = {"container": {"image": "x", "command": ["true"]}}
    drive = Drive({"spec": {"entrypoint": "own", "templateDefaults": defaults, "templates": [own]}})
    assert drive.launched[0].env == {"A": "d", "B": "own"}
    assert drive.decision.wake_at == 5.0
    other = {"entrypoint": "c", "templateDefaults": defaults, "templates": [{"name": "c", **body}]}
    assert Drive({"spec": other}).launched[0].source is None


def test_global_outputs_are_known_to_the_exit_handler_and_the_run() -> None:
    output = {"name": "v", "globalName": "g", "valueFrom": {"path": "/tmp/v"}}
    say = script("say", source="{{workflow.outputs.parameters.g}}")
    make = script("make", outputs={"parameters": [output]})
    drive = Drive(workflow(steps([step("a", "make")]), make, say, onExit="say"))
    drive.end("[0].a", parameters={"v": "42"})
    assert drive.launched[-1].source == "42"
    assert drive.decision.outputs == {"g": "42"}


def test_artifacts_are_passed_on_by_their_keys() -> None:
    make = script("make", outputs={"artifacts": [{"name": "f", "path": "/tmp/f"}]})
    use = script("use", inputs={"artifacts": [{"name": "g", "path": "/tmp/g", "mode": 420}]})
    given = {"artifacts": [{"name": "g", "from": "{{steps.a.outputs.artifacts.f}}"}]}
    last = {"name": "b", "template": "use", "arguments": given}
    drive = Drive(workflow(steps([step("a", "make")], [last]), make, use))
    drive.end("[0].a", artifacts={"f": "key-1"})
    given_file = drive.launched[-1].inputs[0]
    assert (given_file.source, given_file.path, given_file.mode) == ("key-1", "/tmp/g", 420)


def test_a_raw_artifact_brings_its_text() -> None:
    raw = [{"name": "g", "path": "/tmp/g", "raw": {"data": "by {{workflow.name}}"}}]
    drive = Drive(workflow(steps([step("a", "use")]), script("use", inputs={"artifacts": raw})))
    assert drive.launched[0].inputs[0].text == f"by {RUN}"


def test_an_optional_artifact_may_be_missing() -> None:
    use = script("use", inputs={"artifacts": [{"name": "g", "path": "/g", "optional": True}]})
    assert Drive(workflow(steps([step("a", "use")]), use)).launched[0].inputs == ()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


@settings(deadline=None, max_examples=60)
@given(TEXTS.filter(lambda text: "{{" not in text))
def test_any_text_without_tags_arrives_unchanged(text: str) -> None:
    arguments = {"parameters": [{"name": "p", "value": text}]}
    main = steps([step("a", "echo", m="<{{workflow.parameters.p}}>")])
    drive = Drive(workflow(main, arguments=arguments))
    assert drive.inputs("[0].a") == {"m": f"<{text}>"}
    assert drive.launched[0].source == f"<{text}>"


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXTS.filter(lambda text: "{{" not in text), min_size=1, max_size=4))
def test_any_result_and_any_item_arrive_unchanged(texts: list[str]) -> None:
    main = steps(
        [step("a")],
        [step("b", "echo", m="{{item}}{{steps.a.outputs.result}}", withItems=list(texts))],
    )
    drive = Drive(workflow(main))
    drive.end("[0].a", result=texts[0])
    arrived = [launch.source for launch in drive.launched[1:]]
    assert arrived == [text + texts[0] or None for text in texts]


# --- loops


@pytest.mark.parametrize(
    ("loop", "items"),
    [
        ({"withItems": ["x", 2, {"b": 1, "a": [1]}]}, ["x", "2", '{"a":[1],"b":1}']),
        ({"withParam": '[1, "two", null]'}, ["1", "two", "null"]),
        ({"withSequence": {"count": 2}}, ["0", "1"]),
        ({"withSequence": {"start": "5", "end": 4, "format": "f%03d"}}, ["f005", "f004"]),
    ],
)
def test_a_loop_becomes_one_step_an_item(loop: dict[str, Any], items: list[str]) -> None:
    drive = Drive(workflow(dag(step("a", "echo", m="{{item}}", **loop))))
    assert [launch.source for launch in drive.launched] == items


@pytest.mark.parametrize("loop", [{"withParam": "[]"}, {"withSequence": {"count": "0"}}])
@pytest.mark.parametrize("body", [dag, lambda task: steps([task])])
def test_a_loop_over_nothing_is_skipped(body: Any, loop: dict[str, Any]) -> None:
    drive = Drive(workflow(body(step("a", "echo", m="{{item}}", **loop))))
    assert drive.decision.phase is Phase.SUCCEEDED
    assert "Skipped, empty params" in [node.message for node in drive.nodes.values()]


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ({"withParam": "no list"}, "withParam value could not be parsed as a JSON list: no list"),
        ({"withParam": "{}"}, "cannot unmarshal object into Go value"),
        ({"withParam": "[1"}, "unexpected end of JSON input"),
        ({"withSequence": {"count": "x"}}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ({"withSequence": {"start": "1"}}, "neither end nor count was specified"),
    ],
)
def test_a_loop_over_something_else_is_an_error(loop: dict[str, Any], message: str) -> None:
    drive = Drive(workflow(dag(step("a", "echo", m="{{item}}", **loop))))
    assert message in drive.message(".a")
    skipped = Drive(workflow(dag(step("a", "echo", m="{{item}}", when="1 == 2", **loop))))
    assert skipped.phase(".a") is Phase.SKIPPED


@pytest.mark.parametrize(
    ("values", "collected"),
    [
        (["1", "x"], '["1","x"]'),
        (['{"a":1}', "[2]"], '[{"a":1},[2]]'),
        (["1", "[2]"], '["1","[2]"]'),
    ],
)
def test_output_parameters_of_a_loop_are_collected(values: list[str], collected: str) -> None:
    make = script("make", outputs={"parameters": [{"name": "v", "valueFrom": {"path": "/v"}}]})
    main = dag(
        step("a", "make", withItems=values),
        step("b", "echo", depends="a", m="{{tasks.a.outputs.parameters.v}}"),
    )
    drive = Drive(workflow(main, make))
    for launch, value in zip(list(drive.launched), values, strict=True):
        drive.end(launch.node.removeprefix(RUN), parameters={"v": value})
    assert drive.inputs(".b") == {"m": collected}


def test_an_unknown_tag_in_a_loop_is_an_error() -> None:
    drive = Drive(workflow(dag(step("a", "echo", m="{{no.such}}", withItems=[1]))))
    assert drive.message(".a") == "failed to resolve {{no.such}}"


# --- retries


def retrying(**strategy: Any) -> dict[str, Any]:
    return workflow(steps([step("a", "r")]), script("r", retryStrategy=strategy))


@pytest.mark.parametrize(
    ("strategy", "code", "attempts", "message"),
    [
        ({"limit": 2}, 1, 3, "No more retries left"),
        ({"limit": "0"}, 1, 1, "No more retries left"),
        ({"limit": 2, "retryPolicy": "OnError"}, 1, 1, "main: Error (exit code 1)"),
        ({"limit": 1, "retryPolicy": "OnError"}, None, 2, "No more retries left"),
        ({"limit": 2}, None, 1, "gone"),
        ({"limit": 2, "retryPolicy": "Always"}, None, 3, "No more retries left"),
        ({"limit": 2, "retryPolicy": "OnTransientError"}, 1, 1, "main: Error (exit code 1)"),
        ({"limit": 3, "expression": "asInt(retries) < 1"}, 1, 2, "retryStrategy.expression"),
        ({"limit": 3, "expression": "lastRetry.status == 'Error'"}, 1, 1, "retryStrategy.express"),
        ({"limit": 3, "expression": "nope"}, 1, 1, "unknown name nope"),
    ],
)
def test_a_retry_goes_on_as_its_strategy_says(
    strategy: dict[str, Any], code: int | None, attempts: int, message: str
) -> None:
    drive = Drive(retrying(**strategy))
    drive.all(lambda launch: {"exit_code": code, "error": "" if code else "gone"})
    assert len(drive.launched) == attempts
    assert drive.message("[0].a").startswith(message)


def test_a_retry_waits_for_its_backoff() -> None:
    drive = Drive(retrying(limit=5, backoff={"duration": "10", "factor": 2, "cap": "15s"}))
    for attempt, wait in enumerate((10, 15, 15)):
        drive.end(f"[0].a({attempt})", 1)
        assert drive.decision.wake_at == drive.now + wait
        assert drive.message("[0].a").startswith("Backoff for")
        drive.tick(at=drive.now + wait)
    assert len(drive.launched) == 4


def test_the_last_attempt_s_duration_is_in_whole_seconds() -> None:
    drive = Drive(retrying(limit=3, expression="asInt(lastRetry.duration) < 3"))
    drive.tick(at=drive.now + 1.7)
    drive.end("[0].a(0)", 1)
    assert len(drive.launched) == 2


def test_a_retry_gives_up_before_its_longest_time() -> None:
    drive = Drive(retrying(limit=5, backoff={"duration": "10", "maxDuration": "5"}))
    drive.end("[0].a(0)", 1)
    assert drive.message("[0].a") == "Backoff would exceed max duration limit"


def test_an_attempt_knows_the_one_before() -> None:
    source = "{{retries}} {{lastRetry.exitCode}} {{lastRetry.status}} {{lastRetry.message}}"
    manifest = workflow(
        steps([step("a", "r")]), script("r", retryStrategy={"limit": 1}, source=source)
    )
    drive = Drive(manifest)
    drive.end("[0].a(0)", 3)
    assert [launch.source for launch in drive.launched] == [
        "0 0  ",
        "1 3 Failed main: Error (exit code 3)",
    ]


# --- time


def test_a_step_is_ended_at_its_deadline() -> None:
    slow = script("slow", activeDeadlineSeconds="3")
    drive = Drive(workflow(steps([step("a", "slow")]), slow))
    assert drive.decision.wake_at == 3.0
    drive.tick(at=3.0)
    assert drive.killed == [f"{RUN}[0].a"]
    drive.end("[0].a", 143)
    assert drive.message("[0].a").startswith("Pod was active on the node longer")


def test_the_exit_handler_runs_after_the_workflow_s_deadline() -> None:
    manifest = workflow(steps([step("a")]), activeDeadlineSeconds=4, onExit="ok")
    drive = Drive(manifest)
    drive.tick(at=4.0)
    drive.end("[0].a", 143)
    assert drive.started()[-1] == ".onExit"
    assert drive.all().phase is Phase.FAILED


def test_a_step_that_is_due_after_the_deadline_does_not_start() -> None:
    main = dag(step("a"), step("b", depends="a"))
    drive = Drive(workflow(main, activeDeadlineSeconds=5))
    drive.now = 4.5
    drive.end(".a")
    assert drive.message(".b") == "Step exceeded its deadline"


# --- suspend, stop, resume


GATE = {
    "name": "gate",
    "suspend": {},
    "outputs": {"parameters": [{"name": "v", "valueFrom": {"supplied": {}, "default": "d"}}]},
}


@pytest.mark.parametrize(("given_", "arrives"), [({}, "d"), ({"v": "mine"}, "mine")])
def test_a_suspended_step_goes_on_with_what_is_supplied(
    given_: dict[str, str], arrives: str
) -> None:
    main = steps([step("g", "gate")], [step("b", "echo", m="{{steps.g.outputs.parameters.v}}")])
    drive = Drive(workflow(main, GATE))
    assert drive.decision.wake_at is None
    drive.ask("resume", node=f"{RUN}[0].g", parameters=given_)
    assert drive.inputs("[1].b") == {"m": arrives}


def test_a_suspended_step_without_a_value_is_an_error_when_resumed() -> None:
    output = {"parameters": [{"name": "v", "valueFrom": {"supplied": {}}}]}
    drive = Drive(
        workflow(steps([step("g", "g")]), {"name": "g", "suspend": {}, "outputs": output})
    )
    drive.ask("resume")
    assert "has not been set" in drive.message("[0].g")


def test_a_suspended_run_starts_nothing_until_it_is_resumed() -> None:
    drive = Drive(workflow(steps([step("a")], [step("b")])))
    drive.ask("suspend")
    drive.end("[0].a")
    assert drive.started() == ["[0].a"]
    drive.ask("resume")
    assert drive.started() == ["[0].a", "[1].b"]


def test_a_manifest_may_begin_suspended() -> None:
    drive = Drive(workflow(steps([step("a")]), suspend=True))
    assert drive.started() == []
    drive.ask("resume")
    assert drive.started() == ["[0].a"]


@pytest.mark.parametrize(("action", "handled"), [("stop", True), ("terminate", False)])
@pytest.mark.parametrize("body", [dag(step("a"), step("b", depends="!a")), steps([step("a")])])
def test_a_stop_runs_the_exit_handler_and_a_terminate_does_not(
    action: str, handled: bool, body: dict[str, Any]
) -> None:
    drive = Drive(workflow(body, onExit="ok"))
    name = next(iter(drive.running))
    drive.ask(action)
    assert drive.killed == [name]
    drive.end(name.removeprefix(RUN), 143)
    assert (".onExit" in drive.started()) is handled
    assert drive.all().message == f"Stopped with strategy '{action.capitalize()}'"
    assert drive.decision.phase is Phase.FAILED
    assert ".b" not in drive.started()


def test_a_stop_ends_suspended_steps_and_waiting_retries() -> None:
    backoff = {"limit": 5, "backoff": {"duration": "1h"}}
    main = dag(step("g", "gate"), step("r", "r"))
    drive = Drive(workflow(main, GATE, script("r", retryStrategy=backoff)))
    drive.end(".r(0)", 1)
    drive.ask("stop")
    assert drive.message(".g") == drive.message(".r") == "Stopped with strategy 'Stop'"
    assert drive.decision.phase is Phase.FAILED


def test_a_stop_before_anything_began_ends_it() -> None:
    drive = Drive(workflow(steps([step("a")]), suspend=True))
    drive.ask("stop")
    assert drive.started() == []
    assert drive.decision.phase is Phase.FAILED


# --- hooks


def test_the_exit_handler_of_a_step_runs_with_its_outputs() -> None:
    text = "{{steps.a.outputs.parameters.v}} {{steps.a.status}}"
    hook = {"template": "echo", "arguments": {"parameters": [{"name": "m", "value": text}]}}
    make = script("make", outputs={"parameters": [{"name": "v", "valueFrom": {"path": "/v"}}]})
    main = steps([step("a", "make", hooks={"exit": hook})], [step("b")])
    drive = Drive(workflow(main, make))
    drive.end("[0].a", parameters={"v": "7"})
    assert drive.launched[-1].node == f"{RUN}[0].a.onExit"
    assert drive.launched[-1].source == "7 Succeeded"
    drive.all()
    assert drive.decision.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("body", [dag, lambda task: steps([task])])
def test_a_hook_runs_when_its_expression_holds(body: Any) -> None:
    root = "tasks" if body is dag else "steps"
    hooks = {
        "bad": {"expression": f"{root}['a'].status == 'Failed'", "template": "ok"},
        "good": {"expression": f"{root}['a'].status == 'Succeeded'", "template": "ok"},
    }
    drive = Drive(workflow(body(step("a", hooks=hooks))))
    drive.all(lambda launch: {"exit_code": int(launch.node.endswith(".a"))})
    assert drive.started()[1].endswith("a.hooks.bad")
    assert len(drive.started()) == 2


def test_a_hook_of_the_workflow_sees_its_status() -> None:
    hooks = {"end": {"expression": "workflow.status == 'Failed'", "template": "ok"}}
    drive = Drive(workflow(steps([step("a")]), hooks=hooks, onExit="ok"))
    drive.end("[0].a", 1)
    assert drive.started()[1:] == [".hooks.end"]
    drive.end(".hooks.end")
    assert drive.started()[2:] == [".onExit"]


def test_a_hook_of_a_workflow_that_runs_is_told_its_status_and_failures() -> None:
    say = script("say", source="{{workflow.status}} {{workflow.failures}}")
    hooks = {"start": {"expression": "workflow.status == 'Running'", "template": "say"}}
    drive = Drive(workflow(steps([step("a")]), say, hooks=hooks, onExit="say"))
    (told,) = [one for one in drive.launched if one.node.endswith("hooks.start")]
    assert told.source == 'Running "null"'


def test_the_exit_handler_is_told_what_failed() -> None:
    say = script("say", source="{{workflow.status}} {{workflow.failures}}")
    drive = Drive(workflow(steps([step("a")]), say, onExit="say"))
    drive.end("[0].a", 2)
    source = drive.launched[-1].source or ""
    assert source.startswith("Failed ")
    assert '\\"displayName\\":\\"a\\"' in source


# --- the end of a process


@pytest.mark.parametrize(
    ("report", "phase", "message"),
    [
        ({"exit_code": 0}, "Succeeded", ""),
        ({"exit_code": 9}, "Failed", "main: Error (exit code 9)"),
        ({"exit_code": 64, "error": "no"}, "Failed", "main: Error (exit code 64): no"),
        ({"exit_code": None, "error": "lost"}, "Error", "lost"),
        ({"exit_code": None}, "Error", "the process could not be started"),
        ({"exit_code": 0, "error": "full"}, "Error", "full"),
        ({"exit_code": 0, "missing": ("v",)}, "Error", "wait: Error (exit code 64): open /var"),
        ({"exit_code": 0, "missing": ("f",)}, "Error", "wait: Error (exit code 64): stat /var"),
    ],
)
def test_a_process_s_end_becomes_the_node_s(
    report: dict[str, Any], phase: str, message: str
) -> None:
    outputs = {
        "parameters": [{"name": "v", "valueFrom": {"path": "/v"}}],
        "artifacts": [{"name": "f", "path": "/f"}],
    }
    drive = Drive(workflow(steps([step("a", "m")]), script("m", outputs=outputs)))
    drive.end("[0].a", **report)
    assert drive.phases()["[0].a"] == phase
    assert drive.message("[0].a").startswith(message)


# --- going on, and again


def rich() -> dict[str, Any]:
    inner = {"name": "inner", **dag(step("x"), step("y", depends="x"))}
    retry = script("r", retryStrategy={"limit": 2})
    main = steps(
        [step("a"), step("l", "echo", m="{{item}}", withItems=[1, 2])],
        [step("n", "inner"), step("r", "r")],
        [step("b", "echo", m="{{steps.a.outputs.result}}")],
    )
    return workflow(main, inner, retry, onExit="ok")


def test_a_run_goes_on_from_its_stored_nodes_at_any_point() -> None:
    def answer(launch: Launch) -> dict[str, Any]:
        return {
            "exit_code": int(launch.node.endswith("r(0)")),
            "result": "1" if launch.wants_result else None,
        }

    whole = Drive(rich())
    whole.all(answer)
    for stop in range(len(whole.launched)):
        first = Drive(rich())
        for _ in range(stop):
            name, launch = next(iter(first.running.items()))
            first.end(name.removeprefix(RUN), **answer(launch))
        second = Drive(rich(), nodes=list(first.nodes.values()))
        second.running = {**first.running, **second.running}
        second.all(answer)
        assert second.phases() == whole.phases()
        assert {n: set(i.children) for n, i in second.nodes.items()} == {
            n: set(i.children) for n, i in whole.nodes.items()
        }
        assert len(first.launched) + len(second.launched) == len(whole.launched)


PAUSED = dag(step("p", "pause"), step("a"), step("b", depends="a && p"))


def held() -> Drive:
    """A run that was suspended while a step ran and another waited, driven from what was stored."""
    pause = {"name": "pause", "suspend": {}}
    first = Drive(workflow(PAUSED, pause))
    first.ask("suspend")
    second = Drive(workflow(PAUSED, pause), nodes=list(first.nodes.values()), suspended=True)
    second.running = first.running
    return second


def test_a_suspended_run_that_goes_on_starts_nothing_until_it_is_resumed() -> None:
    drive = held()
    drive.end(".a")
    assert drive.started() == []
    drive.ask("resume")
    drive.all()
    assert drive.started() == [".b"]
    assert drive.decision.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("action", ["stop", "terminate"])
def test_a_suspended_run_that_goes_on_can_be_ended(action: str) -> None:
    drive = held()
    drive.ask(action)
    assert drive.killed == [RUN + ".a"]
    drive.end(".a", 143)
    assert drive.decision.phase is Phase.FAILED
    assert drive.started() == []


@pytest.mark.parametrize("main", [dag(step("a")), steps([step("a")]), script("main")])
def test_a_run_that_is_ended_before_it_began_has_failed(main: dict[str, Any]) -> None:
    drive = Drive(workflow({**main, "name": "main"}, suspend=True))
    drive.ask("stop")
    assert drive.decision.phase is Phase.FAILED
    assert drive.started() == []


def test_a_resume_from_before_the_beginning_resumes_no_later_pause() -> None:
    pause = {"name": "pause", "suspend": {}}
    drive = Drive(workflow(steps([step("p", "pause")]), pause, suspend=True))
    drive.ask("resume")
    assert drive.phase("[0].p") is Phase.RUNNING


@pytest.mark.parametrize(
    ("failing", "again"),
    [
        ("[0].a", ["[0].a", "[1].n.x", "[1].r(0)", "[1].n.y", "[2].b", ".onExit"]),
        ("[1].n.x", ["[1].n.x", "[1].n.y", "[2].b", ".onExit"]),
        ("[2].b", ["[2].b", ".onExit"]),
        ("[0].l(1:2)", ["[0].l(1:2)", "[1].n.x", "[1].r(0)", "[1].n.y", "[2].b", ".onExit"]),
    ],
)
def test_a_retry_runs_again_only_what_failed_and_what_follows(
    failing: str, again: list[str]
) -> None:
    first = Drive(rich())
    first.all(lambda launch: {"exit_code": int(launch.node == RUN + failing), "result": "1"})
    assert first.decision.phase is Phase.FAILED
    second = Drive(rich(), nodes=reset_for_retry(rich(), first.nodes.values()))
    second.all(lambda launch: {"result": "1"})
    assert second.decision.phase is Phase.SUCCEEDED
    assert sorted(second.started()) == sorted(again)


def test_a_retry_after_all_attempts_failed_begins_with_a_fresh_one() -> None:
    manifest = workflow(
        dag(step("r", "r"), step("b", depends="r")), script("r", retryStrategy={"limit": 1})
    )
    first = Drive(manifest)
    first.all(fails(".r(0)", ".r(1)"))
    second = Drive(manifest, nodes=reset_for_retry(manifest, first.nodes.values()))
    second.all()
    assert second.started() == [".r(0)", ".b"]


def test_a_retry_leaves_a_failure_alone_that_was_handled() -> None:
    main = dag(step("a"), step("h", depends="a.Failed"), step("c"))
    first = Drive(workflow(main))
    first.all(fails(".a", ".c"))
    second = Drive(workflow(main), nodes=reset_for_retry(workflow(main), first.nodes.values()))
    second.all()
    assert second.started() == [".c"]


def test_progress_counts_steps_that_succeeded() -> None:
    drive = Drive(workflow(dag(step("a"), step("b", when="false"), step("g", "gate")), GATE))
    drive.end(".a")
    assert progress(drive.nodes.values()) == "1/2"


# --- refusals


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"resource": {"action": "get"}}, "spec.templates[1].resource"),
        ({"plugin": {"a": {}}}, "spec.templates[1].plugin"),
        ({"sidecars": [{"name": "s"}]}, "spec.templates[1].sidecars[0].command"),
        (
            {"synchronization": {"semaphores": [{"database": {"key": "k"}}]}},
            "spec.templates[1].synchronization.semaphores[0].database",
        ),
        ({"nonsense": 1}, "spec.templates[1].nonsense"),
        ({"parallelism": "many"}, "spec.templates[1].parallelism (it has to be a whole number)"),
        ({"steps": {"a": 1}}, "spec.templates[1].steps (it has to be a list)"),
        ({"script": "sh"}, "spec.templates[1].script (it has to be a map)"),
        ({"script": {"image": "x"}}, "spec.templates[1].script.command (it is missing"),
        (
            {"script": {"command": ["sh"], "env": [{"name": "A", "valueFrom": {"x": 1}}]}},
            "spec.templates[1].script.env[0].valueFrom",
        ),
        (
            {"script": {"command": ["sh"], "envFrom": [{"x": 1}]}},
            "spec.templates[1].script.envFrom[0].x",
        ),
        (
            {"inputs": {"parameters": [None]}},
            "spec.templates[1].inputs.parameters[0] (it is empty)",
        ),
    ],
)
def test_what_cannot_run_here_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    manifest = workflow(steps([step("a")]))
    manifest["spec"]["templates"][1].update(change)
    with pytest.raises(Rejected) as caught:
        refuse_unsupported(manifest)
    assert path in str(caught.value)


def test_every_path_is_in_the_one_sentence() -> None:
    manifest = workflow(steps([step("a")]), script("x", metrics2=1), script("y", plugin={"a": 1}))
    with pytest.raises(
        Rejected, match=r"spec\.templates\[3\]\.metrics2, spec\.templates\[4\]\.plugin"
    ):
        refuse_unsupported(manifest)


def test_pod_settings_are_accepted() -> None:
    pod = {"nodeSelector": {"a": "b"}, "tolerations": [{}], "serviceAccountName": "s"}
    manifest = workflow(steps([step("a")]), script("x", **pod), **pod, podGC={"a": 1})
    refuse_unsupported(manifest)


def test_another_kind_is_refused() -> None:
    with pytest.raises(Rejected, match="this manifest is a CronWorkflow"):
        refuse_unsupported({"kind": "CronWorkflow"})


def test_an_unknown_exit_handler_is_refused() -> None:
    with pytest.raises(Rejected, match="template name 'nope' undefined"):
        Engine(workflow(steps([step("a")]), onExit="nope"), name="x", uid="u", created_at=0)


def test_echo_needs_its_argument() -> None:
    with pytest.raises(Rejected, match=r"templates.echo inputs.parameters.m was not supplied"):
        Drive({"spec": {"entrypoint": "echo", "templates": [echo()]}})


def test_a_retry_keeps_a_failure_that_something_successful_came_after() -> None:
    inner = {"name": "inner", **steps([step("z", when="false")])}
    tasks = dag(step("a"), step("b", "inner", depends="a.Failed"), step("c", depends="b"))
    manifest = workflow(tasks, inner)
    first = Drive(manifest)
    first.all(lambda launch: {"exit_code": 1})
    kept = reset_for_retry(manifest, first.nodes.values())
    again = Drive(manifest, nodes=kept)
    again.all()
    assert again.started() == [".c"]
    assert again.phases() | {"": "Succeeded"} == again.phases()
    assert again.phase(".a") is Phase.FAILED


def test_a_hook_for_running_is_not_started_by_what_ends_at_once() -> None:
    inner = {"name": "inner", **steps([step("z", when="false")])}
    hooks = {"r": {"template": "ok", "expression": "steps.a.status == 'Running'"}}
    drive = Drive(workflow(steps([step("a", "inner", hooks=hooks)]), inner))
    assert drive.decision.phase is Phase.SUCCEEDED
    assert "[0].a.hooks.r" not in drive.phases()


def test_a_hook_for_running_is_started_by_what_waits_for_a_process() -> None:
    inner = {"name": "inner", **steps([step("z")])}
    hooks = {"r": {"template": "ok", "expression": "steps.a.status == 'Running'"}}
    drive = Drive(workflow(steps([step("a", "inner", hooks=hooks)]), inner))
    assert drive.started() == ["[0].a[0].z", "[0].a.hooks.r"]


def test_no_step_of_a_group_starts_after_one_whose_template_cannot_be_filled() -> None:
    broken = script("broken", inputs={"parameters": [{"name": "m"}]}, source="{{=)}}")
    drive = Drive(workflow(steps([step("a", "broken", m="x"), step("b")]), broken))
    assert drive.started() == []
    assert drive.phase("[0].a") is Phase.ERROR


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1", "evaluted to int but must be a string"),
        ("workflow.parameters.p.x", "invalid operation: int(string)"),
    ],
)
def test_a_label_that_is_no_text_is_refused(expression: str, problem: str) -> None:
    metadata = {"labelsFrom": {"l": {"expression": expression}}}
    arguments = {"parameters": [{"name": "p", "value": "v"}]}
    with pytest.raises(Rejected, match=r'failed to evaluate label "l"') as caught:
        Drive(workflow(steps([step("a")]), workflowMetadata=metadata, arguments=arguments))
    assert problem in str(caught.value)


def test_an_exit_handler_knows_how_long_the_workflow_took() -> None:
    drive = Drive(
        workflow(steps([step("a")]), script("x", source="{{workflow.duration}}"), onExit="x")
    )
    drive.tick(at=2.5)
    drive.end("[0].a")
    assert drive.launched[-1].source == "2.500000"
