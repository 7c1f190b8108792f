"""Cron lines as Argo's scheduler reads them, and when they fire.

The rules are those of robfig/cron's standard parser, which Argo uses: exactly five fields (minute,
hour, day of month, month, day of week), lists, ranges and steps, names of months and days, the
descriptors `@yearly @annually @monthly @weekly @daily @midnight @hourly`, `@every 1h30m`, and a
prefix `CRON_TZ=Zone` or `TZ=Zone`. Sunday is 0 only. Where both days are given, either is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# Of each field: its name, lowest and highest number, and the numbers that have names.
_FIELDS: Final[tuple[tuple[str, int, int, Mapping[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER: Final = re.compile(r"\+?[0-9]+", re.ASCII)
_LONGEST: Final = timedelta(days=5 * 366)


class CronError(ValueError):
    """A cron line that Argo would not read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cron line that was read: either the numbers of each field, or a period."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    """Whether the days of the month or of the week are `*`, so that both must fit."""
    every: timedelta | None = None
    zone: str = ""
    """The zone of a `CRON_TZ=` prefix."""


def parse(line: str) -> Schedule:
    """Read a cron line. Raises CronError where Argo would refuse it."""
    zone, rest = _zone(line)
    if not rest:
        raise CronError("The cron line is empty.")
    if rest.startswith("@every "):
        return Schedule(every=_duration(rest[len("@every ") :]), zone=zone)
    if rest.startswith("@"):
        if rest not in _DESCRIPTORS:
            raise CronError(f"{rest!r} is not a descriptor; {', '.join(_DESCRIPTORS)} are.")
        rest = _DESCRIPTORS[rest]
    words = rest.split()
    if len(words) != len(_FIELDS):
        raise CronError(f"A cron line has five fields, and {line!r} has {len(words)}.")
    parsed = [_field(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (numbers for numbers, _ in parsed)
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        any_day=parsed[2][1] or parsed[4][1],
        zone=zone,
    )


def in_five_fields(line: str) -> str:
    """The same times as five fields, for readers that know no `@` and no zone in the line.

    Raises CronError where Argo would refuse the line, and for `@every`, which no fields say.
    """
    if parse(line).every is not None:
        raise CronError(f"{line!r} is a period, which no five fields say.")
    rest = _zone(line)[1]
    return " ".join(_DESCRIPTORS.get(rest, rest).split())


def is_zone(name: str) -> bool:
    """Whether a time zone of this name is known."""
    if name in ("", "UTC", "Local"):
        return True
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def next_times(
    line: str, after: datetime, timezone: str = "", *, anchor: datetime | None = None
) -> Iterator[datetime]:
    """When the line fires after a moment (with a zone), in UTC, one after another.

    `@every` counts its periods from `anchor`, or else from `after`.

    As on Argo, an hour that daylight saving skips is skipped, and one that it repeats fires twice.
    Ends where the line does not fire within five years. Raises CronError for a bad line.
    """
    schedule = parse(line)
    after = after.astimezone(UTC)
    if schedule.every is not None:
        begin = after if anchor is None else anchor.astimezone(UTC)
        yield from _periods(schedule.every, after, begin)
        return
    zone = ZoneInfo(schedule.zone or timezone or "UTC")
    day = after.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last = day
    while day - last < _LONGEST and day.year < datetime.max.year:
        if _fits(schedule, day):
            for moment in _moments(schedule, day, zone):
                if moment > after:
                    last = day
                    yield moment
        day += timedelta(days=1)


def _periods(every: timedelta, after: datetime, begin: datetime) -> Iterator[datetime]:
    step = max(timedelta(seconds=int(every.total_seconds())), timedelta(seconds=1))
    begin = begin.replace(microsecond=0)
    moment = begin + max(0, (after - begin) // step) * step
    while True:
        moment += step
        yield moment


def _fits(schedule: Schedule, day: datetime) -> bool:
    if day.month not in schedule.months:
        return False
    of_month = day.day in schedule.days
    of_week = day.isoweekday() % 7 in schedule.weekdays
    return (of_month and of_week) if schedule.any_day else (of_month or of_week)


def _moments(schedule: Schedule, day: datetime, zone: tzinfo) -> list[datetime]:
    """The moments of one day, in UTC, in order: none for a skipped hour, two for a repeated one."""
    found = set()
    for hour in schedule.hours:
        for minute in schedule.minutes:
            wall = day.replace(hour=hour, minute=minute)
            for fold in (0, 1):
                moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
                if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
                    found.add(moment)
    return sorted(found)


def _zone(line: str) -> tuple[str, str]:
    if not line.startswith(("TZ=", "CRON_TZ=")):
        return "", line
    head, blank, rest = line.partition(" ")
    name = head.partition("=")[2]
    if not blank or not is_zone(name):
        raise CronError(f"{name!r} is not a time zone that is known.")
    return name, rest.strip()


def _field(
    text: str, name: str, low: int, high: int, names: Mapping[str, int]
) -> tuple[frozenset[int], bool]:
    """The numbers of one field, and whether it is `*` (a step of more than one ends that)."""
    numbers: set[int] = set()
    star = False
    for part in text.split(","):
        if part:
            found, is_star = _range(part, name, low, high, names)
            numbers.update(found)
            star = star or is_star
    return frozenset(numbers), star


def _range(
    text: str, name: str, low: int, high: int, names: Mapping[str, int]
) -> tuple[range, bool]:
    span, slash, step_text = text.partition("/")
    first, dash, last = span.partition("-")
    if "/" in step_text or ("-" in last and first not in ("*", "?")):
        raise CronError(f"{text!r} is not {_a(name)}: too many '-' or '/'.")
    star = first in ("*", "?")
    if star:
        start, end = low, high
    else:
        start = _number(first, name, names)
        end = _number(last, name, names) if dash else start
    step = _number(step_text, name, {}) if slash else 1
    if slash and not dash:
        end = high
    if start < low or end > high or start > end or not step:
        raise CronError(f"{text!r} is not {_a(name)}: it is not between {low} and {high}.")
    return range(start, end + 1, step), star and step == 1


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' or name == 'hour' else 'a'} {name}"


def _number(text: str, name: str, names: Mapping[str, int]) -> int:
    if (number := names.get(text.lower())) is not None:
        return number
    if not _NUMBER.fullmatch(text) or len(text) > 18:
        raise CronError(f"{text!r} is not {_a(name)}.")
    return int(text)


def _duration(text: str) -> timedelta:
    """A duration as Go writes them: `1h30m`, `-5s`, `0`."""
    body = text[1:] if text[:1] in ("+", "-") and text[1:] else text
    parts = _PART.findall(body)
    if body != "0" and (not parts or "".join(map("".join, parts)) != body):
        raise CronError(f"{text!r} is not a duration such as 1h30m.")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > 2**63 / 1e9:
        raise CronError(f"{text!r} is too long.")
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)
