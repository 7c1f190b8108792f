"""Parts alike but for texts: these become inputs, so that the parts share a template. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields
from itertools import count
from operator import attrgetter

from couler_jobs.compiler.parts import MOST_INPUTS, Part
from couler_jobs.spec import model


def lifted(parts: Sequence[Part], inner: Sequence[list[model.Call]]) -> list[list[model.Call]]:
    """The parts' calls, with texts that differ between alike parts as inputs of the parts.

    Parts that are equal then have one and the same list.
    """
    alike: dict[tuple[Hashable, ...], list[int]] = {}
    for index, calls in enumerate(inner):
        alike.setdefault(tuple(map(_without_texts, calls)), []).append(index)
    found = list(inner)
    for same in alike.values():
        texts = [_texts(inner[index]) for index in same]
        differing = [n for n, column in enumerate(zip(*texts, strict=True)) if len(set(column)) > 1]
        if len(differing) + len(parts[same[0]].inputs) <= MOST_INPUTS:
            names = {n: f"text-{n + 1}" for n in differing}
            calls = _with_inputs(inner[same[0]], names) if names else inner[same[0]]
            for index, own in zip(same, texts, strict=True):
                parts[index].inputs |= {name: own[n] for n, name in names.items()}
                found[index] = calls
        else:
            equal: dict[tuple[str, ...], list[model.Call]] = {}
            for index, own in zip(same, texts, strict=True):
                found[index] = equal.setdefault(tuple(own), inner[index])
    return found


_REST = attrgetter(*(f.name for f in fields(model.Call) if f.compare and f.name != "arguments"))


def _without_texts(call: model.Call) -> Hashable:
    """What makes calls alike: all but the texts of their arguments."""
    arguments = tuple([(n, "" if type(text) is str else text) for n, text in call.arguments])
    return arguments, _REST(call)


def _texts(calls: Sequence[model.Call]) -> list[str]:
    return [text for call in calls for _, text in call.arguments if isinstance(text, str)]


def _with_inputs(calls: Sequence[model.Call], names: Mapping[int, str]) -> list[model.Call]:
    inputs = {n: model.Joined(parts=(model.Input(name=name),)) for n, name in names.items()}
    counted = count()

    def one(text: model.Text) -> model.Text:
        return inputs.get(next(counted), text) if isinstance(text, str) else text

    return [
        call.having(tuple([(name, one(text)) for name, text in call.arguments])) for call in calls
    ]
