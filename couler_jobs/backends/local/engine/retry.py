"""`retryStrategy`: one node that stands for several attempts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from couler_jobs.backends.local.engine.calls import Call, DepthError
from couler_jobs.backends.local.engine.records import RETRY, Node
from couler_jobs.backends.local.engine.run import Run
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import POD_KINDS, Filled, seconds, whole
from couler_jobs.spec.expressions import ExpressionError, expand, gotext, read
from couler_jobs.spec.status import Phase

_POLICIES: Mapping[str, tuple[Phase, ...]] = {
    "Always": (Phase.FAILED, Phase.ERROR),
    "OnError": (Phase.ERROR,),
    "OnFailure": (Phase.FAILED,),
    "OnTransientError": (),  # what Argo calls transient comes from Kubernetes, which is not here
}


class Retry:
    """One retry node that is under way."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled
        self._strategy: Mapping[str, Any] = filled.body["retryStrategy"]
        self._until: float | None = None

    def begin(self) -> None:
        """Create the node and its first attempt, or go on where an earlier process stood."""
        run, call = self._run, self._call
        node = run.nodes.get(call.name)
        if node is None or run.is_new(node):
            node = run.create(call, RETRY, Phase.RUNNING)
            node.inputs = dict(self._filled.parameters)
            call.linked(node)
        self._node = node
        run.seen_when_idle(call, node)
        attempts = self._attempts()
        if attempts and attempts[-1].ended:
            self._decide()
        else:
            self._attempt(max(len(attempts) - 1, 0))

    def _attempts(self) -> list[Node]:
        children = (self._run.nodes.by_id[child] for child in self._node.children)
        return [child for child in children if child.retried]

    def _attempt(self, number: int) -> None:
        self._run.stoppers.pop(self._node.name, None)
        boundary = self._call.boundary
        call = dataclasses.replace(
            self._call,
            name=f"{self._call.name}({number})",
            retried=True,
            linked=lambda node: self._run.nodes.link(self._node, node),
            seen=lambda node: None,
            lost=lambda node: None,
            ended=self._attempt_ended,
            boundary=boundary,
            until=self._until,
        )
        self._run.attempt(call, self._filled, self._local(call.name, number))

    def _local(self, name: str, number: int) -> dict[str, str]:
        attempts = self._attempts()
        last = attempts[-1] if attempts else None
        values = {"retries": str(number), **_last_values(last, exit_code="0")}
        if self._filled.template.kind in POD_KINDS:
            values["pod.name"] = self._run.pod_name(name, self._filled.template.name)
        return values

    def _attempt_ended(self, node: Node, error: Exception | None) -> None:
        if node.daemoned:
            self._run.stand(self._node)
            self._run.later(lambda: self._call.ended(self._node, None))
            return
        if self._node.daemoned:
            self._node.daemoned = False
            self._run.daemons.pop(self._node.name, None)
            self._call.lost(self._node)
        final = Phase.ERROR not in _POLICIES.get(self._policy(), ())
        if error is not None and not isinstance(error, DepthError) and final:
            self._finish(Phase.ERROR, str(error), error)
        else:
            self._decide()

    def _policy(self) -> str:
        default = "Always" if self._strategy.get("expression") else "OnFailure"
        return str(self._strategy.get("retryPolicy") or default)

    # --- after an attempt

    def _decide(self) -> None:
        attempts = self._attempts()
        last = attempts[-1]
        if self._node.ended:
            return
        if not last.bad:
            self._finish(Phase.SUCCEEDED, None)
            return
        try:
            why = self._stopped() or self._backed_off(attempts)
            if why is _WAIT:
                return
            why = why or self._refused(attempts)
        except (TagError, ExpressionError) as error:
            self._finish(Phase.ERROR, str(error), error)
            return
        if why is not None:
            self._finish(last.phase, why)
        else:
            self._attempt(len(attempts))

    def _stopped(self) -> str | None:
        run = self._run
        if run.shutdown:
            return f"Stopped with strategy '{run.shutdown}'"
        if run.deadline is not None and run.now >= run.deadline:
            at = datetime.fromtimestamp(run.deadline, UTC)
            return f"retry exceeded workflow deadline {at:%Y-%m-%d %H:%M:%S} +0000 UTC"
        return None

    def _backed_off(self, attempts: list[Node]) -> str | None:
        backoff = self._strategy.get("backoff")
        if not backoff:
            return None
        now, last = self._run.now, attempts[-1]
        end = self._end_of_time(backoff, attempts[0])
        if end is not None and now > end:
            return "Max duration limit exceeded"
        wait = _wait(backoff, len(attempts))
        ready = (now if last.finished is None else last.finished) + wait
        if end is not None and ready > end:
            return "Backoff would exceed max duration limit"
        limit = self._limit()
        if now < ready and limit is not None and len(attempts) <= limit:
            self._run.nodes.end(self._node, self._node.phase, f"Backoff for {_shown(wait)}", at=now)
            self._run.at(ready, self._decide)
            self._run.stoppers[self._node.name] = self._decide
            return _WAIT
        self._until = end
        self._run.nodes.end(self._node, self._node.phase, "", at=now)
        return None

    def _end_of_time(self, backoff: Mapping[str, Any], first: Node) -> float | None:
        longest = backoff.get("maxDuration")
        return (first.started or 0.0) + seconds(longest) if longest else None

    def _limit(self) -> int | None:
        limit = self._strategy.get("limit")
        return None if limit is None else whole(limit)

    def _refused(self, attempts: list[Node]) -> str | None:
        last, policy = attempts[-1], self._policy()
        if policy not in _POLICIES:
            raise TagError(f"{policy} is not a valid RetryPolicy")
        if last.phase not in _POLICIES[policy]:
            return last.message
        limit = self._limit()
        if limit is not None and len(attempts) > limit:
            return "No more retries left"
        expression = self._strategy.get("expression")
        if expression and not self._agrees(str(expression), attempts):
            return "retryStrategy.expression evaluated to false"
        return None

    def _agrees(self, expression: str, attempts: list[Node]) -> bool:
        values = {"retries": str(len(attempts) - 1), **_last_values(attempts[-1], exit_code="-1")}
        return read(expression).holds(expand(values))

    def _finish(self, phase: Phase, message: str | None, error: Exception | None = None) -> None:
        attempts = self._attempts()
        self._run.stoppers.pop(self._node.name, None)
        if attempts and error is None:
            self._node.outputs = dict(attempts[-1].outputs)
        if phase is Phase.SUCCEEDED and self._node.message:
            message = ""
        self._run.end(self._node, phase, message)
        self._run.later(lambda: self._call.ended(self._node, error))


