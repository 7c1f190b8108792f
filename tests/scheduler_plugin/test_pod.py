from __future__ import annotations

from typing import Any

import pytest

from couler_jobs.errors import ConfigError
from scheduler_plugin.pod import (
    DB_URL_VARIABLE,
    NEBARI_LABEL,
    RECORDING,
    PodLook,
    SecretKey,
    dressed,
    form,
    like_pod,
    like_template,
    on_nebari,
)


def pod(**container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "jupyter-ada"},
        "spec": {
            "nodeSelector": {"pool": "user"},
            "tolerations": [{"key": "user", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "registry"}],
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": "claim-ada"}},
                {"name": "kube-api-access-x", "projected": {"sources": []}},
                {"name": "unused", "emptyDir": {}},
            ],
            "containers": [
                {"name": "sidecar", "image": "proxy:1"},
                {
                    "name": "notebook",
                    "image": "quay.io/jupyter/base:2026",
                    "workingDir": "/home/ada",
                    "volumeMounts": [
                        {"name": "home", "mountPath": "/home/ada", "subPath": "ada"},
                        {
                            "name": "kube-api-access-x",
                            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                        },
                    ],
                    **container,
                },
            ],
        },
    }


def test_the_notebook_containers_image_and_folder_are_taken() -> None:
    look = like_pod(pod())
    assert (look.image, look.container["workingDir"]) == ("quay.io/jupyter/base:2026", "/home/ada")


def test_the_first_container_is_taken_where_none_is_named_as_spawners_do() -> None:
    described = pod()
    described["spec"]["containers"] = [
        {"name": "main", "image": "a:1"},
        {"name": "b", "image": "b"},
    ]
    assert like_pod(described).image == "a:1"


def test_the_node_and_the_tolerations_are_the_pods_own() -> None:
    look = like_pod(pod())
    assert look.template["nodeSelector"] == {"pool": "user"}
    assert look.template["tolerations"] == [{"key": "user", "operator": "Exists"}]


def test_the_home_volume_is_mounted_as_in_the_pod() -> None:
    look = like_pod(pod())
    assert [volume["name"] for volume in look.template["volumes"]] == ["home"]
    assert look.container["volumeMounts"][0]["subPath"] == "ada"


def test_no_service_account_token_is_mounted() -> None:
    look = like_pod(pod())
    assert [mount["name"] for mount in look.container["volumeMounts"]] == ["home"]


