"""What the steps of one template can refer to: `steps.a.outputs.result`, `tasks.b.status`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from couler_jobs.backends.local.engine.records import RETRY, Node, Nodes, rfc3339
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import (
    ABSENT,
    LOCATIONS,
    Filled,
    Template,
    value_text,
)
from couler_jobs.backends.local.engine.variables import MISSING, Variables
from couler_jobs.spec.expressions import Expression, ExpressionError, expand, gotext, read
from couler_jobs.spec.status import Phase

Artifact = Mapping[str, Any]


def node_values(root: str, name: str, node: Node, nodes: Nodes) -> dict[str, Any]:
    """The variables of one step that has a node; artifacts are dicts, everything else is text."""
    shown = last_attempt(node, nodes) or node
    prefix = f"{root}.{name}"
    values: dict[str, Any] = {f"{prefix}.id": shown.id, f"{prefix}.status": shown.phase.value}
    if shown.ip:
        values[f"{prefix}.ip"] = shown.ip
    if shown.started is not None:
        values[f"{prefix}.startedAt"] = rfc3339(shown.started)
    if shown.finished is not None:
        values[f"{prefix}.finishedAt"] = rfc3339(shown.finished)
    return {**values, **output_values(prefix, shown.outputs)}


def output_values(prefix: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a node's outputs."""
    values: dict[str, Any] = {}
    if outputs.get("result") is not None:
        values[f"{prefix}.outputs.result"] = outputs["result"]
    if outputs.get("exitCode") is not None:
        values[f"{prefix}.exitCode"] = outputs["exitCode"]
    for key, value in (outputs.get("parameters") or {}).items():
        values[f"{prefix}.outputs.parameters.{key}"] = value
    for key, value in (outputs.get("artifacts") or {}).items():
        values[f"{prefix}.outputs.artifacts.{key}"] = as_artifact(value)
    return values


def as_artifact(value: Any) -> Artifact:
    """A stored artifact as the artifacts of a manifest are written."""
    return value if isinstance(value, Mapping) else {"key": value}


def last_attempt(node: Node, nodes: Nodes) -> Node | None:
    """The last attempt below a retry node."""
    if node.type != RETRY:
        return None
    attempts = (nodes.by_id[child] for child in reversed(node.children))
    return next((attempt for attempt in attempts if not attempt.hooked), None)


def skipped_values(root: str, name: str, node: Node, template: Template | None) -> dict[str, Any]:
    """The outputs that a step which did not run is known for: each its default, or None."""
    if node.outputs or node.phase not in (Phase.SKIPPED, Phase.OMITTED) or template is None:
        return {}
    values: dict[str, Any] = {}
    for parameter in (template.body.get("outputs") or {}).get("parameters") or ():
        default = (parameter.get("valueFrom") or {}).get("default")
        key = f"{root}.{name}.outputs.parameters.{parameter['name']}"
        values[key] = None if default is None else value_text(default)
    return values


