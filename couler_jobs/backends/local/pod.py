"""`python -m couler_jobs.backends.local.pod PLAN`: a step that is more than one process.

It stands where the step's own process would, in its mount namespace and its process group: it
fetches the step's remote artifacts, runs its init containers, starts its sidecars, and then the
step's own process, or those of its container set. The exit code of that becomes its own. Only that
one prints to standard output, which may be the step's result; all else goes to the log. What went
wrong before or beside it is left beside the plan (`told`); that a daemon is ready, or a container
of a set has ended, is told at once (`reports`).

The plan holds no secret: values of secrets are read here, when they are needed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from couler_jobs.backends.local import probing
from couler_jobs.backends.local.container_set import NotStarted, Result, Set
from couler_jobs.backends.local.pod_plan import Fetch, Plan
from couler_jobs.backends.local.probing import NeverUp, Probed
from couler_jobs.backends.local.references import References, resolved
from couler_jobs.backends.local.reports import report
from couler_jobs.backends.local.step_folder import CONTAINERS
from couler_jobs.backends.local.told import tell
from couler_jobs.backends.local.values import NOT_RUNNABLE, Container, unfound
from couler_jobs.errors import CoulerJobsError

_STOPPED = (137, 143)  # ended by a signal: Argo takes it for one that it sent itself
_LONGEST = 2_000  # characters of a message
_GRACE = 10.0  # seconds for sidecars, once the step's own process has ended


class Failed(Exception):  # noqa: N818  becomes the step's failure
    """The pod ends here. `code` is the exit code of `container`; None: it could not be run."""

    def __init__(self, container: str, code: int | None, message: str = "") -> None:
        self.container, self.code, self.message = container, code, message
        super().__init__(message)


def main(arguments: Sequence[str]) -> int:
    """Carry out the plan of that path; answers the exit code of the step's own process."""
    path = Path(arguments[0])
    pod = _Pod(Plan.read(path), path.parent)
    signal.signal(signal.SIGTERM, lambda _number, _frame: pod.stopped.set())  # all have got it
    try:
        return pod.run()
    except Failed as failure:
        tell(path.parent, failure.code, failure.message, container=failure.container)
        return NOT_RUNNABLE if failure.code is None else failure.code


class _Pod:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._references = References(Path(plan.home))
        self.stopped = threading.Event()
        self._unready: tuple[str, str] | None = None  # a daemon's container, and why
        self._telling = threading.Lock()  # long lines in a pipe would mix

    def run(self) -> int:
        """The exit code of the step's own process; `Failed` for all else."""
        for fetch in self._plan.fetch:
            self._fetch(fetch)
        for container in self._plan.init:
            code = _code(self._start(container).wait())
            if code:
                raise Failed(container.name, code)
        sidecars = [(one, self._start(one)) for one in self._plan.sidecars]
        try:
            code = self._run_set() if self._plan.is_set else self._run_main(sidecars)
        finally:
            failed = [(one, p.poll()) for one, p in sidecars]
            _end([process for _, process in sidecars])
        for container, ended in failed if code == 0 else ():
            if ended and _code(ended) not in _STOPPED:
                raise Failed(container.name, _code(ended))
        return code

    def _run_main(self, sidecars: Iterable[tuple[Container, subprocess.Popen[bytes]]]) -> int:
        (main,) = self._plan.containers
        process = self._start(main, stdout=None)
        if not self._plan.daemon:
            return _code(process.wait())
        running = [*sidecars, (main, process)]
        probed = {one.name: Probed(p, self._environ(one)) for one, p in running}
        threading.Thread(target=self._watch, args=(probed, process), daemon=True).start()
        code = _code(process.wait())
        if self._unready is not None:
            name, why = self._unready
            raise Failed(name, _code(probed[name].process.wait()), why)
        return code

    def _watch(self, probed: Mapping[str, Probed], main: subprocess.Popen[bytes]) -> None:
        """Tell that the daemon is ready, once all its containers are; end it if they cannot be."""
        name = "main"
        try:
            for probe in self._plan.probes:
                name = probe.container
                if not probing.passed(probe, probed[name], self._plan.cwd):
                    return
            if self._plan.reports is not None:
                report(self._plan.reports)
        except Exception as error:  # else the run would wait for ever
            known = isinstance(error, NeverUp)
            why = str(error) if known else f"it could not be asked whether it is ready: {error!r}"
            self._unready = name, why
            _end([probed[name].process, main])

    def _run_set(self) -> int:
        plan = self._plan
        logs = self._folder / CONTAINERS
        logs.mkdir(exist_ok=True)

        def start(container: Container) -> subprocess.Popen[bytes]:
            if container.name == "main":
                return self._process(container, stdout=None)
            try:
                with open(logs / f"{container.name}.log", "ab") as log:
                    return self._process(container, stdout=log, stderr=log)
            except OSError as error:
                raise NotStarted(f"its log could not be opened: {error}") from error

        results = Set(
            plan.containers,
            start,
            self._tell,
            tries=plan.tries,
            pause=plan.pause,
            stopped=self.stopped,
        ).run()
        for name in sorted(results):  # as a pod's containers are listed
            if results[name].code:
                raise Failed(name, results[name].code, results[name].message)
        return 0

    def _tell(self, container: str, result: Result) -> None:
        if self._plan.reports is not None:
            told = {"exit_code": result.code, "message": result.message[:_LONGEST]}
            with self._telling:
                report(self._plan.reports, container=container, **told)

    def _fetch(self, fetch: Fetch) -> None:
        from couler_jobs.backends.local import fetching

        try:
            fetching.fetch(fetch.remote, Path(self._plan.cwd) / fetch.path, self._references)
            if fetch.mode is not None:
                (Path(self._plan.cwd) / fetch.path).chmod(fetch.mode)
        except (OSError, CoulerJobsError, fetching.Unfetched) as error:
            why = f"The input artifact {fetch.name} could not be fetched: {error}"
            raise Failed("init", None, why) from error

    def _start(self, container: Container, stdout: Any = sys.stderr) -> subprocess.Popen[bytes]:
        try:
            return self._process(container, stdout)
        except NotStarted as error:
            raise Failed(container.name, None, f"{container.name}: {error}") from error

    def _process(
        self, container: Container, stdout: Any, stderr: Any = None
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                container.command,
                cwd=Path(self._plan.cwd) / (container.working_dir or ""),
                env=self._environ(container),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        except (OSError, ValueError, CoulerJobsError) as error:
            raise NotStarted(_sentence(error, container)) from error

    def _environ(self, container: Container) -> dict[str, str]:
        env = resolved(container.env, container.env_from, self._references)
        return {**self._plan.environ, **env}


def _sentence(error: Exception, container: Container) -> str:
    if isinstance(error, FileNotFoundError):
        program = container.command[0] if container.command else ""
        return unfound(program)
    return f"it could not be started: {error}"


def _code(code: int) -> int:
    return 128 - code if code < 0 else code


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, and SIGKILL after a while; what they started is killed with the step's group."""
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