@pytest.mark.parametrize(
    ("entry", "copied"),
    [
        ({"name": "HOME", "value": "/home/ada"}, True),
        ({"name": "JUPYTERHUB_API_TOKEN", "value": "canary"}, False),
        ({"name": "AWS_SECRET_ACCESS_KEY", "value": "canary"}, False),
        ({"name": "MY_OWN", "value": "canary"}, False),
        ({"name": "USER", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, False),
    ],
)
def test_only_harmless_environment_is_copied(entry: dict[str, Any], copied: bool) -> None:
    env = like_pod(pod(env=[entry])).container.get("env", [])
    assert (entry in env) is copied


def test_the_operator_may_name_more_harmless_variables() -> None:
    entry = {"name": "PROXY_URL", "value": "http://proxy"}
    assert like_pod(pod(env=[entry]), ["PROXY_URL"]).container["env"] == [entry]


def test_the_pull_secrets_are_named_not_copied() -> None:
    assert like_pod(pod()).spec == {"imagePullSecrets": [{"name": "registry"}]}


def test_a_pod_without_containers_is_refused() -> None:
    with pytest.raises(ConfigError, match="jupyter-ada has no containers"):
        like_pod({"metadata": {"name": "jupyter-ada"}, "spec": {"containers": []}})


def test_nebari_gets_its_label_on_the_object_and_nothing_else() -> None:
    look = on_nebari()
    assert look.labels == {NEBARI_LABEL: "true"}
    assert (look.template, look.spec) == ({}, {})


def test_the_operators_template_is_taken_as_it_is() -> None:
    look = like_template({"image": "a:1", "template": {"nodeSelector": {"gpu": "yes"}}})
    assert (look.image, look.template) == ("a:1", {"nodeSelector": {"gpu": "yes"}})


@pytest.mark.parametrize(
    ("template", "sentence"),
    [({"images": "a"}, "unknown keys images"), ({"container": {}}, "No image is named")],
)
def test_a_wrong_template_is_refused(template: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        like_template(template)


# --- where the look comes from


@pytest.mark.parametrize(
    ("wanted", "environ", "found"),
    [
        ("", {}, "template"),
        ("", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "self"),
        ("", {"PREFERRED_USERNAME": "ada"}, "template"),
        ("", {"PREFERRED_USERNAME": "ada", "CONDA_STORE_SERVICE": "s:1"}, "nebari"),
        ("template", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "template"),
        ("self", {}, "self"),
        ("nebari", {}, "nebari"),
    ],
)
def test_the_operator_says_where_the_look_comes_from_else_the_environment_does(
    wanted: str, environ: dict[str, str], found: str
) -> None:
    assert form(wanted, environ) == found


def test_a_word_that_means_no_look_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'own'.*self, nebari, template"):
        form("own", {})


# --- dressing a manifest

COMMAND = ["python", "-m", "couler_jobs.in_pod.notebook"]
RECORD = ["python", "-m", RECORDING]
LOOK = PodLook(
    container={"image": "a:1", "env": [{"name": "HOME", "value": "/home/ada"}], "workingDir": "/w"},
    template={"nodeSelector": {"pool": "user"}},
    spec={"imagePullSecrets": [{"name": "registry"}]},
    labels={"extra": "yes"},
)


def workflow(*commands: list[str], **container: Any) -> dict[str, Any]:
    templates = [
        {"name": f"t{i}", "container": {"image": "python:3.12", "command": command, **container}}
        for i, command in enumerate(commands)
    ]
    graph = {"name": "main", "steps": [[{"name": "a", "template": "t0"}]]}
    return {
        "kind": "Workflow",
        "metadata": {"name": "w", "labels": {"own": "1"}},
        "spec": {"entrypoint": "main", "templates": [graph, *templates]},
    }


def test_every_pod_of_a_workflow_gets_the_look() -> None:
    found = dressed(workflow(COMMAND, RECORD), LOOK)
    graph, *pods = found["spec"]["templates"]

    assert graph == workflow(COMMAND)["spec"]["templates"][0]
    for pod in pods:
        assert (pod["container"]["image"], pod["container"]["workingDir"]) == ("a:1", "/w")
        assert pod["nodeSelector"] == {"pool": "user"}
    assert [pod["container"]["command"] for pod in pods] == [COMMAND, RECORD]
    assert found["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert found["metadata"]["labels"] == {"own": "1", "extra": "yes"}


def test_a_manifests_own_variable_wins_over_the_looks() -> None:
    own = [{"name": "HOME", "value": "/elsewhere"}, {"name": "X", "value": "1"}]
    found = dressed(workflow(COMMAND, env=own), LOOK)

    assert found["spec"]["templates"][1]["container"]["env"] == own


def test_a_cron_workflow_carries_the_labels_and_its_runs_do_not() -> None:
    run = workflow(COMMAND)
    metadata = {"labels": {"own": "1"}}
    spec = {"schedules": ["* * * * *"], "workflowMetadata": metadata, "workflowSpec": run["spec"]}
    cron = {"kind": "CronWorkflow", "metadata": {"name": "c"}, "spec": spec}
    found = dressed(cron, on_nebari())

    assert found["metadata"]["labels"] == {NEBARI_LABEL: "true"}
    assert found["spec"]["workflowMetadata"] == metadata
    assert found["spec"]["workflowSpec"]["templates"][1]["container"]["image"] == "set-by-nebari"


def test_only_steps_that_record_are_given_the_databases_secret() -> None:
    found = dressed(workflow(COMMAND, RECORD), PodLook(), {DB_URL_VARIABLE: SecretKey.parse("db")})
    _, notebook, record = (one.get("container", {}) for one in found["spec"]["templates"])

    reference = {"secretKeyRef": {"name": "db", "key": "db_url"}}
    assert record["env"] == [{"name": DB_URL_VARIABLE, "valueFrom": reference}]
    assert "env" not in notebook


def test_the_manifest_that_is_dressed_stays_as_it_is() -> None:
    manifest = workflow(COMMAND)
    dressed(manifest, LOOK, {DB_URL_VARIABLE: SecretKey.parse("db")})

    assert manifest == workflow(COMMAND)


def test_a_look_of_nothing_changes_nothing() -> None:
    assert dressed(workflow(COMMAND), PodLook()) == workflow(COMMAND)
