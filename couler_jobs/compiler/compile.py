"""A declared workflow as the manifest that Argo and the local engine run."""

from __future__ import annotations

import json
from typing import Any

from couler_jobs.compiler import size
from couler_jobs.compiler.expressions import Writer, artifact_of
from couler_jobs.compiler.order import check_order
from couler_jobs.compiler.origin import Origin, blamed, origin_in, place_of
from couler_jobs.compiler.split import fits, split
from couler_jobs.compiler.targets import fitted
from couler_jobs.spec import model
from couler_jobs.spec.overlay import overlaid
from couler_jobs.spec.versions import Target, parse_target

Fields = dict[str, Any]


def manifest(workflow: model.Workflow, target: str = "4.1") -> Fields:
    """The Workflow manifest, a plain dict, for Argo `target`.

    Raises CompileError for what cannot run, and for further fields that `target` does not have.
    """
    return placed_manifest(workflow, target)[0]


def placed_manifest(workflow: model.Workflow, target: str) -> tuple[Fields, Origin]:
    """The same, and what says where in the program a part of it was declared."""
    with blamed(lambda: workflow.place):
        return _placed_manifest(workflow, target)


def _placed_manifest(workflow: model.Workflow, target: str) -> tuple[Fields, Origin]:
    version = parse_target(target)
    check_order(workflow)
    if not size.surely_too_large(workflow):
        fitting = split(workflow) if version.full_crds and not fits(workflow) else workflow
        found = _written(fitting, version)
        if size.fits(found):
            return found, origin_in(fitting)
    smaller = split(workflow, shared=True)
    found = _written(smaller, version)
    size.refuse_too_large(workflow.name, found)
    return found, origin_in(smaller)


def _written(workflow: model.Workflow, version: Target) -> Fields:
    spec: Fields = {"entrypoint": workflow.entrypoint}
    if workflow.on_exit:
        spec["onExit"] = workflow.on_exit
    if workflow.parallelism:
        spec["parallelism"] = workflow.parallelism
    if workflow.timeout:
        spec["activeDeadlineSeconds"] = workflow.timeout
    files = workflow.artifacts
    if workflow.kind != "Workflow":
        # Argo takes no template with a file that lies nowhere: who refers to it says what it is.
        files = tuple(file for file in files if file.extra != "{}")
    if arguments := _inputs(workflow.parameters, files, version):
        spec["arguments"] = arguments
    more = _extra(workflow.extra, "WorkflowSpec", version, "spec")
    spec = overlaid(spec, more, "spec_extra", f"The workflow {workflow.name}")
    templates = [_template(template, version) for template in workflow.templates]
    spec["templates"] = templates + spec.pop("templates", [])
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": workflow.kind,
        "metadata": _metadata(workflow),
        "spec": spec,
    }


def _extra(text: str, kind: str, target: Target, where: str) -> Fields:
    """Further fields of an object of this type, as `target` has them."""
    return fitted(kind, json.loads(text), target, where) if text != "{}" else {}


def _metadata(workflow: model.Workflow) -> Fields:
    is_run = workflow.kind == "Workflow"
    metadata: Fields = {"generateName": f"{workflow.name}-"} if is_run else {"name": workflow.name}
    if workflow.labels:
        metadata["labels"] = dict(workflow.labels)
    if workflow.annotations:
        metadata["annotations"] = dict(workflow.annotations)
    return metadata


def _parameter(parameter: model.Parameter) -> Fields:
    found: Fields = {"name": parameter.name}
    if parameter.value is not None:
        found["value"] = parameter.value
    if parameter.description:
        found["description"] = parameter.description
    if parameter.enum:
        found["enum"] = list(parameter.enum)
    return found


def _template(template: model.Template, target: Target) -> Fields:
    with blamed(lambda: place_of(template)):
        if isinstance(template, model.Graph):
            found = _graph(template, target)
        else:
            found = _leaf(template, target)
        where = f"The template {template.name}"
        more = _extra(template.extra, "Template", target, where)
        retries = found.get("retryStrategy")
        if retries and "retryPolicy" in (more.get("retryStrategy") or ()):
            del retries["retryPolicy"]  # no word says it
        return overlaid(found, more, "template_extra", where)


