"""The walk over every field: which exist, their types, and where `{{tags}}` stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.shapes import (
    ANY,
    LIST,
    MAP,
    SCALAR,
    STRUCT,
    Shape,
    Slot,
    other_versions,
    shape_of,
)
from couler_jobs.nearest import nearest
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import Target

# The strings with tags below one part of the manifest.
Bag: TypeAlias = list[tuple[Path, str]]

# Types whose tags are judged apart from their parent's.
_OWNERS: Final = frozenset({"Template", "WorkflowStep", "DAGTask", "Outputs"})

_EXPECTED: Final = {
    "str": "text",
    "bool": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "uint64": "a whole number",
    "text": "text",
    "time": "a time as text",
    "bytes": "base64 text",
    "plugin": "a mapping",
}

_REPLACED: Final = {
    "CronWorkflowSpec.schedule": "Write `schedules` with a list of lines.",
    "CronWorkflowSpec.schedules": "Write `schedule` with one line.",
    "Synchronization.mutex": "Write `mutexes` with a list.",
    "Synchronization.semaphore": "Write `semaphores` with a list.",
    "Synchronization.mutexes": "Write `mutex` with one lock.",
    "Synchronization.semaphores": "Write `semaphore` with one lock.",
    "WorkflowSpec.podPriority": "Write `podPriorityClassName`.",
    "Template.priority": "Write `priorityClassName`.",
    "WorkflowSpec.ttlSecondsAfterFinished": "Write `ttlStrategy: {secondsAfterCompletion: ...}`.",
    "WorkflowSpec.schedule": "It belongs to the CronWorkflow's own spec.",
    "WorkflowSpec.schedules": "It belongs to the CronWorkflow's own spec.",
    "StopStrategy.condition": "Write `expression`.",
    "Template.hooks": "Hooks belong to the workflow, to a step or to a task.",
    "Template.template": "Call the other template from a step or a task.",
    "Template.arguments": "Arguments belong to the step or task that calls the template.",
    "Template.env": "Write it inside `container` or `script`.",
    "Template.image": "Write it inside `container` or `script`.",
    "WorkflowSpec.parameters": "Write `arguments: {parameters: [...]}`.",
}


@dataclass(slots=True)
class Walked:
    """What the walk saw, for the checks that follow."""

    bags: dict[int, Bag] = field(default_factory=dict)
    """The tagged strings by the id of the template, step, task or outputs they belong to."""
    odd: bool = False
    """Whether anything has another class than its field, or a null, or a name in other case."""


def walk(manifest: dict[str, Any], kind: str, report: Report, root: Path = None) -> Walked:
    """Check every field below `manifest`, whose type is `kind`."""
    return _Walk(report).run(manifest, kind, root)


class _Walk:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._target = report.target
        self._walked = Walked()
        self._created = False
        self._shapes: dict[Slot, Shape] = {}
        self._nested: list[tuple[Bag, Bag]] = []
        self._holders: dict[int, Bag] = {}
        self._stack: list[tuple[Any, Slot, Path, Bag]] = []

    def run(self, manifest: dict[str, Any], kind: str, root: Path) -> Walked:
        # While it checks a Workflow, Argo Server sends it on, and leaves out what is empty.
        self._created = kind == "Workflow"
        bag: Bag = []
        self._struct(manifest, shape_of(kind, self._target), root, bag)
        stack = self._stack
        struct, shape_of_slot = self._struct, self._shape
        while stack:
            value, slot, path, bag = stack.pop()
            if slot.kind == STRUCT:
                if slot.type_name in _OWNERS:
                    bag = self._own(value, slot, path, bag)
                struct(value, shape_of_slot(slot), path, bag)
            elif slot.kind == LIST:
                self._list(value, slot, path, bag)
            elif slot.kind == MAP:
                self._map(value, slot, path, bag)
            else:
                bag.extend(tagged(value, path))
        for inner, outer in reversed(self._nested):
            outer.extend(inner)
        return self._walked

    def _own(self, value: dict[str, Any], slot: Slot, path: Path, outer: Bag) -> Bag:
        """Argo looks for all that an inline template holds in the step or task around it, too."""
        inner: Bag = []
        self._walked.bags[id(value)] = inner
        if slot.type_name == "Template" and path is not None and path[1] == "inline":
            self._holders[id(inner)] = outer
            self._nested.append((inner, outer))
        elif id(outer) in self._holders:
            self._nested.append((inner, self._holders[id(outer)]))
        return inner

    def _shape(self, slot: Slot) -> Shape:
        shape = self._shapes.get(slot)
        if shape is None:
            shape = self._shapes[slot] = shape_of(slot.type_name, self._target, slot.loose)
        return shape

    def _struct(self, value: dict[Any, Any], shape: Shape, path: Path, bag: Bag) -> None:
        slots, stack = shape.slots, self._stack
        for key, item in value.items():
            slot = slots.get(key)
            if slot is None:
                self._unknown(key, shape, path)
            elif item.__class__ is slot.python:
                if slot.rule is not None and (wrong := slot.rule(item)) is not None:
                    self._broken(slot, (path, key), item, wrong)
                if slot.kind != SCALAR:
                    stack.append((item, slot, (path, key), bag))
                elif item.__class__ is str and "{{" in item:
                    bag.append(((path, key), item))
            else:
                self._closer(item, slot, (path, key), bag)
        for name in shape.required:
            given = value.get(name)
            if given is None or (given == [] and self._created):
                self._missing(name, shape, path)
        if shape.rule is not None and (wrong := shape.rule(value)) is not None:
            self._report.error("exclusive", path, wrong)

    def _list(self, value: list[Any], slot: Slot, path: Path, bag: Bag) -> None:
        inner = slot.inner
        assert inner is not None  # noqa: S101  a list slot always has one
        for index, item in enumerate(value):
            self._item(item, inner, (path, index), bag)

    def _map(self, value: dict[Any, Any], slot: Slot, path: Path, bag: Bag) -> None:
        inner = slot.inner
        assert inner is not None  # noqa: S101
        for key, item in value.items():
            if not isinstance(key, str):
                self._report.error("key-type", (path, str(key)), f"The key {key!r} must be text.")
                self._walked.odd = True
                continue
            if "{{" in key:
                bag.append(((path, key), key))
            self._item(item, inner, (path, key), bag)

    def _item(self, item: Any, slot: Slot, path: Path, bag: Bag) -> None:
        if item.__class__ is slot.python:
            if slot.rule is not None and (wrong := slot.rule(item)) is not None:
                self._broken(slot, path, item, wrong)
            if slot.kind != SCALAR:
                self._stack.append((item, slot, path, bag))
            elif item.__class__ is str and "{{" in item:
                bag.append((path, item))
        else:
            self._closer(item, slot, path, bag)

    def _closer(self, item: Any, slot: Slot, path: Path, bag: Bag) -> None:
        """A value whose class is not simply the expected one."""
        if slot.kind == ANY and slot.python is None:
            self._stack.append((item, slot, path, bag))
        elif item is None:
            self._null(slot, path)
        elif slot.python is None:
            assert slot.rule is not None  # noqa: S101
            if (wrong := slot.rule(item)) is not None:
                self._walked.odd = True
                self._report.error("type", path, f"{shown(item)} {wrong}.")
            elif isinstance(item, str) and "{{" in item:
                bag.append((path, item))
        elif slot.type_name == "text":
            self._not_text(item, slot, path)
        else:
            self._wrong_type(item, slot, path)

    def _null(self, slot: Slot, path: Path) -> None:
        """Argo and Kubernetes leave a null field out; in a list it has nowhere to go."""
        self._walked.odd = True
        if path is not None and isinstance(path[1], int):
            said = "A null stands where a value belongs."
            self._found(slot.loose, "null", path, said, "Leave it out.")

    def _not_text(self, item: Any, slot: Slot, path: Path) -> None:
        self._walked.odd = True
        fix = "Write it as text, in quotes; a list or mapping as JSON text."
        lost = " Argo Server would make an empty text of it." if _holds(item) else ""
        self._found(slot.loose, "type", path, f"{shown(item)} must be text.{lost}", fix)

    def _wrong_type(self, item: Any, slot: Slot, path: Path) -> None:
        self._walked.odd = True
        if slot.kind in (STRUCT, MAP):
            expected = "a mapping"
        else:
            expected = (
                "a list" if slot.kind == LIST else _EXPECTED.get(slot.type_name, slot.type_name)
            )
        quote = "Put it in quotes." if expected == "text" and not _holds(item) else ""
        self._report.error("type", path, f"{shown(item)} must be {expected}.", quote)

    def _broken(self, slot: Slot, path: Path, item: Any, wrong: str) -> None:
        if slot.kind in (LIST, MAP):
            code = "limit" if "at most" in wrong or "at least" in wrong else "duplicate"
            self._report.error(code, path, f"The list {wrong}.")
        else:
            self._report.error("value", path, f"{shown(item)} {wrong}.")

    def _missing(self, name: str, shape: Shape, path: Path) -> None:
        said = f"The field `{name}` is required."
        self._found(shape.loose, "required", (path, name), said, "")

    def _found(self, loose: bool, code: str, path: Path, said: str, fix: str) -> None:
        """What Kubernetes refuses where it looks, and lets pass where it does not."""
        (self._report.warning if loose else self._report.error)(code, path, said, fix)

    def _unknown(self, key: Any, shape: Shape, path: Path) -> None:
        if not isinstance(key, str):
            self._walked.odd = True
            self._report.error("key-type", (path, str(key)), f"The key {key!r} must be text.")
            return
        if key.lower() in shape.folded or (shape.loose and other_versions(shape.name, key)):
            self._walked.odd = True  # Argo Server reads on without it, or by another name
        message, fix = _about_unknown(key, shape, self._target)
        if shape.name == "WorkflowStep":
            # Argo reads steps with a reader of its own, which is strict in every version.
            self._report.error("unknown-field", (path, key), message, fix)
        else:
            self._found(shape.loose, "unknown-field", (path, key), message, fix)


def _holds(item: Any) -> bool:
    return isinstance(item, (dict, list))


def _about_unknown(key: str, shape: Shape, target: Target) -> tuple[str, str]:
    fix = _REPLACED.get(f"{shape.name}.{key}", "")
    elsewhere = other_versions(shape.name, key)
    if elsewhere:
        since = min(found.since for found in elsewhere)
        until = max(found.until for found in elsewhere)
        said = f"came with Argo {since}" if since > target else f"was last in Argo {until}"
        return f"The field `{key}` does not exist in Argo {target}: it {said}.", fix
    message = f"The field `{key}` does not exist here; Argo Server drops it in silence."
    if not fix:
        near = shape.folded.get(key.lower()) or nearest(key, shape.slots)
        fix = f"Did you mean `{near}`?" if near else ""
    return message, fix


def tagged(whole: Any, start: Path) -> Iterator[tuple[Path, str]]:
    """The strings with tags anywhere in a JSON value, keys of mappings among them."""
    todo: list[tuple[Any, Path]] = [(whole, start)]
    while todo:
        value, path = todo.pop()
        if isinstance(value, str):
            if "{{" in value:
                yield path, value
        elif isinstance(value, dict):
            todo.extend((item, (path, str(key))) for key, item in value.items())
            yield from (((path, key), key) for key in value if "{{" in str(key))
        elif isinstance(value, list):
            todo.extend((item, (path, index)) for index, item in enumerate(value))


def cleaned(manifest: dict[str, Any], kind: str, target: Target) -> dict[str, Any]:
    """A copy as Argo Server reads it: nulls gone, names in the right case, odd values dropped."""
    root: dict[str, Any] = {}
    todo: list[tuple[Any, Slot, Any]] = [(manifest, Slot(kind, STRUCT, dict, None), root)]
    while todo:
        value, slot, made = todo.pop()
        pairs = _pairs(value, slot, target)
        for key, item, inner in pairs:
            new = _read(item, inner)
            if isinstance(made, list):
                new = _zero(inner) if new is None else new
                made.append(new)
            elif new is None:
                continue
            else:
                made[key] = new
            if inner.kind in (STRUCT, LIST, MAP) and isinstance(new, (dict, list)):
                todo.append((item if isinstance(item, type(new)) else new, inner, new))
    return root


def _pairs(value: Any, slot: Slot, target: Target) -> Iterator[tuple[Any, Any, Slot]]:
    if slot.kind == LIST and slot.inner is not None:
        for index, item in enumerate(value):
            yield index, item if item is not None else _zero(slot.inner), slot.inner
    elif slot.kind == MAP and slot.inner is not None:
        for key, item in value.items():
            if isinstance(key, str):
                yield key, item if item is not None else _zero(slot.inner), slot.inner
    else:
        shape = shape_of(slot.type_name, target)
        for key, item in value.items():
            name = key if key in shape.slots else shape.folded.get(str(key).lower())
            if name is not None and item is not None:
                yield name, item, shape.slots[name]


def _zero(slot: Slot) -> Any:
    if slot.kind in (STRUCT, MAP):
        return {}
    if slot.kind == LIST:
        return []
    if slot.type_name == "quantity":
        return "0"
    return "" if slot.python is str else None


def _read(item: Any, slot: Slot) -> Any:
    """A value as Argo Server takes it into the field; None where it takes nothing."""
    if slot.kind == ANY:
        return item
    if slot.kind in (STRUCT, MAP):
        return {} if isinstance(item, dict) else None
    if slot.kind == LIST:
        return [] if isinstance(item, list) else None
    if slot.type_name == "text":
        return _as_text(item)
    if slot.python is None:
        return item if slot.rule is not None and slot.rule(item) is None else None
    return item if item.__class__ is slot.python else _zero(slot)


def _as_text(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return format(item, "f").rstrip("0").rstrip(".") if isinstance(item, float) else str(item)
    return item if isinstance(item, str) else ""
