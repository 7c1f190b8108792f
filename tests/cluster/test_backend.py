"""What the Argo Server backend promises, on a real Argo."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.errors import AlreadyExists, NotFound, Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.cluster.manifests import LABEL, cron, mounted, python, step, steps, workflow

pytestmark = pytest.mark.cluster

SLEEP = "import time; [time.sleep(0.5) for _ in range(600)]"


def ended(backend: ArgoServerBackend, name: str) -> RunInfo:
    """The workflow once it has ended."""
    *_, last = backend.watch(name)
    return last


def once(backend: ArgoServerBackend, name: str, true: Callable[[RunInfo], bool]) -> RunInfo:
    """The workflow as soon as that is true of it."""
    for run in backend.watch(name):
        if true(run):
            return run
    raise AssertionError(f"{name} ended without it")


def runs_something(run: RunInfo) -> bool:
    return any(n.type == "Pod" and n.phase == Phase.RUNNING for n in run.nodes.values())


def test_the_server_tells_a_version_that_can_be_compiled_for(backend: ArgoServerBackend) -> None:
    assert backend.target() in ("3.5", "3.6", "3.7", "4.0", "4.1")
    assert backend.version().startswith(backend.target())


def test_a_run_has_its_nodes_inputs_outputs_and_end(
    backend: ArgoServerBackend, session: str
) -> None:
    make = python("make", "print('a value')")
    show = python(
        "show", "print('{{inputs.parameters.x}}')", inputs={"parameters": [{"name": "x"}]}
    )
    main = steps(
        "main", step("make", "make"), step("use", "show", x="{{steps.make.outputs.result}}")
    )
    run = ended(backend, backend.submit(workflow(session, main, make, show)).name)
    assert (run.phase, run.ended) == (Phase.SUCCEEDED, True)
    assert run.nodes[f"{run.name}[0].make"].outputs["result"] == "a value"
    assert run.nodes[f"{run.name}[1].use"].inputs == {"x": "a value"}


def test_a_followed_log_has_each_line_once_and_in_order(
    backend: ArgoServerBackend, session: str
) -> None:
    script = "import time\nfor i in range(20):\n    print('line', i)\n    time.sleep(0.1)"
    name = backend.submit(workflow(session, python("main", script))).name
    followed = list(backend.logs(name, follow=True))
    assert [line.text for line in followed] == [f"line {i}" for i in range(20)]
    assert {line.node for line in followed} == {name}
    assert list(backend.logs(name, name)) == followed


def test_a_failure_has_its_exit_code_and_a_message(
    backend: ArgoServerBackend, session: str
) -> None:
    run = ended(backend, backend.submit(workflow(session, python("main", "exit(3)"))).name)
    assert run.phase == Phase.FAILED
    assert run.nodes[run.name].outputs["exitCode"] == "3"
    assert "exit code 3" in run.nodes[run.name].message


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_a_run_that_is_shut_down_ends_and_says_how(
    verb: str, backend: ArgoServerBackend, session: str
) -> None:
    sent = workflow(session, python("main", SLEEP), python("bye", "print('bye')"), onExit="bye")
    name = backend.submit(sent).name
    once(backend, name, runs_something)
    getattr(backend, verb)(name)
    run = ended(backend, name)
    assert (run.phase, run.shutdown) == (Phase.FAILED, verb.capitalize())
    assert (f"{name}.onExit" in run.nodes) is (verb == "stop")
    assert getattr(backend, verb)(name).finished_at == run.finished_at


def test_a_retry_keeps_what_succeeded_and_runs_the_rest_again(
    backend: ArgoServerBackend, session: str, shared_folder: Path
) -> None:
    spec, container = mounted(shared_folder)
    first = python("first", f"open({str(shared_folder / 'firsts')!r}, 'a').write('x')")
    path = str(shared_folder / "again")
    script = f"import os; there = os.path.exists({path!r}); open({path!r}, 'w').close()\n"
    script += "raise SystemExit(0 if there else 1)"
    second = python("second", script)
    for template in (first, second):
        template["container"] |= container
    main = steps("main", step("first", "first"), step("second", "second"))
    name = backend.submit(workflow(session, main, first, second, **spec)).name
    assert ended(backend, name).phase == Phase.FAILED
    assert not backend.retry(name).ended
    assert ended(backend, name).phase == Phase.SUCCEEDED
    assert (shared_folder / "firsts").read_text() == "x"


def test_a_resubmitted_run_is_another_one(backend: ArgoServerBackend, session: str) -> None:
    name = backend.submit(workflow(session, python("main", "exit(1)"))).name
    ended(backend, name)
    again = backend.resubmit(name)
    assert again.name != name
    backend.delete(again.name)


def test_a_suspended_run_waits_and_goes_on(backend: ArgoServerBackend, session: str) -> None:
    sent = workflow(session, steps("main", step("a", "say"), step("b", "say")), python("say", ""))
    name = backend.submit({**sent, "spec": {**sent["spec"], "suspend": True}}).name
    time.sleep(3)
    assert (backend.get(name).suspended, backend.get(name).ended) == (True, False)
    assert not backend.resume(name).suspended
    assert ended(backend, name).phase == Phase.SUCCEEDED


def test_a_suspend_step_is_answered_by_its_name(backend: ArgoServerBackend, session: str) -> None:
    supplied = {"parameters": [{"name": "ok", "valueFrom": {"supplied": {}}}]}
    ask = {"name": "ask", "suspend": {}, "outputs": supplied}
    name = backend.submit(workflow(session, steps("main", step("ask", "ask")), ask)).name
    node = f"{name}[0].ask"
    once(backend, name, lambda run: node in run.nodes)
    backend.resume(name, node, {"ok": "yes"})
    run = ended(backend, name)
    assert run.phase == Phase.SUCCEEDED
    assert run.nodes[node].outputs["parameters"] == {"ok": "yes"}


def test_a_name_is_never_run_twice(backend: ArgoServerBackend, session: str) -> None:
    sent = workflow(session, python("main", ""))
    backend.submit(sent)
    with pytest.raises(AlreadyExists, match=sent["metadata"]["name"]):
        backend.submit(sent)


def test_what_argo_refuses_is_its_sentence(backend: ArgoServerBackend, session: str) -> None:
    sent = workflow(session, python("main", ""), entrypoint="nope")
    for call in (backend.submit, backend.lint):
        with pytest.raises(Rejected, match="nope"):
            call(sent)


def test_a_field_that_this_argo_does_not_know_is_named(
    backend: ArgoServerBackend, session: str
) -> None:
    sent = workflow(session, python("main", ""), noSuchField=1)
    with pytest.raises(Rejected, match=r"spec\.noSuchField"):
        backend.submit(sent)
    with pytest.raises(NotFound):
        backend.get(sent["metadata"]["name"])


def test_a_list_has_the_runs_of_the_label_newest_first(
    backend: ArgoServerBackend, session: str
) -> None:
    names = [backend.submit(workflow(session, python("main", ""))).name for _ in range(2)]
    listed = list(backend.list({LABEL: session}))
    times = [run.created_at for run in listed if run.created_at]
    assert set(names) <= {run.name for run in listed}
    assert times == sorted(times, reverse=True)


def test_a_deleted_run_is_gone(backend: ArgoServerBackend, session: str) -> None:
    name = backend.submit(workflow(session, python("main", SLEEP))).name
    backend.delete(name)
    for call in (backend.get, backend.stop, backend.delete, lambda n: list(backend.watch(n))):
        with pytest.raises(NotFound):
            call(name)


def test_a_thousand_steps_are_run_and_read_back(backend: ArgoServerBackend, session: str) -> None:
    many = {**step("each", "wait"), "withSequence": {"count": "1000"}}
    wait = {"name": "wait", "suspend": {"duration": "1"}}
    run = ended(backend, backend.submit(workflow(session, steps("main", many), wait)).name)
    assert run.phase == Phase.SUCCEEDED
    assert sum(node.type == "Suspend" for node in run.nodes.values()) == 1000


def test_neither_the_token_nor_this_environment_reaches_a_container(
    backend: ArgoServerBackend, session: str
) -> None:
    script = "import os; print(sorted(k for k in os.environ if k in ('ARGO_TOKEN', 'ARGO_SERVER')))"
    run = ended(backend, backend.submit(workflow(session, python("main", script))).name)
    assert [line.text for line in backend.logs(run.name)] == ["[]"]
    token = os.environ.get("ARGO_TOKEN", "").removeprefix("Bearer ")
    assert not token or token not in repr(run)


def test_a_run_that_waits_for_a_secret_says_so_and_can_be_ended(
    backend: ArgoServerBackend, session: str
) -> None:
    secret = {"secretKeyRef": {"name": "no-such-secret", "key": "x"}}
    template = python("main", "", container={"env": [{"name": "X", "valueFrom": secret}]})
    name = backend.submit(workflow(session, template)).name
    run = once(backend, name, lambda run: "secret" in str([*map(_message, run.nodes.values())]))
    assert run.nodes[name].phase == Phase.PENDING
    backend.terminate(name)
    assert ended(backend, name).shutdown == "Terminate"


def _message(node: object) -> str:
    return str(getattr(node, "message", ""))


# --- cron workflows


def test_a_cron_workflow_ticks_is_edited_paused_triggered_and_deleted(
    backend: ArgoServerBackend, session: str
) -> None:
    quick = python("main", "print('tick')")
    sent = cron(session, backend.target(), "* * * * *", quick)
    made = backend.apply_cron(sent)
    assert backend.apply_cron(sent).uid == made.uid
    tick = _first_run(backend, made.name)
    assert ended(backend, tick.name).phase == Phase.SUCCEEDED

    edited = cron(session, backend.target(), "0 0 1 1 *", quick)
    edited["metadata"]["name"] = made.name
    assert backend.apply_cron(edited).uid == made.uid
    assert backend.get_cron(made.name).schedules == ("0 0 1 1 *",)

    assert backend.suspend_cron(made.name).suspended
    triggered = backend.trigger_cron(made.name)
    assert ended(backend, triggered.name).phase == Phase.SUCCEEDED
    assert not backend.resume_cron(made.name).suspended

    backend.delete_cron(made.name)
    with pytest.raises(NotFound):
        backend.get_cron(made.name)
    assert {backend.get(run.name).uid for run in (tick, triggered)} == {tick.uid, triggered.uid}


def _first_run(backend: ArgoServerBackend, name: str, within: float = 90.0) -> RunInfo:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for run in backend.list({"workflows.argoproj.io/cron-workflow": name}):
            return run
        time.sleep(1)
    raise AssertionError(f"{name} did not tick within {within:g} s")


def test_a_cron_workflow_that_argo_refuses_is_its_sentence(
    backend: ArgoServerBackend, session: str
) -> None:
    sent = cron(session, backend.target(), "61 * * * *", python("main", ""))
    with pytest.raises(Rejected, match="61"):
        backend.apply_cron(sent)
