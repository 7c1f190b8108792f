"""A manifest in Argo's own structure: templates, their calls, and the workflow around them.

For programs that `couler-jobs import` writes, and for whoever wants to say every field. All values
are plain dicts in Argo's words and nothing is checked here: `lint` does it, and `compile`, `submit`
and the command line take what `workflow` and `cron` return. Further keywords are further fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "Manifest",
    "Stored",
    "Template",
    "call",
    "container",
    "cron",
    "dag",
    "script",
    "steps",
    "stored",
    "template",
    "workflow",
]

Fields = dict[str, Any]
Given = Mapping[str, Any] | None


class Template(Fields):
    """One template of a workflow."""


class Stored(Fields):
    """A `templateRef`: a template of a WorkflowTemplate in the cluster."""


class Manifest(Fields):
    """A whole manifest of any kind."""


def container(
    name: str,
    image: str | None = None,
    /,
    *,
    inputs: Given = None,
    outputs: Given = None,
    template: Given = None,
    **fields: Any,
) -> Template:
    """A template that runs a container: `container("hello", "busybox", command=["echo"])`.

    inputs: parameters, each with its default, None for none, or a dict of fields. outputs:
    parameters, each with its `valueFrom`. template: further fields of the template; all other
    keywords are the container's.
    """
    body = _present(image=image) | fields
    return _template(name, inputs, outputs, {"container": body} | dict(template or {}))


def script(
    name: str,
    image: str | None = None,
    source: str | None = None,
    /,
    *,
    inputs: Given = None,
    outputs: Given = None,
    template: Given = None,
    **fields: Any,
) -> Template:
    """A template that runs a script's text; the rest is as in `container`."""
    body = _present(image=image, source=source) | fields
    return _template(name, inputs, outputs, {"script": body} | dict(template or {}))


def steps(
    name: str,
    *groups: Sequence[Mapping[str, Any]],
    inputs: Given = None,
    outputs: Given = None,
    **fields: Any,
) -> Template:
    """A template of groups one after another: `steps("main", [call(a)], [call(b), call(c)])`."""
    body = {"steps": [list(group) for group in groups]}
    return _template(name, inputs, outputs, body | fields)


def dag(
    name: str,
    *tasks: Mapping[str, Any],
    inputs: Given = None,
    outputs: Given = None,
    target: str | None = None,
    fail_fast: bool | None = None,
    **fields: Any,
) -> Template:
    """A template of tasks by dependencies: `dag("main", call(a), call(b, after="a"))`."""
    body = {"dag": {"tasks": list(tasks)} | _present(target=target, failFast=fail_fast)}
    return _template(name, inputs, outputs, body | fields)


def template(
    name: str | None = None, /, *, inputs: Given = None, outputs: Given = None, **fields: Any
) -> Template:
    """A template of any kind: `template("wait", suspend={})`."""
    return _template(name, inputs, outputs, fields)


def call(
    called: Template | Stored | str | None,
    name: str | None = None,
    /,
    *,
    after: str | None = None,
    when: str | None = None,
    items: Sequence[Any] | None = None,
    over: str | None = None,
    sequence: Given = None,
    parameters: Given = None,
    **fields: Any,
) -> Fields:
    """A step or task that calls a template; its name is the template's if none is given.

    after: Argo's `depends`. items: `withItems`, over: `withParam`, sequence: `withSequence`.
    parameters: the arguments by name.
    """
    found: Fields = {}
    if name is None and isinstance(called, Template):
        name = called.get("name")
    found |= _present(name=name) | _called(called)
    found |= _present(depends=after, when=when, withItems=items, withParam=over)
    found |= _present(withSequence=sequence)
    if parameters is not None:
        found["arguments"] = {"parameters": _parameters(parameters)}
    return found | fields


def stored(name: str, template: str, **fields: Any) -> Stored:
    """A template of the WorkflowTemplate `name` (`clusterScope=True`: of the whole cluster)."""
    return Stored(name=name, template=template, **fields)


def workflow(
    *templates: Template,
    kind: str = "Workflow",
    name: str | None = None,
    generate_name: str | None = None,
    metadata: Given = None,
    entrypoint: Template | str | None = None,
    parameters: Given = None,
    **spec: Any,
) -> Manifest:
    """A Workflow, or another kind with the same spec; further keywords are fields of the spec."""
    start = entrypoint["name"] if isinstance(entrypoint, Template) else entrypoint
    found = _present(entrypoint=start) | spec
    if parameters is not None:
        found["arguments"] = {"parameters": _parameters(parameters)}
    if templates:
        found["templates"] = [dict(one) for one in templates]
    return _manifest(kind, name, generate_name, metadata, found)


def cron(
    runs: Manifest,
    *,
    name: str | None = None,
    generate_name: str | None = None,
    metadata: Given = None,
    **spec: Any,
) -> Manifest:
    """A CronWorkflow that runs a workflow; further keywords are fields of its spec."""
    found = spec | {"workflowSpec": runs["spec"]}
    return _manifest("CronWorkflow", name, generate_name, metadata, found)


def _manifest(
    kind: str, name: str | None, generate_name: str | None, metadata: Given, spec: Fields
) -> Manifest:
    said = _present(name=name, generateName=generate_name) | dict(metadata or {})
    found = Manifest(apiVersion="argoproj.io/v1alpha1", kind=kind)
    return Manifest(found | ({"metadata": said} if said else {}) | {"spec": spec})


def _template(name: str | None, inputs: Given, outputs: Given, body: Fields) -> Template:
    found = _present(name=name)
    if inputs is not None:
        found["inputs"] = {"parameters": _parameters(inputs)}
    if outputs is not None:
        listed = [{"name": one, "valueFrom": dict(source)} for one, source in outputs.items()]
        found["outputs"] = {"parameters": listed}
    return Template(found | body)


def _called(called: Template | Stored | str | None) -> Fields:
    if called is None:
        return {}
    if isinstance(called, Stored):
        return {"templateRef": dict(called)}
    return {"template": called["name"] if isinstance(called, Template) else called}


def _parameters(given: Mapping[str, Any]) -> list[Fields]:
    return [{"name": name} | _parameter(value) for name, value in given.items()]


def _parameter(value: Any) -> Fields:
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {"value": value}


def _present(**fields: Any) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
