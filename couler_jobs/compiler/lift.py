"""Parts alike but for texts: these become inputs, so that the parts share a template. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter

from couler_jobs.compiler.parts import MOST_INPUTS, Part
from couler_jobs.spec import model


def lifted(parts: Sequence[Part], inner: Sequence[list[model.Call]]) -> list[list[model.Call]]:
    """The parts' calls, with texts that differ between alike parts as inputs of the parts."""
    alike: dict[tuple[Hashable, ...], list[int]] = {}
    for index, calls in enumerate(inner):
        alike.setdefault(tuple(map(_without_texts, calls)), []).append(index)
    found = list(inner)
    for same in alike.values():
        texts = [_texts(inner[index]) for index in same]
        differing = [n for n, column in enumerate(zip(*texts, strict=True)) if len(set(column)) > 1]
        if differing and len(differing) + len(parts[same[0]].inputs) <= MOST_INPUTS:
            for index, own in zip(same, texts, strict=True):
                names = {n: f"text-{n + 1}" for n in differing}
                parts[index].inputs |= {name: own[n] for n, name in names.items()}
                found[index] = _with_inputs(inner[index], names)
    return found


_REST = attrgetter(*(field.name for field in fields(model.Call) if field.name != "arguments"))


def _without_texts(call: model.Call) -> Hashable:
    """What makes calls alike: all but the texts of their arguments."""
    arguments = tuple([(n, "" if type(text) is str else text) for n, text in call.arguments])
    return arguments, _REST(call)


def _texts(calls: Sequence[model.Call]) -> list[str]:
    return [text for call in calls for _, text in call.arguments if isinstance(text, str)]


def _with_inputs(calls: Sequence[model.Call], names: Mapping[int, str]) -> list[model.Call]:
    counted = iter(range(len(_texts(calls))))

    def one(text: model.Text) -> model.Text:
        if not isinstance(text, str):
            return text
        name = names.get(next(counted))
        return text if name is None else model.Joined(parts=(model.Input(name=name),))

    return [
        replace(call, arguments=tuple((name, one(text)) for name, text in call.arguments))
        for call in calls
    ]
