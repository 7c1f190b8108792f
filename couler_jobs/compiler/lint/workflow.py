"""The spec of a workflow, of whichever kind it stands in."""

from __future__ import annotations

from typing import Any, Final

from couler_jobs.compiler.lint.advice import advise_deprecated, advise_expressions
from couler_jobs.compiler.lint.arguments import check_arguments
from couler_jobs.compiler.lint.context import Checking, Context, run
from couler_jobs.compiler.lint.deep import check_deep
from couler_jobs.compiler.lint.loops import check_hooks
from couler_jobs.compiler.lint.metadata import advise_pod
from couler_jobs.compiler.lint.names import check_field_name
from couler_jobs.compiler.lint.openings import check_open_expressions
from couler_jobs.compiler.lint.report import shown
from couler_jobs.compiler.lint.shallow import check_pod_resources
from couler_jobs.compiler.lint.template import is_parameter_tag
from couler_jobs.compiler.lint.timing import advise_pod_gc, advise_times
from couler_jobs.spec.names import is_label_value, is_qualified_name
from couler_jobs.spec.versions import V3_5, V4_1

_ALWAYS_KNOWN: Final = (
    "name",
    "namespace",
    "mainEntrypoint",
    "serviceAccountName",
    "uid",
    "annotations",
    "annotations.json",
    "labels",
    "labels.json",
    "status",
)
_POD_GC: Final = frozenset(
    {"", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"}
)


_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})


def check_spec(context: Context, metadata: dict[str, Any]) -> None:
    """Everything of a spec that is more than its fields."""
    spec, report = context.spec, context.report
    _template_names(context)
    _plugins(context)
    check_arguments(
        spec.get("arguments", {}),
        report,
        (context.path, "arguments"),
        values_may_lack=context.of_template or context.values_may_lack,
        files_may_lack=context.values_may_lack and not context.of_template,
        first_wins="workflowTemplateRef" in spec,
    )
    _values(context, metadata)
    if "workflowTemplateRef" in spec:
        _referring(context)
    else:
        run(_templates(context))
        check_open_expressions(context.pod_metadata, report)
    check_hooks(spec.get("hooks", {}), report, (context.path, "hooks"))
    for name, hook in spec.get("hooks", {}).items():
        if hook.get("template") and "workflowTemplateRef" not in spec:
            path = (((context.path, "hooks"), name), "template")
            context.advise_template(hook["template"], path)
    _advise(context)
    _pod_gc(context)
    if report.target >= V4_1 and "podResources" in spec:
        check_pod_resources(spec["podResources"], report, (context.path, "podResources"))


def _advise(context: Context) -> None:
    spec, report = context.spec, context.report
    advise_expressions(context.walked.bags, report)
    advise_deprecated(spec, context.path, report)
    advise_pod_gc(spec.get("podGC", {}), (context.path, "podGC"), report)
    advise_times(spec.get("templateDefaults", {}), (context.path, "templateDefaults"), report)
    for template in context.all_templates:
        advise_times(template.body, template.path, report)
    places = [(spec, context.path)]
    places += [(template.body, template.path) for template in context.templates.values()]
    for body, path in places:
        if body is not spec:
            advise_deprecated(body, path, report)
        of_pods = "podMetadata" if body is spec else "metadata"
        advise_pod(body.get(of_pods, {}), (path, of_pods), report)
        if "synchronization" in body:
            advise_deprecated(body["synchronization"], (path, "synchronization"), report)


def _template_names(context: Context) -> None:
    seen: set[str] = set()
    for index, body in enumerate(context.spec.get("templates", [])):
        name, path = body.get("name", ""), (((context.path, "templates"), index), "name")
        check_field_name(name, context.report, path, "template")
        if name and name in seen:
            said = f"There are two templates named {shown(name)}."
            context.report.error("duplicate", path, said)
        seen.add(name)
        if name != name.lower() and not body.keys() & {"dag", "steps", "suspend"}:
            said = f"Kubernetes refuses the pods of {shown(name)}: their names hold the template's."
            context.report.warning("pod-name", path, said, f"Write {name.lower()!r}.")


def _values(context: Context, metadata: dict[str, Any]) -> None:
    """The `workflow.*` tags that every template may name."""
    values, unknown = context.values, context.placeholder
    values.update((f"workflow.{word}", unknown) for word in _ALWAYS_KNOWN)
    parameters = context.spec.get("arguments", {}).get("parameters", [])
    if parameters:
        values["workflow.parameters"] = values["workflow.parameters.json"] = unknown
    for parameter in parameters:
        if name := parameter.get("name"):
            values[f"workflow.parameters.{name}"] = parameter.get("value", unknown)
    added = context.spec.get("workflowMetadata", {})
    for word, sources in (
        ("annotations", (metadata.get("annotations"), added.get("annotations"))),
        ("labels", (metadata.get("labels"), added.get("labels"), added.get("labelsFrom"))),
    ):
        for source in sources:
            values.update((f"workflow.{word}.{key}", unknown) for key in source or ())
    if "priority" in context.spec:
        values["workflow.priority"] = str(context.spec["priority"])


