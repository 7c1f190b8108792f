"""Steps that run no program of ours: a pause, an object, a request, a plugin, a stored template."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from couler_jobs.dsl import recorder, words
from couler_jobs.dsl.calls import file_arguments
from couler_jobs.dsl.entries import Entry, secret_selector
from couler_jobs.dsl.hooks import hooks_of
from couler_jobs.dsl.leaves import Inputs, record, record_call, unexpanded
from couler_jobs.dsl.locations import Location
from couler_jobs.dsl.options import PodOptions, pod_words
from couler_jobs.dsl.units import extra_json, seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name, template_name

if TYPE_CHECKING:
    from typing import Unpack

Fields = dict[str, Any]


def suspend(
    duration: float | str | None = None,
    *,
    answers: Mapping[str, str | None] | None = None,
    after: Any = None,
    **options: Unpack[words.LeafWords],
) -> Any:
    """Wait: `cj.suspend("10m")`, or without a time until somebody resumes the run.

    What comes after it says so: `deploy(after=cj.suspend(name="approve"))`. answers: texts that
    whoever resumes it may give (`run.resume(answers=...)`, or in Argo's UI), by name, each with
    what it is if nobody did, or None if somebody has to; `waited["name"]` is the answer. after, and
    further options (name, on_exit, hooks ...): as of a step. Raises `DeclarationError` for a wrong
    one.
    """
    fields = {} if duration is None else {"duration": str(seconds(duration, "duration"))}
    outputs = tuple(_answer(name, default) for name, default in (answers or {}).items())
    return _recorded(suspend, fields, Inputs(), outputs, after, options)


def _answer(name: str, default: Any) -> model.OutputFile:
    if default is not None and not isinstance(default, str):
        raise DeclarationError(f"answers={{{name!r}: {default!r}}}: it is a text, or None.")
    source: Fields = {"supplied": {}} | ({} if default is None else {"default": default})
    return model.OutputFile(name=parameter_name(name), path=None, extra=json.dumps(source))


_ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")


def resource(
    action: Literal["get", "create", "apply", "delete", "replace", "patch"],
    manifest: str | Mapping[str, Any],
    *,
    success_condition: str | None = None,
    failure_condition: str | None = None,
    outputs: Mapping[str, str] | None = None,
    owned: bool = False,
    merge_strategy: Literal["strategic", "merge", "json"] | None = None,
    flags: Sequence[str] = (),
    after: Any = None,
    **options: Unpack[words.LeafWords],
) -> Any:
    """Make a Kubernetes object, change it or read it: `job = cj.resource("create", {...})`.

    manifest: the object as a mapping, in which values of steps may stand anywhere, or as YAML.
    The step ends when success_condition or failure_condition holds of the object's fields, such as
    "status.succeeded > 0"; without them at once. outputs: by name, a jsonPath such as
    "{.metadata.name}", or a filter of jq; `job["name"]` is its text. owned: the object is deleted
    with the workflow. merge_strategy, for a patch; flags: of kubectl. after, and further options
    (name, timeout, retries ...): as of a step. Raises `DeclarationError` for a wrong one.
    """
    if action not in _ACTIONS:
        raise DeclarationError(f"action={action!r}: it is one of {', '.join(_ACTIONS)}.")
    inputs = Inputs()
    fields: Fields = {
        "action": action,
        "manifest": _manifest(inputs, manifest),
        "successCondition": success_condition,
        "failureCondition": failure_condition,
        "setOwnerReference": owned or None,
        "mergeStrategy": merge_strategy,
        "flags": list(flags) or None,
    }
    found = tuple(_field_output(name, one) for name, one in (outputs or {}).items())
    return _recorded(resource, fields, inputs, found, after, options)


def _manifest(inputs: Inputs, manifest: Any) -> str:
    if isinstance(manifest, Mapping):
        return inputs.document(dict(manifest))
    if isinstance(manifest, str) and manifest.strip():
        return unexpanded("manifest", manifest)
    raise DeclarationError(f"manifest={manifest!r}: it is an object, as a mapping or YAML.")


def _field_output(name: str, where: Any) -> model.OutputFile:
    if not isinstance(where, str):
        raise DeclarationError(f'outputs={{{name!r}: {where!r}}}: it is such as "{{.status}}".')
    word = "jsonPath" if where.startswith("{") else "jqFilter"
    return model.OutputFile(name=parameter_name(name), path=None, extra=json.dumps({word: where}))


def http(
    url: Any,
    *,
    method: str = "GET",
    headers: Mapping[str, Any] | None = None,
    body: Any = None,
    success_condition: str | None = None,
    insecure: bool = False,
    after: Any = None,
    **options: Unpack[words.LeafWords],
) -> Any:
    """Send a request, on a cluster from Argo's agent: `found = cj.http("https://example.org/rows")`.

    The answer stands for the reply's body. url: a text, the value of a step, or a list of both that
    is put together: `["http://", cj.ip(server), ":8080/"]`. headers: texts, values of steps, or
    `cj.secret("name", "key")`. body: a text, or what is sent as JSON, in which
    values of steps may stand. success_condition: such as "response.statusCode == 201"; without it
    any status of 200 to 299 is a success. insecure: the server's certificate is not checked.
    timeout: of the request. after, and further options: as of a step.
    """
    if isinstance(url, str) and "://" not in url:
        raise DeclarationError(f"url={url!r}: it begins with https:// or http://.")
    inputs = Inputs()
    timeout = options.pop("timeout", None)
    fields: Fields = {
        "url": _url(inputs, url),
        "method": method,
        "headers": [_header(inputs, name, one) for name, one in (headers or {}).items()] or None,
        "body": _body(inputs, body),
        "successCondition": success_condition,
        "insecureSkipVerify": insecure or None,
        "timeoutSeconds": None if timeout is None else seconds(timeout, "timeout"),
    }
    return _recorded(http, fields, inputs, (), after, options)


def _url(inputs: Inputs, url: Any) -> str:
    if not isinstance(url, list | tuple):
        return inputs.tagged("url", "url", url)
    parts = (inputs.tagged("url", f"url-{at}", part) for at, part in enumerate(url, 1))
    return "".join(parts)


def _body(inputs: Inputs, body: Any) -> str | None:
    if body is None:
        return None
    return unexpanded("body", body) if isinstance(body, str) else inputs.document(body)


def _header(inputs: Inputs, name: str, value: Any) -> Fields:
    if isinstance(value, Entry):
        return {"name": name, "valueFrom": {"secretKeyRef": secret_selector(value, name)}}
    what = f"The header {name}"
    return {"name": name, "value": inputs.tagged(what, f"header-{parameter_name(name)}", value)}


def plugin(
    name: str,
    fields: Mapping[str, Any] | None = None,
    /,
    *,
    outputs: Sequence[str] = (),
    after: Any = None,
    **options: Unpack[words.LeafWords],
) -> Any:
    """Have an executor plugin do it: `sent = cj.plugin("slack", {"text": text})`.

    The plugin has to be installed in the cluster, and Argo's agent calls it
    (https://argo-workflows.readthedocs.io/en/latest/executor_plugins/). fields: what it is given,
    in which values of steps may stand anywhere: each arrives as a text, JSON where it is no text.
    outputs: names of parameters that it answers with; `sent["name"]` is the text, and the answer
    itself stands for the `result` of its reply. after, and further options: as of a step, but for
    timeout, which Argo does not keep here. Raises `DeclarationError` for a wrong one.
    """
    _check_plugin(name)
    if options.get("timeout") is not None:
        raise DeclarationError("cj.plugin has no timeout: the plugin itself says when it gives up.")
    inputs = Inputs()
    body: Fields = {name: inputs.within(f"A field of {name}", dict(fields or {}))}
    found = tuple(_plugin_output(one) for one in outputs)
    return _recorded(plugin, body, inputs, found, after, {"name": name, **options})


def _check_plugin(name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"cj.plugin takes a plugin's name, such as 'slack', not {name!r}.")


def _plugin_output(name: str) -> model.OutputFile:
    """An output that the plugin's reply has: Argo's checks want it to be said, as `supplied`."""
    return model.OutputFile(name=parameter_name(name), path=None, extra='{"supplied": {}}')


def data(
    source: Any, *expressions: str, after: Any = None, **options: Unpack[words.LeafWords]
) -> Any:
    """List what lies in a store: `cj.data(cj.s3("days/"), 'filter(data, {# endsWith ".csv"})')`.

    The answer stands for the list of keys below the source's, after each expression in turn, in
    which `data` is what the one before it made
    (https://argo-workflows.readthedocs.io/en/latest/data-sourcing-and-transformation/). On Argo the
    source has to name its bucket: a key alone is not looked for in its artifact repository. Here,
    it lists what steps of the same run have stored, by their key. after, and further options: as
    of a step. Raises `DeclarationError` for what is no store.
    """
    if not isinstance(source, Location):
        raise DeclarationError(f"cj.data({source!r}): it takes where files lie, as cj.s3(...).")
    steps = [{"expression": unexpanded("An expression", one)} for one in expressions]
    fields: Fields = {
        "source": {"artifactPaths": {"name": "data", **source.mapping()}},
        "transformation": steps or [{"expression": "data"}],
    }
    return _recorded(data, fields, Inputs(), (), after, options)


def stored(
    owner: str,
    template: str,
    arguments: Mapping[str, Any] | None = None,
    /,
    *,
    cluster: bool = False,
    files: Mapping[str, Any] | None = None,
    outputs: Sequence[str] | Mapping[str, type] = (),
    after: Any = None,
    **options: Unpack[words.CallWords],
) -> Any:
    """Call a template of a WorkflowTemplate: `found = cj.stored("tools", "wc", {"text": text})`.

    cluster: it is a ClusterWorkflowTemplate. arguments: by the template's parameters, texts, which
    are passed as they are, and other values and those of steps, which are passed as JSON. files: by
    its artifacts' names. outputs: names of its output parameters; `found["name"]` is the text; with
    files among them what each is, `{"rows": str, "table": Path}`. The answer itself stands for what
    a container of it prints. after, on_exit, hooks: as of a step.
    Raises `DeclarationError` for a wrong one.
    """
    scope = recorder.needed("cj.stored")
    words.check("cj.stored", options, words.CallWords, stored)
    inputs = Inputs()
    for key, value in (arguments or {}).items():
        inputs.argument(str(key), value)
    _, given, handles = file_arguments(files or {}, files or {})
    inputs.files += [(one, one) for one in given]
    inputs.handles += handles
    return record_call(
        scope,
        template_name(options.get("name") or template),
        model.TemplateRef(name=owner, template=template, cluster=cluster),
        inputs,
        [_stored_output(name, kind) for name, kind in _typed(outputs).items()],
        after,
        hooks_of(options),
        has_result=True,
    )


def _typed(outputs: Sequence[str] | Mapping[str, type]) -> Mapping[str, type]:
    return outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs, str)


def _stored_output(name: str, kind: Any) -> model.OutputFile:
    if kind is str:
        return model.OutputFile(name=name, path=None)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return model.OutputFile(name=name, path=None, kind="artifact")
    raise DeclarationError(f"outputs={{{name!r}: {kind!r}}}: it is str, or Path for a file.")


def _recorded(
    function: Callable[..., Any],
    fields: Fields,
    inputs: Inputs,
    outputs: tuple[model.OutputFile, ...],
    after: Any,
    options: Mapping[str, Any],
) -> Any:
    """A call of a template of the kind that the function makes, and the template."""
    kind: Any = function.__name__
    what = f"cj.{kind}"
    scope = recorder.needed(what)
    words.check(what, options, words.LeafWords, function)
    own = PodOptions(**pod_words(options))
    leaf = model.Plain(
        name=template_name(options.get("name") or kind),
        kind=kind,
        fields=extra_json({n: value for n, value in fields.items() if value is not None}),
        outputs=outputs,
        retry=own.retry,
        timeout=own.timeout,
        extra=own.extra,
    )
    return record(scope, leaf, inputs, after, own.hooks)
