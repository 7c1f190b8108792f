"""Training over MPI: an MPIJob of Kubeflow's MPI Operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.couler.secrets import Secret
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.steps.pods import FAILED, Command, Replicas, Resources


def train(
    image: str | None = None,
    command: Command = "",
    secret: str | Secret | None = None,
    launcher_image: str | None = None,
    launcher_resources: Resources | None = None,
    launcher_command: Command | None = None,
    num_workers: int = 0,
    worker_image: str | None = None,
    worker_resources: Resources | None = None,
    worker_command: Command | None = None,
    clean_pod_policy: str = "Running",
    timeout: float | str | None = None,
    slots_per_worker: int = 1,
    step_name: str = "mpi-train",
    env: Mapping[str, Any] | None = None,
) -> list[Handle]:
    """Run `command`, such as `mpirun python train.py`, in a launcher that reaches the workers.

    It succeeds when the launcher has. Workers have no command unless `worker_command` is given:
    the operator starts the SSH server in them, by which the launcher starts the processes.
    `env` goes to every container. The answer is `run_job`'s.

    Source: https://www.kubeflow.org/docs/components/trainer/legacy-v1/user-guides/mpi/
    """
    if num_workers < 1:
        raise DeclarationError("An MPIJob needs workers: give num_workers=.")
    launcher = Replicas(
        image=launcher_image or image,
        command=launcher_command or command,
        resources=launcher_resources,
        restart_policy="Never",
        secret=secret,
    )
    workers = Replicas(
        image=worker_image or image,
        command=worker_command,
        count=num_workers,
        resources=worker_resources,
        restart_policy="Never",
        secret=secret,
    )
    return run_job(
        manifest={
            "apiVersion": "kubeflow.org/v2beta1",
            "kind": "MPIJob",
            "metadata": {"generateName": "mpi-train-"},
            "spec": {
                "slotsPerWorker": slots_per_worker,
                # a failed launcher is the end, which the condition below takes it for
                "runPolicy": {"cleanPodPolicy": clean_pod_policy, "backoffLimit": 0},
                "mpiReplicaSpecs": {
                    "Launcher": launcher.manifest("mpi-launcher"),
                    "Worker": workers.manifest("mpi-worker"),
                },
            },
        },
        success_condition="status.replicaStatuses.Launcher.succeeded == 1",
        failure_condition=FAILED,
        timeout=timeout,
        step_name=step_name,
        env=env,
    )
