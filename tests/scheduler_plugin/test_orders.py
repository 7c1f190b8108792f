import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler_plugin import orders
from scheduler_plugin.config import Settings
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import InputMissing, JobRefused
from scheduler_plugin.folders import Limits
from scheduler_plugin.orders import JobRequest, Order

Write = Callable[..., Path]
REQUEST = JobRequest(input_uri="nb.ipynb", name="report", runtime_environment_name="server")


@pytest.fixture
def check(settings: Settings, environments: Environments) -> Callable[..., Order]:
    def check(**changes: Any) -> Order:
        return orders.check(replace(REQUEST, **changes), settings, environments)

    return check


Check = Callable[..., Order]


def test_an_order_has_what_was_asked_for(check: Check, write_notebook: Write) -> None:
    path = write_notebook("nb.ipynb", "1")
    order = check(parameters={"a": "5", "b": "text"}, tags=("x",), output_formats=("html", "html"))

    assert order.notebook == path.read_bytes()
    assert order.needs.parameters == {"a": 5, "b": "text"}
    assert (order.kernel, order.prefix) == ("python3", None)
    assert order.new.parameters == {"a": "5", "b": "text"}
    assert (order.new.tags, order.new.output_formats) == (("x",), ("html",))


def test_formats_that_are_left_out_are_the_notebook(check: Check, write_notebook: Write) -> None:
    write_notebook()

    assert check().new.output_formats == ("ipynb",)
    assert check(output_formats=()).new.output_formats == ()


def test_a_job_without_a_name_has_its_notebooks(check: Check, write_notebook: Write) -> None:
    write_notebook()

    assert check(name="  ").new.name == "nb.ipynb"


@pytest.mark.parametrize(
    "name", ["O'Brien's \"report\" {{x}} $(id) ;é.ipynb", "-n.ipynb", " .ipynb", "a\nb.ipynb"]
)
def test_a_file_name_is_data(check: Check, write_notebook: Write, name: str) -> None:
    write_notebook(name)

    assert check(input_uri=name).new.input_filename == name


@pytest.mark.parametrize("path", ["missing.ipynb", "", "folder", "."])
def test_a_missing_notebook_is_refused(check: Check, settings: Settings, path: str) -> None:
    (settings.root / "folder").mkdir()

    with pytest.raises(InputMissing, match="no notebook"):
        check(input_uri=path)


def test_a_notebook_outside_is_refused(check: Check, settings: Settings) -> None:
    sibling = settings.root.with_name("root2")
    sibling.mkdir()
    (sibling / "nb.ipynb").write_text("{}")

    with pytest.raises(JobRefused, match="leads out"):
        check(input_uri="../root2/nb.ipynb")


@pytest.mark.parametrize("name", ["nb.py", "nb.ipynb.txt"])
def test_another_kind_of_file_is_refused(check: Check, settings: Settings, name: str) -> None:
    (settings.root / name).write_text("{}")

    with pytest.raises(JobRefused, match=r"end in \.ipynb"):
        check(input_uri=name)


@pytest.mark.parametrize("name", ["../x.ipynb", "a/b.ipynb", "x.py", "..", "x" * 300 + ".ipynb"])
def test_a_file_name_of_the_clients_own_is_a_plain_one(
    check: Check, write_notebook: Write, name: str
) -> None:
    write_notebook()

    with pytest.raises(JobRefused, match="not the name of a notebook"):
        check(input_filename=name)


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", "{}", json.dumps({"nbformat": 9, "cells": []}), "[" * 10_000]
)
def test_a_file_that_is_no_notebook_is_refused(
    check: Check, settings: Settings, content: str
) -> None:
    (settings.root / "nb.ipynb").write_text(content)

    with pytest.raises(JobRefused, match=r"nb\.ipynb"):
        check()


def test_a_notebook_that_cannot_be_read_is_refused(
    check: Check, write_notebook: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(JobRefused, match="cannot be read: Permission denied"):
        check()


def test_a_notebook_without_a_kernel_is_refused(check: Check, write_notebook: Write) -> None:
    write_notebook("nb.ipynb", kernelspec={})

    with pytest.raises(JobRefused, match="names no kernel"):
        check()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"output_formats": ("exe",)}, "no output format 'exe'"),
        ({"output_formats": ("log",)}, "no output format 'log'"),
        ({"output_formats": ("../x",)}, "no output format"),
        ({"runtime_environment_name": "science"}, "no environment 'science'"),
        ({"runtime_environment_name": "server/ir"}, "no environment 'server/ir'"),
        ({"parameters": {"a b": "1"}}, "'a b' is not a variable name"),
        ({"parameters": {"x=1;import os": "1"}}, "not a variable name"),
        ({"parameters": {"a": "[" * 60 + "]" * 60}}, "nested more than"),
        ({"name": "x" * 257}, "longer than 256"),
        ({"compute_type": "gpu"}, "no compute type 'gpu'"),
        ({"runtime_environment_parameters": {"a": 1}}, "no runtime environment parameter 'a'"),
    ],
)
def test_a_bad_field_is_refused(
    check: Check, write_notebook: Write, changes: dict[str, Any], says: str
) -> None:
    write_notebook()

    with pytest.raises(JobRefused, match=says):
        check(**changes)


def test_a_folder_goes_along_without_the_jobs_in_it(
    check: Check, write_notebook: Write, settings: Settings
) -> None:
    write_notebook()
    (settings.root / "data").mkdir()
    (settings.root / "data" / "nb.ipynb").write_text("another one")
    settings.downloads.mkdir()
    (settings.downloads / "old.html").write_text("")

    order = check(package_input_folder=True)
    assert order.new.packaged_files == ("data/nb.ipynb",)
    assert {str(item.path) for item in order.items} == {"data", "data/nb.ipynb"}


def test_a_folder_that_is_too_big_is_refused(
    settings: Settings, environments: Environments, write_notebook: Write
) -> None:
    write_notebook("a/nb.ipynb")
    (settings.root / "a" / "big").write_text("x" * 10)
    request = replace(REQUEST, input_uri="a/nb.ipynb", package_input_folder=True)
    small = replace(settings, limits=Limits(size=5))

    with pytest.raises(JobRefused, match="folder of their own"):
        orders.check(request, small, environments)


def test_no_value_of_a_parameter_is_in_a_refusal(check: Check, write_notebook: Write) -> None:
    write_notebook()

    with pytest.raises(JobRefused) as caught:
        check(parameters={"token": json.dumps([["s3cret"]] * 3), "b b": "s3cret"})
    assert "s3cret" not in str(caught.value)
