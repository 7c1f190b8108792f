from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.dsl.recorder import record_into, take_recorded
from couler_jobs.dsl.values import reference_of
from couler_jobs.errors import CompileError, DeclarationError


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    record_into(None)
    yield
    record_into(None)


RESULT = "steps.flip.outputs.result"
NUMBER = f"({RESULT} matches '^-?[0-9]' && asFloat({RESULT})"


def job(name: str, **more: Any) -> Any:
    return couler.run_container(image="alpine", command="echo", args=[name], step_name=name, **more)


def graph(manifest: dict[str, Any], name: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in manifest["spec"]["templates"] if t["name"] == name)
    return found


def depends(manifest: dict[str, Any]) -> dict[str, str]:
    return {task["name"]: task.get("depends", "") for task in graph(manifest)["dag"]["tasks"]}


def groups(manifest: dict[str, Any]) -> list[list[str]]:
    return [[step["name"] for step in group] for group in graph(manifest)["steps"]]


def test_steps_run_one_after_another() -> None:
    for name in "abb":
        job(name)
    assert groups(cj.compile()) == [["a"], ["b"], ["b-2"]]


def test_a_diamond_by_chains() -> None:
    first = job
    couler.dag(
        [
            [lambda: first("A")],
            [lambda: job("A"), lambda: job("B")],
            [lambda: job("A"), lambda: job("C")],
            [lambda: job("B"), lambda: job("D")],
            [lambda: job("C"), lambda: job("D")],
        ]
    )
    assert depends(cj.compile()) == {"A": "", "B": "A", "C": "A", "D": "B && C"}


def test_what_follows_a_dag_waits_for_its_ends() -> None:
    job("start")
    couler.dag([[lambda: job("A"), lambda: job("B")], [lambda: job("C")]])
    job("end")
    assert depends(cj.compile()) == {
        "start": "",
        "A": "start",
        "B": "start && A",
        "C": "start",
        "end": "B && C",
    }


def test_a_callable_of_a_dag_is_called_once() -> None:
    called: list[int] = []

    def once() -> None:
        called.append(1)
        job("A")

    couler.dag([[once, lambda: job("B")], [once, lambda: job("C")]])
    assert called == [1]
    assert depends(cj.compile()) == {"A": "", "B": "A", "C": "A"}


def test_a_cycle_is_refused() -> None:
    couler.dag([[lambda: job("A"), lambda: job("B")], [lambda: job("B"), lambda: job("A")]])
    with pytest.raises(CompileError, match="wait for each other"):
        cj.compile()


def test_dependencies_by_name_or_expression() -> None:
    couler.set_dependencies(lambda: job("A"), dependencies=None)
    couler.set_dependencies(lambda: job("B"), dependencies=["A"])
    couler.set_dependencies(lambda: job("C"), dependencies="A.Failed || B.Succeeded")
    assert depends(cj.compile()) == {"A": "", "B": "A", "C": "A.Failed || B.Succeeded"}


def test_an_unknown_dependency_is_refused() -> None:
    couler.set_dependencies(lambda: job("A"), dependencies=["nobody"])
    with pytest.raises(CompileError, match="A in main follows nobody"):
        cj.compile()


def test_an_output_that_is_an_argument_makes_order_in_a_dag() -> None:
    couler.set_dependencies(lambda: job("A"))
    output = couler.set_dependencies(lambda: job("B"))
    couler.set_dependencies(
        lambda: couler.run_container("alpine", "echo", [output, "x"], step_name="C")
    )
    manifest = cj.compile()
    assert depends(manifest) == {"A": "", "B": "", "C": "B"}
    values = [p["value"] for p in graph(manifest)["dag"]["tasks"][2]["arguments"]["parameters"]]
    assert values == ["{{tasks.B.outputs.result}}", "x"]


def test_another_image_under_the_same_name_is_another_template() -> None:
    couler.run_container("one", step_name="same")
    couler.run_container("two", step_name="same")
    templates = cj.compile()["spec"]["templates"]
    assert [t["container"]["image"] for t in templates[1:]] == ["one", "two"]


def test_equal_steps_share_a_template() -> None:
    for number in range(20):
        job_of(number)
    assert [t["name"] for t in cj.compile()["spec"]["templates"]] == ["main", "work"]


def job_of(number: int) -> None:
    couler.run_container("alpine", "echo", [number], step_name="work")


def test_capitals_stay_in_a_steps_name_and_never_reach_a_pods() -> None:
    job("A")
    job("a")
    couler.set_dependencies(lambda: job("B"), dependencies="A.Succeeded || a")
    manifest = cj.compile()
    found = {task["name"]: task for task in graph(manifest)["dag"]["tasks"]}
    assert [task["template"] for task in found.values()] == ["a", "a-2", "b"]
    assert found["B"]["depends"] == "A.Succeeded || a"
    assert [template["name"] for template in manifest["spec"]["templates"]][1:] == ["a", "a-2", "b"]


