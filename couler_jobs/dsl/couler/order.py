"""Couler's order: one after another, unless `dag`, `set_dependencies` or `concurrent` says else."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from couler_jobs.dsl import recorder
from couler_jobs.dsl.couler.outputs import FileOutput, InputFile, InputText, OutputValue
from couler_jobs.dsl.recorder import Recording, Scope
from couler_jobs.dsl.values import Condition, Handle, producer_of, reference_of
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import Names
from couler_jobs.spec.place import Place

_WORD = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")


class CoulerScope(Scope):
    """A graph in Couler's order: each call follows all before it, but in `dag` and the like.

    `outer` is the graph around it, whose values it takes as inputs where it reads them.
    """

    def __init__(self, recording: Recording, name: str, outer: Scope | None = None) -> None:
        super().__init__(recording, name)
        self.outer = outer
        self.inputs: dict[model.Reference, tuple[str, Handle]] = {}  #: by what each stands for
        self._input_names = Names()
        self._ends: dict[str, None] = {}  #: calls that nothing follows yet
        self._start: tuple[str, ...] | None = None  #: what the next call follows, if not all ends
        self._chained = False  #: whether a call is what the next one follows
        self._expression: str | None = None  #: a `depends` of Argo's for the next calls
        self._groups: list[int] | None = []  #: calls per group, while the order is one of groups
        self._joins = False  #: whether the next call belongs to the last group
        self._same: dict[Any, str] | None = None  #: the calls of a `dag` by what they say
        self._added: dict[str, dict[str, None]] = {}  #: what a `dag` adds to dependencies
        self._touched: list[str] = []

    # --- calls

    def record(
        self,
        name: str,
        template: str | model.TemplateRef,
        arguments: recorder.Arguments,
        depends: Iterable[str],
        loop: model.Loop | None = None,
        artifacts: tuple[model.Artifact, ...] = (),
        place: Place | None = None,
    ) -> str:
        """Add a call after what Couler's order says; in a `dag` an equal call is the same one."""
        place = place or self.place(sys._getframe(1))
        if self._same is None:
            return self._append(name, template, arguments, depends, loop, artifacts, place)
        key = (name, template, arguments, loop, artifacts)
        task = self._same.get(key)
        if task is None:
            task = self._append(name, template, arguments, depends, loop, artifacts, place)
            self._same[key] = task
        else:
            self._go_on_from(task)
        self._touched.append(task)
        return task

    def _append(
        self,
        name: str,
        template: str | model.TemplateRef,
        arguments: recorder.Arguments,
        depends: Iterable[str],
        loop: model.Loop | None,
        artifacts: tuple[model.Artifact, ...],
        place: Place | None,
    ) -> str:
        before = tuple(self._ends)
        if self._start is not None:
            before = tuple(dict.fromkeys((*self._start, *depends)))
        self._count_into_group()
        expression = self._depends_on(before)
        task = super().record(name, template, arguments, before, loop, artifacts, place)
        if expression is not None:
            self.extend(depends_on=expression)
        for end in before:
            self._ends.pop(end, None)
        self._ends[task] = None
        self._go_on_from(task)
        return task

    def _depends_on(self, before: Sequence[str]) -> str | None:
        """The expression asked for, and whose outputs are read besides."""
        if self._expression is None:
            return None
        named = set(_WORD.findall(self._expression))
        for name in named:
            self._ends.pop(name, None)
        more = [name for name in before if name not in named]
        return " && ".join([f"({self._expression})", *more]) if more else self._expression

    def _go_on_from(self, task: str) -> None:
        if self._chained:
            self._start, self._expression = (task,), None

    def _count_into_group(self) -> None:
        if self._groups is None:
            return
        if self._start is not None and self._joins:
            self._groups[-1] += 1
        else:
            self._groups.append(1)
        self._joins = True

    # --- order

    @contextmanager
    def after(self, names: Sequence[str], expression: str | None = None) -> Iterator[None]:
        """The first call inside follows these and no others, the next one that call."""
        self._groups = None
        with self._starting_at(tuple(names), expression, chained=True):
            yield

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls made inside run at the same time, after all before them."""
        self._joins = False
        start = tuple(self._ends) if self._start is None else self._start
        first = len(self.calls)
        with self._starting_at(start, self._expression, chained=False):
            yield
        if self._chained and len(self.calls) > first:
            self._start, self._expression = tuple(one.name for one in self.calls[first:]), None

    @contextmanager
    def _starting_at(
        self, start: tuple[str, ...] | None, expression: str | None, *, chained: bool
    ) -> Iterator[None]:
        around = self._start, self._expression, self._chained
        self._start, self._expression, self._chained = start, expression, chained
        try:
            yield
        finally:
            self._start, self._expression, self._chained = around

    @contextmanager
    def chains(self) -> Iterator[None]:
        """Inside, `link` orders calls, and equal calls are one."""
        self._same = {}
        try:
            with self.after(tuple(self._ends)):
                yield
        finally:
            self._same = None

    def calls_of(self, job: Any) -> list[str]:
        """The calls that `job` makes, inside `chains`."""
        self._touched = []
        with self._starting_at(self._start, None, chained=True):
            job()
        return list(dict.fromkeys(self._touched))

    def link(self, earlier: Iterable[str], later: Iterable[str]) -> None:
        """Let the later calls follow the earlier ones."""
        for name in later:
            for before in earlier:
                self._added.setdefault(name, {})[before] = None
                self._ends.pop(before, None)

    # --- what stands around this graph

    def local(self, handle: Handle) -> Handle:
        """The value as it is read in this graph: what comes from around it is an input of it."""
        scope = producer_of(handle).scope
        if scope is None or scope is self:
            return handle
        if self.outer is None:
            return _from_anywhere(handle)
        found = local(self.outer, handle)
        if producer_of(found).scope is None:
            return found
        reference = reference_of(found)
        if reference not in self.inputs:
            self.inputs[reference] = (self._input_names.take(_input_name(reference)), found)
        name = self.inputs[reference][0]
        if isinstance(found, FileOutput):
            return FileOutput(InputFile(self, name), found.path)
        return Handle(InputText(self, name))

    def condition(self, found: Condition) -> Condition:
        """The condition as it is decided in this graph."""
        handles = tuple(self.local(handle) for handle in found.handles)
        meant = {
            reference_of(before): reference_of(after)
            for before, after in zip(found.handles, handles, strict=True)
        }
        return Condition(_replaced(found.term, meant), handles)

    def given(self) -> tuple[recorder.Arguments, tuple[model.Artifact, ...], list[Handle]]:
        """What a call of this graph gives to it: texts, files, and where they come from."""
        texts: list[tuple[str, model.Text]] = []
        files: list[model.Artifact] = []
        for reference, (name, _) in self.inputs.items():
            if is_file(reference):
                files.append(model.Artifact(name=name, source=reference))  # type: ignore[arg-type]
            else:
                texts.append((name, model.Joined(parts=(reference,))))
        return tuple(texts), tuple(files), [handle for _, handle in self.inputs.values()]

    def passed_on(self) -> tuple[recorder.Arguments, tuple[model.Artifact, ...]]:
        """What this graph gives to a call of itself: its own inputs."""
        taken = self.taken_in()
        texts = [(o.name, model.Joined(parts=(model.Input(name=o.name),))) for o in taken["inputs"]]
        files = [
            model.Artifact(name=one.name, source=model.Input(name=one.name, kind="artifact"))
            for one in taken["artifacts"]
        ]
        return tuple(texts), tuple(files)

    def taken_in(self) -> dict[str, Any]:
        """The inputs as fields of `model.Graph`."""
        names = [(name, is_file(reference)) for reference, (name, _) in self.inputs.items()]
        return {
            "inputs": tuple(model.Parameter(name=name) for name, file in names if not file),
            "artifacts": tuple(model.Artifact(name=name) for name, file in names if file),
        }

    # --- the template

    def order(self) -> tuple[tuple[model.Call, ...], tuple[int, ...] | None]:
        """The calls, and how many each group has where the order is one of groups."""
        groups = None if self._groups is None else tuple(self._groups)
        return tuple(map(self._ordered, self.finished_calls())), groups

    def _ordered(self, call: model.Call) -> model.Call:
        if self._groups is not None:
            return replace(call, depends=())
        if call.name in self._added:
            depends = dict.fromkeys((*call.depends, *self._added[call.name]))
            return replace(call, depends=tuple(depends))
        return call


def local(scope: Scope, handle: Handle) -> Handle:
    """The value as it is read in this graph."""
    return scope.local(handle) if isinstance(scope, CoulerScope) else handle


def is_file(reference: model.Reference) -> bool:
    """Whether it is an artifact that is referred to."""
    return isinstance(reference, model.Output | model.Input) and reference.kind == "artifact"


def _from_anywhere(handle: Handle) -> Handle:
    """A global output by its global name; anything else belongs where it was made."""
    producer = producer_of(handle)
    if isinstance(producer, OutputValue) and producer.everywhere is not None:
        return Handle(producer.everywhere)
    raise DeclarationError(
        f"{handle!r} belongs to another graph: declare the output with is_global=True to read it "
        "here."
    )


def _input_name(reference: model.Reference) -> str:
    match reference:
        case model.Output(task=task, name=name):
            return f"{task}-{name}"
        case model.Item(key=key):
            return key or "item"
        case model.Input(name=name):
            return name
        case _:
            return "value"


def _replaced(
    term: model.Condition, meant: Mapping[model.Reference, model.Reference]
) -> model.Condition:
    """The condition with other references in place of its own."""
    match term:
        case model.Compare(left=left, right=right):
            return replace(term, left=_side(left, meant), right=_side(right, meant))
        case model.Truth(of=reference):
            return model.Truth(of=meant.get(reference, reference))
        case model.Not(term=inner):
            return model.Not(term=_replaced(inner, meant))
        case model.Every(terms=terms) | model.Some(terms=terms):
            return replace(term, terms=tuple(_replaced(one, meant) for one in terms))


def _side(side: Any, meant: Mapping[model.Reference, model.Reference]) -> Any:
    return side if isinstance(side, model.Constant) else meant.get(side, side)
