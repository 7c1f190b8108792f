"""Templates that do something to an object of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from couler_jobs.compiler.lint.context import Context
from couler_jobs.compiler.lint.report import shown
from couler_jobs.compiler.lint.tags import Scope, substitute
from couler_jobs.compiler.lint.template import Template
from couler_jobs.spec.manifest import Path

if TYPE_CHECKING:
    import yaml

_ACTIONS: Final = ("get", "create", "apply", "delete", "replace", "patch")
_EXPRESSION: Final = re.compile(r"\{\{\s*=\s*(.+?)\s*\}\}")
_RETRY_TAGS: Final = frozenset(
    {
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
    }
)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_NO_JSON: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def check_resource(
    context: Context, template: Template, scope: Scope, env: Mapping[str, str]
) -> None:
    """The action, and the manifest that it needs."""
    resource, path = template.body["resource"], (template.path, "resource")
    report = context.report
    action = substitute(resource.get("action", ""), env)
    is_tag = action.startswith(context.placeholder.removesuffix("0"))
    if not is_tag and action not in _ACTIONS:
        said = f"{shown(action)} is not an action; {', '.join(_ACTIONS)} are."
        report.error("value", (path, "action"), said)
    if action in ("get", "delete"):
        return
    if not resource.get("manifest") and "manifestFrom" not in resource:
        said = f"The action {shown(action)} needs a `manifest`."
        report.error("required", (path, "manifest"), said)
    if resource.get("manifest") and "manifestFrom" in resource:
        report.error("value", path, "`manifest` and `manifestFrom` exclude each other.")
    _manifest(context, resource.get("manifest", ""), _known(context, template, scope, env), path)
    source = resource.get("manifestFrom", {}).get("artifact")
    if source is not None and not any(
        artifact.get("name") == source.get("name") for artifact in template.artifacts
    ):
        said = f"There is no input artifact named {shown(source.get('name', ''))}."
        report.error("unknown-artifact", (path, "manifestFrom"), said)


def _known(
    context: Context, template: Template, scope: Scope, env: Mapping[str, str]
) -> Mapping[str, str]:
    """What Argo puts in before it reads the manifest; tags of the run itself are not among it."""
    names = {"pod.name"} & scope.names
    if "retryStrategy" in template.body:
        names |= _RETRY_TAGS
    return {**dict.fromkeys(names, context.placeholder), **env}


def _manifest(context: Context, text: str, known: Mapping[str, str], path: Path) -> None:
    """A manifest is YAML, apart from expressions, which may stand for anything."""
    filled = substitute(text, known)
    if not text or filled.startswith(context.placeholder.removesuffix("0")):
        return
    if wrong := wrong_in(_EXPRESSION.sub("x", filled)):
        said = f"The manifest is not YAML: {wrong}."
        fix = "Put the tag in quotes." if "{{" in filled else ""
        context.report.error("manifest", (path, "manifest"), said, fix)


def wrong_in(text: str) -> str:
    """What keeps the first document of a text from being read as YAML and written as JSON."""
    import yaml

    anchors: set[str | None] = set()
    try:
        for is_key, event in _nodes(yaml.parse(text, Loader=yaml.CSafeLoader)):
            if isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
                return f"nothing is anchored as {event.anchor!r}"
            anchors.add(event.anchor)
            if wrong := _wrong_key(event) if is_key else _wrong_value(event):
                return wrong
    except yaml.YAMLError as error:
        return " ".join(str(error).split())[:200]
    return ""


def _nodes(events: Iterable[yaml.Event]) -> Iterator[tuple[bool, yaml.NodeEvent]]:
    """The parts of the first document, and of each whether it is the key of a mapping."""
    import yaml

    # Of each open collection whether its next part is a key; None where it has none.
    next_is_key: list[bool | None] = [None]
    for event in events:
        if isinstance(event, yaml.DocumentEndEvent):
            return
        if isinstance(event, yaml.CollectionEndEvent):
            next_is_key.pop()
        elif isinstance(event, yaml.NodeEvent):
            is_key = next_is_key[-1]
            yield bool(is_key), event
            next_is_key[-1] = None if is_key is None else not is_key
            if isinstance(event, yaml.CollectionStartEvent):
                next_is_key.append(True if isinstance(event, yaml.MappingStartEvent) else None)


def _wrong_key(event: yaml.NodeEvent) -> str:
    import yaml

    if isinstance(event, yaml.CollectionStartEvent):
        return "the key of a mapping is a mapping or list itself"
    is_null = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value in _NULLS
    return "the key of a mapping is null" if is_null else ""


def _wrong_value(event: yaml.NodeEvent) -> str:
    import yaml

    if not isinstance(event, yaml.ScalarEvent) or not event.implicit[0]:
        return ""
    return f"JSON has no {event.value}" if _NO_JSON.fullmatch(event.value) else ""