class TaskLayer:
    """The variables of a task's ancestors, made only when something refers to them.

    `values_of` gives the variables of one task, `ancestors` says whether a task is one.
    """

    def __init__(
        self,
        names: Callable[[], tuple[str, ...]],
        values_of: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self._names, self._values_of = names, values_of

    def find(self, name: str) -> Any:
        """The value of `tasks.a.outputs.result` and the like, or `MISSING`."""
        root, _, rest = name.partition(".")
        if root != "tasks" or not rest:
            return MISSING
        values = self._values_of(rest.partition(".")[0])
        found = MISSING if values is None else values.get(name, MISSING)
        return found if found is None or isinstance(found, str | Mapping) else MISSING

    def under(self, expression: Expression) -> Mapping[str, Any]:
        """The variables of those tasks that the expression names, or of all ancestors."""
        if "tasks" not in expression.names:
            return {}
        keys = expression.keys_below("tasks")
        found: dict[str, Any] = {}
        for name in self._names() if keys is None else sorted(keys):
            found.update(self._values_of(name) or {})
        return found


def mark_absent(arguments: Mapping[str, Any], variables: Variables) -> dict[str, Any]:
    """Mark arguments that are nothing but the output of a skipped step as not supplied."""
    parameters = [
        {**p, "value": ABSENT} if _is_absent(p.get("value"), variables) else p
        for p in arguments.get("parameters") or ()
    ]
    return {**arguments, "parameters": parameters}


def _is_absent(value: Any, variables: Variables) -> bool:
    if not (isinstance(value, str) and value.startswith("{{") and value.endswith("}}")):
        return False
    name = value[2:-2].strip()
    return "{{" not in name and "}}" not in name and variables.find(name) is None


def find_artifacts(
    artifacts: list[dict[str, Any]], variables: Variables, *, problem: str
) -> list[dict[str, Any]]:
    """Arguments with `from` or `fromExpression` replaced by the artifact they mean."""
    found: list[dict[str, Any]] = []
    for artifact in artifacts:
        try:
            found.append(found_artifact(artifact, variables))
        except (TagError, ExpressionError) as error:
            if not artifact.get("optional"):
                raise TagError(f"{problem}{error}") from None
    return found


def found_artifact(artifact: dict[str, Any], variables: Variables) -> dict[str, Any]:
    """One artifact, taken from where it comes from."""
    if artifact.get("from"):
        name = str(artifact["from"]).removeprefix("{{").removesuffix("}}").strip()
        value = variables.find(name)
        if value is MISSING:
            raise TagError(f'Unable to resolve: "{name}"')
    elif artifact.get("fromExpression"):
        expression = read(str(artifact["fromExpression"]))
        value = _by_expression(expression, variables)
    else:
        return artifact
    if not isinstance(value, Mapping):
        raise TagError(f"Variable {{{{{artifact.get('name')}}}}} is not an artifact")
    content = {k: v for k, v in value.items() if k in LOCATIONS}
    if artifact.get("subPath"):
        if "key" not in content:
            raise TagError(f"{artifact['name']} has a subPath, but what it names is no folder")
        content["key"] = f"{content['key']}/{artifact['subPath']}"
    if not content:
        raise TagError(f'Unable to resolve: "{artifact.get("name")}"')
    return {"name": artifact["name"], **content}


def _by_expression(expression: Expression, variables: Variables) -> Any:
    return expression.evaluate(expand(variables.everything_under(expression)))


def template_outputs(
    template: Filled, variables: Variables
) -> tuple[dict[str, str], dict[str, Artifact]]:
    """The output parameters and artifacts of a steps or dag template, taken from its steps."""
    declared = template.body.get("outputs") or {}
    parameters = {p["name"]: _output(p, variables) for p in declared.get("parameters") or ()}
    artifacts: dict[str, Artifact] = {}
    for artifact in declared.get("artifacts") or ():
        try:
            artifacts[artifact["name"]] = found_artifact(dict(artifact), variables)
        except (TagError, ExpressionError) as error:
            if not artifact.get("optional"):
                raise TagError(f"unable to resolve outputs from scope: {error}") from None
    return parameters, artifacts


def _output(parameter: Mapping[str, Any], variables: Variables) -> str:
    source = parameter.get("valueFrom")
    if source is None:
        raise TagError("output parameters must have a valueFrom specified")
    default = source.get("default")
    try:
        value = _sourced(source, variables)
    except (TagError, ExpressionError) as error:
        if default is None:
            raise TagError(str(error)) from None
        value = default
    if value is None and default is None:
        raise TagError(
            f'output parameter "{parameter["name"]}": "{source.get("parameter", "")}" is an absent '
            "optional (skipped/omitted node output with no default)"
        )
    return any_text(default if value is None else value)


def _sourced(source: Mapping[str, Any], variables: Variables) -> Any:
    if source.get("expression"):
        expression = read(source["expression"])
        value = _by_expression(expression, variables)
        if value is None:
            raise TagError(f'failed to evaluate expression "{source["expression"]}"')
        return value
    tag = str(source.get("parameter", "")).removeprefix("{{").removesuffix("}}").strip()
    if tag.startswith("="):
        return _by_expression(read(tag[1:]), variables)
    value = variables.find(tag)
    if value is MISSING:
        raise TagError(f'Unable to resolve: "{tag}"')
    return value


def any_text(value: Any) -> str:
    """The value of an expression as a parameter's text: what Go prints, also of lists."""
    if isinstance(value, Mapping | list | tuple):
        return gotext.text(value)
    return value_text(value)
