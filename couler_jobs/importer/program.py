"""A manifest as the text of a Python program whose `flow` is that manifest. Pure.

Each part is written with the word of `couler_jobs.templates` that says it, if that gives the part
back exactly; where none does, it stands as it is.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from couler_jobs import templates as words
from couler_jobs.importer.code import Invoke, Name, evaluate, functions, written
from couler_jobs.spec import graph as order

Fields = Mapping[str, Any]


def program(manifest: Fields, source: str = "a manifest") -> str:
    """The program; `source` says in its first line what it was written from."""
    definitions = _Definitions(manifest)
    flow = definitions.flow()
    lines = [f"{name.name} = {written(code)}\n" for name, code in definitions.made]
    lines.append(f"flow = {written(flow)}\n")
    used = set().union(functions(flow), *(functions(code) for _, code in definitions.made))
    about = source.replace("\\", "/").replace('"', "'").replace("\n", " ")
    head = f'"""Written from {about}; `couler-jobs compile` gives the manifest back."""\n'
    return "\n".join([head, _imported(used), *lines])


def _imported(used: set[str]) -> str:
    line = f"from couler_jobs.templates import {', '.join(sorted(used))}\n"
    if len(line) <= 100:
        return line
    listed = "".join(f"    {name},\n" for name in sorted(used))
    return f"from couler_jobs.templates import (\n{listed})\n"


class _Definitions:
    """The templates of a manifest, each a variable; a template comes before those that call it."""

    def __init__(self, manifest: Fields) -> None:
        self._manifest = manifest
        self.made: list[tuple[Name, Any]] = []
        self._by_name: dict[str, Name] = {}
        self._taken = {*dir(builtins), *keyword.kwlist, *words.__all__, "flow"}

    def flow(self) -> Any:
        """The whole manifest."""
        manifest = dict(self._manifest)
        if manifest.get("kind") == "CronWorkflow":
            return self._first([self._cron, _verbatim_manifest], manifest)
        return self._first([self._workflow, _verbatim_manifest], manifest)

    def _first(self, ways: list[Callable[[Any], Any]], given: Any) -> Any:
        """What the first of these ways gives that says just what is given; the last one does."""
        *tried, last = ways
        for way in tried:
            try:
                code = way(given)
                if _same(evaluate(code), given):
                    return code
            except _ODD:
                continue
        return last(given)

    # --- the workflow

    def _cron(self, manifest: Fields) -> Invoke:
        spec = dict(manifest["spec"])
        inner = {**manifest, "kind": "Workflow", "metadata": {}, "spec": spec.pop("workflowSpec")}
        inner.pop("metadata")
        return Invoke(words.cron, [self._workflow(inner)], _named(manifest) | spec)

    def _workflow(self, manifest: Fields) -> Invoke:
        spec = dict(manifest["spec"])
        given = self._templates(spec.pop("templates", []))
        keywords = {} if manifest["kind"] == "Workflow" else {"kind": manifest["kind"]}
        keywords |= _named(manifest)
        if "entrypoint" in spec:
            start = spec.pop("entrypoint")
            keywords["entrypoint"] = self._by_name.get(start, start)
        keywords |= _arguments(spec)
        return Invoke(words.workflow, given, keywords | spec)

    # --- templates

    def _templates(self, listed: list[Fields]) -> list[Name]:
        named = {one["name"]: one for one in listed}
        needs = {name: [c for c in _called(one) if c in named] for name, one in named.items()}
        found = order.order(needs)
        for name in [*found, *(name for name in named if name not in found)]:
            self._define(name, named[name])
        return [self._by_name[one["name"]] for one in listed]

    def _define(self, name: str, fields: Fields) -> None:
        ways = {"container": _container, "script": _script, "steps": self._steps, "dag": self._dag}
        fitting = [way for kind, way in ways.items() if kind in fields]
        code = self._first([*fitting, _template, _verbatim_template], dict(fields))
        variable = Name(self._variable(name), words.Template(fields))
        self.made.append((variable, code))
        self._by_name[name] = variable

    def _variable(self, name: str) -> str:
        word = re.sub(r"\W", "_", name.replace("-", "_")).lower() or "template"
        word = word if word.isidentifier() else f"t_{word}"
        found, count = word, 1
        while found in self._taken:
            count += 1
            found = f"{word}_{count}"
        self._taken.add(found)
        return found

    def _steps(self, fields: Fields) -> Invoke:
        rest = dict(fields)
        groups = [[self._call(one) for one in group] for group in rest.pop("steps")]
        return Invoke(words.steps, [rest.pop("name"), *groups], _ins_and_outs(rest) | rest)

    def _dag(self, fields: Fields) -> Invoke:
        rest = dict(fields)
        body = dict(rest.pop("dag"))
        tasks = [self._call(one) for one in body.pop("tasks")]
        options = {"target": body.pop("target", None), "fail_fast": body.pop("failFast", None)}
        given = {name: value for name, value in options.items() if value is not None} | body
        return Invoke(words.dag, [rest.pop("name"), *tasks], _ins_and_outs(rest) | given | rest)

    def _call(self, fields: Fields) -> Any:
        return self._first([self._invoked, dict], dict(fields))

    def _invoked(self, fields: Fields) -> Invoke:
        rest = dict(fields)
        name = rest.pop("name")
        called: Any = self._by_name.get(rest.get("template", ""), rest.get("template"))
        if "templateRef" in rest:
            reference = dict(rest.pop("templateRef"))
            names = [reference.pop("name"), reference.pop("template")]
            called = Invoke(words.stored, names, reference)
        rest.pop("template", None)
        own = isinstance(called, Name) and called.value.get("name") == name
        keywords = {word: rest.pop(field) for word, field in _CALL_WORDS.items() if field in rest}
        given = [called] if own else [called, name]
        return Invoke(words.call, given, keywords | _arguments(rest) | rest)


_ODD = (AttributeError, KeyError, LookupError, TypeError, ValueError)
"""What taking a manifest apart raises where it has not the shape that Argo's have."""

