from __future__ import annotations

import json
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError


@cj.step
def count(day: str, factor: int = 2) -> Any:
    return {"rows": len(day) * factor, "files": [day]}


@cj.step
def report(rows: Any) -> Any:
    return f"{rows} rows"


def templates(manifest: dict[str, Any]) -> dict[str, Any]:
    return {template["name"]: template for template in manifest["spec"]["templates"]}


def tasks(manifest: dict[str, Any], graph: str | None = None) -> dict[str, Any]:
    found = templates(manifest)[graph or manifest["spec"]["entrypoint"]]
    return {task["name"]: task for task in found["dag"]["tasks"]}


def argument(task: dict[str, Any], name: str) -> str:
    values = {p["name"]: str(p["value"]) for p in task["arguments"]["parameters"]}
    return values[name]


def test_a_step_outside_a_workflow_is_an_ordinary_function() -> None:
    assert count("abc") == {"rows": 6, "files": ["abc"]}


def test_data_makes_the_order() -> None:
    @cj.workflow
    def flow(day: str = "x") -> Any:
        return report(count(day))

    found = tasks(flow.compile())
    assert found["report"]["depends"] == "count"
    assert argument(found["report"], "rows") == "{{tasks.count.outputs.parameters.value}}"
    assert argument(found["count"], "day") == "{{inputs.parameters.day}}"


def test_after_makes_order_without_data() -> None:
    @cj.workflow
    def flow() -> None:
        first, second = report(1), report(2)
        report(3, after=[first, second])

    assert tasks(flow.compile())["report-3"]["depends"] == "report && report-2"


def test_a_part_of_a_value_is_an_output_of_its_own() -> None:
    @cj.workflow
    def flow() -> None:
        report(count("x")["rows"])

    manifest = flow.compile()
    outputs = templates(manifest)["count"]["outputs"]["parameters"]
    assert [output["name"] for output in outputs] == ["value", "value-rows"]
    assert (
        argument(tasks(manifest)["report"], "rows")
        == "{{tasks.count.outputs.parameters.value-rows}}"
    )


def test_values_of_steps_may_stand_inside_lists_and_mappings() -> None:
    @cj.workflow
    def flow() -> None:
        report({"a": [report(1), "{{x}}"], "b": 2})

    text = argument(tasks(flow.compile())["report-2"], "rows")
    assert text == '{"a": [{{tasks.report.outputs.parameters.value}}, "\\u007b\\u007bx}}"], "b": 2}'


def test_calls_of_one_step_share_a_template() -> None:
    @cj.workflow
    def flow() -> None:
        for number in range(150):
            report(number)

    manifest = flow.compile()
    assert list(templates(manifest)) == ["flow", "report"]
    assert len(tasks(manifest)) == 150


def test_options_become_fields_of_the_template() -> None:
    @cj.step(
        name="Big_One",
        image="mine:1",
        retries=3,
        backoff={"duration": "10s", "factor": 2, "max": "5m"},
        timeout="1h",
        memory="1Gi",
        cpu=0.5,
        env={"A": "$(id)", "B": 1, "C": True},
        working_dir="/work",
        template_extra={"nodeSelector": {"gpu": "yes"}},
    )
    def big() -> None: ...

    @cj.workflow
    def flow() -> None:
        big()

    template = templates(flow.compile())["big-one"]
    script = template["script"]
    del script["source"]
    assert template == {
        "name": "big-one",
        "outputs": {
            "parameters": [{"name": "value", "valueFrom": {"path": "/tmp/couler-jobs/value"}}]
        },
        "retryStrategy": {
            "limit": "3",
            "retryPolicy": "Always",
            "backoff": {"duration": "10s", "factor": "2", "maxDuration": "300s"},
        },
        "activeDeadlineSeconds": 3600,
        "script": {
            "image": "mine:1",
            "command": ["python"],
            "env": [
                {"name": "A", "value": "$$(id)"},
                {"name": "B", "value": "1"},
                {"name": "C", "value": "true"},
            ],
            "resources": {
                "requests": {"memory": "1Gi", "cpu": "0.5"},
                "limits": {"memory": "1Gi", "cpu": "0.5"},
            },
            "workingDir": "/work",
        },
        "nodeSelector": {"gpu": "yes"},
    }


def test_an_installed_function_is_shipped_by_name() -> None:
    @cj.workflow
    def flow() -> None:
        installed("x")

    source = templates(flow.compile())["installed"]["script"]["source"]
    assert source.startswith("from tests.dsl.test_steps import installed\n")


