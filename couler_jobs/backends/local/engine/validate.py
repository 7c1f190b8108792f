"""What Argo refuses when a workflow is created, in its own words.

Read from Argo's `workflow/validate`; the order of the checks decides which sentence a manifest with
several mistakes gets. Types and unknown fields are looked at before, by `supported`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from couler_jobs.backends.local.engine.checks import (
    NAME,
    NAME_RULE,
    NOTHING,
    PARAMETER,
    PARAMETER_RULE,
    POLICIES,
    TYPES,
    Scope,
    TaskScope,
    add_items,
    check_ancestry,
    check_arguments,
    check_hooks,
    check_item_result,
    check_names,
    check_order,
    check_output_artifact,
    check_output_parameter,
    check_step_name,
    check_supplied,
    inline_inputs,
    own_scope,
    prefixed,
    resolve,
)
from couler_jobs.backends.local.engine.plan import Plan, condition_of
from couler_jobs.backends.local.engine.set_checks import check_container_set, has_result
from couler_jobs.backends.local.engine.templates import KINDS, Template, Templates
from couler_jobs.errors import Rejected
from couler_jobs.spec.expressions import RESULTS, results
from couler_jobs.spec.status import Manifest


def validate(manifest: Manifest) -> None:
    """Raise `Rejected` with Argo's sentence if it would refuse the manifest."""
    _Checker(manifest).check()