_NAMES = {"name": "name", "generate_name": "generateName"}

_CALL_WORDS = {
    "after": "depends",
    "when": "when",
    "items": "withItems",
    "over": "withParam",
    "sequence": "withSequence",
}


def _called(template: Fields) -> Iterator[str]:
    """The templates that a template calls."""
    groups = template.get("steps") or []
    calls = [call for group in groups for call in group]
    for call in [*calls, *((template.get("dag") or {}).get("tasks") or [])]:
        if isinstance(call.get("template"), str):
            yield call["template"]


def _container(fields: Fields) -> Invoke:
    rest = dict(fields)
    body = dict(rest.pop("container"))
    given = [rest.pop("name"), *([body.pop("image")] if "image" in body else [])]
    return Invoke(words.container, given, _ins_and_outs(rest) | body | _further(rest))


def _script(fields: Fields) -> Invoke:
    rest = dict(fields)
    body = dict(rest.pop("script"))
    given = [rest.pop("name"), body.pop("image"), body.pop("source")]
    return Invoke(words.script, given, _ins_and_outs(rest) | body | _further(rest))


def _template(fields: Fields) -> Invoke:
    rest = dict(fields)
    given = [rest.pop("name")] if "name" in rest else []
    return Invoke(words.template, given, _ins_and_outs(rest) | rest)


def _verbatim_template(fields: Fields) -> Invoke:
    return Invoke(words.Template, [dict(fields)])


def _verbatim_manifest(fields: Fields) -> Invoke:
    return Invoke(words.Manifest, [dict(fields)])


def _further(rest: Fields) -> dict[str, Any]:
    return {"template": dict(rest)} if rest else {}


def _ins_and_outs(rest: dict[str, Any]) -> dict[str, Any]:
    """Parameters that have a word, taken out of `rest`."""
    found: dict[str, Any] = {}
    if isinstance(rest.get("inputs"), dict) and [*rest["inputs"]] == ["parameters"]:
        found["inputs"] = _parameters(rest.pop("inputs")["parameters"])
    outputs = rest.get("outputs")
    if isinstance(outputs, dict) and [*outputs] == ["parameters"] and _are_plain(outputs):
        listed = rest.pop("outputs")["parameters"]
        found["outputs"] = {one["name"]: one["valueFrom"] for one in listed}
    return found


def _are_plain(outputs: Fields) -> bool:
    return all({*one} == {"name", "valueFrom"} for one in outputs["parameters"])


def _arguments(rest: dict[str, Any]) -> dict[str, Any]:
    """Arguments that are parameters alone, taken out of `rest`."""
    arguments = rest.get("arguments")
    if not isinstance(arguments, dict) or [*arguments] != ["parameters"]:
        return {}
    return {"parameters": _parameters(rest.pop("arguments")["parameters"])}


def _parameters(listed: list[Fields]) -> dict[str, Any]:
    return {one["name"]: _parameter(one) for one in listed}


def _parameter(fields: Fields) -> Any:
    rest = {name: value for name, value in fields.items() if name != "name"}
    if not rest:
        return None
    plain = [*rest] == ["value"] and rest["value"] is not None
    return rest["value"] if plain and not isinstance(rest["value"], dict) else rest


def _named(manifest: Fields) -> dict[str, Any]:
    metadata = dict(manifest.get("metadata") or {})
    found = {word: metadata.pop(field) for word, field in _NAMES.items() if metadata.get(field)}
    return found | ({"metadata": metadata} if metadata else {})


def _same(left: Any, right: Any) -> bool:
    """Equal also in the types of its values: to Python, `True` equals 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and bool(left == right)
