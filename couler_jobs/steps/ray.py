"""Ray jobs: a RayJob of KubeRay, on a cluster that lives as long as it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.couler.secrets import Secret
from couler_jobs.dsl.values import Handle
from couler_jobs.steps.pods import Replicas, Resources

FAILURE = ", ".join(
    [
        "status.jobDeploymentStatus == Failed",
        "status.jobDeploymentStatus == ValidationFailed",
        "status.jobStatus == FAILED",
        "status.jobStatus == STOPPED",
    ]
)
"""Nothing is tried again: before KubeRay 1.2 the deployment of a failed job is Complete
(ray-project/kuberay, `ray-operator/apis/ray/v1/rayjob_types.go`)."""


def run(
    entrypoint: str,
    image: str,
    num_workers: int = 1,
    head_resources: Resources | None = None,
    worker_resources: Resources | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    secret: str | Secret | None = None,
    timeout: float | str | None = None,
    step_name: str = "ray",
    env: Mapping[str, Any] | None = None,
) -> list[Handle]:
    """Run `entrypoint`, such as `python train.py`, on a cluster of a head and workers of its own.

    `runtime_env` is Ray's (packages, variables, a working folder). The cluster is deleted at the
    end. `env` goes to every container. The answer is `run_job`'s.

    Source: https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html
    """
    head = Replicas(image=image, resources=head_resources, secret=secret)
    worker = Replicas(image=image, resources=worker_resources, secret=secret)
    cluster: dict[str, Any] = {
        "headGroupSpec": {
            "rayStartParams": {},
            "template": {"spec": {"containers": [head.container("ray-head")]}},
        }
    }
    if num_workers > 0:
        group = {
            "groupName": "workers",
            "replicas": num_workers,
            "minReplicas": num_workers,
            "maxReplicas": num_workers,
            "rayStartParams": {},
            "template": {"spec": {"containers": [worker.container("ray-worker")]}},
        }
        cluster["workerGroupSpecs"] = [group]
    spec: dict[str, Any] = {
        "entrypoint": entrypoint,
        "shutdownAfterJobFinishes": True,
        "rayClusterSpec": cluster,
    }
    if runtime_env:
        import yaml

        spec["runtimeEnvYAML"] = yaml.safe_dump(dict(runtime_env), sort_keys=False)
    return run_job(
        manifest={
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"generateName": "ray-"},
            "spec": spec,
        },
        success_condition="status.jobStatus == SUCCEEDED",
        failure_condition=FAILURE,
        timeout=timeout,
        step_name=step_name,
        env=env,
    )