def test_steps_at_the_same_time_are_one_group() -> None:
    job("a")
    couler.concurrent([lambda: job("b"), lambda: job("c")])
    couler.concurrent([lambda: job("d"), lambda: job("e")])
    job("f")
    assert groups(cj.compile()) == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_an_error_among_concurrent_steps_leaves_nothing_locked() -> None:
    def wrong() -> None:
        raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"):
        couler.concurrent([wrong])
    job("a")
    job("b")
    assert groups(cj.compile()) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (lambda r: couler.equal(r, "it's"), "steps.flip.outputs.result == 'it\\'s'"),
        (lambda r: couler.not_equal("", r), "steps.flip.outputs.result != ''"),
        (
            lambda r: couler.bigger(3, r),
            f"{NUMBER} < 3)",
        ),
        (
            lambda r: couler.smaller_equal(r, 3),
            f"{NUMBER} <= 3)",
        ),
        (
            lambda r: couler.equal(r, 3) & couler.smaller(r, 4) | ~couler.bigger_equal(r, 5),
            f"(({NUMBER} == 3) && {NUMBER} < 4)) || !({NUMBER} >= 5)))",
        ),
    ],
)
def test_a_step_runs_when_a_condition_holds(condition: Any, text: str) -> None:
    result = couler.run_script("python:3.12", source="print(1)", step_name="flip")
    couler.when(condition(result), lambda: job("then"))
    assert graph(cj.compile())["steps"][1][0]["when"] == f"{{{{={text}}}}}"


def test_a_function_becomes_a_script_that_calls_it() -> None:
    def flip() -> None:
        print("heads")

    couler.run_script(source=flip)
    template = graph(cj.compile(), "flip")
    assert template["script"]["source"].endswith(
        'def flip() -> None:\n    print("heads")\n\n\nflip()\n'
    )


def test_a_loop_over_a_list_or_an_output() -> None:
    items = job("make")
    couler.map(lambda item: couler.run_container("alpine", "echo", [item], step_name="each"), items)
    couler.map(
        lambda a, b: couler.run_container("alpine", "echo", [a, b], step_name="pair"),
        [1, "x"],
        [2, True],
    )
    assert couler.map(job, []) == []
    steps = graph(cj.compile())["steps"]
    assert steps[1][0]["withParam"] == "{{steps.make.outputs.result}}"
    assert steps[1][0]["arguments"]["parameters"][0]["value"] == "{{item}}"
    assert steps[2][0]["withItems"] == [
        {"item-0": "1", "item-1": "2"},
        {"item-0": "x", "item-1": "true"},
    ]
    assert steps[2][0]["arguments"]["parameters"][1]["value"] == "{{item.item-1}}"


def test_a_loop_over_an_output_follows_it_in_a_dag() -> None:
    items = couler.set_dependencies(lambda: job("make"))
    couler.set_dependencies(
        lambda: couler.map(
            lambda i: couler.run_container("alpine", args=[i["k"]], step_name="each"), items
        )
    )
    manifest = cj.compile()
    assert depends(manifest) == {"make": "", "each": "make"}
    task = graph(manifest)["dag"]["tasks"][1]
    assert task["arguments"]["parameters"][0]["value"] == "{{item.k}}"


def test_exit_handlers_run_by_status() -> None:
    job("work")
    couler.set_exit_handler(couler.WFStatus.Succeeded, lambda: job("good"))
    couler.set_exit_handler(couler.WFStatus.Failed, lambda: job("bad"))
    manifest = cj.compile()
    assert manifest["spec"]["onExit"] == "exit-handler"
    whens = [step[0]["when"] for step in graph(manifest, "exit-handler")["steps"]]
    assert whens == [
        f"{{{{=workflow.status == '{status}'}}}}" for status in ("Succeeded", "Failed")
    ]


def test_all_settings_of_a_container() -> None:
    outputs = [
        couler.create_parameter_artifact("/tmp/o.txt"),
        couler.create_parameter_artifact("/o.txt", True),
    ]
    found = couler.run_container(
        image="registry/mine@sha256:1",
        output=outputs,
        env={"A": 1, "B": True, "C": "x"},
        resources={"cpu": "1"},
        timeout="5m",
        retry=2,
        image_pull_policy="Always",
        working_dir="/w",
        node_selector={"gpu": "yes"},
    )
    assert len(found) == 2
    assert graph(cj.compile(), "mine") == {
        "name": "mine",
        "outputs": {
            "parameters": [
                {"name": "o-txt", "valueFrom": {"path": "/tmp/o.txt"}},
                {"name": "o-txt-2", "valueFrom": {"path": "/o.txt"}, "globalName": "o-txt-2"},
            ]
        },
        "retryStrategy": {"limit": "2", "retryPolicy": "Always"},
        "activeDeadlineSeconds": 300,
        "container": {
            "image": "registry/mine@sha256:1",
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "true"},
                {"name": "C", "value": "x"},
            ],
            "workingDir": "/w",
            "imagePullPolicy": "Always",
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
        },
        "nodeSelector": {"gpu": "yes"},
    }


