"""Spark applications: a SparkApplication of Kubeflow's Spark Operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.values import Handle


def run(
    main_file: str,
    image: str,
    spark_version: str,
    arguments: Sequence[str] = (),
    language: Literal["Python", "Java", "Scala", "R"] = "Python",
    main_class: str | None = None,
    conf: Mapping[str, str] | None = None,
    service_account: str | None = None,
    driver_cores: int = 1,
    driver_memory: str = "512m",
    executors: int = 1,
    executor_cores: int = 1,
    executor_memory: str = "512m",
    timeout: float | str | None = None,
    step_name: str = "spark",
) -> list[Handle]:
    """Run an application, `main_file` such as `local:///opt/app.py`, to its end.

    Memory is in Spark's own units (`512m`, `4g`). `service_account` is the driver's, which makes
    the executors' pods. `main_class` is for Java and Scala. The answer is `run_job`'s.

    Source: https://www.kubeflow.org/docs/components/spark-operator/user-guide/
    """
    driver: dict[str, Any] = {"cores": driver_cores, "memory": driver_memory}
    spec: dict[str, Any] = {
        "type": language,
        "mode": "cluster",
        "image": image,
        "mainApplicationFile": main_file,
        "sparkVersion": spark_version,
        "restartPolicy": {"type": "Never"},
        "driver": driver,
        "executor": {
            "instances": executors,
            "cores": executor_cores,
            "memory": executor_memory,
        },
    }
    if service_account:
        driver["serviceAccount"] = service_account
    if main_class:
        spec["mainClass"] = main_class
    if arguments:
        spec["arguments"] = [str(one) for one in arguments]
    if conf:
        spec["sparkConf"] = dict(conf)
    return run_job(
        manifest={
            "apiVersion": "sparkoperator.k8s.io/v1beta2",
            "kind": "SparkApplication",
            "metadata": {"generateName": "spark-"},
            "spec": spec,
        },
        success_condition="status.applicationState.state == COMPLETED",
        failure_condition="status.applicationState.state == FAILED",
        timeout=timeout,
        step_name=step_name,
    )
