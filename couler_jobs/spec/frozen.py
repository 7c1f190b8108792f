"""Dataclasses that are frozen for the type checker alone.

A big workflow makes tens of thousands of them, and where Python itself refuses assignments, making
one takes two to three times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["checked"]

if TYPE_CHECKING:
    from dataclasses import dataclass as checked
else:
    from dataclasses import dataclass

    def checked(*, frozen: bool, **options: Any) -> Any:
        """`dataclasses.dataclass`, which also has a hash."""
        return dataclass(unsafe_hash=frozen, **options)
