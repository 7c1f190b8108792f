"""Container and script steps, and Couler's order: one after another unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from couler_jobs.dsl import recorder, values
from couler_jobs.dsl.producers import TextValue
from couler_jobs.dsl.recorder import Recording, Scope
from couler_jobs.dsl.values import Condition, Handle
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import workflow_name

DEFAULT_NAME = "couler-workflow"


class CoulerScope(Scope):
    """A graph in Couler's order: each call follows all before it, but in `dag` and the like."""

    def __init__(self, recording: Recording, name: str) -> None:
        super().__init__(recording, name)
        self._loop: model.Loop | None = None
        self._loop_tasks: tuple[str, ...] = ()  #: what the loop's items come from
        self._ends: dict[str, None] = {}  #: calls that nothing follows yet
        self._start: tuple[str, ...] | None = None  #: what the next calls follow, if not all ends
        self._expression: str | None = None  #: a `depends` of Argo's for the next calls
        self._groups: list[int] | None = []  #: calls per group, while the order is one of groups
        self._joins = False  #: whether the next call belongs to the last group
        self._same: dict[Any, str] | None = None  #: the calls of a `dag` by what they say
        self._added: dict[str, dict[str, None]] = {}  #: what a `dag` adds to dependencies
        self._touched: list[str] = []

    def record(
        self,
        name: str,
        template: str | model.TemplateRef,
        arguments: recorder.Arguments,
        depends: Iterable[str],
        loop: model.Loop | None = None,
        **more: Any,
    ) -> str:
        """Add a call after what Couler's order says; in a `dag` an equal call is the same one."""
        key = (name, template, arguments, *sorted(more.items()))
        task = self._same.get(key) if self._same is not None else None
        if task is None:
            task = self._append(name, template, arguments, depends, loop or self._loop, **more)
        if self._same is not None:
            self._same[key] = task
            self._touched.append(task)
        return task

    def _append(
        self,
        name: str,
        template: str | model.TemplateRef,
        arguments: recorder.Arguments,
        depends: Iterable[str],
        loop: model.Loop | None,
        **more: Any,
    ) -> str:
        before = tuple(self._ends)
        if self._start is not None:
            before = tuple(dict.fromkeys((*self._start, *depends, *self._loop_tasks)))
        self._count_into_group()
        ordered = more | {"depends_on": self._expression}
        task = self.add(name, template, arguments, before, loop, **ordered)
        for end in before:
            self._ends.pop(end, None)
        self._ends[task] = None
        return task

    def _count_into_group(self) -> None:
        if self._groups is None:
            return
        if self._start is not None and self._joins:
            self._groups[-1] += 1
        else:
            self._groups.append(1)
        self._joins = True

    @contextmanager
    def after(self, names: Sequence[str], expression: str | None = None) -> Iterator[None]:
        """Calls made inside follow these, and those whose outputs they read, and no others."""
        self._groups = None
        with self._starting_at(tuple(names)):
            self._expression = expression
            try:
                yield
            finally:
                self._expression = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls made inside run at the same time, after all before them."""
        self._joins = False
        with self._starting_at(tuple(self._ends)):
            yield

    @contextmanager
    def _starting_at(self, start: tuple[str, ...]) -> Iterator[None]:
        around, self._start = self._start, start
        try:
            yield
        finally:
            self._start = around

    @contextmanager
    def looping(self, loop: model.Loop, tasks: Iterable[str]) -> Iterator[None]:
        """Calls made inside run once for each item, after `tasks`."""
        self._loop, self._loop_tasks = loop, tuple(tasks)
        try:
            yield
        finally:
            self._loop, self._loop_tasks = None, ()

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
        job()
        return list(dict.fromkeys(self._touched))

    def link(self, earlier: Iterable[str], later: Iterable[str]) -> None:
        """Let the later calls follow the earlier ones."""
        for name in later:
            for before in earlier:
                self._added.setdefault(name, {})[before] = None
                self._ends.pop(before, None)

    def graph(self, name: str) -> model.Graph:
        """The template: groups where the order is one, else a DAG."""
        groups = None if self._groups is None else tuple(self._groups)
        return model.Graph(name=name, calls=tuple(map(self._ordered, self.calls)), groups=groups)

    def _ordered(self, call: model.Call) -> model.Call:
        if self._groups is not None:
            return replace(call, depends=())
        if call.name in self._added:
            depends = dict.fromkeys((*call.depends, *self._added[call.name]))
            return replace(call, depends=tuple(depends))
        return call


class CoulerRecording:
    """What Couler's names declare outside of any `@workflow`."""

    def __init__(self) -> None:
        self.recording = Recording(_take)
        self.recording.names.take("main")
        self.scope = CoulerScope(self.recording, "this workflow")
        self.exit_scope: CoulerScope | None = None
        self.name = DEFAULT_NAME
        self.timeout: int | None = None

    def at_end(self) -> CoulerScope:
        """The graph that runs when the workflow has ended."""
        if self.exit_scope is None:
            self.recording.names.take("exit-handler")
            self.exit_scope = CoulerScope(self.recording, "the exit handler")
        return self.exit_scope

    def finished(self) -> model.Workflow:
        """The workflow; `DeclarationError` if it has no steps."""
        if not self.scope.calls:
            raise DeclarationError("No step was recorded: call run_container or run_script first.")
        graphs = [self.scope.graph("main")]
        if self.exit_scope is not None:
            graphs.append(self.exit_scope.graph("exit-handler"))
        return model.Workflow(
            name=workflow_name(self.name),
            entrypoint="main",
            templates=(*graphs, *self.recording.finished()),
            on_exit="exit-handler" if self.exit_scope is not None else None,
            timeout=self.timeout,
        )


