"""The items of a loop, in a form in which Argo hands on each of their values as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from couler_jobs.spec import model, wire
from couler_jobs.spec.names import parameter_name

Item = str | tuple[tuple[str, str], ...]
Fields = tuple[tuple[str, model.Text], ...]
"""What a round is given by its item, by the names of parameters."""

_SIMPLE = re.compile(r'[^"\\{$<>&\x00-\x1f\u2028\u2029]*')
"""A text that JSON writes as it is, and in which Argo and Kubernetes expand nothing."""


def alone(name: str) -> Fields:
    """The whole item."""
    return ((parameter_name(name), model.Joined(parts=(model.Item(),))),)


def items_of(
    names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[tuple[Item, ...], Fields]:
    """The items of these rows, and how a round takes the values of one.

    Argo prints a text of a mapping with the escapes that it has in JSON (`Item.String` in
    `pkg/apis/workflow/v1alpha1/item.go`), so rows with other texts are JSON lists of JSON texts.
    """
    texts = [[wire.encode(value) for value in row] for row in rows]
    if len(names) == 1:
        return tuple(text for (text,) in texts), alone(names[0])
    keys = [parameter_name(name) for name in names]
    columns = [_plain(column) for column in zip(*rows, strict=True)]
    if any(column is None for column in columns):
        parts = [(model.Nth(at=at),) for at, _ in enumerate(keys)]
        return tuple(map(wire.encode, texts)), _given(keys, parts)
    items = [tuple(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
    quotes = ['"' if isinstance(column[0], str) else "" for column in zip(*rows, strict=True)]
    return tuple(items), _given(
        keys, [(q, model.Item(key=key), q) for q, key in zip(quotes, keys, strict=True)]
    )


def _given(keys: Sequence[str], parts: Sequence[tuple[str | model.Reference, ...]]) -> Fields:
    texts = [model.Joined(parts=tuple(part for part in one if part != "")) for one in parts]
    return tuple(zip(keys, texts, strict=True))


def _plain(column: Sequence[Any]) -> list[str] | None:
    """The values as texts in which nothing is escaped; None where there are others."""
    if all(isinstance(value, str) and _SIMPLE.fullmatch(value) for value in column):
        return list(column)
    texts = [wire.encode(value) for value in column]
    return None if any('"' in text or "\\" in text for text in texts) else texts
