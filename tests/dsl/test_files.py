"""Parameters and values annotated with `Path`: files that travel as artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

import pytest

import couler_jobs as cj
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.cli.screen import output_lines
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import local, parallel_steps, run_locally


@dataclass
class Parts:
    table: Path
    rows: int


@cj.step
def write(text: str) -> Path:
    path = Path("made.txt")
    path.write_text(text)
    return path


@cj.step
def folder_of(text: str) -> Path:
    folder = Path("made")
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text(text)
    return folder


@cj.step
def parts(text: str) -> Parts:
    path = Path("parts.txt")
    path.write_text(text)
    return Parts(path, len(text))


@cj.step
def read(table: Path) -> str:
    found = table / "a.txt" if table.is_dir() else table
    return found.read_text()


@cj.step
def read_more(text: str, table: Path | None = None) -> str:
    return text + (table.read_text() if table else "")


@cj.step
def yes(value: bool) -> bool:
    return value


@cj.workflow
def pass_on(text: str = "hello") -> str:
    return read(write(text))


@cj.workflow
def inner(table: Path) -> Path:
    return write(read(table))


@cj.workflow
def nested(text: str = "deep") -> str:
    return read(inner(write(text)))


@cj.workflow
def of_a_folder() -> str:
    return read(folder_of("in a folder"))


@cj.workflow
def of_a_part() -> Any:
    found = parts("four")
    return {"text": read(found.table), "rows": found.rows}


@cj.workflow
def from_text() -> str:
    return read(cj.raw("raw"))


@cj.workflow
def without() -> str:
    return read_more("none")


@cj.workflow
def in_rounds() -> list[str]:
    return cj.map(read_more, ["a", "b"], table=write("!"))


@cj.workflow
def in_rounds_over_a_value() -> list[str]:
    return cj.map(read_more, listed("a", "b"), table=write("!"))


@cj.step
def listed(first: str, second: str) -> list[str]:
    return [first, second]


@cj.workflow
def chosen(text: str) -> Path:
    flag = yes(False)
    with cj.when(flag):
        left = write("left")
    with cj.otherwise():
        right = write(text)
    found: Path = cj.either(left, right)
    return found


@cj.workflow
def of_a_choice() -> str:
    return read(chosen("right"))


RUNS = {
    pass_on: "hello",
    nested: "deep",
    of_a_folder: "in a folder",
    of_a_part: {"text": "four", "rows": 4},
    from_text: "raw",
    without: "none",
    in_rounds: ["a!", "b!"],
    in_rounds_over_a_value: ["a!", "b!"],
    of_a_choice: "right",
}


@pytest.mark.parametrize("flow", RUNS, ids=lambda flow: str(flow.name))
def test_files_travel_in_this_process(
    flow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cj.run_here(flow) == RUNS[flow]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("flow", RUNS, ids=lambda flow: str(flow.name))
def test_a_workflow_with_files_has_nothing_to_complain_of(flow: Any, target: str) -> None:
    compiled(flow, target)


@cj.workflow
def all_of_them() -> Any:
    return {
        "pass": pass_on("hello"),
        "nested": nested("deep"),
        "folder": of_a_folder(),
        "part": of_a_part(),
        "raw": from_text(),
        "without": without(),
        "rounds": in_rounds(),
        "value": in_rounds_over_a_value(),
        "choice": of_a_choice(),
    }


@parallel_steps
def test_files_travel_on_this_machine(tmp_path: Path) -> None:
    assert list(run_locally(all_of_them, tmp_path).values()) == list(RUNS.values())


def test_a_file_that_a_workflow_returns_is_a_path_of_it(tmp_path: Path) -> None:
    @cj.workflow
    def both() -> Any:
        return {"file": write("hello"), "folder": folder_of("more"), "rows": parts("x").rows}

    run = cj.submit(local(both.compile()), backend=LocalBackend(tmp_path)).wait(timeout=60)
    assert run.outputs["file"].read_text() == "hello"
    assert (run.outputs["folder"] / "a.txt").read_text() == "more"
    assert run.outputs["rows"] == 1
    assert f"  file = {run.outputs['file']}" in output_lines(run)
    single = cj.submit(local(pass_file.compile()), backend=LocalBackend(tmp_path)).wait(timeout=60)
    assert single.outputs["value"].read_text() == "alone"


@cj.workflow
def pass_file() -> Path:
    return write("alone")


def test_a_file_that_was_never_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    @cj.step
    def forgets() -> Path:
        return Path("missing.csv")

    @cj.workflow
    def flow() -> Path:
        return forgets()

    run = cj.submit(local(flow.compile()), backend=LocalBackend(tmp_path))
    run.wait(timeout=60, raise_on_failure=False)
    assert [line.text for line in run.logs()] == [
        "forgets() returned Path('missing.csv'), and there is no such file"
    ]
    assert "no such file" in run.failure()


def test_a_file_is_an_artifact_on_both_sides() -> None:
    manifest = compiled(pass_on)
    assert template(manifest, "write")["outputs"]["artifacts"] == [
        {"name": "file", "path": "/tmp/couler-jobs-files/out/file"}
    ]
    assert template(manifest, "read")["inputs"] == {
        "artifacts": [{"name": "table", "path": "/tmp/couler-jobs-files/in/table"}]
    }
    found = task(manifest, "read")
    assert found["depends"] == "write"
    assert found["arguments"] == {
        "artifacts": [{"name": "table", "from": "{{tasks.write.outputs.artifacts.file}}"}]
    }


KEY, PASSWORD = cj.secret("s", "key"), cj.secret("s", "password")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("location", "fields"),
    [
        (
            cj.s3("a/b.csv", bucket="b", endpoint="e", region="r", insecure=True, access_key=KEY),
            {
                "s3": {
                    "key": "a/b.csv",
                    "bucket": "b",
                    "endpoint": "e",
                    "region": "r",
                    "insecure": True,
                    "accessKeySecret": {"name": "s", "key": "key"},
                }
            },
        ),
        (cj.s3("k", useSDKCreds=True), {"s3": {"key": "k", "useSDKCreds": True}}),
        (
            cj.oss("k", bucket="b", secret_key=PASSWORD),
            {
                "oss": {
                    "key": "k",
                    "bucket": "b",
                    "secretKeySecret": {"name": "s", "key": "password"},
                }
            },
        ),
        (cj.gcs("k", bucket="b"), {"gcs": {"key": "k", "bucket": "b"}}),
        (
            cj.azure("k", container="c", endpoint="e"),
            {"azure": {"blob": "k", "container": "c", "endpoint": "e"}},
        ),
        (
            cj.url("https://example.org/a", headers={"A": "b"}),
            {"http": {"url": "https://example.org/a", "headers": [{"name": "A", "value": "b"}]}},
        ),
        (
            cj.git("https://example.org/r.git", revision="main", depth=1, ssh_key=KEY),
            {
                "git": {
                    "repo": "https://example.org/r.git",
                    "revision": "main",
                    "depth": 1,
                    "sshPrivateKeySecret": {"name": "s", "key": "key"},
                }
            },
        ),
        (cj.raw("text"), {"raw": {"data": "text"}}),
        (
            cj.hdfs("/a", addresses=["n:1"], user="u"),
            {"hdfs": {"path": "/a", "addresses": ["n:1"], "hdfsUser": "u"}},
        ),
        (
            cj.artifactory("https://example.org/a", username=KEY, password=PASSWORD),
            {
                "artifactory": {
                    "url": "https://example.org/a",
                    "usernameSecret": {"name": "s", "key": "key"},
                    "passwordSecret": {"name": "s", "key": "password"},
                }
            },
        ),
    ],
)
def test_each_store_is_a_word(location: Any, fields: dict[str, Any], target: str) -> None:
    @cj.workflow
    def flow() -> None:
        read(location)

    manifest = compiled(flow, target)
    assert task(manifest, "read")["arguments"]["artifacts"] == [{"name": "table", **fields}]


def test_an_artifact_driver_is_there_since_4_0() -> None:
    @cj.workflow
    def flow() -> None:
        read(cj.plugin_artifact("mine", "k", configuration="c"))

    found = task(compiled(flow), "read")["arguments"]["artifacts"]
    assert found[0]["plugin"] == {"name": "mine", "key": "k", "configuration": "c"}


@cj.step
def kept(
    table: Annotated[Path, cj.file("/data/in.csv", mode=0o600, optional=True)],
) -> Annotated[Path, cj.file("/data/out.csv", at=cj.s3("out.csv"), archive="none")]:
    return table


@pytest.mark.parametrize("target", TARGETS)
def test_an_annotation_says_how_a_file_travels(target: str) -> None:
    @cj.workflow
    def flow() -> None:
        kept(cj.raw("x"))

    found = template(compiled(flow, target), "kept")
    assert found["inputs"]["artifacts"] == [
        {"name": "table", "path": "/data/in.csv", "mode": 0o600, "optional": True}
    ]
    assert found["outputs"]["artifacts"] == [
        {
            "name": "file",
            "path": "/data/out.csv",
            "s3": {"key": "out.csv"},
            "archive": {"none": {}},
        }
    ]
    assert "couler_jobs as" not in found["script"]["source"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_workflow_takes_and_returns_files(target: str) -> None:
    manifest = compiled(inner, target, table=cj.s3("k", bucket="b"))
    assert manifest["spec"]["arguments"]["artifacts"] == [
        {"name": "table", "s3": {"key": "k", "bucket": "b"}}
    ]
    found = template(manifest, "inner")
    assert found["inputs"]["artifacts"] == [{"name": "table"}]
    assert found["outputs"]["artifacts"] == [
        {
            "name": "value",
            "globalName": "value",
            "from": "{{tasks.write.outputs.artifacts.file}}",
        }
    ]


def test_a_file_here_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "given.txt"
    given.write_text("here")
    assert cj.run_here(inner, table=given).read_text() == "here"


def value_for_a_file() -> None:
    read("table.csv")  # type: ignore[call-overload]


def number_for_a_file() -> None:
    read(yes(True))  # type: ignore[call-overload]


def file_for_a_value() -> None:
    read_more(write("x"))  # type: ignore[call-overload]


def items_that_are_files() -> None:
    cj.map(read, ["a", "b"])


def loop_over_a_file() -> None:
    cj.map(read_more, write("x"))


def compare_a_file() -> None:
    with cj.when(write("x") == "y"):  # type: ignore[comparison-overlap]
        read(write("x"))


def unknown_field() -> None:
    read_more(parts("x").size)  # type: ignore[attr-defined]


class Nested(TypedDict):
    several: list[Parts]


@cj.step
def nested_parts() -> Nested:
    raise AssertionError


@cj.step
def several(text: str) -> list[Path]:
    return [Path(text)]


@cj.step
def take(value: Any) -> None: ...


@cj.step
def rows_of(value: Parts) -> int:
    return value.rows


@cj.workflow
def in_a_workflow(text: str) -> Parts:
    return parts(text)


@cj.workflow
def given_whole(value: Any) -> None:
    take(value)


@cj.workflow
def unsaid(text: str) -> Any:
    return write(text)


@cj.workflow
def unsaid_parts(text: str) -> Any:
    return {"both": parts(text), "file": write(text)}


@cj.workflow
def unsaid_loop() -> Any:
    return cj.map(write, ["a"])


def whole_or_other() -> Any:
    with cj.when(yes(True)):
        left = parts("x")
    return cj.either(left, parts("y"))


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            lambda: rows_of(parts("x")),
            "The argument 'value': in the value of parts there are files",
        ),
        (lambda: take([1, {"a": parts("x")}]), "'value': in the value of parts there are files"),
        (lambda: take(nested_parts()), "'value': in the value of nested-parts there are files"),
        (lambda: take(nested_parts()["several"]), r"the value of nested-parts\['several'\] there"),
        (lambda: take(several("x")), "'value': in the value of several there are files"),
        (lambda: take(several("x")[0]), "'value': in the value of several.0. there are files"),
        (lambda: take(cj.map(write, ["a", "b"])), "the values of write there are files"),
        (lambda: take(cj.map(parts, several("x"))), "the value of several there are files"),
        (lambda: take(in_a_workflow("x")), "the value of in-a-workflow there are files"),
        (lambda: given_whole(parts("x")), "the value of parts there are files"),
        (lambda: take(unsaid("x")), "'value': the value of unsaid is a file"),
        (lambda: take(unsaid_parts("x")["both"]), "there are files"),
        (lambda: take(unsaid_loop()), "in the value of unsaid-loop there are files"),
        (lambda: take(cj.map(unsaid, ["a"])), "in the values of unsaid there are files"),
        (lambda: take(cj.map(lambda n: write(n), ["a"])), "in the values of map-round there"),
        (lambda: take(whole_or_other()), "one of several values there are files"),
    ],
)
def test_a_file_inside_a_value_is_refused_where_it_is_passed_on(
    function: Any, sentence: str
) -> None:
    with pytest.raises(DeclarationError, match=rf"test_files\.py, line \d+: .*{sentence}"):
        cj.workflow(name="flow")(function).compile()


def test_a_file_of_a_workflow_without_annotations_is_passed_on(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        found = unsaid_parts("in parts")
        several = [found["file"], found["both"].table, found["both"]["table"], unsaid("alone")]
        return [*map(read, several), found["both"].rows]

    manifest = compiled(flow)
    assert cj.lint(manifest) == []
    assert run_locally(flow, tmp_path) == [*["in parts"] * 3, "alone", 8]


@pytest.mark.parametrize("hint", [int, Path | str, list[Any], dict[str, Path | str], [Path], None])
def test_what_may_be_no_file_is_passed_on(hint: Any) -> None:
    def make() -> Any: ...

    make.__annotations__ = {"return": hint}
    made = cj.step(make)
    assert cj.workflow(name="flow")(lambda: take(made())).compile()


@cj.workflow
def promises() -> Path:
    return yes(True)  # type: ignore[return-value]


def broken_promise() -> None:
    read(promises())


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (value_for_a_file, "The argument 'table' is a file, and 'table.csv' is none"),
        (number_for_a_file, "The argument 'table' is a file, and the value of yes is none"),
        (file_for_a_value, "The argument 'text': the value of write is a file"),
        (items_that_are_files, "cj.map gives values, and 'table' is a file"),
        (loop_over_a_file, "the value of write is a file"),
        (compare_a_file, "the value of write is a file"),
        (unknown_field, "the value of parts has no attribute 'size' that is known"),
        (broken_promise, "promises is annotated to return a file"),
    ],
)
def test_a_mistake_with_a_file_is_told_with_its_line(function: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=rf"test_files\.py, line \d+: {sentence}"):
        cj.workflow(function).compile()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: inner.compile(table="x"), "The parameter 'table' is a file, and 'x' is none"),
        (lambda: cj.raw("{{x}}"), "which Argo would expand"),
        (lambda: cj.raw("costs $$5"), r"holds '\$\$', which Kubernetes would expand"),
        (lambda: cj.raw("$(HOME)"), r"holds '\$\(HOME\)', which Kubernetes would expand"),
        (lambda: cj.file(archive="rar"), "archive='rar': it is 'none', 'tar', 'zip'"),
        (lambda: cj.s3("k", access_key=cast(Any, "x")), "accessKeySecret takes cj.secret"),
        (lambda: cj.s3("k", more=object()), "The artifact s3 is no JSON"),
        (lambda: cj.run_here(inner, table=cj.s3("k")), "lies where run_here cannot fetch it"),
    ],
)
def test_a_wrong_file_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        call()
