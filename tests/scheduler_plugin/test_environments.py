import asyncio
import json
import stat
import sys
import time
from pathlib import Path

import pytest

from couler_jobs.in_pod.source import Source
from scheduler_plugin import environments as module
from scheduler_plugin.environments import (
    SERVER,
    CondaEnvironments,
    Environment,
    Environments,
    Kernel,
    choose_kernel,
    kernels_below,
)
from scheduler_plugin.errors import JobRefused

PYTHON = Source(kernel="python3", language="python")


def make_environment(prefix: Path, *kernels: str, language: str = "python") -> Path:
    """A conda environment as files; its kernels run the Python of these tests."""
    (prefix / "conda-meta").mkdir(parents=True)
    for kernel in kernels:
        folder = prefix / "share" / "jupyter" / "kernels" / kernel
        folder.mkdir(parents=True)
        spec = {
            "argv": [sys.executable, "-m", "some_kernel"],
            "display_name": kernel.title(),
            "language": language,
        }
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return prefix


def conda(folder: Path, answer: str, *, seconds: float = 0) -> None:
    """A `conda` on the PATH that answers so."""
    (folder / "answer").write_text(answer, encoding="utf-8")
    script = folder / "conda"
    script.write_text(
        f"#!{sys.executable}\nimport time\ntime.sleep({seconds})\n"
        f"print(open({str(folder / 'answer')!r}).read())\n",
        encoding="utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


def looked_up(folder: Path, **more: str) -> Environments:
    return Environments({"HOME": str(folder), "PATH": str(folder), **more})


def names(found: Environments) -> list[str]:
    return [one.name for one in found.all()]


# --- what there is


def test_without_conda_there_are_the_servers_own_kernels(environments: Environments) -> None:
    assert names(environments)[0] == SERVER
    assert f"{SERVER}/python3" in names(environments)


def test_environments_that_conda_lists_are_offered_by_their_names(tmp_path: Path) -> None:
    root = make_environment(tmp_path / "miniforge")
    (root / "pkgs").mkdir()
    make_environment(root / "envs" / "science", "python3")
    conda(tmp_path, json.dumps({"envs": [str(root), str(root / "envs" / "science")]}))

    assert names(looked_up(tmp_path))[-2:] == ["base", "science"]


def test_environments_in_condas_files_are_offered_without_its_command(tmp_path: Path) -> None:
    listed = make_environment(tmp_path / "project" / ".env")
    inside = make_environment(tmp_path / "elsewhere" / "science")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{listed}\n/gone\n", encoding="utf-8")

    found = names(looked_up(tmp_path, CONDA_ENVS_PATH=str(inside.parent)))
    assert found[-2:] == ["science", ".env"]


def test_what_cannot_be_looked_into_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"/{'x' * 5000}\n")
    no_folder = tmp_path / "no folder"
    no_folder.touch()

    assert names(looked_up(tmp_path, CONDA_ENVS_DIRS=str(no_folder)))[0] == SERVER


def test_two_environments_of_one_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    one = make_environment(tmp_path / "a" / "envs" / "science")
    other = make_environment(tmp_path / "b" / "envs" / "science")
    conda(tmp_path, json.dumps({"envs": [str(one), str(other)]}))

    assert names(looked_up(tmp_path))[-2:] == ["science", str(other)]


def test_the_servers_own_environment_is_offered_once(tmp_path: Path) -> None:
    conda(tmp_path, json.dumps({"envs": [sys.prefix]}))

    assert Path(sys.prefix).name not in names(looked_up(tmp_path))


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"envs": 5}', "no json"])
def test_a_conda_that_answers_nonsense_leaves_the_server(tmp_path: Path, answer: str) -> None:
    conda(tmp_path, answer)

    assert names(looked_up(tmp_path))[0] == SERVER


