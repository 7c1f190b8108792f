"""Search for good hyperparameters: an Experiment of Kubeflow's Katib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couler_jobs.dsl.couler.jobs import run_job
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.steps.pods import FAILED

# Katib lists an experiment's conditions in the order Created, Running, and how it ended.
SUCCESS = "status.conditions.2.type == Succeeded"


def run(
    raw_template: str | Mapping[str, Any],
    tuning_params: Sequence[Mapping[str, Any]],
    objective: Mapping[str, Any],
    success_condition: str | None = None,
    failure_condition: str | None = None,
    algorithm: str = "random",
    parallel_trial_count: int = 3,
    max_trial_count: int = 12,
    max_failed_trial_count: int = 3,
    timeout: float | str | None = None,
    step_name: str = "katib",
    primary_container: str | None = None,
) -> list[Handle]:
    """Run trials until the goal or the number of trials is reached.

    `raw_template` is the YAML, or a mapping, of what a trial runs: a Job, a TFJob, a PyTorchJob. In
    it `${trialParameters.NAME}` is the value that is tried. `tuning_params` are mappings with a
    `name`, a `type` (int, double, discrete or categorical), and a `range` [lowest, highest] or a
    `list` of values. `objective` has a `type` (maximize or minimize), a `goal` and a `metric_name`.
    `primary_container` is the one whose metrics count, the first one if None. The answer is
    `run_job`'s; its object has the best trial in `status.currentOptimalTrial`.

    Source: https://www.kubeflow.org/docs/components/katib/user-guides/katib-config/
    """
    trial = _trial(raw_template)
    missing = [key for key in ("type", "goal", "metric_name") if key not in objective]
    if missing:
        raise DeclarationError(f"objective= has no {', '.join(missing)}.")
    spec: dict[str, Any] = {
        "objective": {
            "type": objective["type"],
            "goal": objective["goal"],
            "objectiveMetricName": objective["metric_name"],
        },
        "algorithm": {"algorithmName": algorithm},
        "parallelTrialCount": parallel_trial_count,
        "maxTrialCount": max_trial_count,
        "maxFailedTrialCount": max_failed_trial_count,
        "parameters": [_parameter(one) for one in tuning_params],
        "trialTemplate": {
            "primaryContainerName": primary_container or _first_container(trial),
            "trialParameters": [
                {"name": one["name"], "reference": one["name"]} for one in tuning_params
            ],
            "trialSpec": trial,
        },
    }
    return run_job(
        manifest={
            "apiVersion": "kubeflow.org/v1beta1",
            "kind": "Experiment",
            "metadata": {"generateName": "katib-"},
            "spec": spec,
        },
        success_condition=success_condition or SUCCESS,
        failure_condition=failure_condition or FAILED,
        timeout=timeout,
        step_name=step_name,
    )


def _trial(given: str | Mapping[str, Any]) -> dict[str, Any]:
    import yaml

    if isinstance(given, str) and "{{" in given:
        raise DeclarationError(
            "raw_template= is a Go template, which Katib no longer reads: write "
            "${trialParameters.NAME} where a value goes."
        )
    found = yaml.safe_load(given) if isinstance(given, str) else dict(given)
    if not isinstance(found, dict):
        raise DeclarationError("raw_template= is the manifest of one object, which is a mapping.")
    return found


def _parameter(given: Mapping[str, Any]) -> dict[str, Any]:
    """A hyperparameter and its values, which are texts."""
    name = given.get("name")
    if not name or "type" not in given:
        raise DeclarationError(f"tuning_params= has {dict(given)!r}: it needs a name and a type.")
    if "list" in given:
        space: dict[str, Any] = {"list": [str(value) for value in given["list"]]}
    elif len(given.get("range") or ()) == 2:
        lowest, highest = given["range"]
        space = {"min": str(lowest), "max": str(highest)}
    else:
        raise DeclarationError(f"The hyperparameter {name} needs range=[lowest, highest] or list=.")
    return {"name": name, "parameterType": given["type"], "feasibleSpace": space}


def _first_container(part: Any) -> str:
    """The name of the first container of the trial."""
    if isinstance(part, dict):
        containers = part.get("containers")
        if isinstance(containers, list) and containers:
            return str(containers[0].get("name", ""))
        return next((name for value in part.values() if (name := _first_container(value))), "")
    return ""
