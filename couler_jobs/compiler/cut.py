"""A DAG of too many tasks as one of parts, whose outer inputs and outputs are parameters. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from couler_jobs.compiler.expressions import artifact_of
from couler_jobs.compiler.lift import lifted
from couler_jobs.compiler.partition import partition
from couler_jobs.compiler.parts import MOST_INPUTS, Part, Piece, Source
from couler_jobs.errors import CompileError
from couler_jobs.spec import graph as order
from couler_jobs.spec import model
from couler_jobs.spec.names import Names

MOST_TASKS = 200
"""Argo's CRDs since 4.0 have `maxItems: 200` on the tasks of a DAG."""

_NAME = re.compile(r"[A-Za-z][-\w]*(?=\.|\s|\)|$|&|\|)")
_OF_A_TASK = ("{{tasks.", "{{steps.", "{{=")


class Cut:
    """A graph that is being cut: `graphs` are the outer one, which keeps its name, and the parts.

    A part of one call is that call itself.
    """

    def __init__(self, graph: model.Graph, names: Names, most: int, room: int) -> None:
        self._graph, self._names = graph, names
        by_name = {call.name: call for call in graph.calls}
        before = {name: _before(call, by_name) for name, call in by_name.items()}
        self._groups = partition(before, most=most, room=room)
        self._by_name, self._before = by_name, before
        self._part: dict[str, Part | None] = {}
        #: what texts are as seen from a part, by their identity
        self._texts: dict[Part | None, dict[int, model.Joined]] = defaultdict(dict)
        self._omitted = _may_be_omitted(by_name, before)

    def graphs(self, shared: bool) -> Iterator[model.Graph]:
        """The graphs."""
        tasks = Names(taken=self._by_name)
        parts = [self._made(group, tasks, shared) for group in self._groups]
        inner = [list(self._inner(part)) for part in parts if part is not None]
        real = [part for part in parts if part is not None]
        outer = [self._direct(g[0]) for g, p in zip(self._groups, parts, strict=True) if p is None]
        results = tuple(self._result(result) for result in self._graph.results)
        if shared:
            inner = lifted(real, inner)
        made: dict[Hashable, str] = {}
        for part, calls in zip(real, inner, strict=True):
            graph = self._graph_of(part, calls)
            alike = id(calls), graph.inputs, graph.artifacts, graph.results
            if alike not in made:
                made[alike] = self._names.take(f"{self._graph.name}-part")
                yield replace(graph, name=made[alike])
            outer.append(self._call(part, made[alike]))
        yield replace(self._graph, calls=tuple(outer), results=results)

    def _result(self, result: model.Result) -> model.Result:
        if result.kind == "parameter":
            return replace(result, value=self._text(result.value, None))
        found = self._source(artifact_of(result.value), None)
        return replace(result, value=model.Joined(parts=(found,)))

    def _made(self, group: list[str], tasks: Names, shared: bool) -> Part | None:
        if len(group) == 1:
            self._part[group[0]] = None
            return None
        counted = Names()
        calls = [self._by_name[name] for name in group]
        rename = {c.name: counted.take(_template(c)) if shared else c.name for c in calls}
        part = Part(tasks.take("part"), calls, rename)
        self._part.update(dict.fromkeys(group, part))
        return part

    def _inner(self, part: Part) -> Iterator[model.Call]:
        """The part's calls, with what comes from outside as inputs."""
        for call in part.calls:
            own = self._inside(call, part)
            if not _is_bare(call):
                yield replace(self._bare_in(part, call, own), **self._seen(call, part))
            elif part.keeps_names and len(own) == len(call.depends) and _is_within(call, own):
                yield call
            else:
                yield self._bare_in(part, call, own)

    def _bare_in(self, part: Part, call: model.Call, own: Sequence[str]) -> model.Call:
        """What every call has; `own` are its dependencies in the part."""
        return model.Call(
            name=part.rename[call.name],
            template=call.template,
            arguments=self._arguments(call, part),
            depends=tuple([part.term(term) for term in own]) if own else (),
            place=call.place,
        )

    def _direct(self, name: str) -> model.Call:
        """A call that stands in the outer graph."""
        call = self._by_name[name]
        own = set(self._inside(call, None))
        depends = dict.fromkeys([t if t in own else self._outer_name(t) for t in call.depends])
        arguments = self._arguments(call, None)
        return replace(call, arguments=arguments, depends=tuple(depends), **self._seen(call, None))

    def _seen(self, call: model.Call, part: Part | None) -> dict[str, Any]:
        """What a call that is not bare refers to, as it is seen from its part: its fields."""
        self._refuse_tags(call, call.extra)
        seen: dict[str, Any] = {
            "depends_on": self._expression(call, part),
            "extra": call.extra,
        }
        if call.artifacts:
            seen["artifacts"] = tuple([self._artifact(one, part) for one in call.artifacts])
        if call.when is not None:
            seen["when"] = self._condition(call.when, part)
        if call.loop is not None:
            seen["loop"] = self._loop(call.loop, part)
        return seen

    def _arguments(self, call: model.Call, part: Part | None) -> tuple[tuple[str, model.Text], ...]:
        seen: list[tuple[str, model.Text]] = []
        known = self._texts[part]
        for argument in call.arguments:
            name, text = argument
            if isinstance(text, str):
                if "{{" in text:
                    self._refuse_tags(call, text)
                seen.append(argument)
            else:
                seen.append((name, known.get(id(text)) or self._text(text, part)))
        return tuple(seen)

    def _refuse_tags(self, call: model.Call, text: str) -> None:
        if any(tag in text for tag in _OF_A_TASK):
            raise self._refusal(call, "names another step in a text")

    def _inside(self, call: model.Call, part: Part | None) -> list[str]:
        """The dependencies that are on calls of the same part; others only wait for success."""
        if not self._omitted:
            return [name for name in call.depends if self._part[name] is part]
        return [term for term in call.depends if self._is_inside(term, part, call)]

    def _is_inside(self, term: str, part: Part | None, call: model.Call) -> bool:
        name, _, status = term.partition(".")
        inside = self._part[name] is part
        if not inside and (status or name in self._omitted):
            raise self._refusal(call, f"waits for {term}")
        return inside

    def _expression(self, call: model.Call, part: Part | None) -> str | None:
        if call.depends_on is None:
            return None
        for name in self._before[call.name]:
            if self._part[name] is not part:
                raise self._refusal(call, f"depends on {call.depends_on!r}")
        rename = {} if part is None else part.rename
        return _NAME.sub(lambda found: rename.get(found[0], found[0]), call.depends_on)

    def _refusal(self, call: model.Call, what: str) -> CompileError:
        return CompileError(
            f"{self._graph.name} has {len(self._by_name)} steps, and Argo takes {MOST_TASKS} in "
            f"one DAG; {call.name} {what}, so that they cannot be cut apart: put steps that belong "
            "together into a workflow of their own and call that."
        )

    def _outer_name(self, name: str) -> str:
        part = self._part[name]
        return name if part is None else part.name

    def _call(self, part: Part, template: str) -> model.Call:
        own = part.rename
        before = dict.fromkeys([b for c in part.calls for b in self._before[c.name]])
        return model.Call(
            name=part.name,
            template=template,
            arguments=tuple(part.inputs.items()),
            artifacts=tuple(part.artifacts.values()),
            depends=tuple(dict.fromkeys([self._outer_name(b) for b in before if b not in own])),
        )

    def _graph_of(self, part: Part, calls: Sequence[model.Call]) -> model.Graph:
        results = (
            model.Result(name=name, value=part.text(text), kind=kind)
            for (text, kind), name in part.outputs.items()
        )
        if len(part.inputs) > MOST_INPUTS:
            raise CompileError(
                f"A part of {self._graph.name} needs {len(part.inputs)} values of other parts, and "
                f"Argo takes {MOST_INPUTS}: put steps that belong together into a workflow of "
                "their own and call that."
            )
        return model.Graph(
            name="",
            calls=tuple(calls),
            inputs=tuple(model.Parameter(name=name) for name in part.inputs),
            artifacts=tuple(model.Artifact(name=name) for name in part.artifacts),
            results=tuple(results),
            extra=self._graph.extra,
        )

    # --- references, seen from a part, or (None) from the outer graph

    def _text(self, text: model.Text, part: Part | None) -> model.Text:
        if isinstance(text, str):
            return text
        texts = self._texts[part]
        found = texts.get(id(text))
        if found is None:
            found = texts[id(text)] = self._text_seen(text, part)
        return found

    def _text_seen(self, text: model.Joined, part: Part | None) -> model.Joined:
        if part is not None and len(text.parts) == 1:
            (piece,) = text.parts
            if isinstance(piece, model.Output) and self._part[piece.task] is part:  # as most are
                return model.Joined(parts=(part.source(piece),))
        pieces: list[Piece] = []
        for origin, run in _runs(text.parts, self._origin):
            if origin is None or origin is part:
                pieces += [p if isinstance(p, str) else self._near(p, part) for p in run]
            else:
                pieces.append(self._far(origin, model.Joined(parts=tuple(run)), part))
        return model.Joined(parts=tuple(pieces))

    def _artifact(self, artifact: model.Artifact, part: Part | None) -> model.Artifact:
        if artifact.source is None:
            return artifact
        return replace(artifact, source=self._source(artifact.source, part))

    def _source(self, source: Source, part: Part | None) -> Source:
        """Where an artifact comes from."""
        origin = self._origin(source)
        if origin is None or origin is part:
            return self._near_source(source, part)
        name = origin.output(model.Joined(parts=(source,)), "artifact")
        out = model.Output(task=origin.name, name=name, kind="artifact")
        return out if part is None else part.given_artifact(out)

    def _near_source(self, source: Source, part: Part | None) -> Source:
        if part is None:
            return source
        if isinstance(source, model.Input):
            return part.given_artifact(source, source.name)
        if self._origin(source) is part:
            return part.source(source)
        return part.given_artifact(source)

    def _reference(self, reference: model.Reference, part: Part | None) -> model.Reference:
        (found,) = self._text_seen(model.Joined(parts=(reference,)), part).parts
        assert not isinstance(found, str)  # noqa: S101  as it came
        return found

    def _near(self, piece: model.Reference, part: Part | None) -> model.Reference:
        """What is not of another part: of the same one, of the outer graph, or of none."""
        if part is None or isinstance(piece, model.Item | model.Nth | model.Variable):
            return piece
        if isinstance(piece, model.Input):
            return part.given(model.Joined(parts=(piece,)), piece.name)
        if self._origin(piece) is part:
            return part.reference(piece)
        return part.given(model.Joined(parts=(piece,)))

    def _far(self, origin: Part, text: model.Joined, part: Part | None) -> model.Reference:
        """What another part hands out."""
        out = model.Output(task=origin.name, name=origin.output(text))
        return out if part is None else part.given(model.Joined(parts=(out,)))

    def _origin(self, piece: Piece) -> Part | None:
        """The part whose calls a reference is about."""
        if isinstance(piece, model.Output):
            return self._part[piece.task]
        if isinstance(piece, model.Either):
            origins = {id(p): p for p in (self._part[o.task] for o in piece.outputs)}
            if len(origins) > 1:
                call = self._by_name[piece.outputs[0].task]
                raise self._refusal(call, "is one of several whose first value is read")
            return next(iter(origins.values()))
        return None

    def _condition(self, condition: model.Condition, part: Part | None) -> model.Condition:
        match condition:
            case model.Compare(left=left, right=right):
                return replace(
                    condition, left=self._side(left, part), right=self._side(right, part)
                )
            case model.Truth(of=reference):
                return replace(condition, of=self._reference(reference, part))
            case model.Not(term=term):
                return replace(condition, term=self._condition(term, part))
            case model.Every(terms=terms) | model.Some(terms=terms):
                return replace(condition, terms=tuple(self._condition(t, part) for t in terms))

    def _side(
        self, side: model.Reference | model.Constant, part: Part | None
    ) -> model.Reference | model.Constant:
        return side if isinstance(side, model.Constant) else self._reference(side, part)

    def _loop(self, loop: model.Loop, part: Part | None) -> model.Loop:
        return loop if loop.over is None else replace(loop, over=self._reference(loop.over, part))