def test_a_slow_conda_is_not_waited_for_and_heard_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    science = make_environment(tmp_path / "envs" / "science")
    conda(tmp_path, json.dumps({"envs": [str(science)]}), seconds=0.7)
    found = looked_up(tmp_path)

    assert "science" not in names(found)
    deadline = time.monotonic() + 30
    while "science" not in names(found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "science" in names(found)


def test_an_answer_is_kept_for_a_while(tmp_path: Path) -> None:
    found = looked_up(tmp_path)
    before = found.all()
    conda(tmp_path, json.dumps({"envs": [str(make_environment(tmp_path / "envs" / "new"))]}))

    assert found.all() is before


def test_a_broken_kernelspec_is_left_out(tmp_path: Path) -> None:
    prefix = make_environment(tmp_path / "science", "ir", "broken")
    (prefix / "share/jupyter/kernels/broken/kernel.json").write_text("{", encoding="utf-8")

    assert [kernel.name for kernel in kernels_below(prefix)] == ["ir"]


def test_an_unknown_environment_is_refused_with_those_that_there_are(
    environments: Environments,
) -> None:
    with pytest.raises(JobRefused, match="no environment 'science': there are 'server'"):
        environments.get("science")


# --- which kernel runs a notebook


def chosen_of(prefix: Path | None, *kernels: str, kernel: str | None = None) -> Environment:
    return Environment(
        name="science",
        prefix=prefix,
        kernels=tuple(Kernel(name=one, display_name=one, language="") for one in kernels),
        kernel=kernel,
    )


def test_the_notebooks_own_kernel_runs_it_in_the_chosen_environment(tmp_path: Path) -> None:
    prefix = make_environment(tmp_path / "science", "julia-1.10", "python3")

    assert choose_kernel(chosen_of(prefix), PYTHON) == "python3"


def test_a_notebook_of_another_environment_runs_with_the_chosen_ones_kernel(
    tmp_path: Path,
) -> None:
    prefix = make_environment(tmp_path / "science", "python3")
    elsewhere = Source(kernel="conda-env-base-py", language="python")

    assert choose_kernel(chosen_of(prefix), elsewhere) == "python3"


def test_a_notebook_in_another_language_is_refused(tmp_path: Path) -> None:
    prefix = make_environment(tmp_path / "science", "python3")

    with pytest.raises(JobRefused, match=r"'ir'.*python3"):
        choose_kernel(chosen_of(prefix), Source(kernel="ir", language="R"))


def test_an_environment_without_a_kernel_is_refused_with_how_to_install_one(
    tmp_path: Path,
) -> None:
    prefix = make_environment(tmp_path / "envs" / "science")

    with pytest.raises(JobRefused, match="conda install -n science ipykernel"):
        choose_kernel(chosen_of(prefix), PYTHON)


def test_an_environment_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRefused, match="gone"):
        choose_kernel(chosen_of(tmp_path / "gone"), PYTHON)


def test_the_servers_kernel_is_never_another_than_the_notebooks() -> None:
    lost = Source(kernel="my-old-venv", language="python")

    with pytest.raises(JobRefused, match=r"no kernel 'my-old-venv'.*python3"):
        choose_kernel(chosen_of(None, "python3"), lost)


def test_a_chosen_kernel_of_the_server_runs_every_notebook() -> None:
    own = chosen_of(None, "python3", kernel="python3")

    assert choose_kernel(own, Source(kernel="my-old-venv", language="python")) == "python3"


def test_a_notebook_that_names_no_kernel_is_refused() -> None:
    with pytest.raises(JobRefused, match="names no kernel"):
        choose_kernel(chosen_of(None, "python3"), Source())


# --- the picker


def test_the_picker_shows_name_place_and_kernels(tmp_path: Path) -> None:
    prefix = make_environment(tmp_path / "envs" / "science", "python3")
    conda(tmp_path, json.dumps({"envs": [str(prefix)]}))
    picker = CondaEnvironments(looked_up(tmp_path))

    shown = {one.name: one for one in asyncio.run(picker.list_environments())}
    assert shown["science"].metadata == {"path": str(prefix), "kernel": ""}
    assert "python3" in shown["science"].description
    assert shown["server/python3"].metadata == {"path": sys.prefix, "kernel": "python3"}
    assert shown["server"].output_formats == ["ipynb", "html"]
    assert shown["server"].file_extensions == ["ipynb"]


def test_what_the_picker_sends_is_a_name(environments: Environments) -> None:
    """JupyterLab shows an entry's name and sends its label."""
    for shown in asyncio.run(CondaEnvironments(environments).list_environments()):
        assert environments.get(shown.label).name == shown.name


def test_every_format_that_is_offered_has_a_name() -> None:
    picker = CondaEnvironments()

    assert picker.output_formats_mapping() == {"ipynb": "Notebook", "html": "HTML"}
    assert picker.manage_environments_command() == ""
