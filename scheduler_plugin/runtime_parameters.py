"""What a job may ask for in its `runtime_environment_parameters`: every key, in one list. Pure.

jupyter_scheduler carries texts, numbers and truth values there; it reads a number out of a text
("30" is 30) and cuts fractions off. So numbers are whole ones here, and what has parts is the text
of its JSON: `{"retries": 2, "environment_variables": "{\"REGION\": \"eu\"}"}`.

A key is added by adding it to `KEYS`; who needs its value finds it in `Order.options`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.notifications import OCCASIONS

LONGEST = 1024
"""Characters of `jobs.runtime_environment_parameters`, as JSON (jupyter_scheduler/orm.py)."""
DAY = 86_400
NO_LIMITS: Mapping[str, int] = MappingProxyType({})


class Kind(Protocol):
    """What a key's value may be."""

    @property
    def what(self) -> str:
        """The value in words, as they follow "is to be"."""

    def read(self, value: Any) -> Any:
        """The value that was meant. Raises ValueError for what is none."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    lowest: int
    highest: int

    @property
    def what(self) -> str:
        """Its bounds."""
        return f"a whole number from {self.lowest} to {self.highest}"

    def read(self, value: Any) -> int:
        """A number, or its digits."""
        number = int(value) if isinstance(value, int | str) else self.lowest - 1
        if isinstance(value, bool) or not self.lowest <= number <= self.highest:
            raise ValueError(value)
        return number


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def what(self) -> str:
        """The words."""
        return f"one of {', '.join(self.words)}"

    def read(self, value: Any) -> str:
        """The word, in whatever case it was typed."""
        for word in self.words:
            if str(value).casefold() == word.casefold():
                return word
        raise ValueError(value)


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes or no."""

    @property
    def what(self) -> str:
        """The words."""
        return "true or false"

    def read(self, value: Any) -> bool:
        """A truth value; jupyter_scheduler makes 1 and 0 of it."""
        try:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).casefold()]
        except KeyError:
            raise ValueError(value) from None


@dataclass(frozen=True, slots=True)
class Text:
    """A text that passes a check of its own, which raises ValueError."""

    what: str
    check: Callable[[str], Any] = str

    def read(self, value: Any) -> Any:
        """What the check makes of the text."""
        return self.check(str(value))


