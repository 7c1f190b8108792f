"""Steps that make a Kubernetes object, and templates that are in the cluster already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from couler_jobs.dsl.couler.cache import Cache
from couler_jobs.dsl.couler.containers import env_text, limits, memoize
from couler_jobs.dsl.couler.leaves import (
    Asked,
    Inputs,
    outputs_of,
    record_call,
    record_leaf,
    remember,
)
from couler_jobs.dsl.couler.outputs import FileOutput, FileValue, JobOutput, Outputs, OutputValue
from couler_jobs.dsl.couler.recording import scope_now
from couler_jobs.dsl.units import extra_json
from couler_jobs.dsl.values import Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.manifest import load_with_lines
from couler_jobs.spec.names import template_name
from couler_jobs.spec.to_yaml import to_yaml

Action = Literal["get", "create", "apply", "delete", "replace", "patch"]
ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")

JOB_OUTPUTS = (
    model.OutputFile(name="job-id", path=None, extra='{"jsonPath": "{.metadata.uid}"}'),
    model.OutputFile(name="job-name", path=None, extra='{"jsonPath": "{.metadata.name}"}'),
    model.OutputFile(name="job-obj", path=None, extra='{"jqFilter": "."}'),
)


def run_job(
    manifest: str | Mapping[str, Any],
    success_condition: str | None = None,
    failure_condition: str | None = None,
    timeout: float | str | None = None,
    retry: int | None = None,
    step_name: str | None = None,
    pool: Any = None,
    env: Mapping[str, Any] | None = None,
    action: Action = "create",
    set_owner_reference: bool = True,
    cache: Cache | None = None,
) -> list[Handle]:
    """Make a Kubernetes object, and wait until a condition on its fields holds.

    `manifest` is its YAML, or a mapping. `env` goes to each container in it (where it has none, to
    its `spec.env`). `set_owner_reference`: the object is deleted with the workflow. The answer is a
    list of one output, whose `job_name`, `job_id` and `job_obj` are usable as arguments; as an
    argument itself it is these three, the id first. What is deleted leaves none.
    """
    if action not in ACTIONS:
        raise DeclarationError(f"action={action!r}: it is one of {', '.join(ACTIONS)}.")
    name = template_name(step_name or "job")
    inputs = Inputs(scope_now(), name)
    fields: dict[str, Any] = {"action": action, "manifest": _manifest(inputs, manifest, env)}
    if set_owner_reference:
        fields["setOwnerReference"] = True
    conditions = {"successCondition": success_condition, "failureCondition": failure_condition}
    fields |= {key: value for key, value in conditions.items() if value}
    leaf = model.Plain(
        name="",
        kind="resource",
        fields=extra_json(fields),
        outputs=() if action == "delete" else JOB_OUTPUTS,
        extra=extra_json(memoize(cache)),
        **inputs.fields(),
        **limits(timeout, retry),
    )
    outputs = record_leaf(name, leaf, inputs, Asked(pool=pool), default=())
    if len(outputs):
        outputs[:] = [JobOutput(*outputs)]  # what get_step_output gives, too
    return outputs


def _manifest(inputs: Inputs, given: Any, env: Mapping[str, Any] | None) -> str:
    if not given:
        raise DeclarationError("run_job needs a manifest: the object's YAML, or a mapping.")
    if isinstance(given, str) and not env:
        return given
    found = _one(given) if isinstance(given, str) else json.loads(json.dumps(given))
    if not isinstance(found, dict):
        raise DeclarationError("run_job needs the manifest of one object, which is a mapping.")
    if env:
        _add_env(found, [_variable(inputs, n, v) for n, v in env.items() if v is not None])
    return to_yaml(found)


def _one(text: str) -> Any:
    found, _ = load_with_lines(text)
    return found[0] if len(found) == 1 else None


def _variable(inputs: Inputs, name: str, value: Any) -> dict[str, Any]:
    found = env_text(inputs, name, value)
    if isinstance(found, model.EnvSource):
        return {"name": name, "valueFrom": json.loads(found.fields)}
    if isinstance(found, str):
        return {"name": name, "value": found}
    return {"name": name, "value": f"{{{{inputs.parameters.{inputs.texts[-1][0]}}}}}"}


def _add_env(manifest: dict[str, Any], variables: list[dict[str, Any]]) -> None:
    containers = list(_containers(manifest.get("spec")))
    for owner in containers or [manifest.setdefault("spec", {})]:
        owner["env"] = [*(owner.get("env") or ()), *variables]


def _containers(part: Any) -> Any:
    """Every container below a part of a manifest."""
    if isinstance(part, list):
        for one in part:
            yield from _containers(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "containers" and isinstance(value, list):
                yield from (one for one in value if isinstance(one, dict))
            else:
                yield from _containers(value)


def run_canned_step(
    name: str,
    args: Mapping[str, Any] | None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Any = None,
    step_name: str | None = None,
    cache: Cache | None = None,
) -> list[Handle]:
    """Run a template that is in the cluster already.

    `name` is `workflow-template/template`; without a slash both are called so. `args` are the
    template's parameters and `inputs` its artifacts, by their names. `outputs`: the names of its
    output parameters, or artifacts such as `create_local_artifact`; the answer is a list of them.
    """
    if cache is not None:
        raise DeclarationError("A stored template has its own cache, or none: leave cache= out.")
    owner, slash, template = name.partition("/")
    step = template_name(step_name or template or owner)
    scope = scope_now()
    given = Inputs(scope, step)
    for key, value in (args or {}).items():
        given.parameter(key, value)
    for key, value in (inputs or {}).items():
        given.add_file(value, key)
    reference = model.TemplateRef(name=owner, template=template if slash else owner)
    task = record_call(scope, step, reference, given)
    found = Outputs(_handle(scope, task, one) for one in _declared(outputs))
    remember(step, task, found)
    return found


def _declared(outputs: Any) -> Sequence[Any]:
    if isinstance(outputs, str) or not isinstance(outputs, list | tuple):
        return [] if outputs is None else [outputs]
    return outputs


def _handle(scope: Any, task: str, declared: Any) -> Handle:
    if isinstance(declared, str):
        return Handle(OutputValue(scope, model.Output(task=task, name=declared, missing="")))
    (made,) = outputs_of(declared)
    output = model.Output(task=task, name=made.name, kind=made.kind, missing="")
    if made.kind == "artifact":
        return FileOutput(FileValue(scope, output), made.path or "")
    return Handle(OutputValue(scope, output))
