"""`{{tags}}`: where they stand in a text, and which of them resolve."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)

# Argo looks only at tags that begin with one of these; any other stays in the text as it is.
_ROOTS: Final = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")

# Known only at run time, so accepted by their beginning.
_LATE: Final = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
    "node.name",
)

UNCLOSED: Final = '"'
"""Ends a tag that nothing closes: Argo reads on into the JSON around the text, so the first thing
that its tag has beyond the text is a quote, and no name has one."""

EVERYTHING: Final[frozenset[str]] = frozenset({"*"})
"""The outputs of a template that is not in this manifest: anything may be one."""


def tags_in(text: str) -> list[str]:
    """The plain tags of a text, trimmed; expressions `{{=...}}` are left to their own check.

    An opening `{{` without an end takes the rest of the text, and UNCLOSED.
    """
    if text.startswith("{{") and text.find("}}") == len(text) - 2:
        if not text.startswith("=", 2):
            return [text[2:-2].strip()]
        return []
    return list(_tags_in(text))


def _tags_in(text: str) -> Iterator[str]:
    end = 0
    for match in _TAG.finditer(text):
        end = match.end()
        if not match[1].startswith("="):
            yield match[1].strip()
    start = text.find("{{", end)
    if start >= 0 and not text.startswith("=", start + 2):
        yield text[start + 2 :].strip() + UNCLOSED


def is_open(text: str, values: Mapping[str, str]) -> bool:
    """Whether the text has a `{{` without an end, once the values of tags inside tags are in."""
    if "{{" in text and text.count("{{") > text.count("}}"):
        text = _TAG.sub(lambda match: _opened(match, values), text)
    return text.rfind("{{") > text.rfind("}}")


def _opened(match: re.Match[str], values: Mapping[str, str]) -> str:
    tag = filled(match[1], values)
    return match[0] if tag == match[1] else f"{{{{{tag}"


def opens_expression(text: str) -> bool:
    """Whether the `{{` without an end of a text begins an expression."""
    return text.startswith("=", text.find("{{", text.rfind("}}") + 1) + 2)


def filled(tag: str, values: Mapping[str, str]) -> str:
    """A tag with a tag inside: Argo puts the inner value in first."""
    before, found, inner = tag.rpartition("{{")
    return before + values[inner] if found and before and inner in values else tag


def expressions_in(text: str) -> Iterator[str]:
    """The expressions `{{=...}}` of a text."""
    for match in _TAG.finditer(text):
        if match[1].startswith("="):
            yield match[1][1:]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """The text with the tags and expressions that have a value replaced, the others left."""
    if "{{" not in text:
        return text
    return _TAG.sub(lambda match: _value(match, values), text)


_COSTLY = re.compile(r"matches|regex|repeat|indent|wrap|until|seq|bitshl|\.\.|\*\*|\^")
"""What a short expression can take for ever by, or fill the memory with."""


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    if not match[1].startswith("="):
        return values.get(match[1].strip(), match[0])
    if _COSTLY.search(match[1]):
        return match[0]
    from couler_jobs.spec.expressions import ExpressionError, expand, gotext, read

    try:
        value = read(match[1][1:]).evaluate(expand(values))
        if value is None or callable(value):
            return match[0]
        return value if isinstance(value, str) else gotext.to_json(value)
    except (ExpressionError, ValueError):  # no value, or one without JSON, such as 1/0
        return match[0]  # Argo, too, leaves it for when the workflow runs


@dataclass(slots=True)
class Scope:
    """What the tags of one template may name."""

    shared: Mapping[str, str]
    """What all templates may name: `workflow.*`."""
    names: set[str] = field(default_factory=set)
    """Whole tags of this template: inputs, `pod.name`."""
    items: set[str] = field(default_factory=set)
    """Whole tags of the loop, and the inputs of an inline template, of one step or task."""
    nodes: dict[str, frozenset[str]] = field(default_factory=dict)
    """Steps or tasks that may be named, each with what may follow its name."""
    statuses: Container[str] = frozenset()
    """Steps or tasks whose `.status` may be named."""
    skippable: dict[str, frozenset[str]] = field(default_factory=dict)
    """Steps or tasks that may be skipped, each with what of its outputs has a default."""
    node_prefix: str = ""
    """`steps` or `tasks`, where there are nodes."""
    any_item: bool = False
    any_workflow_parameter: bool = False
    any_output_parameter: bool = False
    any_output_artifact: bool = False

    def resolves(self, tag: str) -> bool:
        """Whether Argo finds this tag here, or does not look for it."""
        prefix, _, rest = tag.partition(".")
        if prefix == self.node_prefix and self._node(rest):
            return True
        if tag in self.names or tag in self.shared or tag in self.items:
            return True
        if not tag.startswith(_ROOTS) or tag.startswith(_LATE):
            return True
        return self._loose(tag)

    def _node(self, rest: str) -> bool:
        name, _, what = rest.partition(".")
        known = self.nodes.get(name)
        if known is EVERYTHING and what and not what.endswith(UNCLOSED):
            return True
        if known is not None and what in known:
            return True
        return what == "status" and name in self.statuses

    def _loose(self, tag: str) -> bool:
        return (
            (self.any_item and tag.startswith("item."))
            or (self.any_workflow_parameter and tag.startswith("workflow.parameters"))
            or (self.any_output_parameter and tag.startswith("workflow.outputs.parameters."))
            or (self.any_output_artifact and tag.startswith("workflow.outputs.artifacts."))
        )