def _leaf(leaf: model.Pod | model.Plain, target: Target) -> Fields:
    found: Fields = {"name": leaf.name}
    if inputs := _inputs(leaf.inputs, leaf.artifacts, target):
        found["inputs"] = inputs
    if leaf.outputs:
        found["outputs"] = _output_files(leaf.outputs, target)
    if leaf.retry:
        where = f"The retries of {leaf.name}"
        found["retryStrategy"] = fitted("RetryStrategy", _retry(leaf.retry), target, where)
    if leaf.timeout:
        found["activeDeadlineSeconds"] = leaf.timeout
    return found | (_plain(leaf, target) if isinstance(leaf, model.Plain) else _pod(leaf, target))


def _pod(pod: model.Pod, target: Target) -> Fields:
    if isinstance(pod, model.ContainerSet):
        return {"containerSet": _container_set(pod, target)}
    kind = "container" if pod.container.source is None else "script"
    types = {"container": "Container", "script": "ScriptTemplate"}
    where = f"The {kind} of {pod.name}"
    more = _extra(pod.container.extra, types[kind], target, where)
    container = _container(pod.container)
    if kind == "script" and "command" in more:
        container.pop("command", None)  # no word says it
    return {kind: overlaid(container, more, "container_extra", where)}


def _container_set(pod: model.ContainerSet, target: Target) -> Fields:
    where = f"The container set {pod.name}"
    nodes = [_container_node(pod, member, target) for member in pod.members]
    return {"containers": nodes, **_extra(pod.set_extra, "ContainerSetTemplate", target, where)}


def _container_node(
    pod: model.ContainerSet, member: tuple[str, model.Container, tuple[str, ...]], target: Target
) -> Fields:
    name, container, dependencies = member
    where = f"The container {name} of {pod.name}"
    more = _extra(container.extra, "ContainerNode", target, where)
    needs = {"dependencies": list(dependencies)} if dependencies else {}
    own = {"name": name, **_container(container), **needs}
    return overlaid(own, more, "container_extra", where)


_PLAIN_TYPES = {
    "resource": "ResourceTemplate",
    "http": "HTTP",
    "suspend": "SuspendTemplate",
    "data": "Data",
}


def _plain(plain: model.Plain, target: Target) -> Fields:
    if plain.kind == "plugin":  # whose fields are the plugin's own, in every version
        return {"plugin": json.loads(plain.fields)}
    where = f"The {plain.kind} of {plain.name}"
    return {plain.kind: _extra(plain.fields, _PLAIN_TYPES[plain.kind], target, where)}


def _inputs(
    parameters: tuple[model.Parameter, ...], artifacts: tuple[model.Artifact, ...], target: Target
) -> Fields:
    found: Fields = {}
    if parameters:
        found["parameters"] = [_parameter(parameter) for parameter in parameters]
    if artifacts:
        found["artifacts"] = [_artifact(artifact, target) for artifact in artifacts]
    return found


def _artifact(artifact: model.Artifact, target: Target) -> Fields:
    found: Fields = {"name": artifact.name}
    if artifact.path:
        found["path"] = artifact.path
    return found | _extra(artifact.extra, "Artifact", target, f"The artifact {artifact.name}")


def _output_files(outputs: tuple[model.OutputFile, ...], target: Target) -> Fields:
    parameters = [_output_parameter(o, target) for o in outputs if o.kind == "parameter"]
    artifacts = [_output_artifact(o, target) for o in outputs if o.kind == "artifact"]
    return ({"parameters": parameters} if parameters else {}) | (
        {"artifacts": artifacts} if artifacts else {}
    )


def _output_parameter(output: model.OutputFile, target: Target) -> Fields:
    source = {"path": output.path} if output.path else {}
    more = _extra(output.extra, "ValueFrom", target, f"The output {output.name}")
    return {"name": output.name, "valueFrom": source | more} | _global(output.global_name)


def _output_artifact(output: model.OutputFile, target: Target) -> Fields:
    artifact = model.Artifact(name=output.name, path=output.path, extra=output.extra)
    return _artifact(artifact, target) | _global(output.global_name)


def _global(name: str | None) -> Fields:
    return {"globalName": name} if name else {}


def _retry(retry: model.Retry) -> Fields:
    found: Fields = {"limit": str(retry.limit), "retryPolicy": retry.policy}
    backoff: Fields = {}
    if retry.delay is not None:
        backoff["duration"] = f"{retry.delay:g}s"
    if retry.factor is not None:
        backoff["factor"] = f"{retry.factor:g}"
    if retry.longest is not None:
        backoff["maxDuration"] = f"{retry.longest:g}s"
    if retry.cap is not None:
        backoff["cap"] = f"{retry.cap:g}s"
    return found | ({"backoff": backoff} if backoff else {})


_POD = Writer("", ())


