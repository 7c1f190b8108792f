"""Secrets and config maps of this machine: found, refused, and never shown."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.engine.containers import environment, with_references
from couler_jobs.backends.local.engine.downward import Pod
from couler_jobs.backends.local.references import (
    Missing,
    References,
    read_secret,
    resolved,
    unmet,
)
from couler_jobs.backends.local.values import Reference
from couler_jobs.errors import ConfigError, Rejected
from couler_jobs.spec.status import Phase
from tests.backends.workflows import finish, sh, text_of, workflow

TOKEN = Reference(kind="secret", name="s", key="token")


POD = Pod("p", "n", "id", {"workflow.name": "w", "workflow.namespace": "local"})


def secret(home: Path, value: str = "hush", name: str = "s", key: str = "token") -> Path:
    folder = home / "secrets" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / key).write_text(value)
    (folder / key).chmod(0o600)
    return folder / key


def config_map(home: Path, **keys: str) -> None:
    folder = home / "configmaps" / "c"
    folder.mkdir(parents=True)
    for key, value in keys.items():
        (folder / key).write_text(value)


def from_secret(**more: Any) -> dict[str, Any]:
    return {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token", **more}}}


def test_a_secret_is_read_from_its_folder(tmp_path: Path) -> None:
    secret(tmp_path)
    assert read_secret("s", "token", tmp_path) == "hush"


def test_the_state_folder_is_where_secrets_are_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path))
    secret(tmp_path)
    assert read_secret("s", "token") == "hush"


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret(tmp_path).chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret("s", "token", tmp_path)


def test_a_secret_that_is_missing_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=f"put it at {tmp_path}/secrets/s/token"):
        read_secret("s", "token", tmp_path)


@pytest.mark.parametrize(
    ("name", "key"), [("..", "x"), ("s", "../t/token"), ("", "x"), ("a/b", "x")]
)
def test_a_name_cannot_lead_out_of_its_folder(tmp_path: Path, name: str, key: str) -> None:
    secret(tmp_path, name="t")
    with pytest.raises(Missing, match="cannot be the name"):
        read_secret(name, key, tmp_path)


# --- variables


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(T)", (TOKEN,)),
        ("a $(T)!", ("a ", TOKEN, "!")),
        ("$$(T)", "$(T)"),
        ("$(U)", "$(U)"),
    ],
)
def test_a_variable_can_hold_another_that_is_a_secret(text: str, value: Any) -> None:
    assert with_references(text, environment([from_secret()], POD)) == value


def test_variables_are_put_together_from_secrets_and_config_maps(tmp_path: Path) -> None:
    secret(tmp_path)
    config_map(tmp_path, host="h", port="1")
    env = environment([from_secret(), {"name": "URL", "value": "x://$(T)@y"}], POD)
    every = Reference(kind="config map", name="c", prefix="C_")
    assert resolved(env, (every,), References(tmp_path)) == {
        "T": "hush",
        "URL": "x://hush@y",
        "C_host": "h",
        "C_port": "1",
    }


def test_what_is_optional_and_not_there_is_left_out(tmp_path: Path) -> None:
    env = environment([from_secret(optional=True)], POD)
    every = Reference(kind="secret", name="s", optional=True)
    assert resolved(env, (every,), References(tmp_path)) == {}


def test_what_is_needed_and_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        resolved({}, (Reference(kind="secret", name="s"),), References(tmp_path))


# --- manifests


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"env": [from_secret()]}, ["env[0].valueFrom.secretKeyRef"]),
        ({"env": [from_secret(optional=True)]}, []),
        ({"env": [from_secret(name="{{inputs.parameters.s}}")]}, []),
        ({"envFrom": [{"configMapRef": {"name": "c"}}]}, ["envFrom[0].configMapRef"]),
    ],
)
def test_what_a_manifest_lacks_is_named_by_its_path(
    tmp_path: Path, spec: dict[str, Any], where: list[str]
) -> None:
    found = unmet(spec, References(tmp_path))
    assert [sentence.partition(":")[0] for sentence in found] == where


def using(*env: dict[str, Any], text: str = "test ${#T} = 4") -> dict[str, Any]:
    task = sh("a", text)
    task["template"]["container"]["env"] = list(env)
    return workflow(task)


def test_a_manifest_that_needs_a_missing_secret_is_refused(local: LocalBackend) -> None:
    with pytest.raises(Rejected, match=r"env\[0\]\.valueFrom\.secretKeyRef: There is no secret s"):
        local.submit(using(from_secret()))


def test_a_step_gets_its_secret_and_nothing_keeps_it(local: LocalBackend) -> None:
    secret(local.home.root)
    run = finish(local, local.submit(using(from_secret())).name)
    assert run.phase is Phase.SUCCEEDED
    grep = ["grep", "-rl", "hush", str(local.home.root)]
    found = subprocess.run(grep, capture_output=True, text=True, check=True).stdout.split()
    assert found == [str(local.home.root / "secrets" / "s" / "token")]


def test_a_command_that_would_show_a_secret_is_an_error(local: LocalBackend) -> None:
    secret(local.home.root)
    run = finish(local, local.submit(using(from_secret(), text="echo $(T)")).name)
    node = run.nodes[f"{run.name}.a"]
    assert node.phase is Phase.ERROR
    assert "would show in this machine's list of processes" in node.message
    assert text_of(local, run.name) == ""
