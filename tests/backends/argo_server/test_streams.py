from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.backends.argo_server.streams import IDLE, LONGEST_PERIOD, PATIENCE, PERIOD
from couler_jobs.errors import BackendError, Forbidden, NotFound, Unauthorized, Unavailable
from tests.backends.argo_server.fake import Clock, FakeArgo, event, line, says, unreachable

RUN = "workflows"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def argo() -> FakeArgo:
    return FakeArgo()


@pytest.fixture
def backend(argo: FakeArgo, clock: Clock) -> ArgoServerBackend:
    return ArgoServerBackend(argo, namespace="argo", sleep=clock.sleep, clock=clock)


def there(argo: FakeArgo, phase: str, version: int = 1, uid: str = "u") -> dict[str, Any]:
    """The workflow `run` as the server has it from now on."""
    metadata = {"uid": uid, "resourceVersion": str(version)}
    return argo.put(RUN, "run", metadata=metadata, status={"phase": phase})


def at(phase: str, version: int, uid: str = "u") -> dict[str, Any]:
    """The workflow `run` in an event."""
    metadata = {"name": "run", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "status": {"phase": phase}}


def ends(argo: FakeArgo, phase: str = "Succeeded") -> Callable[[], object]:
    """Something to lay into a stream: the workflow ends, and the stream does not say so."""
    return lambda: there(argo, phase, 99)


def phases(backend: ArgoServerBackend) -> list[str]:
    return [str(run.phase) for run in backend.watch("run")]


# --- watch