def _take(scope: Scope, handle: Handle) -> Handle:
    raise DeclarationError(f"{handle!r} is text and has no parts: read it in a step.")


def recording() -> CoulerRecording:
    """What is recorded outside of any workflow, begun now if nothing was."""
    found = recorder.recorded()
    if not isinstance(found, CoulerRecording):
        found = CoulerRecording()
        recorder.record_into(found)
    return found


def scope_now() -> Scope:
    """Where a container step goes: the workflow being recorded, else Couler's own."""
    return recorder.current() or recording().scope


class PodTemplate:
    """A template that is known from its first call on."""

    def __init__(self, pod: model.Pod) -> None:
        self._pod = pod

    def settle(self) -> bool:
        """Nothing is open."""
        return False

    def templates(self) -> tuple[model.Template]:
        """The template."""
        return (self._pod,)


def record_container(
    name: str,
    container: model.Container,
    args: Sequence[Any],
    pod: Mapping[str, Any],
    after: Any = (),
) -> list[Handle]:
    """Add a call of a container template to where calls go now; the answer is its outputs.

    Each of `args` becomes an input parameter; `pod` are further fields of `model.Pod`.
    """
    scope = scope_now()
    texts, handles = _arguments(args)
    template = model.Pod(
        name="",
        container=replace(container, args=tuple(_input(parameter) for parameter, _ in texts)),
        inputs=tuple(model.Parameter(name=parameter) for parameter, _ in texts),
        **pod,
    )
    depends = [*scope.tasks_of(handles), *scope.condition_tasks()]
    task = scope.record(
        name, _template(scope.recording, name, template), texts, dict.fromkeys(depends)
    )
    return [Handle(TextValue(scope, output)) for output in _outputs_of(task, template)]


def _input(name: str) -> model.Joined:
    return model.Joined(parts=(model.Input(name=name),))


def _outputs_of(task: str, pod: model.Pod) -> list[model.Output]:
    """The declared outputs; last is what a script, or a step without outputs, printed."""
    found = [model.Output(task=task, name=o.name, kind=o.kind, missing="") for o in pod.outputs]
    if pod.container.source is not None or not found:
        found.append(model.Output(task=task, name="result", kind="result", missing=""))
    return found


def _template(recording: Recording, name: str, pod: model.Pod) -> str:
    """The name of the template that says the same, made at its first use."""
    found: str | None = recording.made.get((name, pod))
    if found is None:
        found = recording.names.take(name)
        recording.made[name, pod] = found
        recording.templates.append(PodTemplate(replace(pod, name=found)))
    return found


def _arguments(args: Sequence[Any]) -> tuple[recorder.Arguments, list[Handle]]:
    texts: list[tuple[str, model.Text]] = []
    handles: list[Handle] = []
    for index, arg in enumerate(args):
        text, found = plain_text(arg)
        texts.append((f"para-{index}", text))
        handles += found
    return tuple(texts), handles


def last(value: Any) -> Any:
    """A step's outputs stand for the last one."""
    return value[-1] if isinstance(value, list) and value else value


def plain_text(value: Any) -> tuple[model.Text, list[Handle]]:
    """An argument or env value as text: handles as tags, what is no text as JSON."""
    value = last(value)
    if isinstance(value, Handle):
        return model.Joined(parts=(value.reference(),)), [value]
    if isinstance(value, str):
        return value, []
    if isinstance(value, Condition):
        raise DeclarationError("A condition cannot be an argument: compute it in the step.")
    return values.text(value)