_WAIT = "waiting for the next attempt"


def _last_values(last: Node | None, *, exit_code: str) -> dict[str, str]:
    """The `lastRetry.*` variables. `exit_code` stands where there is none."""
    if last is None:
        values = (exit_code, "", "0", "")
    else:
        # Kubernetes keeps whole seconds, so that `asInt(lastRetry.duration)` can be asked
        took = int(last.finished or 0) - int(last.started or 0)
        code = str(last.outputs.get("exitCode", exit_code))
        values = (code, last.phase.value, gotext.number_text(float(took)), last.message)
    names = ("exitCode", "status", "duration", "message")
    return {f"lastRetry.{name}": value for name, value in zip(names, values, strict=True)}


def _wait(backoff: Mapping[str, Any], attempts: int) -> float:
    if not backoff.get("duration"):
        raise TagError("no base duration specified for retryStrategy")
    wait = seconds(backoff["duration"])
    factor = backoff.get("factor")
    if factor is not None and whole(factor) > 0:
        wait = _grown(wait, whole(factor), attempts - 1)
    return min(wait, seconds(backoff["cap"])) if backoff.get("cap") else wait


def _grown(wait: float, factor: int, times: int) -> float:
    longest = 292 * 365 * 86400.0  # what Go's durations can hold
    steps = times * math.log(factor) if factor > 1 else 0.0
    return longest if steps > math.log(longest) else min(wait * factor**times, longest)


def _shown(wait: float) -> str:
    """A waiting time for people: `5s`, `1m 5 seconds`."""
    whole_seconds = int(wait)
    if whole_seconds < 60:
        return f"{whole_seconds}s"
    return f"{whole_seconds // 60}m {whole_seconds % 60} seconds"
