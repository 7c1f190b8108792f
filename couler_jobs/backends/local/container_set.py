"""The containers of a set, each a process that starts once those that it depends on have succeeded.

The rules are those of Argo's emissary (`cmd/argoexec/commands/emissary.go`): one whose dependency
failed does not start, and is itself an error; the others go on.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from couler_jobs.backends.local.values import NOT_RUNNABLE, Container
from couler_jobs.spec.graph import order


@dataclass(frozen=True, slots=True)
class Result:
    """How a container ended; a message where it did not run."""

    code: int
    message: str = ""


class NotStarted(Exception):  # noqa: N818  becomes a `Result`
    """A container's process could not be started; the text is a sentence."""


Start = Callable[[Container], "subprocess.Popen[bytes]"]
Told = Callable[[str, Result], None]


class Set:
    """One set while it runs, a thread for each container."""

    def __init__(
        self,
        containers: Iterable[Container],
        start: Start,
        told: Told,
        *,
        tries: int = 1,
        pause: float = 0.0,
        stopped: threading.Event | None = None,
    ) -> None:
        self._containers = {container.name: container for container in containers}
        self._start, self._told = start, told
        self._tries, self._pause = tries, pause
        self._stopped = stopped or threading.Event()
        self._results: dict[str, Future[Result]] = {}

    def run(self) -> Mapping[str, Result]:
        """How each of them ended."""
        with ThreadPoolExecutor(len(self._containers)) as pool:
            # each after those that it needs, whose results it waits for
            for name in order({one.name: one.needs for one in self._containers.values()}):
                self._results[name] = pool.submit(self._one, self._containers[name])
        return {name: result.result() for name, result in self._results.items()}

    def _one(self, container: Container) -> Result:
        result = self._blocked(container) or self._tried(container)
        self._told(container.name, result)
        return result

    def _blocked(self, container: Container) -> Result | None:
        for name in container.needs:
            code = self._results[name].result().code
            if code:
                why = f'dependency "{name}" exited with non-zero code: {code}'
                return Result(NOT_RUNNABLE, why)
        return None

    def _tried(self, container: Container) -> Result:
        """The last of as many tries as it may have: Argo makes none where `retries` is 0."""
        result = Result(0)
        for number in range(self._tries):
            if number and self._stopped.wait(self._pause):
                break
            result = self._ran(container)
            if result.code == 0:
                break
        return result

    def _ran(self, container: Container) -> Result:
        if self._stopped.is_set():
            return Result(NOT_RUNNABLE, "it was stopped before it was started")
        try:
            code = self._start(container).wait()
        except NotStarted as error:
            return Result(NOT_RUNNABLE, str(error))
        return Result(128 - code if code < 0 else code)