def _is_bare(call: model.Call) -> bool:
    """Whether a call has nothing but arguments, as nearly every one of a big graph."""
    return not (call.when or call.loop or call.artifacts or call.depends_on or call.extra != "{}")


def _is_within(call: model.Call, own: Sequence[str]) -> bool:
    """Whether the texts of a call are only about these calls."""
    return all([_is_about(text, own) for _, text in call.arguments])


def _is_about(text: model.Text, own: Sequence[str]) -> bool:
    if isinstance(text, str):
        return "{{" not in text
    for piece in text.parts:
        if not isinstance(piece, str) and not (
            isinstance(piece, model.Output) and piece.task in own
        ):
            return False
    return True


def _before(call: model.Call, by_name: Mapping[str, model.Call]) -> Sequence[str]:
    """The calls that a call waits for: `depends` itself where it has nothing but names."""
    if call.depends_on is not None:
        return list(dict.fromkeys(n for n in _NAME.findall(call.depends_on) if n in by_name))
    return order.names_of(call.depends)


def _runs(
    pieces: Sequence[Piece], origin: Callable[[Piece], Part | None]
) -> Iterator[tuple[Part | None, list[Piece]]]:
    """The pieces in runs of one origin; text between two references of one part is of it too."""
    waiting: list[Piece] = []
    run: list[Piece] = []
    of: Part | None = None
    for piece in pieces:
        if isinstance(piece, str):
            waiting.append(piece)
            continue
        found = origin(piece)
        if run and found is of:
            run += waiting
            run.append(piece)
        else:
            if run:
                yield of, run
            if waiting:
                yield None, waiting
            run, of = [piece], found
        waiting = []
    if run:
        yield of, run
    if waiting:
        yield None, waiting


def _template(call: model.Call) -> str:
    match call.template:
        case str(name) | model.TemplateRef(template=name):
            return name
        case inline:
            return inline.name


def _may_be_omitted(
    by_name: Mapping[str, model.Call], before: Mapping[str, Sequence[str]]
) -> set[str]:
    """Calls that ask how others ended, and what follows them: no part says that they never ran."""
    found = {name for name, call in by_name.items() if before[name] is not call.depends}
    for name in order.order(before) if found else ():
        if any(one in found for one in before[name]):
            found.add(name)
    return found
