"""What a notebook can run in: the kernels of this server, and conda environments with theirs.

Kernels are looked up as files below an environment's prefix; nothing of it is started. The conda
command and conda-store, which can take seconds, are asked beside the request and never waited for
long: conda's lists in files (`~/.conda/environments.txt`, the `envs` folders) answer meanwhile.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.models import RuntimeEnvironment

from couler_jobs.in_pod.kernel import find_kernel
from couler_jobs.in_pod.request import Refused
from couler_jobs.in_pod.source import Source
from scheduler_plugin import conda_store
from scheduler_plugin.errors import JobRefused

Answer = TypeVar("Answer")

SERVER = "server"
"""The name of the environment that JupyterLab itself runs in."""
FRESH_SECONDS = 30.0
WAIT_SECONDS = 2.0
"""How long a listing waits for the conda command, or conda-store, before it does without."""
COMMAND_SECONDS = 60.0
FORMATS: Mapping[str, str] = {"ipynb": "Notebook", "html": "HTML"}
"""What the UI offers, all of it ticked; the REST API takes every format that nbconvert has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernelspec."""

    name: str
    display_name: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One entry of the picker. `prefix` None is the server's own; `kernel` None the notebook's."""

    name: str
    prefix: Path | None
    kernels: tuple[Kernel, ...]
    kernel: str | None = None


def choose_kernel(environment: Environment, notebook: Source) -> str:
    """The kernel of an environment that runs a notebook. Raises JobRefused; never another one.

    An entry that names a kernel means it; else it is the kernel that the notebook names. Only in an
    environment that was chosen it may be the one for the notebook's language: a notebook written
    with `conda-env-x-py` runs with the `python3` of the chosen environment.
    """
    if not (environment.kernel or notebook.kernel or notebook.language):
        raise JobRefused(
            "The notebook names no kernel: open it in JupyterLab, choose a kernel, save it and "
            "create the job again."
        )
    names = [kernel.name for kernel in environment.kernels]
    own = environment.prefix is None and environment.kernel is None
    if own and notebook.kernel and notebook.kernel.lower() not in names:
        raise JobRefused(
            f"This server has no kernel {notebook.kernel!r}, which the notebook names: it has "
            f"{', '.join(names) or 'none'}. Choose the environment that has it, or another kernel."
        )
    prefix = None if environment.prefix is None else str(environment.prefix)
    try:
        return find_kernel(
            prefix, environment.kernel, suggested=notebook.kernel, language=notebook.language
        ).name
    except Refused as error:
        raise JobRefused(str(error)) from error


# --- looking them up


class Environments:
    """The environments of this machine, looked up again when the answer is some seconds old."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._known: tuple[Environment, ...] = ()
        self._looked = float("-inf")
        self._conda = Beside[tuple[Path, ...]](lambda: tuple(ask_conda(self._environ)), ())
        self._store = Beside(lambda: conda_store.listing(self._environ), conda_store.Listing())

    def all(self) -> tuple[Environment, ...]:
        """Every entry of the picker: the server's first, since the UI preselects the first one."""
        with self._lock:
            if time.monotonic() - self._looked > FRESH_SECONDS:
                self._known = self._look()
                answered = self._conda.answered and self._store.answered
                self._looked = time.monotonic() if answered else float("-inf")
            return self._known

    @property
    def trouble(self) -> str:
        """What kept conda-store from listing its environments, in a sentence; "" if nothing did."""
        return self._store.last.trouble

    def get(self, name: str) -> Environment:
        """One entry. Raises JobRefused naming the ones that there are."""
        known = self.all()
        for environment in known:
            if environment.name == name:
                return environment
        there = ", ".join(repr(environment.name) for environment in known)
        why = self._unbuilt(name) or self.trouble
        raise JobRefused(f"There is no environment {name!r}: there are {there}. {why}".rstrip())

    def _unbuilt(self, name: str) -> str:
        """What to say of an environment that only conda-store knows."""
        listed = (one for one in self._store.last.prefixes if conda_name(one) == name)
        return next(
            (f"conda-store has it, but not yet in {one}: is it built?" for one in listed), ""
        )

    def _look(self) -> tuple[Environment, ...]:
        found = [*of_server(server_kernels())]
        taken = {environment.name for environment in found}
        listed = (*self._conda.answer(), *self._store.answer().prefixes)
        prefixes = {**prefixes_in_files(self._environ), **dict.fromkeys(listed)}
        for prefix in sorted(prefixes):
            if not _usable(prefix) or _same_folder(prefix, Path(sys.prefix)):
                continue
            name = conda_name(prefix)
            name = str(prefix) if name in taken else name
            taken.add(name)
            found.append(_of_prefix(name, prefix))
        return tuple(found)


def of_server(kernels: tuple[Kernel, ...]) -> Iterator[Environment]:
    """This server: with the notebook's own kernel first, then one entry for each kernel."""
    yield Environment(name=SERVER, prefix=None, kernels=kernels)
    for kernel in kernels:
        yield Environment(
            name=f"{SERVER}/{kernel.name}",
            prefix=None,
            kernels=kernels,
            kernel=kernel.name,
        )


def _of_prefix(name: str, prefix: Path) -> Environment:
    return Environment(name=name, prefix=prefix, kernels=kernels_below(prefix))


def kernels_below(prefix: Path) -> tuple[Kernel, ...]:
    """The kernelspecs that are installed in an environment."""
    specs = (prefix / "share" / "jupyter" / "kernels").glob("*/kernel.json")
    return tuple(filter(None, (_kernel(spec) for spec in sorted(specs))))


