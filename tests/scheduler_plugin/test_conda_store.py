"""conda-store's environments, its answers by `responses`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from scheduler_plugin import conda_store
from scheduler_plugin import environments as module
from scheduler_plugin.conda_store import PAGE, listing
from scheduler_plugin.environments import Environments
from scheduler_plugin.errors import JobRefused

URL = "http://conda-store.dev.svc:5000/conda-store/api/v1/environment"
ENVIRON = {
    "CONDA_STORE_SERVICE": "conda-store:5000",
    "CONDA_STORE_SERVICE_NAMESPACE": "dev",
    "CONDA_STORE_TOKEN": "hush-hush",
}


@pytest.fixture
def replies() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as found:
        yield found


def item(name: Any, namespace: str = "ada") -> dict[str, Any]:
    return {"id": 1, "name": name, "namespace": {"id": 2, "name": namespace}}


def says(replies: responses.RequestsMock, *items: Any, status: int = 200) -> None:
    replies.get(URL, json={"status": "ok", "data": list(items)}, status=status)


def test_an_environment_lies_below_its_namespace(replies: responses.RequestsMock) -> None:
    says(replies, item("science"), item("base", "global"))
    found = listing(ENVIRON)
    assert found.trouble == ""
    assert [str(one) for one in found.prefixes] == [
        "/home/conda/ada/envs/ada-science",
        "/home/conda/global/envs/global-base",
    ]


@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_the_token_is_a_bearer(replies: responses.RequestsMock, prefix: str) -> None:
    says(replies, item("science"))
    listing({**ENVIRON, "CONDA_STORE_TOKEN": f"{prefix}hush-hush"})
    assert replies.calls[0].request.headers["Authorization"] == "Bearer hush-hush"


def test_all_pages_are_read(replies: responses.RequestsMock) -> None:
    says(replies, *(item(f"one-{number}") for number in range(PAGE)))
    says(replies, item("last"))
    assert len(listing(ENVIRON).prefixes) == PAGE + 1
    assert "page=2" in (replies.calls[1].request.url or "")


@pytest.mark.parametrize("name", ["../../../etc", "a/b", ".hidden", "", None])
def test_a_name_leads_nowhere_else(replies: responses.RequestsMock, name: Any) -> None:
    says(replies, item(name), item("science"), "no entry", {"name": "lonely"})
    assert listing(ENVIRON).prefixes == (Path("/home/conda/ada/envs/ada-science"),)


def test_without_a_conda_store_nobody_is_asked(replies: responses.RequestsMock) -> None:
    assert listing({}) == conda_store.Listing()
    assert len(replies.calls) == 0


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ({"status": 401}, "CONDA_STORE_TOKEN, which has expired"),
        ({"status": 403}, "CONDA_STORE_TOKEN, which has expired"),
        ({"status": 500}, "answered 500"),
        ({"status": 302, "headers": {"Location": "http://elsewhere"}}, "answered 302"),
        ({"json": {"data": []}}, "lists no environment"),
        ({"json": {}}, "did not list"),
        ({"json": []}, "did not list"),
        ({"body": "<html>"}, "did not list"),
        ({"body": requests.ConnectionError("no route")}, "ask an administrator whether it runs"),
    ],
)
def test_what_goes_wrong_is_a_sentence_without_the_token(
    replies: responses.RequestsMock, reply: dict[str, Any], sentence: str
) -> None:
    replies.get(URL, **reply)
    found = listing(ENVIRON)
    assert sentence in found.trouble
    assert "hush" not in found.trouble
    assert found.prefixes == ()


@pytest.mark.parametrize("name", ["CONDA_STORE_SERVICE_NAMESPACE", "CONDA_STORE_TOKEN"])
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    assert f"{name} is not set" in listing({**ENVIRON, name: ""}).trouble


# --- in the picker


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environments:
    monkeypatch.setattr(conda_store, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "WAIT_SECONDS", 60)  # however busy the machine is
    return Environments({"HOME": str(tmp_path), "PATH": str(tmp_path), **ENVIRON})


def test_what_conda_store_lists_and_has_built_can_be_chosen(
    replies: responses.RequestsMock, environments: Environments, tmp_path: Path
) -> None:
    prefix = tmp_path / "ada" / "envs" / "ada-science"
    (prefix / "conda-meta").mkdir(parents=True)
    says(replies, item("science"))
    assert environments.get("ada-science").prefix == prefix
    assert environments.trouble == ""


def test_what_is_not_built_yet_is_said_to_be_and_never_replaced(
    replies: responses.RequestsMock, environments: Environments
) -> None:
    says(replies, item("science"))
    with pytest.raises(JobRefused, match=r"no environment 'ada-science'.*is it built\?"):
        environments.get("ada-science")


def test_who_misses_an_environment_is_told_what_keeps_conda_store_from_listing_it(
    replies: responses.RequestsMock, environments: Environments
) -> None:
    says(replies, status=401)
    assert environments.all()[0].name == "server"
    with pytest.raises(JobRefused, match=r"no environment 'ada-science'.*has expired"):
        environments.get("ada-science")


def test_the_servers_own_environment_is_there_whatever_conda_store_says(
    replies: responses.RequestsMock, environments: Environments
) -> None:
    says(replies, status=500)
    assert environments.get("server").prefix is None
    assert sys.prefix not in {str(one.prefix) for one in environments.all()}
