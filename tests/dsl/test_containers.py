"""`cj.container`: a step that runs a command of an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.dsl import words
from couler_jobs.errors import DeclarationError
from tests.dsl.common_steps import same, table
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import parallel_steps, run_locally

SHOWN = "import os, sys; print([*sys.argv[1:], os.environ.get('GIVEN')])"


@cj.step
def content(file: Path) -> str:
    return file.read_text()


def shown(*args: Any, **options: Any) -> Any:
    return cj.container("python:3.12", command=[sys.executable, "-c", SHOWN], args=args, **options)


@pytest.mark.parametrize("target", TARGETS)
def test_a_container_has_what_it_was_given(target: str) -> None:
    @cj.workflow
    def flow() -> Any:
        one = cj.container(
            "ghcr.io/team/tool:1.2",
            command="tool",
            args=["--rows", 5, "$(date)"],
            env={"A": "$(B)", "TOKEN": cj.secret("s", "k")},
            outputs={"rows": "/tmp/rows", "log": cj.file("/tmp/log", archive="none")},
            retries=1,
            memory="1Gi",
            node_selector={"disk": "ssd"},
        )
        return one["rows"]

    found = template(compiled(flow, target), "tool")
    assert found == {
        "name": "tool",
        "nodeSelector": {"disk": "ssd"},
        "retryStrategy": {"limit": "1", "retryPolicy": "Always"},
        "container": {
            "image": "ghcr.io/team/tool:1.2",
            "command": ["tool"],
            "args": ["--rows", "5", "$$(date)"],
            "env": [
                {"name": "A", "value": "$$(B)"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        },
        "outputs": {
            "parameters": [{"name": "rows", "valueFrom": {"path": "/tmp/rows"}}],
            "artifacts": [{"name": "log", "path": "/tmp/log", "archive": {"none": {}}}],
        },
    }


@pytest.mark.parametrize("target", TARGETS)
def test_values_of_steps_make_the_order_and_travel_as_parameters(target: str) -> None:
    @cj.workflow
    def flow(day: str = "x") -> None:
        first, other = same(1), same(2)
        with cj.when(same(day) == "x"):
            shown(first, env={"GIVEN": day}, name="show", after=other)

    found = task(compiled(flow, target), "show")
    assert found["depends"] == "same && same-2 && same-3"
    assert found["arguments"]["parameters"] == [
        {"name": "args-0", "value": "{{tasks.same.outputs.parameters.value}}"},
        {"name": "env-GIVEN", "value": "{{inputs.parameters.day}}"},
    ]


def test_equal_containers_share_a_template() -> None:
    @cj.workflow
    def flow() -> None:
        for number in range(3):
            shown(same(number), name="show")

    names = [one["name"] for one in compiled(flow)["spec"]["templates"]]
    assert sorted(names) == ["flow", "same", "show"]


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ("2026-01-01", "2026-01-01"),
        ('quoted "Zürich" \\ {one}\n', 'quoted "Zürich" \\ {one}\n'),
        (123456789012, "123456789012"),
        ([1, "a"], '[1, "a"]'),
        (None, "null"),
        ("{{workflow.name}}", '"\\u007b\\u007bworkflow.name}}"'),
        ("{{=1 + 1}}", '"\\u007b\\u007b=1 + 1}}"'),
        ("$(HOME)", '"\\u0024(HOME)"'),
        ("$5 or 5$", "$5 or 5$"),
        ("$$5", '"\\u0024\\u00245"'),
    ],
)
def test_a_value_arrives_as_text_and_nothing_in_it_is_expanded(
    value: Any, arrives: str, tmp_path: Path
) -> None:
    @cj.workflow
    def flow(value: Any) -> Any:
        return shown(value, same(value), env={"GIVEN": value})

    assert run_locally(flow, tmp_path, value=value) == str([arrives] * 3)


@pytest.mark.parametrize("text", ["$(HOME)", "$$", "$$(HOME)", "a$$$b", "$5 or 5$", "$HOME"])
def test_a_text_of_the_program_arrives_as_it_is(text: str, tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        return shown(text, env={"GIVEN": text})

    assert run_locally(flow, tmp_path) == str([text] * 2)


@parallel_steps
def test_what_a_container_prints_and_leaves_are_values_of_other_steps(tmp_path: Path) -> None:
    program = "import sys; print('[1, 2]'); open(sys.argv[1], 'w').write('left')"

    @cj.workflow
    def flow() -> Any:
        path = str(tmp_path / "left")
        one = cj.container(
            "python:3.12",
            command=[sys.executable, "-c", program, path],
            outputs={"text": path, "file": cj.file(path)},
        )
        with cj.when(one["text"] == "left"):
            again = shown(one["text"], name="again")
        rows = cj.map(same, one)
        return {
            "printed": same(one),
            "text": same(one["text"]),
            "file": content(one["file"]),
            "again": again,
            "rows": rows,
        }

    assert run_locally(flow, tmp_path / "home") == {
        "printed": [1, 2],
        "text": "left",
        "file": "left",
        "again": "['left', None]",
        "rows": [1, 2],
    }


def test_a_file_of_a_step_lies_where_the_container_finds_it(tmp_path: Path) -> None:
    path = str(tmp_path / "in.csv")

    @cj.workflow
    def flow() -> Any:
        return cj.container("alpine:3", command=["cat", path], files={path: table()})

    assert run_locally(flow, tmp_path / "home") == "a,b"


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_of_a_store_is_the_templates_own(target: str) -> None:
    @cj.workflow
    def flow() -> None:
        cj.container("alpine:3", command=["cat", "/in"], files={"/in": cj.raw("text")})

    found = template(compiled(flow, target), "alpine")
    assert found["inputs"]["artifacts"] == [
        {"name": "file-1", "path": "/in", "raw": {"data": "text"}}
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_a_container_has_the_workflows_mounts_and_its_own_hooks(target: str) -> None:
    @cj.workflow(mounts={"/data": cj.claim("data")})
    def flow() -> None:
        cj.container("alpine:3", command="true", on_exit=table)

    manifest = compiled(flow, target)
    assert [
        one["mountPath"] for one in template(manifest, "alpine")["container"]["volumeMounts"]
    ] == ["/data"]
    assert task(manifest, "alpine")["hooks"] == {"exit": {"template": "alpine-on-exit"}}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"args": ["{{workflow.name}}"]}, r"args\[0\] holds '{{'"),
        ({"args": 5}, "args=5: it is a list"),
        ({"retrys": 1}, "did you mean 'retries'"),
        ({"agrs": [1]}, "cj.container has no option 'agrs': did you mean 'args'\\?$"),
        ({"outputs": {"a": 5}}, "it is the path of a text, or cj.file"),
        ({"files": {"/in": 5}}, "give a file that a step leaves"),
        ({"after": 5}, "a step can only follow a call"),
        ({"env": {"A": []}}, "The variable A"),
        ({"env": {"A B": "x"}}, "The variable 'A B' has a name that Kubernetes does not take"),
        ({"env": {"A=B": "x"}}, "The variable 'A=B' has a name"),
        ({"env": {"1A": "x"}}, "begins with no digit"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    @cj.workflow
    def flow() -> None:
        cj.container("alpine:3", **options)

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


def _indexed(one: Any) -> Any:
    return one["nothing"]


def _in_a_list(one: Any) -> Any:
    return same([one])


def _parts(one: Any) -> Any:
    return same(one["text"]["part"])


def _file_as_value(one: Any) -> Any:
    return same(one["file"])


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (_indexed, "has no output 'nothing'.*it has text, file"),
        (_in_a_list, "cannot stand inside a list"),
        (_parts, "has no parts"),
        (_file_as_value, "is a file: a step takes it by a parameter"),
    ],
)
def test_what_a_container_leaves_is_refused_where_it_cannot_stand(use: Any, words: str) -> None:
    @cj.workflow
    def flow() -> None:
        use(cj.container("alpine:3", outputs={"text": "/a", "file": cj.file("/b")}))

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


def test_a_container_outside_of_a_workflow_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"cj\.container has a meaning only inside"):
        cj.container("alpine:3")


def test_a_value_stands_in_the_command_itself() -> None:
    @cj.workflow
    def flow() -> None:
        date = cj.container("alpine:3", command="date", name="date")
        cj.container("alpine:3", command=["echo", date], name="said")

    found = template(compiled(flow), "said")["container"]
    assert found["command"] == ["echo", "{{inputs.parameters.command-1}}"]


def test_what_options_may_be_is_worked_out_once_for_all_calls() -> None:
    @cj.workflow
    def flow() -> None:
        for _ in range(50):
            cj.container("alpine", command="true", memory="1Gi")

    flow.declare()
    before = words._types.cache_info().misses
    flow.declare()
    assert words._types.cache_info().misses == before
