"""What names Argo allows, and how a user's name becomes one. Pure and deterministic."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

TEMPLATE_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,127}")
"""A template's, step's or task's name (Argo's `workflowFieldNameFmt`)."""

WORKFLOW_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""A workflow's name: Kubernetes' DNS subdomain, and no longer than a label's value."""

PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+")
"""A parameter's or artifact's name."""

ROUNDS_LEFT = "rounds-left"
"""The input of the graph of a `cj.repeat`; no parameter of a function can have this name."""

_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", re.ASCII)
_LONGEST_TEMPLATE_NAME = 128
_LONGEST_WORKFLOW_NAME = 63


def template_name(text: str) -> str:
    """`text` as a template's or task's name: `count_rows` is `count-rows`.

    A leading digit, which `depends` could not name, gets an `n` in front.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", _ascii(text)).strip("-") or "step"
    return _cut(f"n{name}" if name[0].isdigit() else name, _LONGEST_TEMPLATE_NAME)


def workflow_name(text: str) -> str:
    """`text` as a workflow's name: lower case, at most 63 characters."""
    name = re.sub(r"[^a-z0-9]+", "-", _ascii(text).lower()).strip("-")
    return _cut(name or "workflow", _LONGEST_WORKFLOW_NAME)


@lru_cache(maxsize=1024)
def parameter_name(text: str) -> str:
    """`text` as a parameter's name: ASCII identifiers stay as they are."""
    if PARAMETER_NAME.fullmatch(text):
        return text
    return re.sub(r"[^-a-zA-Z0-9_]+", "-", _ascii(text)).strip("-") or "value"


def is_subdomain(name: str) -> bool:
    """Whether Kubernetes takes this as an object's name."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def is_label_value(value: str) -> bool:
    """Whether Kubernetes takes this as a label's value."""
    return len(value) <= 63 and _LABEL.fullmatch(value) is not None


def is_qualified_name(key: str) -> bool:
    """Whether Kubernetes takes this as the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or not is_subdomain(prefix)):
        return False
    return bool(name) and is_label_value(name)


class Names:
    """Hands out names, each once and none of `taken`: the second `count` is `count-2`.

    `lower` is for templates: Kubernetes takes no capitals in a pod's name, which holds its
    template's.
    """

    def __init__(self, *, lower: bool = False, taken: Iterable[str] = ()) -> None:
        self._lower = lower
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def take(self, name: str) -> str:
        """`name`, or `name-2`, `name-3` ... when it was handed out before."""
        if self._lower:
            name = name.lower()
        unique, ordinal = name, self._last.get(name, 1)
        while unique in self._taken:
            ordinal += 1
            unique = f"{name[: _LONGEST_TEMPLATE_NAME - 8]}-{ordinal}"
        self._last[name] = ordinal
        self._taken.add(unique)
        return unique


def _ascii(text: str) -> str:
    """`text` without accents; what has no ASCII form at all becomes dashes."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return (
        "".join(c for c in decomposed if not unicodedata.combining(c))
        .encode("ascii", "replace")
        .decode("ascii")
    )


def _cut(name: str, longest: int) -> str:
    """A name that is too long keeps its beginning and ends in a digest of the whole."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - 9].rstrip('-')}-{digest}"


def is_within(name: str, node: str) -> bool:
    """Whether a node's name is `node` or of something inside it: its steps, items or attempts."""
    return name == node or (name.startswith(node) and name[len(node)] in ".[(")
