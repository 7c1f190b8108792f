"""What goes on by itself: the events of a workflow and the lines of its log.

Streams of Argo Server end at any time, cleanly or not, have no place to go on from, and may repeat
or reorder. So after every end the workflow itself is asked, and what is not new is dropped.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

from couler_jobs.backends.argo_server import answers, api
from couler_jobs.backends.argo_server.api import Kind, Request
from couler_jobs.backends.argo_server.logs import (
    Resume,
    node_names,
    pod_name,
    user_lines,
)
from couler_jobs.backends.argo_server.server import Server, uid_of, version_of
from couler_jobs.errors import BackendError, Forbidden, NotFound, Rejected, Unavailable
from couler_jobs.spec.names import is_within
from couler_jobs.spec.parse import run_info
from couler_jobs.spec.status import LogLine, RunInfo

PERIOD = 2.5
"""Seconds from one start of a stream to the next, at least: with the call between them less than
one request a second, whatever the server does. Doubles while streams break at once."""

LONGEST_PERIOD = 20.0

IDLE = 60.0
"""Seconds without an event after which a watch asks how the workflow is."""

PATIENCE = 600.0
"""Seconds for which a server may be away before it is given up."""


class Watch:
    """The workflow each time that it changed, and after each time it had to be asked."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name
        self._pace = Pace(server)
        self._seen = ""

    def runs(self) -> Iterator[RunInfo]:
        """From now until it has ended; `NotFound` if it is gone before."""
        run = self._now()
        uid = run.uid
        yield run
        while not run.ended:
            for changed in self._changes(uid):
                run = changed
                yield run
                if run.ended:
                    return
            run = self._now()
            if run.uid != uid:
                raise NotFound(
                    f"Workflow {self._name} was deleted before it had ended; another one has its "
                    "name now."
                )
            yield run

    def _now(self) -> RunInfo:
        found = self._pace.patiently(self._name)
        self._seen = version_of(found)
        return run_info(found)

    def _changes(self, uid: str) -> Iterator[RunInfo]:
        """What newer events tell; ends when it is time to ask."""
        last = self._server.clock()
        request = api.watch(self._server.namespace, self._name)
        with closing(self._pace.results(request, forgiving=True)) as events:
            for event in events:
                found = event.get("object") or {}
                if found and (event.get("type") == "DELETED" or uid_of(found) != uid):
                    return
                if found and _is_newer(version_of(found), self._seen):
                    last, self._seen = self._server.clock(), version_of(found)
                    yield run_info(found)
                elif self._server.clock() - last > IDLE:
                    return


class Log:
    """The lines of a workflow's pods, of all nodes or of `node` and what is inside it."""

    def __init__(self, server: Server, name: str, node: str | None) -> None:
        self._server, self._name, self._node = server, name, node
        self._pace = Pace(server)
        self._run = self._now()
        self._names = node_names(self._run)
        self._asked = server.clock() - 1.0

    def lines(self, *, follow: bool) -> Iterator[LogLine]:
        """Each line once; `follow`: until the workflow has ended."""
        node = self._run.nodes.get(self._node or "")
        if self._node and node is None and (self._run.ended or not follow):
            raise NotFound(f"Workflow {self._name} has no node {self._node}.")
        pod = pod_name(self._run, node) if node is not None and node.type == "Pod" else ""
        request = api.logs(self._server.namespace, self._name, pod=pod, follow=follow)
        resume = Resume()
        while True:
            last = self._run.ended or not follow  # it began after the end, so nothing is missed
            yield from self._pass(request, resume)
            if last and not self._pace.broken:
                return
            self._run = self._now()
            resume.reconnected()

    def _pass(self, request: Request, resume: Resume) -> Iterator[LogLine]:
        with closing(self._pace.results(request)) as results:
            for pod, text in user_lines(results, resume):
                node = self._names.get(pod) or self._node_of(pod)
                if self._node is None or is_within(node, self._node):
                    yield LogLine(node=node, text=text)

    def _node_of(self, pod: str) -> str:
        """The node of a pod that is younger than what we know; asks at most once a second."""
        self._server.sleep(max(0.0, self._asked + 1.0 - self._server.clock()))
        self._asked = self._server.clock()
        self._names.update(node_names(self._now()))
        return self._names.setdefault(pod, pod)

    def _now(self) -> RunInfo:
        return run_info(self._pace.patiently(self._name))


class Pace:
    """Keeps streams from being opened too often, and gives up on a server that stays away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._period = PERIOD
        self._started = server.clock() - LONGEST_PERIOD
        self._good = server.clock()
        self.broken = False  #: whether the last stream ended by breaking

    def patiently(self, name: str) -> dict[str, Any]:
        """The workflow now; waits while the server is away."""
        while True:
            try:
                return self._server.get(Kind.WORKFLOW, name)
            except Unavailable as error:
                self._bear(error)
                self._server.sleep(LONGEST_PERIOD / 4)

    def results(
        self, request: Request, *, forgiving: bool = False
    ) -> Generator[Mapping[str, Any], None, None]:
        """The `result` of each line, {} for a keep-alive; a break ends it, as an end does.

        `forgiving`: so does every other error, since asking instead of watching will do.
        """
        self._server.sleep(max(0.0, self._started + self._period - self._server.clock()))
        self._started = self._server.clock()
        try:
            yield from self._opened(request)
            self.broken, self._period = False, PERIOD
        except (NotFound, Rejected, Forbidden) as error:
            if not forgiving or isinstance(error, NotFound):
                raise (
                    self._server.advised(error) if isinstance(error, Forbidden) else error
                ) from None
            self._slow_down()
        except (BackendError, ValueError) as error:  # a line that was cut in half is no JSON
            self._bear(error)
            self._slow_down()

    def _opened(self, request: Request) -> Generator[Mapping[str, Any], None, None]:
        with closing(self._server.transport.stream(request)) as lines:
            for line in lines:
                item = answers.stream_line(line)
                if "error" in item:
                    raise answers.stream_error(request, item["error"])
                self._good = self._server.clock()
                yield item.get("result") or {}

    def _slow_down(self) -> None:
        lasted = self._server.clock() - self._started
        self._period = PERIOD if lasted > PERIOD else min(2 * self._period, LONGEST_PERIOD)
        self.broken = True

    def _bear(self, error: Exception) -> None:
        if self._server.clock() - self._good > PATIENCE:
            raise error


def _is_newer(version: str, seen: str) -> bool:
    """Resource versions are counted up; ones that are no numbers can only differ."""
    if version.isdigit() and seen.isdigit():
        return int(version) > int(seen)
    return version != seen
