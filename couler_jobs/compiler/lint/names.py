"""Names: of templates, steps, tasks, parameters, artifacts, and of the object itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.shapes import FIELD_NAME
from couler_jobs.compiler.lint.tags import substitute
from couler_jobs.spec.manifest import Path

_PARAMETER: Final = re.compile(r"[-a-zA-Z0-9_]+", re.ASCII)

_SAYS: Final = "may hold letters, digits and '-' only and must begin with a letter or digit"


@functools.lru_cache(maxsize=8192)
def is_parameter_name(name: str) -> bool:
    """Whether parameters and artifacts may have this name."""
    return _PARAMETER.fullmatch(name) is not None


def check_unique(
    items: Sequence[dict[str, Any]],
    report: Report,
    path: Path,
    what: str,
    env: Mapping[str, str] = MappingProxyType({}),
    *,
    first_wins: bool = False,
) -> None:
    """Names that are there, legal and different, of parameters and artifacts.

    `env` has the values of tags, where Argo puts them in before it looks at the names;
    `first_wins` says that it leaves out the later ones with a name.
    """
    twice = report.warning if first_wins else report.error
    if len(items) == 1 and is_parameter_name(items[0].get("name", "")):
        return
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = substitute(item.get("name", ""), env)
        where = (((path, index)), "name")
        if not name:
            report.error("name", where, f"A {what} needs a name.")
        elif not is_parameter_name(name):
            said = f"The {what} name {shown(name)} may hold letters, digits, '-' and '_' only."
            report.error("name", where, said)
        elif name in seen:
            twice("duplicate", where, f"There are two {what}s named {shown(name)}.")
        seen.add(name)


def check_field_name(name: str, report: Report, path: Path, what: str) -> bool:
    """A name of a template, step or task that is there and legal."""
    if not name:
        report.error("name", path, f"A {what} needs a name.")
        return False
    if (wrong := FIELD_NAME(name)) is not None:
        report.error("name", path, f"The {what} name {shown(name)} {wrong}.")
        return False
    return True
