"""`data` templates: what a run has stored below a key, and what expressions make of the list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local import listing
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.files import collect
from couler_jobs.backends.local.told import told
from couler_jobs.backends.local.values import Launch, OutputFile
from couler_jobs.errors import Rejected
from couler_jobs.spec.expressions import ExpressionError
from couler_jobs.spec.status import Phase
from tests.backends.local.driving import RUN, Drive, step, steps, workflow
from tests.backends.workflows import finish

# --- the list


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """`logs/a.log`, `logs/deep/b.log` and `other` are stored, and the folder `logs/packed`."""
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.log").touch()
    (folder / "deep" / "b.log").touch()
    outputs = tuple(
        OutputFile(name=name, path=str(path), key=f"repository/{key}", packed=packed)
        for name, key, packed, path in (
            ("folder", "logs", False, folder),
            ("archive", "logs/packed", True, folder),
            ("file", "other", True, folder / "a.log"),
        )
    )
    launch = Launch(node="n", template="t", command=(), output_artifacts=outputs)
    collect(launch, tmp_path / "artifacts", "n", lambda path: path)
    return tmp_path / "artifacts"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("logs", ["logs/a.log", "logs/deep/b.log", "logs/packed"]),
        ("/logs/", ["logs/a.log", "logs/deep/b.log", "logs/packed"]),
        ("logs/deep", ["logs/deep/b.log"]),
        ("other", []),
        ("logs/packed", []),
        ("", ["logs/a.log", "logs/deep/b.log", "logs/packed", "other"]),
    ],
)
def test_the_keys_below_a_key_are_listed(artifacts: Path, key: str, found: list[str]) -> None:
    assert listing.keys(artifacts, "repository", key) == found


@pytest.mark.parametrize("key", ["nothing", "log", "../x", ".."])
def test_a_key_that_nothing_was_stored_at_is_named(artifacts: Path, key: str) -> None:
    (artifacts / "x").touch()
    with pytest.raises(listing.Unlisted, match=f"no key found of name {key}"):
        listing.keys(artifacts, "repository", key)


def test_a_run_that_has_stored_nothing_has_no_keys(tmp_path: Path) -> None:
    assert listing.keys(tmp_path, "repository", "") == []


@pytest.mark.parametrize(
    ("expressions", "found"),
    [
        ([], ["b.log", "a.txt"]),
        (['filter(data, {# endsWith ".log"})'], ["b.log"]),
        (['map(data, {"s3/" + #})', "data[0]"], "s3/b.log"),
        (["len(data)", "data * 2"], 4),
    ],
)
def test_each_expression_has_what_the_one_before_it_made(
    expressions: list[str], found: Any
) -> None:
    assert listing.transformed(["b.log", "a.txt"], expressions) == found


def test_an_expression_that_is_wrong_is_named_by_its_number() -> None:
    with pytest.raises(ExpressionError, match="error processing data step 1: unknown name nothing"):
        listing.transformed([], ["data", "nothing"])


@pytest.mark.parametrize(
    ("key", "expression", "code", "error"),
    [
        ("other", "data", 0, ""),
        ("none", "data", 64, "unable to source artifact paths: no key found of name none"),
        ("", "data +", 64, "unable to process data transformation: error processing data step 0"),
    ],
)
def test_the_result_or_what_went_wrong_is_left(
    artifacts: Path, tmp_path: Path, key: str, expression: str, code: int, error: str
) -> None:
    data = {"repository": "repository", "key": key, "expressions": [expression]}
    (tmp_path / "work.json").write_text(json.dumps({"artifacts": str(artifacts), "data": data}))
    assert listing.main([str(tmp_path / "work.json")]) == code
    found = told(tmp_path)
    assert found is not None
    assert error in found["error"]
    assert found["result"] == (None if code else "[]")


def test_what_is_stored_again_is_what_it_is_now(artifacts: Path, tmp_path: Path) -> None:
    again = OutputFile(name="f", path=str(tmp_path / "made"), key="repository/logs/packed")
    launch = Launch(node="n", template="t", command=(), output_artifacts=(again,))
    collect(launch, artifacts, "n", lambda path: path)
    assert "logs/packed/a.log" in listing.keys(artifacts, "repository", "logs")


# --- its node and whole runs


def of(**location: Any) -> dict[str, Any]:
    source = {"artifactPaths": {"name": "files", **location}}
    filtered = [{"expression": 'filter(data, {# contains "log"})'}]
    return {"name": "list", "data": {"source": source, "transformation": filtered}}


def test_a_list_is_a_pod_whose_result_others_loop_over() -> None:
    show = step("b", "echo", m="{{item}}", withParam="{{steps.a.outputs.result}}")
    drive = Drive(workflow(steps([step("a", "list")], [show]), of(s3={"key": "logs"})))
    (launch,) = drive.launched
    assert launch.work is not None
    assert launch.work["data"]["key"] == "logs"
    drive.end("[0].a", result='["x","y"]')
    assert drive.nodes[f"{RUN}[0].a"].type == "Pod"
    assert drive.inputs("[1].b(1:y)") == {"m": "y"}


@pytest.mark.parametrize(
    ("location", "field"),
    [({"s3": {"bucket": "b"}}, r"s3\.bucket"), ({"http": {"url": "http://x"}}, "http")],
)
def test_a_list_of_another_repository_is_refused_by_its_field(
    location: dict[str, Any], field: str
) -> None:
    with pytest.raises(Rejected, match=rf"data\.source\.artifactPaths\.{field}"):
        Drive(workflow(steps([step("a", "list")]), of(**location)))


def manifest(key: str) -> dict[str, Any]:
    """Steps that store two files, list them, and print each."""
    made = {"name": "d", "path": "/tmp/d", "archive": {"none": {}}, "s3": {"key": "stored"}}
    each = {"name": "f", "s3": {"key": "{{item}}"}}
    listed = "{{steps.list.outputs.result}}"
    text = "mkdir /tmp/d; echo one > /tmp/d/1.log; echo two > /tmp/d/2.log; touch /tmp/d/other"
    show = {
        "name": "show",
        "template": "show",
        "withParam": listed,
        "arguments": {"artifacts": [each]},
    }
    templates = [
        {
            "name": "main",
            "steps": [
                [{"name": "make", "template": "make"}],
                [{"name": "list", "template": "list"}],
                [show],
            ],
        },
        {
            "name": "make",
            "outputs": {"artifacts": [made]},
            "container": {"image": "x", "command": ["sh", "-c", text]},
        },
        of(s3={"key": key}),
        {
            "name": "show",
            "inputs": {"artifacts": [{"name": "f", "path": "/tmp/f"}]},
            "container": {"image": "x", "command": ["cat", "/tmp/f"]},
        },
    ]
    spec = {"entrypoint": "main", "templates": templates}
    return {"kind": "Workflow", "metadata": {"generateName": "data-"}, "spec": spec}


def test_a_run_lists_what_it_has_stored(local: LocalBackend) -> None:
    run = finish(local, local.submit(manifest("stored")).name)
    assert run.phase is Phase.SUCCEEDED, run
    assert sorted(line.text for line in local.logs(run.name)) == ["one", "two"]


def test_a_run_that_lists_nothing_fails_with_the_key(local: LocalBackend) -> None:
    run = finish(local, local.submit(manifest("elsewhere")).name)
    node = run.nodes[f"{run.name}[1].list"]
    assert node.phase is Phase.FAILED
    assert node.message.startswith("main: Error (exit code 64): unable to process data template")
    assert node.message.endswith("no key found of name elsewhere")
