"""`daemon: true`: others go on once it is ready, and it ends with what is around it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.engine import reset_for_retry
from couler_jobs.backends.local.probing import NeverUp, Probed, passed
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.values import Probe
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.local.driving import RUN, Drive, dag, script, step, steps, workflow
from tests.backends.local.processes import gone, kill, pid_in, soon, supervised
from tests.backends.local.web_server import web_server
from tests.backends.workflows import finish, wait_until

SERVE = script("serve", daemon=True)
AGAIN = script("serve", daemon=True, retryStrategy={"limit": 1})
ASK = step("ask", "echo", m="{{tasks.serve.ip}} {{tasks.serve.status}}", depends="serve")


# --- when others go on


def test_a_task_waits_until_its_daemon_is_ready_and_is_told_where_it_is() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    assert drive.started() == [".serve"]
    drive.report(".serve")
    assert drive.inputs(".ask") == {"m": "127.0.0.1 Running"}


def test_a_group_of_steps_waits_until_its_daemon_is_ready() -> None:
    ask = step("ask", "echo", m="{{steps.serve.ip}}")
    drive = Drive(workflow(steps([step("serve", "serve")], [ask]), SERVE))
    assert drive.started() == ["[0].serve"]
    drive.report("[0].serve")
    assert drive.inputs("[1].ask") == {"m": "127.0.0.1"}


@pytest.mark.parametrize(
    ("depends", "phase"),
    [
        ("serve", "Running"),
        ("serve.Daemoned", "Running"),
        ("serve.Succeeded", "Omitted"),
        ("serve.Failed", "Omitted"),
    ],
)
def test_a_ready_daemon_has_a_result_of_its_own(depends: str, phase: str) -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), step("ask", depends=depends)), SERVE))
    drive.report(".serve")
    assert drive.phase(".ask") == phase


def test_a_daemon_that_ends_before_it_is_ready_has_failed() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.end(".serve")
    assert drive.phases() == {"": "Failed", ".serve": "Failed", ".ask": "Omitted"}


# --- how it ends


def test_a_daemon_has_succeeded_when_what_is_around_it_ends() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.report(".serve")
    drive.end(".ask")
    assert drive.phases() == {"": "Succeeded", ".serve": "Succeeded", ".ask": "Succeeded"}
    assert drive.killed == [f"{RUN}.serve"]


def test_the_run_ends_once_its_daemons_are_gone() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.report(".serve")
    assert not drive.end(".ask").ended
    assert drive.end(".serve", 143).phase is Phase.SUCCEEDED
    assert drive.phase(".serve") is Phase.SUCCEEDED


def test_a_daemon_ends_with_its_own_template_not_with_the_run() -> None:
    inner = {"name": "inner", **steps([step("serve", "serve")], [step("a")])}
    drive = Drive(workflow(steps([step("in", "inner")], [step("b")]), inner, SERVE))
    drive.report("[0].in[0].serve")
    drive.end("[0].in[1].a")
    assert drive.killed == [f"{RUN}[0].in[0].serve"]
    assert drive.started()[-1] == "[1].b"


def test_a_daemon_nobody_waits_for_ends_with_the_rest() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), step("a")), SERVE))
    drive.end(".a")
    drive.report(".serve")
    assert drive.phase("") is Phase.SUCCEEDED


def test_a_daemon_that_is_the_whole_workflow_succeeds_once_it_is_ready() -> None:
    manifest = workflow(dag(step("a")), SERVE)
    manifest["spec"]["entrypoint"] = "serve"
    drive = Drive(manifest)
    drive.report("")
    assert drive.end("", 143).phase is Phase.SUCCEEDED
    assert drive.phases() == {"": "Succeeded"}


def test_what_started_already_goes_on_when_its_daemon_fails() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.report(".serve")
    drive.end(".serve", 3)
    drive.end(".ask")
    assert drive.phases() == {"": "Succeeded", ".serve": "Failed", ".ask": "Succeeded"}
    assert drive.message(".serve") == "main: Error (exit code 3)"


def test_what_has_not_started_is_omitted_when_its_daemon_fails() -> None:
    both = step("both", depends="serve && slow")
    drive = Drive(workflow(dag(step("serve", "serve"), step("slow"), both), SERVE))
    drive.report(".serve")
    drive.end(".serve")
    drive.end(".slow")
    assert drive.phases()[".both"] == "Omitted"
    assert drive.decision.phase is Phase.FAILED


def test_steps_go_on_when_a_daemon_of_an_earlier_group_fails() -> None:
    drive = Drive(workflow(steps([step("serve", "serve")], [step("a")], [step("b")]), SERVE))
    drive.report("[0].serve")
    drive.end("[0].serve", 1)
    drive.end("[1].a")
    drive.end("[2].b")
    assert drive.phases()[""] == "Succeeded"


def test_a_daemon_that_fails_beside_other_steps_fails_their_group() -> None:
    drive = Drive(workflow(steps([step("serve", "serve"), step("a")], [step("b")]), SERVE))
    drive.report("[0].serve")
    drive.end("[0].serve", 1)
    drive.end("[0].a")
    assert drive.phases() == {
        "": "Failed",
        "[0]": "Failed",
        "[0].serve": "Failed",
        "[0].a": "Succeeded",
    }


def test_a_stop_ends_a_daemon_with_what_is_around_it() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.report(".serve")
    drive.ask("stop")
    assert drive.killed == [f"{RUN}.ask"]
    drive.end(".ask", 143)
    assert drive.killed == [f"{RUN}.ask", f"{RUN}.serve"]
    assert drive.end(".serve", 143).phase is Phase.FAILED
    assert drive.phase(".serve") is Phase.SUCCEEDED


def test_a_stop_ends_a_daemon_that_is_not_ready_like_any_step() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), SERVE))
    drive.ask("stop")
    drive.report(".serve")
    assert drive.end(".serve", 143).phase is Phase.FAILED
    assert drive.phases()[".serve"] == "Failed"


def test_a_lock_is_given_back_when_its_daemon_is_ready() -> None:
    locked = {**SERVE, "synchronization": {"mutexes": [{"name": "m"}]}}
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), locked))
    drive.lock(".serve", granted=True)
    assert drive.report(".serve").released == (f"{RUN}.serve",)


# --- tried again


def test_a_daemon_with_retries_is_started_again_while_it_is_needed() -> None:
    drive = Drive(workflow(dag(step("serve", "serve"), ASK), AGAIN))
    drive.report(".serve(0)")
    assert drive.started() == [".serve(0)", ".ask"]
    drive.end(".serve(0)", 1)
    assert drive.started()[-1] == ".serve(1)"
    drive.end(".ask")
    assert not drive.decision.ended
    assert drive.phase("") is Phase.RUNNING
    drive.report(".serve(1)")
    drive.end(".serve(1)", 143)
    assert drive.phases()[""] == "Succeeded"
    assert drive.phases()[".serve"] == drive.phases()[".serve(1)"] == "Succeeded"


def test_what_has_not_started_waits_for_the_next_try_of_its_daemon() -> None:
    both = step("both", depends="serve && slow")
    drive = Drive(workflow(dag(step("serve", "serve"), step("slow"), both), AGAIN))
    drive.report(".serve(0)")
    drive.end(".serve(0)", 1)
    drive.end(".slow")
    assert ".both" not in drive.phases()
    drive.report(".serve(1)")
    assert drive.phase(".both") is Phase.RUNNING


def test_no_group_of_steps_begins_while_a_daemon_is_tried_again() -> None:
    drive = Drive(workflow(steps([step("serve", "serve")], [step("a")], [step("b")]), AGAIN))
    drive.report("[0].serve(0)")
    drive.end("[0].serve(0)", 1)
    assert drive.phase("[0]") is Phase.RUNNING
    drive.end("[1].a")
    assert "[2].b" not in drive.phases()
    drive.report("[0].serve(1)")
    assert drive.phase("[0]") is Phase.SUCCEEDED
    assert drive.phase("[2].b") is Phase.RUNNING


def test_steps_fail_when_a_daemon_of_theirs_has_no_tries_left() -> None:
    drive = Drive(workflow(steps([step("serve", "serve")], [step("a")], [step("b")]), AGAIN))
    for number in (0, 1):
        drive.report(f"[0].serve({number})")
        drive.end(f"[0].serve({number})", 1)
    assert drive.phase("") is Phase.FAILED
    assert drive.message("[0].serve") == "No more retries left"


@pytest.mark.parametrize("item", ["1.5", "[a.b]"])
def test_a_daemon_of_a_loop_has_no_tries_left_whatever_its_item(item: str) -> None:
    serve = step("serve", "serve", withItems=[item])
    drive = Drive(workflow(steps([serve], [step("a")], [step("b")]), AGAIN))
    for number in (0, 1):
        drive.report(f"[0].serve(0:{item})({number})")
        drive.end(f"[0].serve(0:{item})({number})", 1)
    assert drive.phase("") is Phase.FAILED


def test_a_daemon_that_ends_well_says_what_is_known_of_it() -> None:
    drive = Drive(workflow(dag(step("serve", "serve")), SERVE))
    drive.end(".serve", 0, error="its startupProbe failed 3 times in a row")
    assert drive.message(".serve") == "its startupProbe failed 3 times in a row"


def test_a_retry_of_the_run_starts_its_daemon_again() -> None:
    manifest = workflow(dag(step("serve", "serve"), ASK), SERVE)
    drive = Drive(manifest)
    drive.report(".serve")
    drive.end(".ask", 1)
    drive.end(".serve", 143)
    assert drive.decision.phase is Phase.FAILED
    again = Drive(manifest, reset_for_retry(manifest, drive.nodes.values()))
    assert again.started() == [".serve"]
    again.report(".serve")
    assert again.started() == [".serve", ".ask"]


# --- what it is asked


def test_probes_name_ports_and_times_as_in_kubernetes() -> None:
    port = {"name": "web", "containerPort": 80}
    serve = {
        "image": "x",
        "command": ["true"],
        "ports": [port],
        "readinessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 7},
        "startupProbe": {"tcpSocket": {"port": 80}, "failureThreshold": 2},
    }
    drive = Drive(workflow(dag(step("s", "s")), {"name": "s", "daemon": True, "container": serve}))
    (launch,) = drive.launched
    assert launch.probes == (
        Probe(container="main", check={"tcpSocket": {"port": 80}}, startup=True, failures=2),
        Probe(container="main", check={"httpGet": {"port": 80}}, period=7),
    )


def test_a_probe_at_a_port_that_nothing_names_is_an_error() -> None:
    probe = {"httpGet": {"port": "web"}}
    serve = {"image": "x", "command": ["true"], "readinessProbe": probe}
    drive = Drive(workflow(dag(step("s", "s")), {"name": "s", "daemon": True, "container": serve}))
    assert "asks at the port 'web'" in drive.message(".s")


@pytest.mark.parametrize(("daemon", "refused"), [(True, True), (False, False)])
def test_a_probe_that_cannot_be_asked_here_is_refused_where_it_matters(
    daemon: bool, refused: bool
) -> None:
    container = {"image": "x", "command": ["true"], "readinessProbe": {"grpc": {"port": 1}}}
    manifest = workflow(
        dag(step("s", "s")), {"name": "s", "daemon": daemon, "container": container}
    )
    if refused:
        with pytest.raises(Rejected, match=r"container\.readinessProbe\.grpc"):
            Drive(manifest)
    else:
        Drive(manifest)


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        escaped = self.path == "/pr%C3%BCfung?a=1"
        self.send_response(200 if escaped else int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with web_server(Handler) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture
def probed() -> Iterator[Probed]:
    process = subprocess.Popen(["sleep", "60"])
    yield Probed(process, {"PATH": os.environ["PATH"], "WELL": "yes"})
    process.kill()
    process.wait()


def probe(check: dict[str, Any], port: int, **more: Any) -> Probe:
    check = {kind: {**asked, "port": port} for kind, asked in check.items()}
    return Probe(container="main", check=check, period=0.01, startup=True, failures=2, **more)


def answers(probe: Probe, probed: Probed, folder: Path) -> bool:
    try:
        return passed(probe, probed, str(folder))
    except NeverUp:
        return False


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ({"httpGet": {"path": "/200"}}, True),
        ({"httpGet": {"path": "/prüfung?a=1"}}, True),
        ({"httpGet": {"path": "/302", "httpHeaders": [{"name": "X", "value": "y"}]}}, True),
        ({"httpGet": {"path": "/404"}}, False),
        ({"httpGet": {"path": "/200", "httpHeaders": [{"name": "X", "value": "a\nb"}]}}, False),
        ({"httpGet": {"path": "/200", "httpHeaders": [{"name": "X", "value": "\u6f22"}]}}, False),
        ({"httpGet": {"path": "/200", "scheme": "HTTPS"}}, False),
        ({"tcpSocket": {}}, True),
        ({"exec": {"command": ["sh", "-c", 'test "$WELL" = yes']}}, True),
        ({"exec": {"command": ["false"]}}, False),
        ({"exec": {"command": ["nothing-like-that"]}}, False),
        ({"exec": {"command": ["echo", "a\0b"]}}, False),
    ],
)
def test_a_probe_is_asked(
    port: int, probed: Probed, tmp_path: Path, check: dict[str, Any], answer: bool
) -> None:
    assert answers(probe(check, port), probed, tmp_path) is answer


def test_a_probe_at_a_dead_port_fails(probed: Probed, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        free = closed.getsockname()[1]
    assert not answers(probe({"tcpSocket": {}}, free), probed, tmp_path)


def test_a_probe_that_has_to_succeed_often_is_asked_often(probed: Probed, tmp_path: Path) -> None:
    command = ["sh", "-c", "echo >> asked; test $(wc -l < asked) -ne 2"]
    asked = Probe(
        container="main", check={"exec": {"command": command}}, period=0.01, successes=3, failures=1
    )
    assert passed(asked, probed, str(tmp_path))
    assert (tmp_path / "asked").read_text().count("\n") == 5


def test_a_container_that_never_comes_up_is_said_to_be_one(probed: Probed, tmp_path: Path) -> None:
    never = probe({"exec": {"command": ["false"]}}, 0)
    with pytest.raises(NeverUp, match="its startupProbe failed 2 times in a row"):
        passed(never, probed, str(tmp_path))


def test_nobody_asks_a_process_that_has_ended(probed: Probed, tmp_path: Path) -> None:
    probed.process.kill()
    probed.process.wait()
    patient = Probe(container="main", check={"exec": {"command": ["false"]}}, period=60)
    assert not passed(patient, probed, str(tmp_path))


# --- whole runs

SERVER = """
import http.server, os, pathlib
pathlib.Path("{folder}/pid").write_text(str(os.getpid()))
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
pathlib.Path("{folder}/port.new").write_text(str(server.server_address[1]))
os.rename("{folder}/port.new", "{folder}/port")
server.serve_forever()
"""
ASKS = """
import pathlib, urllib.request
port = pathlib.Path("{folder}/port").read_text()
print(urllib.request.urlopen("http://{{{{tasks.serve.ip}}}}:" + port).status)
"""


def serving(folder: Path, ask: str, **serve: Any) -> dict[str, Any]:
    """A daemon that serves on a port that it writes down, and a task that depends on it."""
    probe = {"exec": {"command": ["test", "-e", f"{folder}/port"]}, "periodSeconds": 1}
    command = [sys.executable, "-u"]
    server = {"image": "x", "command": command, "source": SERVER.format(folder=folder)}
    taken = {"parameters": [{"name": "text"}]}
    given = {"parameters": [{"name": "text", "value": ask.format(folder=folder)}]}
    asks = {"image": "x", "command": command, "source": "{{inputs.parameters.text}}"}
    tasks = [
        {"name": "serve", "template": "serve"},
        {"name": "ask", "template": "ask", "depends": "serve", "arguments": given},
    ]
    templates = [
        {"name": "main", "dag": {"tasks": tasks}},
        {"name": "serve", "daemon": True, "script": {**server, "readinessProbe": probe, **serve}},
        {"name": "ask", "inputs": taken, "script": asks},
    ]
    spec = {"entrypoint": "main", "templates": templates}
    return {"kind": "Workflow", "metadata": {"generateName": "daemon-"}, "spec": spec}


SLEEPS = "import time; time.sleep(600)"


def asking(local: LocalBackend, name: str) -> RunInfo:
    return wait_until(local, name, lambda run: f"{name}.ask" in run.nodes)


def test_a_step_talks_to_a_daemon_that_is_gone_afterwards(
    local: LocalBackend, tmp_path: Path
) -> None:
    name = local.submit(serving(tmp_path, ASKS)).name
    run = finish(local, name)
    assert run.phase is Phase.SUCCEEDED, run
    assert {node.phase for node in run.nodes.values()} == {Phase.SUCCEEDED}
    assert [line.text for line in local.logs(name, f"{name}.ask")] == ["200"]
    assert gone(pid_in(tmp_path / "pid"))


def test_a_daemon_that_never_comes_up_fails_with_what_its_probe_said(
    local: LocalBackend, tmp_path: Path
) -> None:
    never = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    name = local.submit(serving(tmp_path, ASKS, startupProbe=never)).name
    serve = finish(local, name).nodes[f"{name}.serve"]
    assert (serve.phase, serve.message) == (
        Phase.FAILED,
        "main: Error (exit code 143): its startupProbe failed 1 times in a row",
    )


def test_nothing_goes_on_while_a_daemon_is_not_ready(local: LocalBackend, tmp_path: Path) -> None:
    never = {"exec": {"command": ["sh", "-c", f"echo >> {tmp_path}/asked; false"]}}
    name = local.submit(serving(tmp_path, ASKS, readinessProbe=never)).name
    server = pid_in(tmp_path / "pid")
    assert soon(lambda: (tmp_path / "asked").exists() and asked(tmp_path) > 1)
    assert f"{name}.ask" not in local.get(name).nodes
    local.terminate(name)
    assert finish(local, name).phase is Phase.FAILED
    assert gone(server)


def asked(folder: Path) -> int:
    return (folder / "asked").read_text().count("\n")


def test_a_run_that_is_stopped_leaves_no_daemon(local: LocalBackend, tmp_path: Path) -> None:
    name = local.submit(serving(tmp_path, SLEEPS)).name
    asking(local, name)
    local.stop(name)
    run = finish(local, name)
    assert (run.phase, run.nodes[f"{name}.serve"].phase) == (Phase.FAILED, Phase.SUCCEEDED)
    assert gone(pid_in(tmp_path / "pid"))


def test_a_killed_supervisor_leaves_no_daemon(local: LocalBackend, tmp_path: Path) -> None:
    name = local.submit(serving(tmp_path, SLEEPS)).name
    asking(local, name)
    kill(supervised(Store(local.home.database), name).supervisor)
    run = finish(local, name)
    assert run.phase is Phase.ERROR or run.phase is Phase.FAILED
    assert "supervisor of this run ended" in run.nodes[f"{name}.serve"].message
    assert gone(pid_in(tmp_path / "pid"))


def test_daemons_take_no_room_from_the_steps_that_need_them(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COULER_JOBS_STEPS_AT_ONCE", "1")
    container = {"image": "x", "command": ["sleep", "600"]}
    tasks = [{"name": f"d{number}", "template": "serve"} for number in range(3)]
    tasks.append({"name": "a", "template": "a", "depends": "d0 && d1 && d2"})
    templates = [
        {"name": "main", "dag": {"tasks": tasks}},
        {"name": "serve", "daemon": True, "container": container},
        {"name": "a", "container": {"image": "x", "command": ["true"]}},
    ]
    spec = {"entrypoint": "main", "templates": templates}
    manifest = {"kind": "Workflow", "metadata": {"generateName": "daemons-"}, "spec": spec}
    began = time.monotonic()
    assert finish(local, local.submit(manifest).name).phase is Phase.SUCCEEDED
    assert time.monotonic() - began < 60
