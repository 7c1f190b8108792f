"""A run that was submitted: what it does now, what came of it, and what may be asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.backends.base import Backend
from couler_jobs.backends.choose import choose
from couler_jobs.backends.ended import refuse_ended
from couler_jobs.config import Settings
from couler_jobs.errors import BackendError, NotFound, Unavailable, WaitTimeout, WorkflowFailed
from couler_jobs.runs.log import Log, last_lines
from couler_jobs.runs.nodes import Nodes, asking, first_failed, pods_of, shown_name, told_names
from couler_jobs.runs.values import decoded, text_of
from couler_jobs.spec.status import LogLine, NodeInfo, Phase, RunInfo

FRESH_FOR = 1.0  #: seconds for which an answer of the backend is taken as it is
PATIENCE = 600.0  #: seconds for which a wait bears a backend that is away, as its streams do
LOG_ARTIFACT = "main-logs"  #: a step's log, where Argo archives it
LAST_LINES = 10  #: of the failed step's log, in WorkflowFailed


class Run:
    """The handle of one run.

    `phase`, `message`, `nodes` and `outputs` are looked up when they are read: at most once a
    second, and no more once the run has ended. `refresh()` always asks.
    """

    def __init__(self, info: RunInfo, backend: Backend) -> None:
        self.backend = backend
        self._refreshed = False
        self._learn(info)

    @classmethod
    def of(
        cls, name: str, backend: Backend | str | None = None, settings: Settings | None = None
    ) -> Run:
        """The handle of a run that exists already, by its name. Raises NotFound."""
        place = choose(backend, settings)
        return cls(place.get(name), place)

    # --- what it looks like

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._info.name

    @property
    def uid(self) -> str:
        """The workflow's unique id."""
        return self._info.uid

    @property
    def info(self) -> RunInfo:
        """All that the backend tells about it, a second old at most."""
        if self._is_old() or self._is_partial():
            self.refresh()
        return self._info

    def seen(self) -> RunInfo:
        """What is known of it where the backend is away: showing a run must not fail then."""
        try:
            return self.info
        except BackendError:
            return self._info

    @property
    def phase(self) -> Phase:
        """Where it stands: a `Phase`, which is also a text such as "Running"."""
        return self.info.phase

    @property
    def message(self) -> str:
        """What the backend says of the run as a whole, in Argo's words; often "".

        `failure()` says why a run failed: the step, its message and its last lines.
        """
        return self.info.message

    @property
    def nodes(self) -> Nodes:
        """Its nodes, by Argo's node names; looked up by display name too."""
        return Nodes(self.info.nodes, self.name)

    @property
    def outputs(self) -> dict[str, Any]:
        """What the entry step put out, and what any step put out under a global name.

        A value is decoded where it is JSON text and stays text otherwise. A step without output
        parameters gives its `result`. A file is its `Path` where the run's files are on this
        machine, and else says in Argo's words where it lies.
        """
        info = self.info
        entry = info.nodes.get(info.name)
        own = entry.outputs if entry else {}
        texts = {**info.outputs.get("parameters", {}), **own.get("parameters", {})}
        if "result" in own:
            texts.setdefault("result", own["result"])
        found = {name: decoded(text) for name, text in texts.items()}
        for name, artifact in own.get("artifacts", {}).items():
            if name != LOG_ARTIFACT:
                found[name] = self.backend.artifact_path(info, artifact) or artifact
        return found

    def refresh(self) -> Run:
        """Ask the backend how it stands now; gives itself back."""
        self._refreshed = True
        return self._learn(self.backend.get(self.name))

    # --- waiting and reading

    def wait(self, timeout: float | None = None, raise_on_failure: bool = True) -> Run:
        """Wait for its end, `timeout` seconds at most; gives itself back.

        Raises WaitTimeout when it has not ended by then, WorkflowFailed when it ended badly (unless
        `raise_on_failure` is false), Unavailable when the backend was away for ten minutes.
        Interrupting the wait (Ctrl-C) leaves the run alone: the exception's note says so.
        """
        try:
            for _ in self.changes(timeout):
                pass
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(
                f"{self.name} goes on: its name is enough to look at it again, or to stop it."
            )
            raise
        if raise_on_failure and self._info.phase is not Phase.SUCCEEDED:
            raise WorkflowFailed(self.failure(), self)
        return self

    def changes(self, timeout: float | None = None) -> Iterator[RunInfo]:
        """How it stands, now and each time that it was asked again, until its end.

        Raises WaitTimeout and Unavailable as `wait` does.
        """
        began = last_answer = time.monotonic()
        yield self._info
        while not self._info.ended:
            _pause(self._info, time.monotonic() - began, timeout)
            try:
                yield self.refresh()._info
                last_answer = time.monotonic()
            except Unavailable as error:
                away = time.monotonic() - last_answer
                if away > PATIENCE:
                    raise Unavailable(
                        f"{error} Nothing was heard of {self.name} for {away:.0f} s: it may go on. "
                        "Look at it again when the backend is there."
                    ) from error

    def logs(self, follow: bool = False, node: str | None = None) -> Log:
        """The lines its steps printed: of all, or of the node with that name or display name.

        They are read when they are iterated over, or shown as text. `follow` goes on until the run
        (or the node) has ended. Iterating raises NotFound for an unknown node.
        """
        return Log(lambda: self._lines(follow, node), named=node is None)

    def _lines(self, follow: bool, node: str | None) -> Iterator[LogLine]:
        if node is None:
            yield from self.backend.logs(self.name, follow=follow)
            return
        for pod in self._pods(node):
            yield from self.backend.logs(self.name, pod, follow=follow)

    def failure(self) -> str:
        """Why it failed, for a reader: the first failed step and the last lines of its log."""
        info = self.info
        if info.shutdown:
            return _stopped(info)
        culprit = first_failed(info.nodes)
        if culprit is None:
            return f"{info.name} ended as {info.phase}: {info.message or 'no reason is given'}."
        lines = self._last_lines(culprit)
        tail = "".join(f"\n    {line}" for line in lines)
        return _because(info, culprit) + (f" Its last lines:{tail}" if tail else "")

    # --- what may be asked of it

    def stop(self) -> Run:
        """End it gently: its exit handler runs."""
        return self._learn(self.backend.stop(self.name))

    def terminate(self) -> Run:
        """End it at once: no exit handler runs."""
        return self._learn(self.backend.terminate(self.name))

    def suspend(self) -> Run:
        """Start no further step until it is resumed."""
        return self._learn(self.backend.suspend(self.name))

    def resume(self, node: str | None = None, answers: Mapping[str, Any] | None = None) -> Run:
        """Go on after `suspend`, or past suspend steps (all, or the one of that name).

        answers: what a suspend step asks for, by name; a text as it is, any other value as JSON.
        The step need not be named where only one waits for such answers. Raises NotFound for a
        step that is not there (yet), Rejected for an answer that it does not ask for, where one
        without a default is missing, and for a run that has ended.
        """
        if not answers:
            return self._learn(self.backend.resume(self.name, node and self._node(node).name))
        said = {name: text_of(value) for name, value in answers.items()}
        found = self._node(node) if node else self._asking(said)
        return self._learn(self.backend.resume(self.name, found.name, said))

    def retry(self) -> Run:
        """Run what failed again, under the same name; what succeeded is kept."""
        return self._learn(self.backend.retry(self.name))

    def delete(self) -> None:
        """End it if it runs, and forget it, its logs and its files."""
        self.backend.delete(self.name)

    # --- shown

    def __repr__(self) -> str:
        from couler_jobs.runs import display

        return display.as_line(self.seen())

    def _repr_html_(self) -> str:
        from couler_jobs.runs import display

        return display.as_html(self.seen())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from couler_jobs.runs import display

        info = self.seen()
        return {"text/plain": display.as_text(info), "text/html": display.as_html(info)}

    # --- inside

    def _learn(self, info: RunInfo) -> Run:
        self._info = info
        self._asked_at = time.monotonic()
        return self

    def _is_old(self) -> bool:
        return not self._info.ended and time.monotonic() - self._asked_at > FRESH_FOR

    def _is_partial(self) -> bool:
        # A backend lists runs without their nodes; an ended one would never be asked for them.
        return self._info.ended and not self._info.nodes and not self._refreshed

    def _node(self, key: str) -> NodeInfo:
        try:
            return self.refresh().nodes[key]
        except KeyError as error:
            raise NotFound(f"{self.name}: {error.args[0]}") from None

    def _asking(self, answers: Mapping[str, str]) -> NodeInfo:
        info = self.refresh()._info
        refuse_ended(info, "resumed")
        return asking(info.name, info.nodes, answers)

    def _pods(self, key: str) -> list[str]:
        node = self._node(key)
        return [pod.name for pod in pods_of(node, self._info.nodes)] or [node.name]

    def _last_lines(self, node: NodeInfo) -> list[str]:
        return last_lines(self.backend, self.name, node, LAST_LINES) if node.type == "Pod" else []