def test_config_workflow_names_and_limits() -> None:
    couler.config_workflow(name="Night_ly", timeout=60)
    job("a")
    manifest = cj.compile()
    assert manifest["metadata"] == {"generateName": "night-ly-"}
    assert manifest["spec"]["activeDeadlineSeconds"] == 60


def test_a_container_step_can_stand_in_a_workflow() -> None:
    @cj.step
    def read(text: Any) -> Any:
        return text

    @cj.workflow
    def flow(day: str = "x") -> Any:
        made = couler.run_container("alpine", "echo", [day], step_name="make")
        with cj.when(made[0] == "x"):
            couler.run_container("alpine", "echo", ["y"], step_name="then")
        return read(made[0])

    tasks = flow.compile()["spec"]["templates"][0]["dag"]["tasks"]
    assert [task.get("depends") for task in tasks] == [None, "make", "make"]
    assert tasks[2]["arguments"]["parameters"][0]["value"] == "{{tasks.make.outputs.result}}"
    with pytest.raises(DeclarationError, match="make runs a container"):
        cj.run_here(flow)


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: couler.run_script(source=""), "run_script needs source="),
        (lambda: couler.map(job, [1], [1, 2]), "lists of one length"),
        (lambda: couler.map(job, [job("a")]), "cannot be outputs of steps"),
        (lambda: couler.equal(1, 2), "one of the two must be a step's output"),
        (lambda: job("a", env={"A": [1]}), "The variable A is .1.: give it a text"),
        (
            lambda: couler.run_container("a", args=[couler.equal(job("a"), "x")]),
            "A condition cannot",
        ),
        (lambda: reference_of(job("a")[0]["k"]), "the output .result. of a has no parts"),
        (lambda: couler.map(lambda item: reference_of(item["a"]["b"]), job("x")), "has no parts"),
    ],
)
def test_a_mistake_is_told_at_once(declare: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        declare()


@pytest.mark.parametrize("name", ["dag", "set_dependencies", "map", "concurrent"])
def test_couler_order_has_no_meaning_inside_a_workflow(name: str) -> None:
    flow = cj.workflow(lambda: getattr(couler, name)([]))
    with pytest.raises(DeclarationError, match=f"{name} orders steps outside"):
        flow.compile()


# --- one recorder


def test_nothing_recorded_is_an_error() -> None:
    with pytest.raises(DeclarationError, match="Nothing was recorded"):
        take_recorded()


def test_settings_alone_are_no_workflow() -> None:
    couler.config_workflow(name="x")
    with pytest.raises(DeclarationError, match="No step was recorded"):
        take_recorded()


def test_what_was_taken_is_forgotten_also_after_an_error() -> None:
    couler.set_dependencies(lambda: job("A"), dependencies=["nobody"])
    with pytest.raises(CompileError):
        cj.compile()
    with pytest.raises(DeclarationError, match="Nothing was recorded"):
        cj.compile()


def test_threads_do_not_mix() -> None:
    found: dict[str, Any] = {}
    ready = threading.Barrier(2)

    def program(name: str) -> None:
        for number in range(20):
            job(f"{name}{number}")
            ready.wait(timeout=30)
        found[name] = groups(cj.compile())

    threads = [threading.Thread(target=program, args=(name,)) for name in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [[f"{name}{number}"] for number in range(20)] for name in ("x", "y")}


def test_a_workflow_compiled_in_between_does_not_mix_in() -> None:
    job("a")
    cj.workflow(lambda: job("inside")).compile()
    job("b")
    assert groups(cj.compile()) == [["a"], ["b"]]


def test_contexts_do_not_mix() -> None:
    job("a")
    contextvars.copy_context().run(record_into, None)
    assert groups(cj.compile()) == [["a"]]


class Submitter:
    def __init__(self) -> None:
        self.manifests: list[Any] = []

    def submit(self, manifest: Any) -> str:
        self.manifests.append(manifest)
        return "sent"


def test_run_sends_what_was_recorded_to_the_submitter() -> None:
    submitter = Submitter()
    job("a")
    assert couler.run(submitter) == "sent"
    assert groups(submitter.manifests[0]) == [["a"]]
    with pytest.raises(DeclarationError, match="Nothing was recorded"):
        couler.run()
