"""How large a manifest is as JSON, as Kubernetes keeps it. Pure.

Writing it as JSON costs as much as making it does, so that is done only near the limit.
"""

from __future__ import annotations

import json
import marshal
from typing import Any

from couler_jobs.errors import CompileError
from couler_jobs.spec import model

Fields = dict[str, Any]

LARGEST = 1536 * 1024
"""Bytes of an object that Kubernetes' store takes."""

_SURELY_TOO_LARGE = 3 * LARGEST // 2
"""Of the rough size: the manifest is not even written without templates shared by its parts."""


def fits(manifest: Fields) -> bool:
    """Whether Kubernetes takes it."""
    return _at_most(manifest) <= LARGEST or _bytes(manifest) <= LARGEST


def refuse_too_large(name: str, manifest: Fields) -> None:
    """Raise CompileError, with what to do, for a manifest that Kubernetes does not take."""
    if (found := _bytes(manifest)) > LARGEST:
        raise CompileError(
            f"The manifest of {name} has {found / 2**20:.2f} MiB, and Kubernetes takes "
            f"{LARGEST / 2**20:.1f} MiB: loop with map, or pass big values as files."
        )


def surely_too_large(workflow: model.Workflow) -> bool:
    """Whether one need not even write it to know: by samples, as a long text is in one of them."""
    return all(_roughly(workflow, first) >= _SURELY_TOO_LARGE for first in (0, 5, 11))


def _roughly(workflow: model.Workflow, first: int) -> int:
    """Bytes of what will be written, with the arguments of one in 16 calls counted for all."""
    size = 0
    for template in workflow.templates:
        if isinstance(template, model.Pod):
            size += 1000 + len(template.container.source or "") + len(template.extra)
        elif isinstance(template, model.Plain):
            size += 1000 + len(template.fields) + len(template.extra)
        else:
            texts = [_about(t) for call in template.calls[first::16] for _, t in call.arguments]
            size += 60 * len(template.calls) + 16 * sum(texts)
    return size


def _about(text: model.Text) -> int:
    """Bytes of an argument, roughly: of a reference, those of a tag."""
    pieces = (text,) if isinstance(text, str) else text.parts
    return 30 + sum([len(piece) if isinstance(piece, str) else 40 for piece in pieces])


def _at_most(manifest: Fields) -> int:
    """No fewer bytes than its JSON has, but for fractions and control characters in DAGs."""
    templates = manifest["spec"]["templates"]
    rest = {**manifest, "spec": {**manifest["spec"], "templates": []}}
    return _bytes(rest) + sum(map(_template_at_most, templates))


def _template_at_most(template: Fields) -> int:
    if "dag" not in template:
        return _bytes(template)
    try:
        found = marshal.dumps(template, 2)  # in which each text has its length in four bytes
    except ValueError:  # a text of a class of its own
        return _bytes(template)
    return len(found) + sum(map(found.count, (b'"', b"\\", b"\n")))


def _bytes(found: Any) -> int:
    return len(json.dumps(found, separators=(",", ":")))