def _stopped(info: RunInfo) -> str:
    """The sentence for a run that somebody ended: what that did to its steps is no cause."""
    verb = {"Stop": "stopped", "Terminate": "terminated"}.get(info.shutdown, "ended")
    said = info.message or f"Stopped with strategy '{info.shutdown}'"
    return f"{info.name} was {verb} by request, and ended as {info.phase}: {said.rstrip('.')}."


def _because(info: RunInfo, culprit: NodeInfo) -> str:
    why = f": {culprit.message.rstrip('.')}" if culprit.message else ""
    if culprit.name == info.name:  # the run is this one step
        return f"{info.name} ended as {info.phase}{why}."
    name = told_names(info.nodes, info.name).get(culprit.name) or shown_name(culprit.display_name)
    step = f"its step {name} ended as {culprit.phase}"
    return f"{info.name} ended as {info.phase}, because {step}{why}."


def _pause(info: RunInfo, elapsed: float, timeout: float | None) -> None:
    """Sleep before asking again. Raises WaitTimeout when there is no time left."""
    if timeout is not None and elapsed >= timeout:
        raise WaitTimeout(info.name, timeout, info.phase)
    # A twentieth of what was waited already: quick for short runs, sparing for long ones.
    pause = min(max(elapsed / 20, 0.02), 2.0)
    time.sleep(pause if timeout is None else min(pause, timeout - elapsed))
