"""What Argo takes and then does not do what was meant: warnings, never errors."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from couler_jobs.compiler.lint.fields import Bag
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.tags import Scope, expressions_in, tags_in
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V3_6, V3_7

_LONGEST_ARGUMENT: Final = 128 * 1024
_MOST_EXPRESSIONS: Final = 500
"""How many different expressions of one manifest are read: each takes some milliseconds."""

_PLAIN_DEPENDS: Final = re.compile(
    r"\s*[a-zA-Z0-9][-\w]*(\.[A-Z]\w+)?(\s*(&&|\|\|)\s*[a-zA-Z0-9][-\w]*(\.[A-Z]\w+)?)*\s*",
    re.ASCII,
)
_TAG: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)

_DEPRECATED: Final = {
    "mutex": "mutexes",
    "semaphore": "semaphores",
    "podPriority": "podPriorityClassName",
    "priority": "priorityClassName",
}


def advise_expressions(bags: Mapping[int, Bag], report: Report) -> None:
    """An expression that cannot be read passes every check, and the workflow then never runs."""
    seen: set[str] = set()
    for bag in bags.values():
        for path, text in bag:
            if "{{=" not in text:
                continue
            for expression in expressions_in(text):
                if expression not in seen and len(seen) < _MOST_EXPRESSIONS:
                    seen.add(expression)
                    _expression(expression, path, report)


def _expression(text: str, path: Path, report: Report) -> None:
    from couler_jobs.spec.expressions import ExpressionError, read

    try:
        read(text)
    except ExpressionError as error:
        report.warning(
            "expression", path, f"The expression {shown(text)} cannot be read: {error.sentence}."
        )


def advise_depends(depends: str, path: Path, report: Report) -> None:
    """Argo looks for names in `depends` first, and reads its logic when the workflow runs."""
    if depends and not _PLAIN_DEPENDS.fullmatch(depends) and (wrong := _unreadable(depends)):
        report.warning("depends", path, f"The logic {shown(depends)} cannot be read: {wrong}.")


@functools.lru_cache(maxsize=4096)
def _unreadable(depends: str) -> str:
    from couler_jobs.spec.expressions import ExpressionError, parse_depends

    try:
        parse_depends(depends)
    except ExpressionError as error:
        return str(error)
    return ""


def advise_when(when: str, path: Path, report: Report) -> None:
    """A condition is read when its step is reached; one that cannot be read fails the workflow."""
    if when and (wrong := _unreadable_when(_TAG.sub("1", when))):
        report.warning("when", path, f"The condition {shown(when)} cannot be read: {wrong}.")


@functools.lru_cache(maxsize=4096)
def _unreadable_when(when: str) -> str:
    from couler_jobs.spec.expressions import ExpressionError, tokens_of

    try:
        tokens_of(when)
    except ExpressionError as error:
        return str(error)
    return ""


def advise_skipped(bag: Bag, scope: Scope, needs: Mapping[str, bool], report: Report) -> None:
    """An output of something that may be skipped, read without a fallback.

    `needs` has, by the name of each input of what is called, whether it has a default. From 3.7 a
    default of the producer or of the consumer helps; before, the literal tag arrives even then.
    """
    for where, text in bag:
        for tag in tags_in(text):
            prefix, _, rest = tag.partition(".")
            name, _, what = rest.partition(".")
            if prefix != scope.node_prefix or name not in scope.skippable:
                continue
            if not what.startswith("outputs.") or what.startswith("outputs.artifacts."):
                continue
            helped = what in scope.skippable[name] or _has_default(where, needs)
            if not (helped and report.target >= V3_7):
                _warn_skipped(tag, name, scope, report, where)


def _has_default(where: Path, needs: Mapping[str, bool]) -> bool:
    """Whether a text is the value of an argument, all inputs of whose template have a default."""
    return where is not None and where[1] == "value" and bool(needs) and all(needs.values())


def _warn_skipped(tag: str, name: str, scope: Scope, report: Report, path: Path) -> None:
    said = f"{shown(name)} may be skipped, and then {{{{{tag}}}}} has no value."
    node = f"{scope.node_prefix}['{name}']"
    fix = f"Write an expression: {node}.status == 'Succeeded' ? ... : 'a fallback'."
    report.warning("skipped-output", path, said, fix)


def skippable_outputs(body: Mapping[str, Any]) -> frozenset[str]:
    """The outputs of a template that have a default, so that they exist where it was skipped."""
    return frozenset(
        f"outputs.parameters.{parameter.get('name', '')}"
        for parameter in body.get("outputs", {}).get("parameters", [])
        if "default" in parameter.get("valueFrom", {})
    )


def advise_deprecated(part: Mapping[str, Any], path: Path, report: Report) -> None:
    """Fields that still work in 3.6 and 3.7 and are gone after."""
    if not V3_6 <= report.target <= V3_7:
        return
    for name, instead in _DEPRECATED.items():
        if name in part and not (name == "priority" and "entrypoint" in part):
            said = f"`{name}` is deprecated."
            report.warning("deprecated", (path, name), said, f"Write `{instead}`.")


def advise_arguments(arguments: Mapping[str, Any], path: Path, report: Report) -> None:
    """Linux takes no argument or environment variable beyond 128 KiB."""
    for index, parameter in enumerate(arguments.get("parameters", ())):
        value = parameter.get("value", "")
        if len(value) > _LONGEST_ARGUMENT:
            where = (((path, "parameters"), index), "value")
            said = f"A value of {len(value) // 1024} KiB does not fit into one argument (128 KiB)."
            report.warning("limit", where, said, "Pass it as an artifact.")
