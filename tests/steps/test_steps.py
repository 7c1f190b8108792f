"""Distributed jobs: the object that each step makes, and when it counts as done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.build import compile
from couler_jobs.dsl.recorder import record_into
from couler_jobs.errors import DeclarationError
from couler_jobs.steps import katib, mpi, pytorch, ray, spark, tensorflow
from couler_jobs.steps.pods import limits_of, words_of

TRIAL = """
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: training
          image: trainer:1
          command: [python, train.py, "--lr=${trialParameters.lr}"]
"""
GOAL = {"type": "maximize", "goal": 0.99, "metric_name": "accuracy"}
RATE = {"name": "lr", "type": "double", "range": [0.01, 0.03]}

Declare = Callable[[], Any]
ALL: dict[str, Declare] = {
    "tensorflow": lambda: tensorflow.train(image="tf:2", command="python t.py", num_workers=2),
    "pytorch": lambda: pytorch.train(image="torch:2", command="python t.py", num_workers=2),
    "mpi": lambda: mpi.train(image="mpi:1", command="mpirun python t.py", num_workers=2),
    "katib": lambda: katib.run(TRIAL, [RATE], GOAL),
    "spark": lambda: spark.run("local:///opt/app.py", "spark:4.0.0", "4.0.0"),
    "ray": lambda: ray.run("python t.py", "rayproject/ray:2.45.0"),
}


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    record_into(None)
    yield
    record_into(None)


def resource(declare: Declare) -> dict[str, Any]:
    declare()
    manifest = compile()
    (found,) = [t["resource"] for t in manifest["spec"]["templates"] if "resource" in t]
    return dict(found)


def made(declare: Declare) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(resource(declare)["manifest"])
    return found


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [
        ("tensorflow", "kubeflow.org/v1", "TFJob"),
        ("pytorch", "kubeflow.org/v1", "PyTorchJob"),
        ("mpi", "kubeflow.org/v2beta1", "MPIJob"),
        ("katib", "kubeflow.org/v1beta1", "Experiment"),
        ("spark", "sparkoperator.k8s.io/v1beta2", "SparkApplication"),
        ("ray", "ray.io/v1", "RayJob"),
    ],
)
def test_the_object_has_todays_version(name: str, version: str, kind: str) -> None:
    found = made(ALL[name])
    assert (found["apiVersion"], found["kind"]) == (version, kind)


FAILED = (
    "status.conditions.0.type == Failed, status.conditions.1.type == Failed, "
    "status.conditions.2.type == Failed, status.conditions.3.type == Failed"
)


@pytest.mark.parametrize(
    ("name", "success", "failure"),
    [
        ("tensorflow", "status.replicaStatuses.Worker.succeeded == 2", FAILED),
        ("pytorch", "status.replicaStatuses.Master.succeeded == 1", FAILED),
        ("mpi", "status.replicaStatuses.Launcher.succeeded == 1", FAILED),
        ("katib", "status.conditions.2.type == Succeeded", FAILED),
        (
            "spark",
            "status.applicationState.state == COMPLETED",
            "status.applicationState.state == FAILED",
        ),
        (
            "ray",
            "status.jobStatus == SUCCEEDED",
            "status.jobDeploymentStatus == Failed, status.jobDeploymentStatus == ValidationFailed, "
            "status.jobStatus == FAILED, status.jobStatus == STOPPED",
        ),
    ],
)
def test_its_end_is_known(name: str, success: str, failure: str) -> None:
    found = resource(ALL[name])
    assert (found["successCondition"], found["failureCondition"]) == (success, failure)
    assert found["setOwnerReference"] is True


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("target", ["3.5", "4.1"])
def test_nothing_is_wrong_with_it(name: str, target: str) -> None:
    ALL[name]()
    assert cj.lint(compile(target=target), target) == []


def test_each_kind_of_replica_has_its_own_settings() -> None:
    spec = made(
        lambda: tensorflow.train(
            image="tf:2",
            command="python t.py",
            no_chief=False,
            chief_resources="cpu=1,memory=1024,gpu=1",
            num_ps=1,
            ps_image="ps:1",
            num_workers=3,
            worker_command=["python", "w.py"],
            worker_restart_policy="OnFailure",
        )
    )["spec"]["tfReplicaSpecs"]
    containers = {kind: one["template"]["spec"]["containers"][0] for kind, one in spec.items()}
    assert {kind: one["replicas"] for kind, one in spec.items()} == {
        "PS": 1,
        "Worker": 3,
        "Chief": 1,
    }
    assert containers["PS"]["image"] == "ps:1"
    assert containers["Worker"]["command"] == ["python", "w.py"]
    assert spec["Worker"]["restartPolicy"] == "OnFailure"
    assert containers["Chief"]["resources"]["limits"] == {
        "cpu": "1",
        "memory": "1024Mi",
        "nvidia.com/gpu": "1",
    }


def test_with_a_chief_its_success_counts() -> None:
    found = resource(lambda: tensorflow.train(image="tf:2", no_chief=False))
    assert found["successCondition"] == "status.replicaStatuses.Chief.succeeded == 1"


def test_workers_of_mpi_run_the_operators_own_command() -> None:
    spec = made(ALL["mpi"])["spec"]
    worker = spec["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    assert "command" not in worker
    assert spec["runPolicy"]["backoffLimit"] == 0


def test_a_secret_and_an_upstream_output_reach_every_container() -> None:
    def declare() -> None:
        key = couler.create_secret({"TOKEN": "hidden"}, name="keys")
        day = couler.run_container(image="alpine", command=["date"], step_name="day")
        pytorch.train(image="torch:2", num_workers=1, secret=key, env={"DAY": day})

    found = resource(declare)
    assert "hidden" not in found["manifest"]
    replicas = yaml.safe_load(found["manifest"])["spec"]["pytorchReplicaSpecs"].values()
    names = [
        [one["name"] for one in part["template"]["spec"]["containers"][0]["env"]]
        for part in replicas
    ]
    assert names == [["TOKEN", "DAY"]] * 2


def test_hyperparameters_are_texts_and_keep_their_fractions() -> None:
    layers = {"name": "layers", "type": "int", "range": [2, 5]}
    choice = {"name": "optimizer", "type": "categorical", "list": ["sgd", "adam"]}
    spec = made(lambda: katib.run(TRIAL, [RATE, layers, choice], GOAL))["spec"]
    assert [one["feasibleSpace"] for one in spec["parameters"]] == [
        {"min": "0.01", "max": "0.03"},
        {"min": "2", "max": "5"},
        {"list": ["sgd", "adam"]},
    ]
    assert spec["trialTemplate"]["primaryContainerName"] == "training"
    assert spec["trialTemplate"]["trialParameters"][0] == {"name": "lr", "reference": "lr"}


def test_settings_of_spark() -> None:
    spec = made(
        lambda: spark.run(
            "local:///opt/app.jar",
            "spark:4.0.0",
            "4.0.0",
            arguments=["10"],
            language="Scala",
            main_class="org.example.App",
            conf={"spark.eventLog.enabled": "true"},
            service_account="spark",
        )
    )["spec"]
    assert spec["mainClass"] == "org.example.App"
    assert spec["arguments"] == ["10"]
    assert spec["sparkConf"] == {"spark.eventLog.enabled": "true"}
    assert spec["driver"]["serviceAccount"] == "spark"


def test_settings_of_ray() -> None:
    spec = made(lambda: ray.run("python t.py", "ray:2", 0, runtime_env={"pip": ["x"]}))["spec"]
    assert yaml.safe_load(spec["runtimeEnvYAML"]) == {"pip": ["x"]}
    assert "workerGroupSpecs" not in spec["rayClusterSpec"]


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: tensorflow.train(image="tf:2"), "needs a chief or workers"),
        (lambda: pytorch.train(command="python t.py"), "needs an image"),
        (lambda: mpi.train(image="mpi:1"), "needs workers"),
        (lambda: pytorch.train(image="t", master_resources="gpu_type=p100"), "'gpu_type=p100'"),
        (lambda: katib.run("a: {{.Trial}}", [RATE], GOAL), "Go template"),
        (lambda: katib.run("text", [RATE], GOAL), "which is a mapping"),
        (lambda: katib.run(TRIAL, [RATE], {"type": "maximize"}), "no goal, metric_name"),
        (lambda: katib.run(TRIAL, [{"name": "lr"}], GOAL), "a name and a type"),
        (lambda: katib.run(TRIAL, [{"name": "lr", "type": "int"}], GOAL), "hyperparameter lr"),
    ],
)
def test_a_mistake_is_told_when_it_is_declared(declare: Declare, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        declare()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, {}),
        ("cpu=0.5, memory=2Gi", {"cpu": "0.5", "memory": "2Gi"}),
        ("disk=2048", {"ephemeral-storage": "2048Mi"}),
        ({"cpu": 2, "gpu": 1}, {"cpu": "2", "nvidia.com/gpu": "1"}),
    ],
)
def test_resources_of_a_pod(given: Any, found: dict[str, str]) -> None:
    assert limits_of(given) == found


def test_a_command_is_words() -> None:
    assert words_of("python -c 'print(1)'") == ["python", "-c", "print(1)"]
    assert words_of(["a b"]) == ["a b"]
