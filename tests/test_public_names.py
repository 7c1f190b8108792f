from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import couler_jobs
import couler_jobs.argo


@pytest.mark.parametrize("name", couler_jobs.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(couler_jobs, name) is not None


def test_no_public_name_is_also_a_modules_whose_import_would_take_its_place() -> None:
    modules = {module.name for module in pkgutil.iter_modules(couler_jobs.__path__)}
    assert not modules & set(couler_jobs.__all__)


def test_the_public_names_are_listed() -> None:
    assert set(couler_jobs.__all__) <= set(dir(couler_jobs))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = couler_jobs.nothing


@pytest.mark.parametrize("name", couler_jobs.argo.__all__)
def test_every_name_of_couler_exists(name: str) -> None:
    assert getattr(couler_jobs.argo, name) is not None


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys; before = {*sys.modules}; import couler_jobs; print(*{*sys.modules} - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {
        "yaml",
        "requests",
        "sqlalchemy",
        "dataclasses",
        "inspect",
        "jupyter_scheduler",
    }


def test_declaring_and_compiling_imports_no_heavy_library() -> None:
    program = (
        "import sys, couler_jobs.argo, couler_jobs as cj; cj.compile, cj.step; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"yaml", "requests", "sqlalchemy", "lark", "papermill", "nbconvert"}
