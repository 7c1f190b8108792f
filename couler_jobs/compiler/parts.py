"""One part of a graph that is being cut: what comes in from around it, and what goes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from couler_jobs.spec import model

Piece = str | model.Reference
Source = model.Output | model.Either | model.Input
Kind = Literal["parameter", "artifact"]

MOST_INPUTS = 500
"""Argo's CRDs since 4.0 have `maxItems: 500` on a template's input parameters."""


class Part:
    """One part under construction: what comes in from around it, and what goes out."""

    def __init__(self, name: str, calls: Sequence[model.Call], rename: Mapping[str, str]) -> None:
        self.name, self.calls, self.rename = name, calls, rename
        self.keeps_names = all(old == new for old, new in rename.items())
        self.inputs: dict[str, model.Text] = {}  #: by name, as the graph around it passes them
        self.outputs: dict[tuple[model.Joined, Kind], str] = {}
        self.artifacts: dict[str, model.Artifact] = {}
        self._given: dict[model.Text, str] = {}

    def given(self, text: model.Text, name: str = "") -> model.Input:
        """An input of the part with this text."""
        if text not in self._given:
            self._given[text] = name or f"in-{len(self._given) + 1}"
            self.inputs[self._given[text]] = text
        return model.Input(name=self._given[text])

    def given_artifact(self, source: Source, name: str = "") -> model.Input:
        """An input of the part with this artifact."""
        for artifact in self.artifacts.values():
            if artifact.source == source:
                return model.Input(name=artifact.name, kind="artifact")
        name = name or f"file-{len(self.artifacts) + 1}"
        self.artifacts[name] = model.Artifact(name=name, source=source)
        return model.Input(name=name, kind="artifact")

    def output(self, text: model.Joined, kind: Kind = "parameter") -> str:
        """The name of an output of the part with this text."""
        return self.outputs.setdefault((text, kind), f"out-{len(self.outputs) + 1}")

    # --- what is about calls of the part, by the names that they have in it

    def term(self, term: str) -> str:
        """A term of a `depends`."""
        name, dot, status = term.partition(".")
        return f"{self.rename[name]}{dot}{status}"

    def text(self, text: model.Joined) -> model.Joined:
        """A text."""
        if self.keeps_names:
            return text
        pieces = (p if isinstance(p, str) else self.reference(p) for p in text.parts)
        return model.Joined(parts=tuple(pieces))

    def reference(self, piece: model.Reference) -> model.Reference:
        """A reference; what is about no call stays."""
        return self.source(piece) if isinstance(piece, model.Output | model.Either) else piece

    def source(self, source: model.Output | model.Either) -> model.Output | model.Either:
        """An output, or several."""
        if isinstance(source, model.Either):
            return replace(source, outputs=tuple(map(self._output, source.outputs)))
        return self._output(source)

    def _output(self, output: model.Output) -> model.Output:
        name = self.rename[output.task]
        if name == output.task:
            return output
        return model.Output(task=name, name=output.name, kind=output.kind, missing=output.missing)
