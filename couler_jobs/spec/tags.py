"""Expressions of Argo's that more than one part writes."""

from __future__ import annotations


def plain_text(value: str) -> str:
    """The text that JSON text says. It stays JSON if Argo or Kubernetes would expand it.

    `value` is an expression; what is no JSON of a text stays as it is.
    """
    is_safe = f"not ({value} matches 'u007b.u007b|u0024([(]|.u0024)')"
    return f"{value} startsWith '\"' && {is_safe} ? jsonpath({value}, '$') : {value}"
