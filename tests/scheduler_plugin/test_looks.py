from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import responses

from couler_jobs.errors import ConfigError
from scheduler_plugin import kube, looks
from scheduler_plugin.config import Settings
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.pod import NEBARI_LABEL, PodLook, SecretKey

from .test_kube import ENVIRON, POD, URL


def test_on_this_machine_pods_need_no_look(settings: Settings) -> None:
    assert looks.look_for(replace(settings, image=""), "local", ENVIRON) == PodLook()


def test_on_nebari_its_controller_makes_the_look(settings: Settings) -> None:
    environ = {**ENVIRON, "PREFERRED_USERNAME": "ada", "CONDA_STORE_SERVICE": "store:5000"}
    look = looks.look_for(settings, "argo-server", environ)

    assert look.labels == {NEBARI_LABEL: "true"}


@responses.activate
def test_in_a_pod_jobs_look_like_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"namespace": "hub", "token": "t", "ca.crt": ""}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(kube.own_pod, "__defaults__", (tmp_path,))
    responses.get(URL, json=POD)

    assert looks.look_for(settings, "argo-server", ENVIRON).image == "a:1"


def test_elsewhere_the_operators_template_is_the_look(settings: Settings) -> None:
    template = {"template": {"nodeSelector": {"pool": "jobs"}}}
    look = looks.look_for(replace(settings, pod_template=template), "argo-server", {})

    assert (look.image, look.template) == (settings.image, template["template"])


def test_a_template_without_an_image_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"ArgoScheduler\.image"):
        looks.look_for(replace(settings, image=""), "argo-server", {})


@pytest.mark.parametrize(
    ("backend", "url", "secret", "found"),
    [
        ("local", "postgresql://ada:s@db/jobs", "", None),
        ("argo-server", "sqlite:////home/a.sqlite", "", None),
        ("argo-server", "postgresql://ada:s@db/jobs", "db", SecretKey(name="db", key="db_url")),
        ("argo-server", "postgresql://ada:s@db/jobs", "db/u", SecretKey(name="db", key="u")),
    ],
)
def test_a_secret_is_used_where_a_pod_would_see_a_password(
    backend: str, url: str, secret: str, found: SecretKey | None, settings: Settings
) -> None:
    configured = replace(settings, db_url=url, database_secret=secret)

    assert looks.database_secret(configured, backend) == found


def test_a_password_without_a_secret_is_refused_with_what_to_do(settings: Settings) -> None:
    configured = replace(settings, db_url="postgresql://ada:s3cret@db/jobs")
    with pytest.raises(JobRefused, match=r"ArgoScheduler\.database_secret") as caught:
        looks.database_secret(configured, "argo-server")
    assert "s3cret" not in str(caught.value)
