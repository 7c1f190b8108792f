"""A manifest that refers to WorkflowTemplates, made one that stands alone.

Pure. What `workflowTemplateRef` and `templateRef` name is put in their place when a run is
submitted, as Argo keeps a copy of it then: a later change of the template does not change the run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from couler_jobs.backends.local.engine.templates import joined
from couler_jobs.errors import Rejected

Spec = dict[str, Any]
Find = Callable[[str], Mapping[str, Any]]
"""The manifest of the WorkflowTemplate of that name; `Rejected` if there is none."""
_SOURCES = ("value", "valueFrom", "default")


def standalone(manifest: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """The manifest without references to WorkflowTemplates; `Rejected` if one is missing."""
    whole = copy.deepcopy(dict(manifest))
    spec = whole.get("spec")
    if not isinstance(spec, dict):
        return whole
    ref = spec.pop("workflowTemplateRef", None)
    if ref is not None:
        whole["spec"] = spec = _merged(_spec_of(find, ref), spec)
    _Inlining(spec, find).inline()
    return whole


def _spec_of(find: Find, ref: Mapping[str, Any]) -> Spec:
    if ref.get("clusterScope"):
        raise Rejected(
            f"There are no cluster workflow templates on this machine, but {ref.get('name')} is to "
            "be one: use a WorkflowTemplate, or run on Argo."
        )
    return copy.deepcopy(dict(find(str(ref.get("name", ""))).get("spec") or {}))


def _merged(base: Spec, own: Spec) -> Spec:
    """A workflow's own fields over its template's, as Argo joins them.

    Maps are joined, and lists of named things by name. Of a parameter only one says the value, and
    whether to wait at the start is only for the workflow to say.
    """
    if own.get("templates"):
        raise Rejected(
            "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
        )
    valued = {one.get("name") for one in _parameters(own) if one.keys() & {*_SOURCES}}
    for parameter in _parameters(base):
        if parameter.get("name") in valued:
            for source in _SOURCES:
                parameter.pop(source, None)
    base.pop("suspend", None)
    merged: Spec = joined(base, {name: field for name, field in own.items() if field is not None})
    return merged


def _parameters(spec: Spec) -> list[Spec]:
    return (spec.get("arguments") or {}).get("parameters") or []


class _Inlining:
    """Copies the templates that `templateRef`s name into the spec, each once."""

    def __init__(self, spec: Spec, find: Find) -> None:
        self._spec, self._find = spec, find
        self._specs: dict[str, Spec] = {}
        self._copies: dict[tuple[str, str], str] = {}
        self._names: set[str] = {t.get("name", "") for t in spec.get("templates") or ()}

    def inline(self) -> None:
        """Replace every reference, also those in what comes in by one."""
        for hook in (self._spec.get("hooks") or {}).values():
            self._settle(hook, "")
        for template in list(self._spec.get("templates") or ()):
            self._walk(template, "")

    def _walk(self, template: Any, origin: str) -> None:
        """Settle all calls in a template that came from the WorkflowTemplate `origin`."""
        if not isinstance(template, dict):
            return
        calls = [call for group in template.get("steps") or () for call in group or ()]
        calls += (template.get("dag") or {}).get("tasks") or ()
        for call in calls:
            if isinstance(call, dict):
                self._settle(call, origin)
                self._walk(call.get("inline"), origin)
                for hook in (call.get("hooks") or {}).values():
                    self._settle(hook, origin)
                if call.get("onExit") and origin:
                    call["onExit"] = self._copied(origin, call["onExit"])

    def _settle(self, call: Any, origin: str) -> None:
        """Have one call name a template of this spec."""
        if not isinstance(call, dict):
            return
        ref = call.pop("templateRef", None)
        if ref is not None:
            self._learn(ref)
            call["template"] = self._copied(str(ref.get("name")), str(ref.get("template")))
        elif call.get("template") and origin:
            call["template"] = self._copied(origin, call["template"])

    def _learn(self, ref: Mapping[str, Any]) -> None:
        name = str(ref.get("name"))
        if name not in self._specs:
            self._specs[name] = _spec_of(self._find, ref)

    def _copied(self, origin: str, name: str) -> str:
        """The name under which a template of a WorkflowTemplate is in this spec."""
        if (origin, name) not in self._copies:
            listed = self._specs[origin].get("templates") or ()
            found = next((t for t in listed if t.get("name") == name), None)
            if found is None:
                raise Rejected(f"The workflow template {origin} has no template {name}.")
            ours = self._free(name, origin)
            self._copies[origin, name] = ours
            template = {**copy.deepcopy(found), "name": ours}
            self._spec.setdefault("templates", []).append(template)
            self._walk(template, origin)
        return self._copies[origin, name]

    def _free(self, name: str, origin: str) -> str:
        """The template's own name, unless another has it here."""
        ours, number = name, 1
        while ours in self._names:
            ours = f"{origin.replace('.', '-')}-{name}" + (f"-{number}" if number > 1 else "")
            number += 1
        self._names.add(ours)
        return ours