def _container(container: model.Container) -> Fields:
    found: Fields = {"image": container.image}
    if container.command:
        found["command"] = [_POD.text(word) for word in container.command]
    if container.args:
        found["args"] = [_POD.text(arg) for arg in container.args]
    if container.source is not None:
        found["source"] = container.source
    if container.env:
        found["env"] = [{"name": name} | _env(value) for name, value in container.env]
    quantities = {"memory": container.memory, "cpu": container.cpu, **dict(container.resources)}
    if asked := {name: text for name, text in quantities.items() if text}:
        found["resources"] = {"requests": asked, "limits": dict(asked)}
    if container.working_dir:
        found["workingDir"] = container.working_dir
    if container.pull_policy:
        found["imagePullPolicy"] = container.pull_policy
    return found


def _env(value: model.Text | model.EnvSource) -> Fields:
    if isinstance(value, model.EnvSource):
        return {"valueFrom": json.loads(value.fields)}
    return {"value": _POD.text(value)}


def _graph(graph: model.Graph, target: Target) -> Fields:
    maybe = {call.name for call in graph.calls if call.when is not None}
    writer = Writer("tasks" if graph.groups is None else "steps", maybe)
    found: Fields = {"name": graph.name}
    if inputs := _inputs(graph.inputs, graph.artifacts, target):
        found["inputs"] = inputs
    if graph.results:
        found["outputs"] = _results(writer, graph.results)
    if graph.parallelism:
        found["parallelism"] = graph.parallelism
    calls = [_call(writer, call, target) for call in graph.calls]
    if graph.groups is None:
        found["dag"] = {"tasks": calls}
    else:
        found["steps"] = _grouped(calls, graph.groups)
    return found


def _grouped(calls: list[Fields], groups: tuple[int, ...]) -> list[list[Fields]]:
    remaining = iter(calls)
    return [[next(remaining) for _ in range(size)] for size in groups]


def _call(writer: Writer, call: model.Call, target: Target) -> Fields:
    found: Fields = {"name": call.name}
    _add_template(found, call.template, target)
    if call.depends_on:
        found["depends"] = call.depends_on
    elif call.depends:
        found["depends"] = " && ".join(call.depends)
    if call.when is not None:
        found["when"] = writer.when(call.when)
    if call.loop is not None:
        _add_loop(found, writer, call.loop)
    if call.arguments:
        found["arguments"] = {
            "parameters": [
                {"name": name, "value": value if isinstance(value, str) else writer.argument(value)}
                for name, value in call.arguments
            ]
        }
    if call.artifacts:
        given = [_given_artifact(writer, artifact, target) for artifact in call.artifacts]
        found.setdefault("arguments", {})["artifacts"] = given
    if call.extra == "{}":
        return found
    with blamed(lambda: call.place):
        more = _extra(call.extra, _CALL_TYPES[writer.prefix], target, f"The call {call.name}")
    return found | more


_CALL_TYPES = {"tasks": "DAGTask", "steps": "WorkflowStep"}


def _add_template(
    found: Fields, template: str | model.TemplateRef | model.Pod | model.Plain, target: Target
) -> None:
    if isinstance(template, str):
        found["template"] = template
    elif isinstance(template, model.TemplateRef):
        cluster = {"clusterScope": True} if template.cluster else {}
        found["templateRef"] = {"name": template.name, "template": template.template, **cluster}
    else:
        inline = _template(template, target)
        found["inline"] = {name: value for name, value in inline.items() if name != "name"}


def _given_artifact(writer: Writer, artifact: model.Artifact, target: Target) -> Fields:
    found = _artifact(artifact, target)
    if artifact.source is None:
        return found
    return found | writer.given_artifact(artifact.source)


def _add_loop(found: Fields, writer: Writer, loop: model.Loop) -> None:
    if loop.over is not None:
        found["withParam"] = writer.tag(loop.over)
    elif loop.sequence:
        found["withSequence"] = {name: writer.text(text) for name, text in loop.sequence}
    else:
        found["withItems"] = [i if isinstance(i, str) else dict(i) for i in loop.items]


def _results(writer: Writer, results: tuple[model.Result, ...]) -> Fields:
    found: Fields = {}
    for result in results:
        found.setdefault(f"{result.kind}s", []).append(_result(writer, result))
    return found


def _result(writer: Writer, result: model.Result) -> Fields:
    found: Fields = {"name": result.name} | _global(result.global_name)
    if result.kind == "artifact":
        return found | writer.artifact_from(artifact_of(result.value))
    return found | {"valueFrom": writer.value_from(result.value)}
