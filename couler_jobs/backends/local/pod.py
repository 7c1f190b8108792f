"""`python -m couler_jobs.backends.local.pod PLAN`: a step that is more than one process.

It stands where the step's own process would, in its mount namespace and its process group: it
fetches the step's remote artifacts, runs its init containers, starts its sidecars, and then the
step's own process, whose exit code becomes its own. Only that one prints to standard output, which
may be the step's result; all else goes to the log. What went wrong before or beside it is left
beside the plan (`told`).

The plan holds no secret: values of secrets are read here, when they are needed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.references import References, resolved
from couler_jobs.backends.local.told import tell
from couler_jobs.backends.local.values import Container, Reference, Value
from couler_jobs.errors import CoulerJobsError

NOT_RUNNABLE = 64
_STOPPED = (137, 143)  # ended by a signal: Argo takes it for one that it sent itself
_GRACE = 10.0  # seconds for sidecars, once the step's own process has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A remote artifact and the path at which the step expects it."""

    name: str
    path: str
    remote: Mapping[str, Any]
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a pod is made of. `environ` is what each process inherits."""

    home: str
    cwd: str
    environ: Mapping[str, str]
    main: Container
    fetch: tuple[Fetch, ...] = ()
    init: tuple[Container, ...] = ()
    sidecars: tuple[Container, ...] = field(default_factory=tuple)

    def write(self, path: Path) -> None:
        """Store it for the process that carries it out."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan that was written there."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        plain["main"] = _container(plain["main"])
        for name in ("init", "sidecars"):
            plain[name] = tuple(map(_container, plain[name]))
        plain["fetch"] = tuple(Fetch(**one) for one in plain["fetch"])
        return cls(**plain)


def _container(plain: Mapping[str, Any]) -> Container:
    env = {name: _value(value) for name, value in plain["env"].items()}
    env_from = tuple(Reference(**one) for one in plain["env_from"])
    return Container(**{**plain, "env": env, "env_from": env_from})


def _value(plain: Any) -> Value:
    if isinstance(plain, str):
        return plain
    return tuple(part if isinstance(part, str) else Reference(**part) for part in plain)


class Failed(Exception):  # noqa: N818  becomes the step's failure
    """The pod ends here. `code` is the exit code of `container`; None: it could not be run."""

    def __init__(self, container: str, code: int | None, message: str = "") -> None:
        self.container, self.code, self.message = container, code, message
        super().__init__(message)


def main(arguments: Sequence[str]) -> int:
    """Carry out the plan of that path; answers the exit code of the step's own process."""
    path = Path(arguments[0])
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)  # it reaches the whole group
    try:
        return _Pod(Plan.read(path)).run()
    except Failed as failure:
        tell(path.parent, failure.code, failure.message, container=failure.container)
        return NOT_RUNNABLE if failure.code is None else failure.code


class _Pod:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._references = References(Path(plan.home))

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
            code = _code(self._start(self._plan.main, stdout=None).wait())
        finally:
            failed = [(one, p.poll()) for one, p in sidecars]
            _end([process for _, process in sidecars])
        for container, ended in failed if code == 0 else ():
            if ended and _code(ended) not in _STOPPED:
                raise Failed(container.name, _code(ended))
        return code

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
        plan = self._plan
        cwd = Path(plan.cwd) / (container.working_dir or "")
        try:
            env = resolved(container.env, container.env_from, self._references)
            return subprocess.Popen(
                container.command,
                cwd=cwd,
                env={**plan.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
            )
        except (OSError, CoulerJobsError) as error:
            why = f"{container.name}: {_sentence(error, container)}"
            raise Failed(container.name, None, why) from error


def _sentence(error: Exception, container: Container) -> str:
    if isinstance(error, FileNotFoundError):
        program = container.command[0] if container.command else ""
        return f'exec: "{program}": executable file not found in $PATH'
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
