"""The single checks that `validate` is made of: names, arguments, tags, order, outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from couler_jobs.backends.local.engine.plan import Plan
from couler_jobs.backends.local.engine.templates import (
    POD_KINDS,
    Template,
    located,
    value_text,
)
from couler_jobs.errors import Rejected
from couler_jobs.spec.expressions import Condition, Logic, Result, tasks

Scope = dict[str, bool]
NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")
TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
ROOTS = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
LATE = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
    "node.name",
)
RETRY_TAGS = (
    "retries",
    "lastRetry.exitCode",
    "lastRetry.status",
    "lastRetry.duration",
    "lastRetry.message",
)
POLICIES = ("Always", "OnError", "OnFailure", "OnTransientError", "", None)
NAME_RULE = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric "
    "character (e.g. My-name1-2, 123-NAME)"
)
PARAMETER_RULE = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' "
    "e.g. my_param_1, MY-PARAM-1"
)
TOO_LONG = "must be no more than 128 characters"
TYPES = (
    "choose one of: container, containerSet, steps, script, resource, dag, suspend, template, "
    "template ref"
)


NOTHING = Logic("all", ())


def own_scope(template: Template, *, leaf: bool) -> Scope:
    """The variables that only this template has: its pod, its retries, the paths of its outputs."""
    names: list[str] = []
    if template.kind in POD_KINDS:
        names.append("pod.name")
    if template.body.get("retryStrategy") is not None:
        names += RETRY_TAGS
    outputs = template.body.get("outputs") or {}
    if leaf:
        names += [f"outputs.artifacts.{a['name']}.path" for a in outputs.get("artifacts") or ()]
        names += [f"outputs.parameters.{p['name']}.path" for p in outputs.get("parameters") or ()]
    return dict.fromkeys(names, True)


def prefixed(prefix: str, check: Any) -> Any:
    """Run a check and put a place before the sentence of its refusal."""
    try:
        return check()
    except Rejected as error:
        raise Rejected(f"{prefix} {error}") from None


def check_names(
    where: str, things: Iterable[Mapping[str, Any]], rule: re.Pattern[str], words: str
) -> None:
    """Every thing has a name, a legal one, of its own."""
    seen: set[str] = set()
    for place, thing in enumerate(things):
        name = thing.get("name") or ""
        if not name:
            raise Rejected(f"{where}[{place}].name is required")
        wrong = [] if rule is PARAMETER or len(name) <= 128 else [TOO_LONG]
        if not rule.fullmatch(name):
            wrong.append(words)
        if wrong:
            raise Rejected(f"{where}[{place}].name: '{name}' is invalid: {';'.join(wrong)}")
        if name in seen:
            raise Rejected(f"{where}[{place}].name '{name}' is not unique")
        seen.add(name)


def check_step_name(where: str, name: str, seen: set[str]) -> None:
    """A step has a name, a legal one, that no step before it has."""
    if not name:
        raise Rejected(f"{where}.name is required")
    if name in seen:
        raise Rejected(f"{where}.name '{name}' is not unique")
    if len(name) > 128 or not NAME.fullmatch(name):
        rule = TOO_LONG if len(name) > 128 else NAME_RULE
        raise Rejected(f"{where}.name '{name}' is invalid: {rule}")
    seen.add(name)


def check_arguments(prefix: str, arguments: Mapping[str, Any]) -> None:
    """Arguments have legal names and values, and the values are allowed ones."""
    for kind in ("parameters", "artifacts"):
        check_names(f"{prefix}{kind}", arguments.get(kind) or (), PARAMETER, PARAMETER_RULE)
    for parameter in arguments.get("parameters") or ():
        name = f"{prefix}{parameter['name']}"
        if parameter.get("value") is None:
            raise Rejected(f"{name}.value or {name}.valueFrom is required")
        allowed = parameter.get("enum")
        if allowed is not None and not allowed:
            raise Rejected(f"{name}.enum should contain at least one value")
        if allowed and value_text(parameter["value"]) not in map(value_text, allowed):
            raise Rejected(f"{name}.value should be present in {name}.enum list")
    for artifact in arguments.get("artifacts") or ():
        name = f"{prefix}{artifact['name']}"
        if (
            not artifact.get("from")
            and not artifact.get("fromExpression")
            and not located(artifact)
        ):
            raise Rejected(f"{name}.from, artifact location, or key is required")
        if artifact.get("from") and artifact.get("fromExpression"):
            raise Rejected(f"{name} shouldn't have both `from` and `fromExpression` in Artifact")


def check_supplied(template: Template, arguments: Mapping[str, Any]) -> None:
    """Every input without a default is supplied."""
    given = {p.get("name") for p in arguments.get("parameters") or ()}
    for parameter in template.inputs.get("parameters") or ():
        known = parameter.get("value") is not None or parameter.get("default") is not None
        if not known and parameter["name"] not in given:
            name = parameter["name"]
            raise Rejected(f"templates.{template.name} inputs.parameters.{name} was not supplied")
    files = {a.get("name") for a in arguments.get("artifacts") or ()}
    for artifact in template.inputs.get("artifacts") or ():
        needed = not artifact.get("optional") and not located(artifact)
        if needed and artifact["name"] not in files:
            name = artifact["name"]
            raise Rejected(f"templates.{template.name} inputs.artifacts.{name} was not supplied")


def check_hooks(where: str, owner: Mapping[str, Any]) -> None:
    """Every hook but the exit handler has an expression."""
    for name, hook in (owner.get("hooks") or {}).items():
        if name != "exit" and not hook.get("expression"):
            raise Rejected(f"{where}.{name} Expression required")


def inline_inputs(step: Mapping[str, Any]) -> Scope:
    """The variables of a template that is written inside a step."""
    inputs = (step.get("inline") or {}).get("inputs") or {}
    return {f"inputs.parameters.{p['name']}": True for p in inputs.get("parameters") or ()}


def add_items(step: Mapping[str, Any], scope: Scope) -> None:
    """Make the variables of a loop known; there is at most one kind of loop."""
    sequence = step.get("withSequence")
    given = [bool(step.get("withItems")), bool(step.get("withParam")), sequence is not None]
    if sum(given) > 1:
        raise Rejected("only one of withItems, withParam, withSequence can be specified")
    for item in step.get("withItems") or ():
        if isinstance(item, Mapping):
            scope.update(dict.fromkeys((f"item.{key}" for key in item), True))
        elif not isinstance(item, list):
            scope["item"] = True
    if step.get("withParam"):
        scope["item"] = scope["item.*"] = True
    if sequence is not None:
        if sequence.get("count") is not None and sequence.get("end") is not None:
            raise Rejected("only one of count or end can be defined in withSequence")
        scope["item"] = True


def resolve(scope: Container[str], value: Any) -> None:
    """Refuse tags that can never be replaced."""
    text = json.dumps(value, ensure_ascii=False)
    for tag in TAG.findall(text) if "{{" in text else ():
        name = tag.strip()
        if tag.startswith("=") or not name.startswith(ROOTS) or name in scope:
            continue
        if name.startswith("item.") and "item.*" in scope:
            continue
        if name.startswith(LATE):
            continue
        if name.startswith("workflow.outputs.") and f"{name.rpartition('.')[0]}.*" in scope:
            continue
        raise Rejected(f"failed to resolve {{{{{tag}}}}}")


def check_order(
    where: str, by_name: Mapping[str, Any], conditions: Mapping[str, Condition]
) -> None:
    """Dependencies exist and do not run in a circle."""
    needs = {
        name: set(tasks(conditions[name])) if name in conditions else set() for name in by_name
    }
    for names in needs.values():
        for name in sorted(names):
            if name not in by_name:
                raise Rejected(f"{where} sorting failed: invalid dependency {name}")
    free = [name for name, names in needs.items() if not names]
    waiting = {name: set(names) for name, names in needs.items() if names}
    users: dict[str, list[str]] = {name: [] for name in by_name}
    for name, names in needs.items():
        for needed in names:
            users[needed].append(name)
    while free:
        done = free.pop()
        for user in users[done]:
            waiting[user].discard(done)
            if not waiting[user]:
                del waiting[user]
                free.append(user)
    if waiting:
        raise Rejected(f"{where} sorting failed: graph with cycle")


def check_item_result(where: str, asked: Result, by_name: Mapping[str, Any]) -> None:
    """`.AnySucceeded` and `.AllFailed` are asked of a loop only."""
    if asked.result not in ("AnySucceeded", "AllFailed"):
        return
    task = by_name[asked.task]
    if not any(task.get(key) for key in ("withItems", "withParam", "withSequence")):
        raise Rejected(
            f"{where}.tasks.{asked.task} dependency '{asked.task}' uses an items-based condition "
            "such as .AnySucceeded or .AllFailed but does not contain any items"
        )


class TaskScope:
    """What one task may refer to: the scope of its DAG, its items, and how its ancestors ended."""

    def __init__(self, own: Scope, scope: Scope, plan: Plan, name: str) -> None:
        self._own, self._scope, self._plan, self._name = own, scope, plan, name

    def __contains__(self, name: object) -> bool:
        if name in self._own or name in self._scope:
            return True
        pieces = str(name).split(".")
        ended = len(pieces) == 3 and pieces[0] == "tasks" and pieces[2] == "status"
        return ended and self._plan.is_ancestor(pieces[1], self._name)


def check_ancestry(arguments: Mapping[str, Any], plan: Plan, name: str) -> None:
    """A value that comes from a task comes from one that this task waits for."""
    for kind, key in (("parameters", "value"), ("artifacts", "from")):
        for argument in arguments.get(kind) or ():
            value = argument.get(key)
            if isinstance(value, str) and value.startswith("{{tasks."):
                task = value.split(".")[1]
                if not plan.is_ancestor(task, name):
                    raise Rejected(
                        f"missing dependency '{task}' for {kind[:-1]} '{argument['name']}'"
                    )


def check_output_artifact(template: str, artifact: Mapping[str, Any], *, leaf: bool) -> None:
    """An output artifact has a path exactly where a process can leave a file."""
    where = f"templates.{template}.outputs.artifacts.{artifact['name']}"
    if leaf and not artifact.get("path"):
        raise Rejected(f"error in {where}: Artifact '{artifact['name']}' did not specify a path")
    if not leaf and artifact.get("path"):
        raise Rejected(f"{where}.path only valid in container/script templates")
    check_global_name(where, artifact)


def check_global_name(where: str, output: Mapping[str, Any]) -> None:
    """A `globalName` is a legal name."""
    name = output.get("globalName")
    if name and "{{" not in name and not PARAMETER.fullmatch(name):
        raise Rejected(f"{where}.globalName: {PARAMETER_RULE}")


def check_output_parameter(where: str, parameter: Mapping[str, Any], template: Template) -> None:
    """An output parameter has one source, of a kind that its template can have."""
    source = parameter.get("valueFrom")
    if source is not None and parameter.get("value") is not None:
        raise Rejected(f"{where} has both valueFrom and value specified, choose one")
    if source is None:
        if parameter.get("value") is None:
            raise Rejected(f"{where} does not have valueFrom or value specified")
        return
    kinds = [key for key in ("path", "parameter", "expression") if source.get(key)]
    kinds += ["supplied"] if "supplied" in source else []
    if len(kinds) != 1:
        many = "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, "
        none = "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, "
        raise Rejected(f"{many}parameter, raw" if kinds else f"{none}raw, expression")
    if template.kind in POD_KINDS and template.kind != "data" and kinds != ["path"]:
        kind = template.kind[0].upper() + template.kind[1:]
        raise Rejected(f"{where}.path must be specified for {kind} templates")
    if template.kind in ("steps", "dag") and kinds[0] not in ("parameter", "expression"):
        kind = {"steps": "Steps", "dag": "DAG"}[template.kind]
        raise Rejected(f"{where}.parameter or expression must be specified for {kind} templates")
    check_global_name(where, parameter)
