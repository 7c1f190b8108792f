from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from couler_jobs.errors import ConfigError, CoulerJobsError, Forbidden, Unavailable
from scheduler_plugin.kube import own_pod

ENVIRON = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "KUBERNETES_SERVICE_PORT": "6443",
    "HOSTNAME": "jupyter-ada",
}
URL = "https://10.0.0.1:6443/api/v1/namespaces/hub/pods/jupyter-ada"
POD = {"metadata": {"name": "jupyter-ada"}, "spec": {"containers": [{"image": "a:1"}]}}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "namespace").write_text("hub\n")
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


@responses.activate
def test_the_pod_is_asked_for_with_its_own_account(account: Path) -> None:
    answer = responses.get(URL, json=POD)

    assert own_pod(ENVIRON, account) == POD
    assert answer.calls[0].request.headers["Authorization"] == "Bearer s3cret"


@responses.activate
def test_the_machines_name_is_the_pods_where_no_variable_says_it(
    account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "jupyter-ada")
    responses.get(URL, json=POD)
    environ = {name: value for name, value in ENVIRON.items() if name != "HOSTNAME"}

    assert own_pod(environ, account) == POD


@responses.activate
def test_an_address_of_version_six_is_one(account: Path) -> None:
    responses.get("https://[fd00::1]:443/api/v1/namespaces/hub/pods/jupyter-ada", json=POD)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "HOSTNAME": "jupyter-ada"}

    assert own_pod(environ, account) == POD


@responses.activate
@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"status": 403}, Forbidden, "allow it to get pods in the namespace hub"),
        ({"status": 401}, Forbidden, "may not read it"),
        ({"status": 404}, ConfigError, "no pod jupyter-ada in the namespace hub"),
        ({"status": 503}, Unavailable, "answered 503"),
        ({"status": 302, "headers": {"Location": "https://elsewhere/"}}, Unavailable, "302"),
        ({"body": requests.ConnectTimeout("away")}, Unavailable, "ConnectTimeout"),
        ({"body": "no JSON"}, Unavailable, "JSONDecodeError"),
    ],
)
def test_what_goes_wrong_is_a_sentence_without_the_token(
    answer: dict[str, Any], error: type[CoulerJobsError], said: str, account: Path
) -> None:
    responses.get(URL, **answer)

    with pytest.raises(error, match=said) as caught:
        own_pod(ENVIRON, account)
    assert "ArgoScheduler.pod_template" in str(caught.value)
    assert "s3cret" not in repr(caught.value)


def test_outside_of_a_cluster_there_is_no_pod(account: Path) -> None:
    with pytest.raises(ConfigError, match="this is no pod"):
        own_pod({}, account)


def test_a_pod_without_an_account_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mount the service account's token"):
        own_pod(ENVIRON, tmp_path)