class _Checker:
    """One check of one manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._spec: Mapping[str, Any] = manifest.get("spec") or {}
        self._metadata: Mapping[str, Any] = manifest.get("metadata") or {}
        self._templates = Templates(manifest)
        self._globals: Scope = {}
        self._done: set[str] = set()

    def check(self) -> None:
        """Everything, in Argo's order."""
        name = self._metadata.get("name") or ""
        if len(name) > 63:
            raise Rejected(
                f'workflow name "{name}" must not be more than 63 characters long '
                f"(currently {len(name)})"
            )
        check_names("spec.templates", self._spec.get("templates") or (), NAME, NAME_RULE)
        check_arguments("spec.arguments.", self._spec.get("arguments") or {})
        self._learn_globals()
        entrypoint = self._spec.get("entrypoint")
        if not entrypoint:
            raise Rejected("spec.entrypoint is required")
        self._check_use({"template": entrypoint}, self._spec.get("arguments") or {})
        if self._spec.get("onExit"):
            self._globals["workflow.failures"] = True
            self._check_use({"template": self._spec["onExit"]}, self._spec.get("arguments") or {})
        check_hooks("hooks", self._spec)
        for template in self._templates.names():
            try:
                self._check_use({"template": template}, None)
            except Rejected as error:
                raise Rejected(f"templates.{template} {error}") from None

    def _learn_globals(self) -> None:
        known = ["name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "status"]
        known += ["annotations", "annotations.json", "labels", "labels.json"]
        parameters = (self._spec.get("arguments") or {}).get("parameters") or ()
        known += ["parameters", "parameters.json"] if parameters else []
        known += [f"parameters.{p['name']}" for p in parameters]
        known += ["priority"] if self._spec.get("priority") is not None else []
        more = self._spec.get("workflowMetadata") or {}
        for kind in ("annotations", "labels"):
            named = {**(self._metadata.get(kind) or {}), **(more.get(kind) or {})}
            named |= more.get("labelsFrom") or {} if kind == "labels" else {}
            known += [f"{kind}.{key}" for key in named]
        self._globals.update(dict.fromkeys((f"workflow.{name}" for name in known), True))

    # --- templates

    def _check_use(self, step: Mapping[str, Any], arguments: Mapping[str, Any] | None) -> Template:
        """Check the template that a step uses; no arguments stand for any that may come."""
        template = self._templates.of(step)
        if template is None:
            name = step.get("template")
            if not name:
                raise Rejected("failed to get a template")
            raise Rejected(f"template name '{name}' undefined")
        policy = (template.body.get("retryStrategy") or {}).get("retryPolicy")
        if policy not in POLICIES:
            raise Rejected(f"{policy} is not a valid RetryPolicy")
        self._check_template(template, arguments)
        return template

    def _check_template(self, template: Template, arguments: Mapping[str, Any] | None) -> None:
        kinds = [kind for kind in KINDS if template.body.get(kind) not in (None, [])]
        if len(kinds) != 1:
            if not kinds:
                raise Rejected(f"template '{template.name}' type is unknown")
            raise Rejected(f"templates.{template.name} multiple template types specified. {TYPES}")
        scope = self._input_scope(template)
        if arguments is not None:
            check_supplied(template, arguments)
        self._check_times(template)
        if template.name and template.name in self._done:
            return
        self._done.add(template.name)
        scope.update(self._globals)
        if template.kind == "steps":
            self._check_steps(template, scope)
        elif template.kind == "dag":
            self._check_dag(template, scope)
        else:
            self._check_leaf(template, scope)
        self._check_outputs(template, scope)

    def _check_times(self, template: Template) -> None:
        timeout = template.body.get("timeout")
        if not timeout:
            return
        if template.kind in ("steps", "dag"):
            kind = {"steps": "Steps", "dag": "DAG"}[template.kind]
            raise Rejected(f"{kind} template doesn't support timeout field")
        if re.fullmatch(r"[+-]?\d+", str(timeout)):
            raise Rejected(f"{template.name} has invalid duration format in timeout")

    def _input_scope(self, template: Template) -> Scope:
        prefix = f"templates.{template.name}.inputs"
        parameters = template.inputs.get("parameters") or ()
        artifacts = template.inputs.get("artifacts") or ()
        check_names(f"{prefix}.parameters", parameters, PARAMETER, PARAMETER_RULE)
        check_names(f"{prefix}.artifacts", artifacts, PARAMETER, PARAMETER_RULE)
        scope: Scope = {f"inputs.parameters.{p['name']}": True for p in parameters}
        if parameters:
            scope["inputs.parameters"] = True
        leaf = template.kind not in ("steps", "dag")
        for artifact in artifacts:
            where = f"inputs.artifacts.{artifact['name']}"
            scope[where] = True
            if not leaf and artifact.get("path"):
                raise Rejected(
                    f"templates.{template.name}.{where}.path only valid in container/script "
                    "templates"
                )
            if leaf:
                if not artifact.get("path"):
                    raise Rejected(
                        f"error in templates.{template.name}.{where}: Artifact "
                        f"'{artifact['name']}' did not specify a path"
                    )
                scope[f"{where}.path"] = True
        return {**scope, **own_scope(template, leaf=leaf)}

    def _check_leaf(self, template: Template, scope: Scope) -> None:
        if "containerSet" in template.body:
            check_container_set(template)
        container = template.body.get("container") or template.body.get("script")
        try:
            resolve(scope, {"inputs": template.inputs, **template.body})
        except Rejected as error:
            raise Rejected(f"templates.{template.name}: {error}") from None
        if container is not None and not container.get("image"):
            raise Rejected(f"templates.{template.name}.{template.kind}.image may not be empty")
        deadline = template.body.get("activeDeadlineSeconds")
        if deadline is not None and not re.fullmatch(r"\d+|.*\{\{.*", str(deadline)):
            raise Rejected(
                f"templates.{template.name}.activeDeadlineSeconds must be a positive integer > 0 "
                "or an argo variable"
            )
        if template.body.get("parallelism") is not None:
            raise Rejected(
                f"templates.{template.name}.parallelism is only valid for steps and dag templates"
            )

    def _check_non_leaf(self, template: Template) -> None:
        if template.body.get("activeDeadlineSeconds") is not None:
            raise Rejected(
                f"templates.{template.name}.activeDeadlineSeconds is only valid for leaf templates"
            )

    # --- steps

    def _check_steps(self, template: Template, scope: Scope) -> None:
        self._check_non_leaf(template)
        seen: set[str] = set()
        for place, group in enumerate(template.body["steps"]):
            for step in group or ():
                where = f"templates.{template.name}.steps[{place}]"
                check_step_name(where, step.get("name") or "", seen)
                self._check_step(template, step, where, scope)

    def _check_step(
        self, template: Template, step: Mapping[str, Any], where: str, scope: Scope
    ) -> None:
        name = step["name"]
        scope[f"steps.{name}.status"] = True
        prefixed(f"{where}.{name}", lambda: add_items(step, scope))
        check_arguments(f"{where}.{name}.arguments.", step.get("arguments") or {})
        used = prefixed(f"{where}.{name}", lambda: self._check_use(step, None))
        if step.get("onExit") or "exit" in (step.get("hooks") or {}):
            self._add_outputs("steps", name, used, scope, loop=False)
        check_hooks(f"{where}.{name}", step)
        inner = {**scope, **inline_inputs(step)}
        prefixed(f"templates.{template.name}.steps", lambda: resolve(inner, step))
        looped = bool(step.get("withItems") or step.get("withParam"))
        self._add_outputs("steps", name, used, scope, loop=looped)
        prefixed(f"{where}.{name}", lambda: self._check_use(step, step.get("arguments") or {}))

    def _add_outputs(
        self, root: str, name: str, template: Template, scope: Scope, *, loop: bool
    ) -> None:
        known = ["id", "startedAt", "finishedAt", "hostNodeName"]
        outputs = template.body.get("outputs") or {}
        known += ["ip"] if template.body.get("daemon") else []
        if has_result(template):
            known += ["outputs.result", "exitCode"]
        for kind in ("parameters", "artifacts"):
            for output in outputs.get(kind) or ():
                known.append(f"outputs.{kind}.{output['name']}")
                if output.get("globalName"):
                    self._globals[f"workflow.outputs.{kind}.{output['globalName']}"] = True
                    scope[f"workflow.outputs.{kind}.{output['globalName']}"] = True
        known += ["outputs.parameters"] if loop else []
        scope.update(dict.fromkeys((f"{root}.{name}.{key}" for key in known), True))

    # --- dag

    def _check_dag(self, template: Template, scope: Scope) -> None:
        self._check_non_leaf(template)
        where = f"templates.{template.name}"
        listed = template.body["dag"].get("tasks") or ()
        if not listed:
            raise Rejected(f"{where} must have at least one task")
        by_name = {task.get("name") or "": task for task in listed}
        if len(by_name) < len(listed):
            counted = Counter(task.get("name") or "" for task in listed)
            twice = next(name for name, times in counted.items() if times > 1)
            raise Rejected(f"{where} sorting failed: duplicated nodeName {twice}")
        conditions = {
            name: found for name, task in by_name.items() if (found := condition_of(task))
        }
        check_order(where, by_name, conditions)
        check_names(f"{where}.tasks", listed, NAME, NAME_RULE)
        depends = any(task.get("depends") for task in listed)
        for task in listed:
            self._check_task(where, task, by_name, scope, depends=depends)
        self._check_targets(where, template, by_name, scope)
        plan = Plan(by_name, conditions, tuple(by_name))
        for task in listed:
            self._check_task_again(where, task, plan, scope)

    def _check_task(
        self,
        where: str,
        task: Mapping[str, Any],
        by_name: Mapping[str, Any],
        scope: Scope,
        *,
        depends: bool,
    ) -> None:
        name = task["name"]
        if (depends or task.get("dependencies")) and name[0].isdigit():
            raise Rejected(
                f"{where}.tasks.{name} name cannot begin with a digit when using either 'depends' "
                "or 'dependencies'"
            )
        if depends and task.get("dependencies"):
            raise Rejected(
                f"{where} cannot use both 'depends' and 'dependencies' in the same DAG template"
            )
        if depends and task.get("continueOn") is not None:
            raise Rejected(
                f"{where} cannot use 'continueOn' when using 'depends'. Instead use "
                "'dep-task.Failed'/'dep-task.Errored'"
            )
        used = prefixed(f"{where}.tasks.{name}", lambda: self._check_use(task, None))
        looped = bool(task.get("withItems") or task.get("withParam"))
        self._add_outputs("tasks", name, used, scope, loop=looped)
        for asked in results(condition_of(task) or NOTHING):
            if asked.result is not None and asked.result not in RESULTS:
                raise Rejected(
                    f"{where}.tasks.{name} task result '{asked.result}' for task '{asked.task}' "
                    "is invalid"
                )
            check_item_result(where, asked, by_name)

    def _check_targets(
        self, where: str, template: Template, by_name: Mapping[str, Any], scope: Scope
    ) -> None:
        target = str(template.body["dag"].get("target") or "")
        prefixed(f"{where}.targets", lambda: resolve(scope, target))
        for name in target.split(" ") if target else ():
            if "{{" not in name and name not in by_name:
                raise Rejected(f"{where}.targets: target '{name}' is not defined")

    def _check_task_again(
        self,
        where: str,
        task: Mapping[str, Any],
        plan: Plan,
        scope: Scope,
    ) -> None:
        name, inside = task["name"], f"{where}.tasks.{task['name']}"
        if task.get("hooks") is not None:
            scope[f"tasks.{name}.status"] = True
        own = inline_inputs(task)
        prefixed(inside, lambda: add_items(task, own))
        prefixed(inside, lambda: resolve(TaskScope(own, scope, plan, name), task))
        check_arguments(f"{inside}.arguments.", task.get("arguments") or {})
        prefixed(inside, lambda: check_ancestry(task.get("arguments") or {}, plan, name))
        prefixed(inside, lambda: self._check_use(task, task.get("arguments") or {}))

    # --- outputs

    def _check_outputs(self, template: Template, scope: Scope) -> None:
        outputs, where = template.body.get("outputs") or {}, f"templates.{template.name}.outputs"
        parameters = outputs.get("parameters") or ()
        check_names(f"{where}.parameters ", parameters, PARAMETER, PARAMETER_RULE)
        check_names(
            f"{where}.artifacts ", outputs.get("artifacts") or (), PARAMETER, PARAMETER_RULE
        )
        prefixed(where, lambda: resolve(scope, outputs))
        leaf = template.kind not in ("steps", "dag")
        for artifact in outputs.get("artifacts") or ():
            check_output_artifact(template.name, artifact, leaf=leaf)
        for parameter in parameters:
            check_output_parameter(f"{where}.parameters.{parameter['name']}", parameter, template)
