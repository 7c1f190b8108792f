"""Training with PyTorch: a PyTorchJob of Kubeflow's Training Operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.couler.secrets import Secret
from couler_jobs.dsl.values import Handle
from couler_jobs.steps.pods import FAILED, Command, Replicas, Resources, replica_specs


def train(
    image: str | None = None,
    command: Command = "",
    secret: str | Secret | None = None,
    master_image: str | None = None,
    master_resources: Resources | None = None,
    master_restart_policy: str = "Never",
    master_command: Command | None = None,
    num_workers: int = 0,
    worker_image: str | None = None,
    worker_resources: Resources | None = None,
    worker_restart_policy: str = "Never",
    worker_command: Command | None = None,
    clean_pod_policy: str = "Running",
    timeout: float | str | None = None,
    step_name: str = "pytorch-train",
    env: Mapping[str, Any] | None = None,
) -> list[Handle]:
    """Train on a master and any number of workers; it succeeds when the master has.

    `image` and `command` hold for each that has none of its own. `env` goes to every container.
    The answer is `run_job`'s.

    Source: https://www.kubeflow.org/docs/components/trainer/legacy-v1/user-guides/pytorch/
    """
    master = Replicas(
        image=master_image or image,
        command=master_command or command,
        resources=master_resources,
        restart_policy=master_restart_policy,
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
    used = replica_specs({"Master": master, "Worker": workers}, "pytorch")
    return run_job(
        manifest={
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": {"generateName": "pytorch-train-"},
            "spec": {
                "runPolicy": {"cleanPodPolicy": clean_pod_policy},
                "pytorchReplicaSpecs": used,
            },
        },
        success_condition="status.replicaStatuses.Master.succeeded == 1",
        failure_condition=FAILED,
        timeout=timeout,
        step_name=step_name,
        env=env,
    )