@dataclass(frozen=True, slots=True)
class Json:
    """JSON with parts, as a text; a check of its own raises ValueError for what does not fit."""

    what: str
    check: Callable[[Any], Any]

    def read(self, value: Any) -> Any:
        """What the check makes of the JSON."""
        try:
            return self.check(json.loads(value) if isinstance(value, str) else value)
        except RecursionError as error:
            raise ValueError(value) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what it does, what its value may be, and what it is when nobody says."""

    name: str
    does: str  #: a sentence of docs/notebook-jobs.md
    kind: Kind
    default: Any = None
    unbounded: bool = False  #: whether None means that there is no end

    def read(self, value: Any, highest: int | None = None) -> Any:
        """The value that was meant. Raises JobRefused; a value is not quoted: it may be secret."""
        try:
            read = self.kind.read(value)
        except (ValueError, TypeError):
            raise JobRefused(f"The value of {self.name} is to be {self.kind.what}.") from None
        if highest is not None and read > highest:
            raise JobRefused(f"The value of {self.name} may be {highest} at most on this server.")
        return read


def _variables(value: Any) -> dict[str, Any]:
    """Texts and references to secrets, by name; numbers become texts."""
    if not isinstance(value, dict):
        raise ValueError(value)
    return {name: _variable(one) for name, one in value.items()}


def _variable(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | dict):
        raise ValueError(value)
    return value if isinstance(value, dict) else str(value)


KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key(
            name="timeout_seconds",
            does="How long the notebook may run, each attempt of it.",
            kind=Whole(1, 366 * DAY),
            unbounded=True,
        ),
        Key(
            name="retries",
            does="How often a notebook that failed is run again.",
            kind=Whole(0, 20),
            default=0,
        ),
        Key(
            name="retry_delay_seconds",
            does="How long to wait before the first of these runs.",
            kind=Whole(0, DAY),
            default=0,
        ),
        Key(
            name="retry_delay_factor",
            does="How many times as long each next wait is.",
            kind=Whole(1, 10),
            default=2,
        ),
        Key(
            name="environment_variables",
            does="Variables of the notebook's environment, and secrets for some of them: "
            '`{"REGION": "eu", "TOKEN": {"secret": "name", "key": "k"}}`.',
            kind=Json(
                "JSON, as one text, such as "
                '{"NAME": "text", "TOKEN": {"secret": "name", "key": "k"}}',
                _variables,
            ),
        ),
        Key(
            name="concurrency_policy",
            does="What happens at a tick whose last run goes on: it is left out (Forbid), runs as "
            "well (Allow), or replaces that run.",
            kind=OneOf(("Forbid", "Allow", "Replace")),
            default="Forbid",
        ),
        Key(
            name="starting_deadline_seconds",
            does="How late a tick that was missed may still run; else it is left out.",
            kind=Whole(1, 366 * DAY),
        ),
        Key(
            name="successful_runs_kept",
            does="How many workflows of the schedule that succeeded are kept. Job records stay.",
            kind=Whole(0, 10_000),
            default=3,
        ),
        Key(
            name="failed_runs_kept",
            does="How many workflows of the schedule that failed are kept. Job records stay.",
            kind=Whole(0, 10_000),
            default=1,
        ),
        Key(
            name="notify",
            does="Whom to tell how the job ended: names of addresses that the operator has listed, "
            "separated by commas.",
            kind=Text("names, separated by commas"),
            default="",
        ),
        Key(
            name="notify_on",
            does="When to tell them.",
            kind=OneOf(OCCASIONS),
            default=OCCASIONS[0],
        ),
        Key(
            name="jobs_kept",
            does="How many ended jobs of the job definition are kept; older ones are deleted, with "
            "their files and workflows.",
            kind=Whole(0, 1_000_000),
            unbounded=True,
        ),
        Key(
            name="days_kept",
            does="For how many days an ended job of the job definition is kept.",
            kind=Whole(0, 36_500),
            unbounded=True,
        ),
    )
}
"""Every key, in the order of docs/notebook-jobs.md."""


def check(
    given: Mapping[str, Any] | None,
    defaults: Mapping[str, Any],
    limits: Mapping[str, int] = NO_LIMITS,
) -> dict[str, Any]:
    """The value of every key: what was given, else the operator's default, else the key's own.

    Raises JobRefused for a key that there is not, a value that does not fit, and a number above
    the operator's limit.
    """
    given = given or {}
    _check_names(given)
    if len(json.dumps(dict(given))) > LONGEST:
        raise JobRefused(
            f"The runtime environment parameters are longer than {LONGEST} characters: shorten "
            "them."
        )
    asked = {name: KEYS[name].read(value, limits.get(name)) for name, value in given.items()}
    own = {name: key.default for name, key in KEYS.items()}
    return {**_bounded({**own, **defaults}, limits), **asked}


def _bounded(values: Mapping[str, Any], limits: Mapping[str, int]) -> dict[str, Any]:
    """Defaults within the limits: where there is one, nothing goes on for ever."""
    return {**values, **{name: most for name, most in limits.items() if _above(name, values, most)}}


def _above(name: str, values: Mapping[str, Any], most: int) -> bool:
    value = values[name]
    return KEYS[name].unbounded if value is None else bool(value > most)


def _check_names(given: Mapping[str, Any]) -> None:
    if unknown := sorted(set(given) - set(KEYS)):
        raise JobRefused(
            f"There is no runtime environment parameter {unknown[0]!r}: there are "
            f"{', '.join(KEYS)}."
        )


def check_limits(limits: Mapping[str, Any]) -> dict[str, int]:
    """The operator's limits. Raises JobRefused for a key that has no numbers, and for no number."""
    _check_names(limits)
    for name in limits:
        if not isinstance(KEYS[name].kind, Whole):
            raise JobRefused(f"The value of {name} is no number: it has no limit.")
    return {name: KEYS[name].read(value) for name, value in limits.items()}