def _referring(context: Context) -> None:
    """A workflow that takes its spec from a WorkflowTemplate, which is not looked at here."""
    path = (context.path, "workflowTemplateRef")
    if context.spec.get("templates"):
        said = "A workflow with `workflowTemplateRef` has no templates of its own."
        context.report.error("template-ref", (context.path, "templates"), said)
    if not context.spec["workflowTemplateRef"].get("name"):
        said = "The reference to a WorkflowTemplate needs `name`."
        context.report.error("required", (path, "name"), said)
    context.check_cluster(context.spec["workflowTemplateRef"], path)


def _templates(context: Context) -> Checking:
    """The entrypoint, the exit handler, then all templates, in Argo's order."""
    spec, report = context.spec, context.report
    arguments = spec.get("arguments", {})
    entrypoint = spec.get("entrypoint", "")
    if entrypoint:
        where = (context.path, "entrypoint")
        given = None if context.of_template else arguments
        yield from _called(context, entrypoint, where, given, given)
    elif not context.of_template:
        said = "Nothing says where the workflow begins."
        report.error("required", (context.path, "entrypoint"), said, "Write `entrypoint`.")
    if spec.get("onExit"):
        context.values["workflow.failures"] = context.placeholder
        context.any_output_artifact = report.target > V3_5 and _names_artifacts_late(context)
        where = (context.path, "onExit")
        yield from _called(context, spec["onExit"], where, arguments, arguments)
    for template in context.templates.values():
        if context.resolve({}, template.path, template.name) is not None:
            yield check_deep(context, template)


def _called(
    context: Context,
    name: str,
    where: Any,
    arguments: dict[str, Any] | None,
    given: dict[str, Any] | None,
) -> Checking:
    template = context.templates.get(name)
    if template is None:
        said = f"There is no template named {shown(name)}."
        context.report.error("unknown-template", where, said)
        return
    context.resolve({}, template.path, name)
    if given is not None:
        context.check_supplied(template, given, context.path, {})
    yield check_deep(context, template, arguments)


def _names_artifacts_late(context: Context) -> bool:
    return any(
        is_parameter_tag(artifact.get("globalName", ""))
        for template in context.templates.values()
        for artifact in template.body.get("outputs", {}).get("artifacts", [])
    )


def _pod_gc(context: Context) -> None:
    strategy = context.spec.get("podGC", {}).get("strategy", "")
    if strategy not in _POD_GC:
        where = ((context.path, "podGC"), "strategy")
        context.report.error("value", where, f"{shown(strategy)} is no strategy for pods.")
    selector = context.spec.get("podGC", {}).get("labelSelector", {})
    for index, rule in enumerate(selector.get("matchExpressions", [])):
        operator, values = rule.get("operator", ""), rule.get("values", [])
        if operator not in _OPERATORS or bool(values) != (operator in ("In", "NotIn")):
            where = (((context.path, "podGC"), "labelSelector"), "matchExpressions")
            said = f"{shown(operator)} with {len(values)} values is no rule of a selector."
            context.report.error("value", (where, index), said)
        if not (is_qualified_name(rule.get("key", "")) and all(map(is_label_value, values))):
            where = (((context.path, "podGC"), "labelSelector"), "matchExpressions")
            said = f"{shown(rule.get('key', ''))} with {shown(values)} is no label."
            context.report.error("label", (where, index), said)
    for key, value in selector.get("matchLabels", {}).items():
        if not (is_qualified_name(key) and is_label_value(value)):
            where = (((context.path, "podGC"), "labelSelector"), "matchLabels")
            said = f"{shown(key)} with the value {shown(value)} is no label."
            context.report.error("label", (where, key), said)


def _plugins(context: Context) -> None:
    if context.report.target < V4_1:
        return
    for index, plugin in enumerate(context.spec.get("executorPlugins", [])):
        path = ((context.path, "executorPlugins"), index)
        container = plugin.get("spec", {}).get("sidecar", {}).get("container", {})
        resources = container.get("resources", {})
        there = {
            "metadata.name": plugin.get("metadata", {}).get("name"),
            "container.name": container.get("name"),
            "container.ports": container.get("ports"),
            "container.resources.requests": resources.get("requests"),
            "container.resources.limits": resources.get("limits"),
            "container.securityContext": "securityContext" in container,
        }
        for word, given in there.items():
            if not given:
                context.report.error("required", path, f"An executor plugin needs `{word}`.")
