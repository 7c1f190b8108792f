from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.in_pod.kernel import Kernel, find_kernel, kernel_environment
from couler_jobs.in_pod.request import Refused
from tests.in_pod.laid import IPYKERNEL, lay_environment, spec, wrap_python


def test_python_means_the_environments_own(tmp_path: Path) -> None:
    home = lay_environment(tmp_path, python3=spec())
    kernel = find_kernel(str(home))
    assert kernel.argv == (str(home / "bin" / "python"), *IPYKERNEL[1:])


def test_the_prefix_tag_is_the_environment(tmp_path: Path) -> None:
    argv = ["{prefix}/bin/python", "{prefix}/start.py", "{connection_file}"]
    home = lay_environment(tmp_path, odd=spec(argv=argv))
    assert find_kernel(str(home)).argv == (
        f"{home}/bin/python",
        f"{home}/start.py",
        "{connection_file}",
    )


CHOICES = [
    ({"name": "other"}, "other"),
    ({"name": "Other"}, "other"),
    ({"suggested": "python3"}, "python3"),
    ({"suggested": "unknown", "language": "R"}, "ir"),
    ({"name": "ir", "suggested": "python3"}, "ir"),
]


@pytest.mark.parametrize(("wish", "chosen"), CHOICES)
def test_the_kernel_is_the_one_wished_for(
    tmp_path: Path, wish: dict[str, str], chosen: str
) -> None:
    r = spec("R", [sys.executable, "x"])
    home = lay_environment(tmp_path, python3=spec(), other=spec(), ir=r)
    assert find_kernel(str(home), **wish).name == chosen


REFUSED: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, {}, r"has no kernel: install one with `.*/bin/python -m pip install ipykernel`"),
    ({"python3": spec()}, {"name": "foo"}, r"has no kernel 'foo'; it has python3"),
    ({"a": spec(), "b": spec()}, {"suggested": "c"}, "the notebook's kernel 'c'; it has a, b"),
    ({"a": spec(), "b": spec()}, {}, "a kernel for the notebook; it has a, b"),
    ({"a": spec()}, {"language": "R"}, "install one for R there"),
    ({"a": {"language": "python"}}, {"name": "a"}, "kernel.json is broken"),
    ({"a": {"language": "python"}}, {}, "a kernel for the notebook"),
    (
        {"a": spec(argv=["no-such-program"])},
        {},
        "starts .*/bin/no-such-program, which is not there",
    ),
]


@pytest.mark.parametrize(("kernels", "wish", "sentence"), REFUSED)
def test_a_kernel_that_cannot_be_had_is_refused(
    tmp_path: Path, kernels: dict[str, Any], wish: dict[str, str], sentence: str
) -> None:
    home = lay_environment(tmp_path, **kernels)
    with pytest.raises(Refused, match=sentence):
        find_kernel(str(home), **wish)


def test_a_missing_environment_is_refused() -> None:
    with pytest.raises(Refused, match="There is no environment at /no/such"):
        find_kernel("/no/such")


def test_a_kernelspec_without_ipykernel_is_refused_with_condas_command(tmp_path: Path) -> None:
    home = lay_environment(tmp_path / "envs" / "stats", python3=spec())
    (home / "conda-meta").mkdir()
    (home / "lib/python3.11/site-packages/ipykernel_launcher.py").unlink()
    bare = home / "bin" / "python"
    bare.unlink()
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    with pytest.raises(Refused, match=r"has no ipykernel.*`conda install -n stats ipykernel`"):
        find_kernel(str(home))


def test_an_environment_outside_condas_folder_is_named_by_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    with pytest.raises(Refused, match=f"`conda install -p {tmp_path} ipykernel`"):
        find_kernel(str(tmp_path))


def test_ipykernel_is_also_found_outside_the_environments_folder(tmp_path: Path) -> None:
    home = lay_environment(tmp_path, python3=spec())
    (home / "lib/python3.11/site-packages/ipykernel_launcher.py").unlink()
    wrap_python(home)
    assert find_kernel(str(home)).name == "python3"


def test_without_an_environment_it_is_the_one_of_this_process() -> None:
    assert find_kernel(None, "python3").prefix == sys.prefix


def kernel_in(home: Path) -> Kernel:
    return Kernel(name="k", argv=("x",), prefix=str(home))


def test_the_environments_programs_come_first(tmp_path: Path) -> None:
    env = kernel_environment(kernel_in(tmp_path), {"PATH": f"/usr/bin:{tmp_path}/bin:/bin"})
    assert env["PATH"] == f"{tmp_path}/bin:/usr/bin:/bin"


def test_what_belongs_to_our_jupyter_stays_here(tmp_path: Path) -> None:
    ours = {"JPY_API_TOKEN": "s", "JUPYTER_PATH": "/x", "CONDA_PREFIX": "/old", "VIRTUAL_ENV": "/o"}
    env = kernel_environment(kernel_in(tmp_path), {**ours, "HOME": "/h"})
    assert set(env) == {"HOME", "PATH", "PYDEVD_DISABLE_FILE_VALIDATION"}


def test_a_virtual_environment_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    env = kernel_environment(kernel_in(tmp_path), {})
    assert env["VIRTUAL_ENV"] == str(tmp_path)


def lay_conda(folder: Path) -> Path:
    (folder / "conda-meta").mkdir(parents=True)
    return folder


def test_a_conda_environment_is_activated_by_name(tmp_path: Path) -> None:
    home = lay_conda(tmp_path / "envs" / "stats")
    env = kernel_environment(kernel_in(home), {"CONDA_DEFAULT_ENV": "base"})
    assert (env["CONDA_PREFIX"], env["CONDA_DEFAULT_ENV"]) == (str(home), "stats")


def test_a_conda_environments_variables_are_set(tmp_path: Path) -> None:
    home = lay_conda(tmp_path)
    (home / "conda-meta" / "state").write_text('{"env_vars": {"STAGE": "test"}}')
    assert kernel_environment(kernel_in(home), {})["STAGE"] == "test"


@pytest.mark.parametrize("state", ["{", "[]", "{}", '{"env_vars": 1}'])
def test_a_broken_conda_state_is_passed_over(tmp_path: Path, state: str) -> None:
    home = lay_conda(tmp_path)
    (home / "conda-meta" / "state").write_text(state)
    assert kernel_environment(kernel_in(home), {})["CONDA_PREFIX"] == str(home)


def with_script(folder: Path, text: str) -> Path:
    scripts = lay_conda(folder / "it's") / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "gdal.sh").write_text(text)
    return folder / "it's"


def test_activation_scripts_of_a_conda_environment_run(tmp_path: Path) -> None:
    home = with_script(tmp_path, 'export GDAL_DATA="$CONDA_PREFIX/gdal"\necho noise\n')
    env = kernel_environment(kernel_in(home), {"PATH": os.environ["PATH"], "A": "b\nc"})
    assert env["GDAL_DATA"] == f"{home}/gdal"
    assert env["A"] == "b\nc"
    assert "COULER_JOBS_ENV" not in env


def test_a_failing_activation_script_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = with_script(tmp_path, "exit 3\n")
    env = kernel_environment(kernel_in(home), {"PATH": os.environ["PATH"]})
    assert env["CONDA_PREFIX"] == str(home)
    assert "activation scripts of the environment were skipped" in capsys.readouterr().err
