"""Training with TensorFlow: a TFJob of Kubeflow's Training Operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.couler.secrets import Secret
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.steps.pods import FAILED, Command, Replicas, Resources, replica_specs


def train(
    image: str | None = None,
    command: Command = "",
    secret: str | Secret | None = None,
    no_chief: bool = True,
    chief_image: str | None = None,
    chief_resources: Resources | None = None,
    chief_restart_policy: str = "Never",
    chief_command: Command | None = None,
    num_ps: int = 0,
    ps_image: str | None = None,
    ps_resources: Resources | None = None,
    ps_restart_policy: str = "Never",
    ps_command: Command | None = None,
    num_workers: int = 0,
    worker_image: str | None = None,
    worker_resources: Resources | None = None,
    worker_restart_policy: str = "Never",
    worker_command: Command | None = None,
    clean_pod_policy: str = "Running",
    timeout: float | str | None = None,
    step_name: str = "tf-train",
    env: Mapping[str, Any] | None = None,
) -> list[Handle]:
    """Train on a chief (if `no_chief` is False), parameter servers and workers.

    `image` and `command` hold for each that has none of its own. It succeeds when the chief has;
    without one, when all workers have. `env` goes to every container. The answer is `run_job`'s.

    Source: https://www.kubeflow.org/docs/components/trainer/legacy-v1/user-guides/tensorflow/
    """
    chief = Replicas(
        image=chief_image or image,
        command=chief_command or command,
        resources=chief_resources,
        restart_policy=chief_restart_policy,
        secret=secret,
    )
    servers = Replicas(
        image=ps_image or image,
        command=ps_command or command,
        count=num_ps,
        resources=ps_resources,
        restart_policy=ps_restart_policy,
        secret=secret,
    )
    workers = Replicas(
        image=worker_image or image,
        command=worker_command or command,
        count=num_workers,
        resources=worker_resources,
        restart_policy=worker_restart_policy,
        secret=secret,
    )
    if no_chief and num_workers < 1:
        raise DeclarationError("A TFJob needs a chief or workers: give num_workers=.")
    kinds = {"PS": servers, "Worker": workers} | ({} if no_chief else {"Chief": chief})
    used = replica_specs(kinds, "tensorflow")
    spec: dict[str, Any] = {"runPolicy": {"cleanPodPolicy": clean_pod_policy}}
    if no_chief:
        spec["successPolicy"] = "AllWorkers"
    ends, count = ("Worker", num_workers) if no_chief else ("Chief", 1)
    return run_job(
        manifest={
            "apiVersion": "kubeflow.org/v1",
            "kind": "TFJob",
            "metadata": {"generateName": "tf-train-"},
            "spec": {**spec, "tfReplicaSpecs": used},
        },
        success_condition=f"status.replicaStatuses.{ends}.succeeded == {count}",
        failure_condition=FAILED,
        timeout=timeout,
        step_name=step_name,
        env=env,
    )
