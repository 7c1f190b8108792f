"""What is asked of the notebook program: one JSON object, checked when it is read.

`NotebookRequest` is the whole interface; its fields say what each key of the JSON means.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, NoReturn

DEEPEST = 50  #: levels of lists and mappings in one value: Python's own parser stops near 100
ENDINGS: Mapping[str, str] = {
    "asciidoc": ".asciidoc",
    "html_without_code": ".nocode.html",
    "latex": ".tex",
    "markdown": ".md",
    "notebook": ".notebook.ipynb",
    "python": ".py",
    "qtpdf": ".qt.pdf",
    "qtpng": ".png",
    "script": ".script.txt",
    "slides": ".slides.html",
    "webpdf": ".web.pdf",
}
"""How a report's file ends where that is not the exporter's name; no two end alike."""
OURS = "COULER_JOBS_"  #: how our own variables begin
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[^\W\d][\w.]*")  # R's names may hold dots


class Refused(Exception):  # noqa: N818  an answer, not a defect
    """The request cannot be carried out; the message is one sentence saying why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookRequest:
    """One notebook to run. Paths are absolute; seconds are floats."""

    input: str  #: the notebook
    output: str  #: where the executed notebook goes: always written, after every cell
    result: str  #: where the outcome goes, a small JSON object: see `Outcome`
    log: str | None = None  #: where everything the cells print goes, as it comes (also to stdout)
    progress: str | None = None  #: where `{"cell", "cells", "status", "at"}` goes, rewritten whole
    formats: Mapping[str, str] = field(default_factory=dict)  #: nbconvert exporter -> path
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: JSON values by variable name
    variables: Mapping[str, str] = field(default_factory=dict)  #: of the kernel's environment
    #: parameters and the kernel's variables that are secret: by name, the variable of this program
    #: that holds the value, which is set in the kernel only
    secret_parameters: Mapping[str, str] = field(default_factory=dict)
    secret_variables: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None  #: prefix of a conda or virtual environment; None: this one
    kernel: str | None = (
        None  #: kernelspec; None: the notebook's own, or the environment's only one
    )
    working_dir: str | None = None  #: None: the input's folder
    timeout: float | None = None  #: for the whole run
    memory: int | None = None  #: bytes that the kernel may have, where no pod limits it
    processors: int | None = None  #: that the kernel may run on, likewise
    not_here: list[str] = field(default_factory=list)  #: what was asked for and is a pod's only
    scratch: str | None = None  #: a folder on a local disk; None: the system's temporary folder
    grace: float = 5.0  #: between interrupting, terminating and killing a kernel
    stall_after: float = 60.0  #: without output and processor time before the log says so
    publish_every: float = 30.0  #: between publications inside one long cell

    @classmethod
    def from_json(cls, text: str) -> NotebookRequest:
        """The request that `text` holds. Raises `Refused` naming the key that is wrong."""
        values = _parsed(text)
        known = sorted(item.name for item in fields(cls))
        if unknown := sorted(set(values).difference(known)):
            raise Refused(
                f"The request has an unknown key {unknown[0]!r}; the keys are {', '.join(known)}."
            )
        needed = [f.name for f in fields(cls) if f.default is f.default_factory is MISSING]
        if missing := [name for name in needed if name not in values]:
            raise Refused(f"The request lacks {missing[0]!r}.")
        return cls(**values)

    def __post_init__(self) -> None:
        """Check every value: this is the only way to a request."""
        for name in ("input", "output", "result", "log", "progress", "environment"):
            _check_path(name, getattr(self, name))
        for name in ("working_dir", "scratch"):
            _check_path(name, getattr(self, name))
        for name in ("timeout", "grace", "stall_after", "publish_every"):
            _check_seconds(name, getattr(self, name))
        for name in ("memory", "processors"):
            _check_count(name, getattr(self, name))
        if not isinstance(self.kernel, str | None):
            raise Refused("The request's kernel must be a text or null.")
        for name in ("formats", "parameters", "variables", "secret_parameters", "secret_variables"):
            _check_mapping(name, getattr(self, name))
        for exporter, path in self.formats.items():
            _check_path(f"formats.{exporter}", path)
        self._check_names()

    def _check_names(self) -> None:
        for parameter, value in {**self.secret_parameters, **self.parameters}.items():
            _check_parameter(parameter, value)
        for name in ("variables", "secret_parameters", "secret_variables"):
            _check_texts(name, getattr(self, name))
        for variable in (*self.variables, *self.secret_variables):
            _check_variable(variable)

    def as_dict(self) -> dict[str, Any]:
        """The JSON object that `from_json` reads back."""
        return asdict(self)

    @property
    def secrets(self) -> set[str]:
        """The variables of this program that hold secrets."""
        return {*self.secret_parameters.values(), *self.secret_variables.values()}

    @property
    def folder(self) -> str:
        """The folder that the cells run in."""
        return self.working_dir or os.path.dirname(self.input)


def ending(exporter: str) -> str:
    """How the file of an nbconvert exporter ends."""
    return ENDINGS.get(exporter, f".{exporter}")


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_no_duplicates)
    except RecursionError:
        raise Refused("The request is nested too deeply to be read.") from None
    except ValueError as error:
        raise Refused(f"The request is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise Refused("The request is not a JSON object.")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise Refused(f"The request holds {name}, which JSON does not have: send a text or null.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"The request has the key {twice!r} twice.")
    return values


def _check_path(name: str, path: object) -> None:
    if path is None and name not in ("input", "output", "result"):
        return
    if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
        raise Refused(f"The request's {name} must be an absolute path, not {path!r}.")


def _check_seconds(name: str, seconds: object) -> None:
    if seconds is None and name == "timeout":
        return
    number = seconds if isinstance(seconds, int | float) and seconds is not True else 0
    if not 0 < number < math.inf:
        raise Refused(f"The request's {name} must be a positive number of seconds.")


def _check_count(name: str, count: object) -> None:
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise Refused(f"The request's {name} must be a positive whole number.")


def _check_mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise Refused(f"The request's {name} must be a JSON object.")


def _check_texts(name: str, texts: Mapping[str, Any]) -> None:
    for key, text in texts.items():
        if not isinstance(text, str) or "\0" in text:
            raise Refused(f"The request's {name} holds {key!r}, whose value must be a text.")


def _check_variable(name: str) -> None:
    """Ours are left alone: they say what a run is."""
    if not _VARIABLE.fullmatch(name) or name.startswith(OURS):
        raise Refused(
            f"{name!r} cannot be an environment variable: use letters, digits and _, and another "
            f"beginning than {OURS}."
        )


def _check_parameter(name: str, value: Any) -> None:
    """A parameter's name becomes source text in the notebook, so it is a plain variable name.

    Its value is never part of a message: it may be secret.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"The parameter {name!r} is not a variable name: use letters, digits and _.")
    for depth, leaf in _leaves(value):
        if depth > DEEPEST:
            raise Refused(f"The parameter {name} is nested more than {DEEPEST} levels deep.")
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise Refused(f"The parameter {name} holds a number that is not finite.")
        if not isinstance(leaf, str | int | float | None):
            raise Refused(f"The parameter {name} holds {type(leaf).__name__}, which is not JSON.")


def _leaves(value: Any, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Every value inside `value` that is no list or mapping, with its depth."""
    if depth > DEEPEST or not isinstance(value, list | dict):
        yield depth, value if not isinstance(value, list | dict) else None
        return
    for item in value.values() if isinstance(value, dict) else value:
        yield from _leaves(item, depth + 1)