def test_a_watch_of_an_ended_workflow_is_that_one_answer(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Failed")
    assert phases(backend) == ["Failed"]
    assert len(argo.requests) == 1


def test_a_watch_gives_each_change_until_the_end(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Pending")
    argo.streams.append([event(at("Running", 2)), event(at("Succeeded", 3)), event(at("X", 4))])
    assert phases(backend) == ["Pending", "Running", "Succeeded"]


def test_repeated_and_reordered_events_change_nothing(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running", 5)
    old, now, end = at("Failed", 3), at("Running", 6), at("Succeeded", 7)
    argo.streams.append([event(old), event(now), event(now), event(old), event(end)])
    assert phases(backend) == ["Running", "Running", "Succeeded"]


def test_versions_that_are_no_numbers_are_new_when_they_differ(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    end = at("Succeeded", 0)
    end["metadata"]["resourceVersion"] = "b-7"
    argo.streams.append([event(end)])
    assert phases(backend) == ["Running", "Succeeded"]


def test_an_end_that_the_stream_did_not_tell_is_found_by_asking(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.append([ends(argo)])
    assert phases(backend) == ["Running", "Succeeded"]


BREAKS = [
    Unavailable("the connection broke"),
    Unauthorized("the token expired"),
    BackendError("internal"),
    Forbidden("no watch for you"),
    b'{"result": {"type": "MODI',
    {"error": {"grpc_code": 8, "http_code": 429, "message": "EOF"}},
    {"error": {"grpc_code": 16, "http_code": 401, "message": "token expired"}},
]


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_a_watch_goes_on_after_every_kind_of_break(
    broken: Any, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.extend([[broken], [event(at("Succeeded", 2))]])
    assert phases(backend) == ["Running", "Running", "Succeeded"]


def test_a_stream_that_always_breaks_is_no_busy_loop(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")
    argo.streams.extend([[Unavailable("broken")]] * 20 + [[ends(argo)]])
    begun = clock.now
    assert phases(backend)[-1] == "Succeeded"
    assert len(argo.requests) / (clock.now - begun) < 0.2


def test_a_stream_that_ends_every_two_seconds_costs_less_than_a_request_a_second(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")
    argo.streams.extend([[lambda: clock.sleep(2.0)]] * 50 + [[ends(argo)]])
    begun = clock.now
    phases(backend)
    assert len(argo.requests) / (clock.now - begun) < 1.0
    assert clock.now - begun < 51 * PERIOD


def test_a_stream_that_is_open_and_silent_is_left_after_a_minute(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")

    def wait() -> None:
        clock.sleep(15.0)

    alive = [x for _ in range(9) for x in (wait, b":", b"")]
    argo.streams.append([*alive[:6], ends(argo), *alive])
    begun = clock.now
    assert phases(backend) == ["Running", "Succeeded"]
    assert clock.now - begun <= IDLE + 15.0


def test_a_watch_lives_through_a_server_that_is_away_for_minutes(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")
    away = [unreachable] * 60
    argo.streams.append([lambda: argo.faults.extend(away), ends(argo)])
    assert phases(backend) == ["Running", "Succeeded"]
    assert clock.now >= 1000 + 60 * LONGEST_PERIOD / 4


def test_a_server_that_stays_away_is_given_up_in_the_end(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")
    argo.streams.append([lambda: argo.faults.extend([unreachable] * 1000)])
    with pytest.raises(Unavailable):
        phases(backend)
    assert PATIENCE < clock.now - 1000 < PATIENCE + LONGEST_PERIOD


def test_a_watch_of_what_is_not_there_says_so(backend: ArgoServerBackend) -> None:
    with pytest.raises(NotFound):
        phases(backend)


def test_a_workflow_that_is_deleted_while_watched_is_not_found(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.append([argo.objects[RUN].clear, event(at("Running", 2), "DELETED")])
    with pytest.raises(NotFound):
        phases(backend)


def test_a_stranger_of_the_same_name_is_not_taken_for_the_workflow(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    stranger = lambda: there(argo, "Succeeded", 9, uid="other")  # noqa: E731
    argo.streams.append([stranger, event(at("Succeeded", 9, uid="other"))])
    with pytest.raises(NotFound, match="another one has its name"):
        phases(backend)


def test_a_watch_that_finds_nothing_to_watch_says_so(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.append([NotFound("gone")])
    with pytest.raises(NotFound, match="gone"):
        phases(backend)


# --- logs


def texts(backend: ArgoServerBackend, node: str | None = None, follow: bool = False) -> list[str]:
    return [found.text for found in backend.logs("run", node, follow=follow)]


def test_the_lines_of_an_ended_workflow_are_read_once(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Succeeded")
    argo.streams.append([line("a"), line("b"), b""])
    assert texts(backend) == ["a", "b"]
    assert texts(backend, follow=True) == []


def test_without_follow_a_running_workflow_gives_what_is_there(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.append([line("a")])
    assert texts(backend) == ["a"]


@pytest.mark.parametrize(
    "broken",
    [Unavailable("x"), Unauthorized("x"), BackendError("x"), b'{"resu', ends],
    ids=["away", "token", "internal", "half a line", "clean end"],
)
def test_a_followed_log_goes_on_after_a_break_without_losing_or_repeating(
    broken: Any, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    broken = broken(argo) if broken is ends else broken
    first = [line("a", second=1), line("b", second=1), broken]
    second = [line("a", second=1), line("b", second=1), line("c", second=2), ends(argo)]
    argo.streams.extend([first, second, [*second[:3], line("d", second=3)]])
    expected = ["a", "b", "c"] if callable(broken) else ["a", "b", "c", "d"]
    assert texts(backend, follow=True) == expected


def test_a_log_that_always_breaks_is_given_up_in_the_end(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Succeeded")
    argo.streams.extend([[Unavailable("broken")]] * 1000)
    with pytest.raises(Unavailable, match="broken"):
        texts(backend)
    assert clock.now - 1000 < PATIENCE + 2 * LONGEST_PERIOD


def test_logs_that_one_may_not_read_say_so(argo: FakeArgo, clock: Clock) -> None:
    backend = ArgoServerBackend(
        argo, namespace="argo", advice="Ask.", sleep=clock.sleep, clock=clock
    )
    there(argo, "Succeeded")
    argo.streams.append([Forbidden("no pods/log.")])
    with pytest.raises(Forbidden, match=r"no pods/log\. Ask\."):
        texts(backend)


def pod(argo: FakeArgo, name: str, number: int) -> None:
    """A node of the workflow that has a pod."""
    nodes = argo.objects[RUN]["run"]["status"].setdefault("nodes", {})
    nodes[f"run-{number}"] = {
        "id": f"run-{number}",
        "name": name,
        "type": "Pod",
        "templateName": "t",
        "phase": "Running",
    }


def test_a_line_has_the_name_of_its_node(argo: FakeArgo, backend: ArgoServerBackend) -> None:
    there(argo, "Succeeded")
    pod(argo, "run[0].a", 1)
    argo.streams.append([line("x", "run-t-1"), line("y", "stranger")])
    assert [found.node for found in backend.logs("run")] == ["run[0].a", "stranger"]


def test_the_node_of_a_younger_pod_is_asked_for_once_a_second_at_most(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Running")
    younger = [lambda i=i: pod(argo, f"run.{i}", i) for i in range(20)]
    lines = [line("x", f"run-t-{i}") for i in range(20)]
    argo.streams.append([*younger[:10], *lines[:10], *younger[10:], *lines[10:]])
    begun = clock.now
    assert [found.node for found in backend.logs("run")] == [f"run.{i}" for i in range(20)]
    assert (argo.calls("GET", "/run"), clock.now - begun) == (3, 1.0)


def test_a_pods_own_node_is_asked_for_by_the_pods_name(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Succeeded")
    pod(argo, "run.a", 1)
    texts(backend, "run.a")
    assert argo.requests[-1].query["podName"] == "run-t-1"


def test_the_log_of_a_step_is_that_of_all_its_pods(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Succeeded")
    for number, name in enumerate(["run.a(0)", "run.a(1)", "run.ab"]):
        pod(argo, name, number)
    nodes = argo.objects[RUN]["run"]["status"]["nodes"]
    nodes["run-9"] = {"id": "run-9", "name": "run.a", "type": "Retry", "phase": "Failed"}
    argo.streams.append([line(str(i), f"run-t-{i}") for i in range(3)])
    assert texts(backend, "run.a") == ["0", "1"]


@pytest.mark.parametrize("follow", [True, False])
def test_a_node_that_is_not_there_has_no_log(
    follow: bool, argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Succeeded" if follow else "Running")
    with pytest.raises(NotFound, match=r"has no node run\.zzz"):
        texts(backend, "run.zzz", follow=follow)


def test_a_node_that_is_still_to_come_can_be_followed(
    argo: FakeArgo, backend: ArgoServerBackend
) -> None:
    there(argo, "Running")
    argo.streams.append([lambda: pod(argo, "run.later", 1), line("x", "run-t-1"), ends(argo)])
    assert texts(backend, "run.later", follow=True) == ["x"]


def test_the_log_of_an_unknown_workflow_is_not_found(backend: ArgoServerBackend) -> None:
    with pytest.raises(NotFound):
        texts(backend)


def test_a_busy_answer_in_the_place_of_the_workflow_is_waited_for(
    argo: FakeArgo, backend: ArgoServerBackend, clock: Clock
) -> None:
    there(argo, "Succeeded")
    argo.faults.append(says(503, {"code": 14, "message": "starting"}))
    assert phases(backend) == ["Succeeded"]
    assert clock.slept == [LONGEST_PERIOD / 4]
