"""What a step's process is: the step's own command, or a program of ours that carries it out."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.pod_plan import Fetch, Plan
from couler_jobs.backends.local.private import Views
from couler_jobs.backends.local.references import References, resolved
from couler_jobs.backends.local.step_folder import StepFolder, write_private
from couler_jobs.backends.local.values import NOT_RUNNABLE, Container, Launch, unfound


class NeverRan(Exception):  # noqa: N818  becomes an `Ended`
    """The step could not be started; the text is a sentence, `exit_code` what Argo says then."""

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        self.exit_code = exit_code
        super().__init__(message)


Program = tuple[dict[str, str], list[str]]
"""The environment and the command of a process."""


def program_of(
    launch: Launch,
    folder: StepFolder,
    environ: Mapping[str, str],
    cwd: Path,
    views: Views,
    reports: int | None,
) -> Program:
    """The process that is to be started; it inherits the descriptor that its reports go to.

    `NeverRan` if there is no such command. `ConfigError` for a secret or config map.
    """
    fetch = any(file.remote is not None for file in launch.inputs)
    if launch.work:
        return _own_program(launch.work, folder, environ)
    if fetch or launch.init or launch.sidecars or launch.reports:
        return _pod(launch, folder, environ, cwd, reports)
    references = References(folder.run.home)
    environment = {**environ, **resolved(launch.env, launch.env_from, references)}
    program, *rest = _command(launch, folder)
    return environment, [_find(program, environment, views.locate(cwd / program)), *rest]


def _pod(
    launch: Launch, folder: StepFolder, environ: Mapping[str, str], cwd: Path, reports: int | None
) -> Program:
    """One that starts all the processes of a step."""
    plan = Plan(
        home=str(folder.run.home),
        cwd=str(cwd),
        environ=environ,
        containers=launch.containers or (_main(launch, folder),),
        is_set=bool(launch.containers),
        tries=launch.tries,
        pause=launch.pause,
        fetch=tuple(
            Fetch(name=f.name, path=f.path, remote=f.remote, mode=f.mode)
            for f in launch.inputs
            if f.remote is not None
        ),
        init=launch.init,
        sidecars=launch.sidecars,
        daemon=launch.daemon,
        probes=launch.probes,
        reports=reports,
    )
    plan.write(folder.root / "pod.json")
    return _module("pod", folder.root / "pod.json", environ)


def _main(launch: Launch, folder: StepFolder) -> Container:
    command = tuple(_command(launch, folder))
    return Container(name="main", command=command, env=launch.env, env_from=launch.env_from)


_PROGRAMS = {"http": "http_request", "data": "listing"}
"""What carries out a template that has no command of its own: kind -> module of this package."""


def _own_program(
    work: Mapping[str, Any], folder: StepFolder, environ: Mapping[str, str]
) -> Program:
    plan = folder.root / "work.json"
    run = {"home": str(folder.run.home), "artifacts": str(folder.run.artifacts)}
    write_private(plan, run | dict(work))
    return _module(next(_PROGRAMS[kind] for kind in work), plan, environ)


def _module(name: str, plan: Path, environ: Mapping[str, str]) -> Program:
    """A program of ours that carries out the plan."""
    ours = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    command = [sys.executable, "-m", f"couler_jobs.backends.local.{name}", str(plan)]
    return {**environ, **ours}, command


def _command(launch: Launch, folder: StepFolder) -> list[str]:
    command = [*launch.command, *launch.args]
    if launch.source is not None:
        script = folder.root / "script"
        script.write_bytes(launch.source.encode("utf-8", "surrogateescape"))
        script.chmod(0o700)
        command.append(str(script))
    return command


def _find(program: str, environment: Mapping[str, str], file: Path) -> str:
    if "/" in program:
        if not file.exists():
            raise NeverRan(
                unfound(program, f"stat {program}: no such file or directory"), NOT_RUNNABLE
            )
        return program
    found = shutil.which(program, path=environment.get("PATH", os.defpath))
    if found is None:
        raise NeverRan(unfound(program), NOT_RUNNABLE)
    return program
