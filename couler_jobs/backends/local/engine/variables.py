"""What a tag or an expression can refer to: layers of flat names, the last one wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from couler_jobs.spec.expressions import Expression


class _Missing:
    """Stands for a variable that does not exist, since None is one that does and has no value."""


MISSING = _Missing()


class Layer(Protocol):
    """One source of variables: texts, None for an absent output, mappings for artifacts."""

    def find(self, name: str) -> Any:
        """The value of that name; None if it exists without one, `MISSING` if it does not exist."""

    def under(self, expression: Expression) -> Mapping[str, Any]:
        """The flat names that an expression could use, with their values."""


class Flat:
    """A plain mapping as a layer."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def find(self, name: str) -> Any:
        """The value of that name, or `MISSING`."""
        return self.values.get(name, MISSING)

    def under(self, expression: Expression) -> Mapping[str, Any]:
        """Those whose first word the expression uses."""
        names = expression.names
        return {k: v for k, v in self.values.items() if k.partition(".")[0] in names}


class Variables:
    """Layers, one above the other."""

    def __init__(self, *layers: Layer | Mapping[str, Any]) -> None:
        self._layers: list[Layer] = [
            Flat(layer) if isinstance(layer, Mapping) else layer for layer in layers
        ]

    def find(self, name: str) -> Any:
        """The value of that name in the uppermost layer that has it, or `MISSING`."""
        for layer in reversed(self._layers):
            value = layer.find(name)
            if value is not MISSING:
                return value
        return MISSING

    def under(self, expression: Expression) -> dict[str, Any]:
        """Texts and absent outputs that the expression could use."""
        found = self.everything_under(expression)
        return {k: v for k, v in found.items() if v is None or isinstance(v, str)}

    def everything_under(self, expression: Expression) -> dict[str, Any]:
        """The same with artifacts."""
        found: dict[str, Any] = {}
        for layer in self._layers:
            found.update(layer.under(expression))
        return found
