"""The kernel of the chosen environment: found in its kernelspecs, started as if it was activated.

The environment needs a kernel (`ipykernel`, `r-irkernel`, ...) and nothing else of Jupyter. The
kernelspec format is jupyter_client's; what is not its way: an `argv[0]` of "python" is the chosen
environment's Python here, jupyter_client would take the one that it runs in itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.request import Refused

ACTIVATION_TIMEOUT = 30.0  #: seconds for an environment's own activation scripts

#: Variables that belong to the Jupyter of this process, or are its secrets: no kernel gets them.
_OURS = frozenset(
    {"JUPYTERHUB_API_TOKEN", "JUPYTER_TOKEN", "JPY_API_TOKEN", "JPY_SESSION_NAME", "JPY_PARENT_PID"}
    | {"JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"}
    | {"PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}
)
_IPYKERNEL = frozenset({"ipykernel_launcher", "ipykernel"})
_ACTIVATION = frozenset({"CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "VIRTUAL_ENV"})

# Runs what packages such as gdal lay into the environment. A fixed text: values come by variables.
_ACTIVATE = """
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$script" >/dev/null; done
exec "$COULER_JOBS_ENV" -0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernelspec, ready to be started."""

    name: str
    argv: tuple[str, ...]  #: `argv[0]` is absolute; `{connection_file}` is still to be filled in
    language: str = ""
    display_name: str = ""
    prefix: str = ""  #: the environment's folder
    folder: str = ""  #: the kernelspec's own folder
    env: Mapping[str, str] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    metadata: Mapping[str, Any] = field(default_factory=dict)


def find_kernel(
    prefix: str | None, name: str | None = None, *, suggested: str = "", language: str = ""
) -> Kernel:
    """The kernel to run a notebook with.

    `prefix` is the environment's folder, None for this process's own (which also sees the user's
    and the system's kernels). `name` is the kernelspec that was asked for; without it, it is
    `suggested` (the notebook's own name) if the environment has that, else its only kernel for the
    notebook's `language`. Raises `Refused`, saying what is missing and how to install it.
    """
    home = prefix or sys.prefix
    if not os.path.isdir(home):
        raise Refused(f"There is no environment at {home}: choose another, or create it.")
    specs = _specs(home, own=prefix is None)
    if not specs:
        raise Refused(f"The environment {home} has no kernel: {_how_to_install(home)}.")
    kernel = _read(specs[_choose(specs, home, name, suggested, language)], home)
    _check_program(kernel)
    return kernel


def _specs(home: str, own: bool) -> dict[str, Path]:
    """The kernelspec folders by name, lower case as Jupyter has them; the first of a name wins."""
    found: dict[str, Path] = {}
    for root in _roots(home, own):
        for file in sorted(Path(root).glob("*/kernel.json")):
            found.setdefault(file.parent.name.lower(), file.parent)
    return found


def _roots(home: str, own: bool) -> list[str]:
    if not own:
        return [os.path.join(home, "share", "jupyter", "kernels")]
    from jupyter_core.paths import jupyter_path  # slow to import: only where it is needed

    return [str(path) for path in jupyter_path("kernels")]


def _choose(
    specs: Mapping[str, Path], home: str, name: str | None, suggested: str, language: str
) -> str:
    if name is not None:
        if name.lower() in specs:
            return name.lower()
        raise Refused(f"The environment {home} has no kernel {name!r}; it has {_names(specs)}.")
    if suggested.lower() in specs:
        return suggested.lower()
    fitting = [spec for spec in specs if _speaks(specs[spec], home, language)]
    if len(fitting) == 1:
        return fitting[0]
    wish = f"the notebook's kernel {suggested!r}" if suggested else "a kernel for the notebook"
    raise Refused(
        f"The environment {home} does not have {wish}; it has {_names(specs)}: choose one of them, "
        f"or install one{f' for {language}' if language else ''} there."
    )


def _speaks(folder: Path, home: str, language: str) -> bool:
    try:
        spoken = _read(folder, home).language
    except Refused:
        return False
    return not language or not spoken or spoken.lower() == language.lower()


def _names(specs: Mapping[str, Path]) -> str:
    return ", ".join(sorted(specs))


def _read(folder: Path, home: str) -> Kernel:
    try:
        spec = json.loads((folder / "kernel.json").read_bytes())
        argv = [str(part) for part in spec["argv"]]
        program = _program(argv[0], home)
        return Kernel(
            name=folder.name,
            argv=(program, *(part.replace("{prefix}", home) for part in argv[1:])),
            language=str(spec.get("language", "")),
            display_name=str(spec.get("display_name", folder.name)),
            prefix=home,
            folder=str(folder),
            env={str(key): str(value) for key, value in dict(spec.get("env") or {}).items()},
            interrupt_mode=str(spec.get("interrupt_mode") or "signal").lower(),
            metadata=dict(spec.get("metadata") or {}),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise Refused(
            f"The kernel in {folder} cannot be used: its kernel.json is broken ({error})."
        ) from None


def _program(name: str, home: str) -> str:
    """Where the kernel's program is: the environment's own comes first, as after activation."""
    name = name.replace("{prefix}", home)
    if os.path.dirname(name):
        return os.path.expanduser(name)
    path = os.pathsep.join([os.path.join(home, "bin"), os.environ.get("PATH", os.defpath)])
    return shutil.which(name, path=path) or os.path.join(home, "bin", name)


def _check_program(kernel: Kernel) -> None:
    program = kernel.argv[0]
    if not os.access(program, os.X_OK):
        raise Refused(
            f"The kernel {kernel.name!r} of {kernel.prefix} starts {program}, which is not there: "
            f"{_how_to_install(kernel.prefix)}."
        )
    # a virtual environment whose kernel is registered elsewhere: its own Python is asked
    home = os.path.dirname(os.path.dirname(program))
    if _module(kernel.argv) in _IPYKERNEL and not _has_ipykernel(home, program):
        raise Refused(
            f"The environment {home} has no ipykernel, which the kernel {kernel.name!r} needs: "
            f"{_how_to_install(home)}."
        )


def _module(argv: tuple[str, ...]) -> str:
    """What `-m` names, wherever it stands: ipykernel writes `-Xfrozen_modules=off` before it."""
    return next((name for option, name in pairwise(argv) if option == "-m"), "")


def _has_ipykernel(home: str, program: str) -> bool:
    if any(Path(home).glob("lib*/python3*/site-packages/ipykernel_launcher.py")):
        return True
    look = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('ipykernel'))"
    answer = subprocess.run(  # other layouts: a user's or the system's site-packages
        [program, "-c", look],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return answer.returncode == 0


def _how_to_install(home: str) -> str:
    """The command that puts a Python kernel into the environment."""
    folder = Path(home)
    if not (folder / "conda-meta").is_dir():
        return f"install one with `{folder / 'bin' / 'python'} -m pip install ipykernel`"
    named = folder.parent.name == "envs"
    where = f"-n {folder.name}" if named else f"-p {home}"
    return f"install one with `conda install {where} ipykernel`"


def kernel_environment(
    kernel: Kernel, base: Mapping[str, str], without: Iterable[str] = ()
) -> dict[str, str]:
    """The variables to start the kernel with: `base`, with the kernel's environment activated.

    `without` names further ones that no kernel gets.

    The kernelspec's own `env` is added by jupyter_client.
    """
    dropped = _OURS | _ACTIVATION | set(without)
    env = {key: value for key, value in base.items() if key not in dropped}
    binaries = os.path.join(kernel.prefix, "bin")
    rest = [part for part in base.get("PATH", os.defpath).split(os.pathsep) if part != binaries]
    env["PATH"] = os.pathsep.join([binaries, *rest])
    # The debugger's note about frozen modules would be the first line of every log.
    env.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    if os.path.exists(os.path.join(kernel.prefix, "pyvenv.cfg")):
        env["VIRTUAL_ENV"] = kernel.prefix
    elif os.path.isdir(os.path.join(kernel.prefix, "conda-meta")):
        return _conda_activated(kernel.prefix, env)
    return env


def _conda_activated(prefix: str, env: dict[str, str]) -> dict[str, str]:
    """What `conda activate` sets: its names, the environment's own variables, and its scripts."""
    folder = Path(prefix)
    name = folder.name if folder.parent.name == "envs" else prefix
    env |= {"CONDA_PREFIX": prefix, "CONDA_DEFAULT_ENV": name, "CONDA_SHLVL": "1"}
    env |= _conda_variables(folder / "conda-meta" / "state")
    if any((folder / "etc" / "conda" / "activate.d").glob("*.sh")):
        env |= _after_scripts(env)
    return env


def _conda_variables(state: Path) -> dict[str, str]:
    """What `conda env config vars set` stored."""
    try:
        stored = json.loads(state.read_bytes())["env_vars"]
        return {str(key): str(value) for key, value in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _after_scripts(env: dict[str, str]) -> dict[str, str]:
    """The variables as the activation scripts leave them; as they were, if a script fails."""
    printer = shutil.which("env") or "/usr/bin/env"
    try:
        done = subprocess.run(
            ["bash", "-c", _ACTIVATE],
            env=env | {"COULER_JOBS_ENV": printer},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=ACTIVATION_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"The activation scripts of the environment were skipped: {error}", file=sys.stderr)
        return {}
    pairs = (line.partition("=") for line in os.fsdecode(done.stdout).split("\0") if "=" in line)
    passing = {"COULER_JOBS_ENV", "_", "SHLVL", "PWD", "OLDPWD"}
    return {key: value for key, _, value in pairs if key not in passing}
