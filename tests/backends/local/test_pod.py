"""Steps of more than one process: remote artifacts, init containers, sidecars."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.fetching import Unfetched, fetch
from couler_jobs.backends.local.references import References
from couler_jobs.spec.status import NodeInfo, Phase
from tests.backends.local.test_references import secret
from tests.backends.local.web_server import web_server
from tests.backends.workflows import finish, sh, text_of, workflow

IMAGE = "busybox"


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/nothing" else 200)
        self.end_headers()
        told = (self.path, self.headers.get("X-Way", ""), self.headers.get("Authorization", ""))
        self.wfile.write(" ".join(told).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with web_server(Handler) as found:
        yield found


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two commits; the first is tagged `one`."""
    folder = tmp_path_factory.mktemp("repository")
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org"]

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)

    git("init", "--initial-branch=main")
    for number in ("1", "2"):
        (folder / "f").write_text(number)
        git("add", ".")
        git("commit", "--message", number)
        git("tag", f"v{number}")
    return folder


# --- http and git


@pytest.mark.parametrize(
    ("http", "text"),
    [
        ({}, "/x  "),
        ({"headers": [{"name": "X-Way", "value": "up"}]}, "/x up "),
        (
            {"auth": {"basicAuth": {"passwordSecret": {"name": "s", "key": "token"}}}},
            "/x  Basic Omh1c2g=",
        ),
    ],
)
def test_an_http_artifact_is_downloaded(
    address: str, tmp_path: Path, http: dict[str, Any], text: str
) -> None:
    secret(tmp_path)
    target = tmp_path / "deep" / "f"
    fetch({"http": {"url": f"{address}/x", **http}}, target, References(tmp_path))
    assert target.read_text() == text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{0}/nothing", "answered 404"),
        ("http://127.0.0.1:1/x", "could not be read"),
        ("file:///etc/passwd", "is not an http address"),
    ],
)
def test_an_http_artifact_that_cannot_be_had_is_named(
    address: str, tmp_path: Path, url: str, words: str
) -> None:
    remote = {"http": {"url": url.format(address)}}
    with pytest.raises(Unfetched, match=words):
        fetch(remote, tmp_path / "f", References(tmp_path))


@pytest.mark.parametrize(
    ("git", "text"),
    [
        ({}, "2"),
        ({"revision": "v1"}, "1"),
        ({"branch": "main", "singleBranch": True, "depth": 1}, "2"),
        ({"fetch": ["refs/tags/v1"], "disableSubmodules": True}, "2"),
        ({"revision": "v1", "insecureSkipTLS": True}, "1"),
    ],
)
def test_a_git_artifact_is_cloned(
    repository: Path, tmp_path: Path, git: dict[str, Any], text: str
) -> None:
    remote = {"git": {"repo": f"file://{repository}", **git}}
    fetch(remote, tmp_path / "clone", References(tmp_path))
    assert (tmp_path / "clone" / "f").read_text() == text


@pytest.mark.parametrize(
    ("git", "words"),
    [
        ({"revision": "nowhere"}, "git checkout failed"),
        ({"revision": "--force"}, "cannot be a name in git"),
        ({"repo": "ext::sh -c true"}, "git clone failed"),
    ],
)
def test_a_git_artifact_that_cannot_be_had_is_named(
    repository: Path, tmp_path: Path, git: dict[str, Any], words: str
) -> None:
    remote = {"git": {"repo": f"file://{repository}", **git}}
    with pytest.raises(Unfetched, match=words):
        fetch(remote, tmp_path / "clone", References(tmp_path))


# --- real runs


def done(local: LocalBackend, text: str, **template: Any) -> NodeInfo:
    run = finish(local, local.submit(workflow(sh("a", text, **template))).name)
    return run.nodes[f"{run.name}.a"]


def beside(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c"], "args": [text]}


def remote(**location: Any) -> dict[str, Any]:
    return {"inputs": {"artifacts": [{"name": "f", "path": "/tmp/f", **location}]}}


def test_a_step_finds_its_remote_artifact_at_its_path(local: LocalBackend, address: str) -> None:
    where = remote(http={"url": f"{address}/y"}, mode=0o700)
    node = done(local, "test -x /tmp/f && grep -q /y /tmp/f", **where)
    assert (node.phase, node.message) == (Phase.SUCCEEDED, "")


def test_a_step_whose_remote_artifact_cannot_be_had_is_an_error(
    local: LocalBackend, address: str
) -> None:
    node = done(local, "true", **remote(http={"url": f"{address}/nothing"}))
    assert node.phase is Phase.ERROR
    assert node.message == (
        f"The input artifact f could not be fetched: {address}/nothing answered 404 Not Found."
    )


def test_init_containers_run_first_in_their_order(local: LocalBackend) -> None:
    init = [beside("one", "echo 1 > f"), beside("two", "echo 2 >> f")]
    assert done(local, 'test "$(cat f)" = "1\n2"', initContainers=init).phase is Phase.SUCCEEDED


def test_an_init_container_that_fails_ends_the_step(local: LocalBackend) -> None:
    node = done(local, "touch ran", initContainers=[beside("one", "exit 3")])
    assert (node.phase, node.message) == (Phase.FAILED, "one: Error (exit code 3)")


def test_a_sidecar_runs_beside_the_step_and_ends_with_it(local: LocalBackend) -> None:
    sidecar = beside("side", "echo here > here; exec sleep 600")
    node = done(local, "until test -s here; do sleep 0.02; done", sidecars=[sidecar])
    assert node.phase is Phase.SUCCEEDED


def test_a_sidecar_that_failed_fails_the_step(local: LocalBackend) -> None:
    text = "until test -e here; do sleep 0.02; done; sleep 0.2"
    node = done(local, text, sidecars=[beside("side", "touch here; exit 4")])
    assert (node.phase, node.message) == (Phase.FAILED, "side: Error (exit code 4)")


def test_a_step_of_several_processes_keeps_its_exit_code(local: LocalBackend) -> None:
    node = done(local, "exit 5", sidecars=[beside("side", "sleep 600")])
    assert (node.phase, node.message) == (Phase.FAILED, "main: Error (exit code 5)")


def test_only_the_step_s_own_process_prints_the_result(local: LocalBackend) -> None:
    a = sh("a", "echo mine", initContainers=[beside("one", "echo other")])
    b = sh("b", "test '{{inputs.parameters.r}}' = mine", inputs={"parameters": [{"name": "r"}]})
    manifest = workflow(a, b)
    manifest["spec"]["templates"][0]["dag"]["tasks"][1] |= {
        "depends": "a",
        "arguments": {"parameters": [{"name": "r", "value": "{{tasks.a.outputs.result}}"}]},
    }
    run = finish(local, local.submit(manifest).name)
    assert run.phase is Phase.SUCCEEDED
    assert set(text_of(local, run.name).split()) == {"mine", "other"}


def test_a_step_of_several_processes_can_be_stopped(local: LocalBackend) -> None:
    manifest = workflow(sh("a", "sleep 600", sidecars=[beside("side", "sleep 600")]))
    name = local.submit(manifest).name
    local.terminate(name)
    assert finish(local, name).phase is Phase.FAILED


def test_a_program_beside_the_step_that_is_not_there_is_named(local: LocalBackend) -> None:
    init = [{"name": "one", "image": IMAGE, "command": ["no-such-program"]}]
    node = done(local, "true", initContainers=init)
    assert node.phase is Phase.ERROR
    assert node.message == (
        'one: failed to find name in PATH: exec: "no-such-program": executable file not found in '
        "$PATH"
    )
