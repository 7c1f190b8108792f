"""Argo's three little languages: expressions (`{{=...}}`), bare `when`, and `depends`.

Each can be read without being evaluated, for a check before anything is sent, and each tells which
references it uses. Nothing here runs Python code that a manifest brings along.
"""

from __future__ import annotations

from couler_jobs.spec.expressions import gotext
from couler_jobs.spec.expressions.depends import (
    DEFAULT_RESULTS,
    RESULTS,
    Condition,
    Logic,
    Result,
    Unreadable,
    holds,
    parse_depends,
    read_depends,
    results,
    tasks,
)
from couler_jobs.spec.expressions.errors import ExpressionError
from couler_jobs.spec.expressions.expression import Expression, expand, known_function, read
from couler_jobs.spec.expressions.govaluate import should_run
from couler_jobs.spec.expressions.when_tokens import tokens_of

__all__ = [
    "DEFAULT_RESULTS",
    "RESULTS",
    "Condition",
    "Expression",
    "ExpressionError",
    "Logic",
    "Result",
    "Unreadable",
    "expand",
    "gotext",
    "holds",
    "known_function",
    "parse_depends",
    "read",
    "read_depends",
    "results",
    "should_run",
    "tasks",
    "tokens_of",
]
