"""Which backend a run goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from couler_jobs.backends.choose import MAKERS, choose
from couler_jobs.config import BACKENDS, Settings
from couler_jobs.errors import ConfigError
from tests.runs.fake import FakeBackend

SERVER = {"ARGO_SERVER": "argo:2746"}
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {token: t}}]
contexts: [{name: here, context: {cluster: here, user: me, namespace: lab}}]
"""


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.load({**environ, "COULER_JOBS_HOME": str(tmp_path)}, None)


@pytest.mark.parametrize(
    ("argument", "environ", "name"),
    [
        (None, {}, "local"),
        (None, {"KUBECONFIG": "/some/config"}, "local"),
        (None, SERVER, "argo-server"),
        (None, {**SERVER, "COULER_JOBS_BACKEND": "local"}, "local"),
        ("local", SERVER, "local"),
        ("argo-server", {**SERVER, "COULER_JOBS_BACKEND": "local"}, "argo-server"),
    ],
)
def test_argument_then_variable_then_server_then_local(
    tmp_path: Path, argument: str | None, environ: dict[str, str], name: str
) -> None:
    assert choose(argument, settings(tmp_path, **environ)).name == name


def test_an_instance_is_taken_as_it_is() -> None:
    backend = FakeBackend()
    assert choose(backend) is backend


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no backend 'docker': .*, kubernetes\.$"):
        choose("docker", settings(tmp_path))


def test_argo_server_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set ARGO_SERVER to host:port"):
        choose("argo-server", settings(tmp_path))


def test_kubernetes_is_made_by_its_name_from_the_kubeconfig(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    made = choose("kubernetes", settings(tmp_path, KUBECONFIG=str(config)))
    assert (made.name, getattr(made, "namespace", "")) == ("kubernetes", "lab")


def test_kubernetes_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("couler_jobs.backends.choose.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'argo-workflows-executor\[kubernetes\]'"):
        choose("kubernetes", settings(tmp_path))


def test_every_name_that_settings_accept_can_be_made() -> None:
    assert set(MAKERS) == set(BACKENDS)