def _kernel(spec: Path) -> Kernel | None:
    try:
        content = json.loads(spec.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # jupyter_client finds a kernelspec by its folder's name, without regard to case
    name = spec.parent.name.lower()
    return _described(name, content if isinstance(content, dict) else {})


def _described(name: str, spec: Mapping[str, Any]) -> Kernel:
    display_name = spec.get("display_name") or name
    return Kernel(name=name, display_name=display_name, language=spec.get("language") or "")


def server_kernels() -> tuple[Kernel, ...]:
    """The kernelspecs that this server knows."""
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    return tuple(_described(name, specs[name]["spec"]) for name in sorted(specs))


def prefixes_in_files(environ: Mapping[str, str]) -> dict[Path, None]:
    """The environments that conda's own files and folders name, in the order found."""
    home = Path(environ.get("HOME") or Path.home())
    listed = _lines(home / ".conda" / "environments.txt")
    folders = [Path(one) for one in _parts(environ, "CONDA_ENVS_DIRS", "CONDA_ENVS_PATH")]
    roots = [environ[name] for name in ("MAMBA_ROOT_PREFIX", "CONDA_PREFIX") if environ.get(name)]
    folders += [Path(root) / "envs" for root in roots]
    inside = (one for folder in folders for one in _entries(folder))
    return dict.fromkeys([*map(Path, listed), *map(Path, roots), *inside])


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there, no folder, or another user's
        return []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _parts(environ: Mapping[str, str], *names: str) -> list[str]:
    return [part for name in names for part in environ.get(name, "").split(os.pathsep) if part]


def conda_name(prefix: Path) -> str:
    """What conda calls an environment: the folder's name below `envs`, else base."""
    return prefix.name if prefix.parent.name == "envs" else _root_name(prefix)


def _root_name(prefix: Path) -> str:
    # Only an installation's root has packages of its own beside the environments.
    return "base" if (prefix / "pkgs").is_dir() else prefix.name


def _usable(prefix: Path) -> bool:
    # `os.path`, since what another user has closed is no error here
    return os.path.isdir(prefix / "conda-meta") or os.path.exists(prefix / "bin" / "python")


def _same_folder(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


class Beside(Generic[Answer]):
    """Something that may take long, asked in a thread of its own: its last answer."""

    def __init__(self, ask: Callable[[], Answer], nothing: Answer) -> None:
        self._ask = ask
        self._running: concurrent.futures.Future[Answer] | None = None
        self.last = nothing

    @property
    def answered(self) -> bool:
        """Whether nothing more is to be expected from it for now."""
        return self._running is None

    def answer(self) -> Answer:
        """Its last answer, a new one if that comes within WAIT_SECONDS."""
        if self._running is None:
            self._running = concurrent.futures.Future()
            threading.Thread(target=self._set, args=[self._running], daemon=True).start()
        try:
            self.last = self._running.result(WAIT_SECONDS)
        except concurrent.futures.TimeoutError:
            return self.last
        self._running = None
        return self.last

    def _set(self, answer: concurrent.futures.Future[Answer]) -> None:
        answer.set_result(self._ask())


def ask_conda(environ: Mapping[str, str]) -> Iterable[Path]:
    """Run the conda command, whichever there is; nothing where there is none or it fails."""
    candidates = [environ.get("CONDA_EXE"), environ.get("MAMBA_EXE"), "conda", "mamba"]
    find = partial(shutil.which, path=environ.get("PATH"))
    command = next(filter(None, map(find, filter(None, [*candidates, "micromamba"]))), None)
    if command is None:
        return ()
    try:
        answer = subprocess.run(
            [command, "env", "list", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
            env=dict(environ),
        )
        return [Path(prefix) for prefix in json.loads(answer.stdout)["envs"]]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return ()


# --- the seam of jupyter_scheduler


class CondaEnvironments(EnvironmentManager):  # type: ignore[misc]  # upstream is untyped
    """The environment picker of JupyterLab's scheduler."""

    def __init__(self, environments: Environments | None = None) -> None:
        self.environments = environments or Environments()
        self.compute_types: tuple[str, ...] = ()  #: their names; the first is the default

    async def list_environments(self) -> list[RuntimeEnvironment]:
        """Every environment as the UI shows it."""
        import asyncio

        found = await asyncio.to_thread(self.environments.all)
        return [as_runtime(one, self.compute_types) for one in found]

    def manage_environments_command(self) -> str:
        """The JupyterLab command that manages environments: there is none."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """The names of the output formats that the UI offers."""
        return dict(FORMATS)


def as_runtime(environment: Environment, compute_types: Sequence[str] = ()) -> RuntimeEnvironment:
    """An entry in the words of jupyter_scheduler.

    Its label is its name: the UI shows the name, and sends the label of what was picked.
    """
    names = ", ".join(kernel.name for kernel in environment.kernels) or "none: install ipykernel"
    where = str(environment.prefix) if environment.prefix else "Where JupyterLab itself runs"
    runs = environment.kernel or f"the notebook's own (there are {names})"
    return RuntimeEnvironment(
        name=environment.name,
        label=environment.name,
        description=f"{where}. Kernel: {runs}",
        file_extensions=["ipynb"],
        output_formats=list(FORMATS),
        metadata={
            "path": str(environment.prefix or sys.prefix),
            "kernel": environment.kernel or "",
        },
        compute_types=list(compute_types) or None,
        default_compute_type=next(iter(compute_types), None),
    )