@cj.step(ship="import")
def installed(text: str) -> Any:
    return text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"retries": -1}, "retries=-1"),
        ({"retries": True}, "retries=True"),
        ({"retries": 1, "backoff": {"wait": 1}}, "backoff has no 'wait'"),
        ({"retries": 1, "backoff": "soon"}, "backoff='soon'"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": True}, "timeout=True"),
        ({"env": {"A": None}}, "The variable A is None"),
        ({"env": {"A": "{{x}}"}}, "which Argo would expand"),
        ({"ship": "pickle"}, "ship='pickle'"),
        ({"template_extra": {"a": object()}}, "are no JSON"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        cj.step(**options)(report.function)


def variadic(*values: int) -> None: ...
def takes_after(after: int) -> None: ...
async def coroutine() -> None: ...


@pytest.mark.parametrize("function", [variadic, takes_after, coroutine, len])
@pytest.mark.parametrize("decorator", [cj.step, cj.workflow])
def test_a_function_that_cannot_be_a_template_is_refused(decorator: Any, function: Any) -> None:
    with pytest.raises(DeclarationError):
        decorator(function)


def call_wrongly() -> None:
    report()  # type: ignore[call-overload]


def call_with_object() -> None:
    report(object())


def call_with_condition() -> None:
    report(count("x") == 1)


def follow_a_text() -> None:
    report(1, after="count")


def use_f_string() -> None:
    report(f"{report(1)}")


def use_if() -> None:
    if report(1):
        report(2)


def use_and() -> None:
    with cj.when((count("x") > 1) and (count("y") > 1)):
        report(1)


def loop_over() -> None:
    for file in report(1):
        report(file)


def compute() -> None:
    report(report(1) + "x")


def compare_order_of_texts() -> None:
    with cj.when(report(1) < "x"):
        report(2)


def compare_with_list() -> None:
    with cj.when(report(1) == [1]):
        report(2)


def index_with_slice() -> None:
    report(report(1)[1:])


def otherwise_alone() -> None:
    with cj.otherwise():
        report(1)


def condition_of_nothing() -> None:
    with cj.when("yes"):
        report(1)


def default_that_is_no_json() -> None:
    strange()


@cj.step
def strange(value: Any = object()) -> None: ...  # noqa: B008


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (call_wrongly, "missing a required argument: 'rows'"),
        (call_with_object, "The argument 'rows': .*cannot travel as JSON"),
        (call_with_condition, "A condition cannot be passed"),
        (follow_a_text, "after='count'"),
        (use_f_string, "An f-string needs the value of report"),
        (use_if, "`with cj.when"),
        (use_and, "instead of `and`"),
        (loop_over, "use `cj.map"),
        (compute, "Arithmetic"),
        (compare_order_of_texts, "only numbers can be compared with <"),
        (compare_with_list, "A list cannot be compared"),
        (index_with_slice, "take it apart in a step"),
        (otherwise_alone, "stands after no cj.when"),
        (condition_of_nothing, "'yes' is no condition"),
        (default_that_is_no_json, "The default of 'value'"),
    ],
)
def test_a_mistake_is_told_when_it_is_declared(function: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        cj.workflow(function).compile()


@pytest.mark.parametrize("use", [str, len, int, float, range, list, "{}".format, lambda h: 1 in h])
def test_a_value_that_does_not_exist_yet_cannot_be_used_now(use: Any) -> None:
    @cj.workflow
    def flow() -> None:
        use(report(1))

    with pytest.raises(DeclarationError, match="that exists only when it runs"):
        flow.compile()


def test_a_value_of_another_workflow_is_refused() -> None:
    kept: list[Any] = []

    @cj.workflow
    def first() -> None:
        kept.append(report(1))

    @cj.workflow
    def second() -> None:
        report(kept[0])

    first.compile()
    with pytest.raises(DeclarationError, match="belongs to another workflow than second"):
        second.compile()


def test_after_an_error_the_recorder_is_clean() -> None:
    with pytest.raises(DeclarationError):
        cj.workflow(call_wrongly).compile()
    assert report(1) == "1 rows"


def test_calling_a_workflow_outside_of_one_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"only inside a @cj\.workflow function"):
        cj.workflow(call_wrongly)()


def test_an_argument_longer_than_linux_takes_is_refused() -> None:
    @cj.workflow
    def flow() -> None:
        report("x" * 131_000)

    with pytest.raises(DeclarationError, match="'rows' has 127 KiB as JSON, and a step takes 128"):
        flow.compile()


def test_workflow_options_become_fields_of_the_spec() -> None:
    @cj.workflow(
        name="Night Ly",
        parallelism=2,
        timeout="2h",
        labels={"team": "a"},
        annotations={"note": "b"},
        spec_extra={"priority": 3},
    )
    def flow(day: str, size: int = 2) -> None:
        report([day, size])

    manifest = flow.compile(day="{{x}}")
    del manifest["spec"]["templates"]
    assert manifest == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": "night-ly-",
            "labels": {"team": "a"},
            "annotations": {"note": "b"},
        },
        "spec": {
            "entrypoint": "night-ly",
            "parallelism": 2,
            "activeDeadlineSeconds": 7200,
            "arguments": {
                "parameters": [
                    {"name": "day", "value": '"\\u007b\\u007bx}}"'},
                    {"name": "size", "value": "2"},
                ]
            },
            "priority": 3,
        },
    }


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(DeclarationError, match="has no parameter 'b': it has a"):
        cj.workflow(lambda a: report(a)).compile(b=1)


def test_a_parameter_that_is_no_json_is_refused() -> None:
    with pytest.raises(DeclarationError, match="The parameter 'a'"):
        cj.workflow(lambda a: report(a)).compile(a={1})


def test_a_workflow_without_steps_is_refused() -> None:
    with pytest.raises(DeclarationError, match="calls no step"):
        cj.workflow(lambda: None).compile()


def test_the_manifest_is_plain_json() -> None:
    @cj.workflow
    def flow() -> Any:
        return report(1)

    manifest = flow.compile()
    assert json.loads(json.dumps(manifest)) == manifest
    assert repr(report) == "<step report>"
    assert repr(flow) == "<workflow flow>"
