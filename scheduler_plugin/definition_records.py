"""Job definition records: the SQL of `job_definitions`, a table of jupyter_scheduler's `orm.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from scheduler_plugin import labels
from scheduler_plugin.database import Database
from scheduler_plugin.errors import JobRefused, NoSuchDefinition
from scheduler_plugin.records import IN_JSON, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One row of `job_definitions`. Times are milliseconds since the epoch, UTC."""

    job_definition_id: str
    name: str
    input_filename: str
    runtime_environment_name: str
    create_time: int
    update_time: int
    active: bool  #: whether it ticks
    schedule: str | None = None  #: a cron line; None: it is only run by hand
    timezone: str | None = None
    url: str = ""
    runtime_environment_parameters: Mapping[str, Any] | None = None
    compute_type: str | None = None
    output_formats: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    output_filename_template: str | None = None
    package_input_folder: bool | None = None
    packaged_files: tuple[str, ...] = ()


COLUMNS = tuple(column.name for column in fields(Definition))
DEFINITIONS = sa.table("job_definitions", *(sa.column(name) for name in COLUMNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionsQuery:
    """Which definitions to list; None leaves a field out of the question."""

    name: str | None = None  #: how the name begins
    created_after: int | None = None
    tags: Sequence[str] = ()  #: all of them
    sort_by: Sequence[tuple[str, bool]] = (("create_time", True),)  #: column, descending
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionsPage:
    """Some of the definitions that a query is about, and how many there are in all."""

    definitions: tuple[Definition, ...] = field(default=())
    total: int = 0


class DefinitionRecords:
    """The definitions of one database. Every call raises DatabaseUnavailable if it stays away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, definition: Definition) -> None:
        """Add a row."""
        statement = sa.insert(DEFINITIONS).values(_as_row(definition))
        self._database.write(lambda on: on.execute(statement))

    def get(self, definition_id: str) -> Definition:
        """One definition. Raises NoSuchDefinition."""
        same = DEFINITIONS.c.job_definition_id == definition_id
        rows = self._database.read(sa.select(DEFINITIONS).where(same))
        if not rows:
            raise NoSuchDefinition(definition_id)
        return _as_definition(rows[0])

    def find(self, said: str) -> Definition:
        """The one that somebody means: its id, its cron workflow's name, or a name of its alone.

        Raises NoSuchDefinition, or JobRefused for a name that several have.
        """
        ids = (said, said.removeprefix(labels.cron_name("")))
        either = DEFINITIONS.c.job_definition_id.in_(ids) | (_text("name") == said)
        found = tuple(
            map(_as_definition, self._database.read(sa.select(DEFINITIONS).where(either)))
        )
        chosen = [one for one in found if one.job_definition_id in ids] or found
        if not chosen:
            raise NoSuchDefinition(said)
        if len(chosen) > 1:
            listed = ", ".join(sorted(one.job_definition_id for one in chosen))
            raise JobRefused(
                f"{len(chosen)} job definitions are called {said!r}: say which, {listed}."
            )
        return chosen[0]

    def list(self, query: DefinitionsQuery) -> DefinitionsPage:
        """The definitions of a query. Raises JobRefused for a sort field that is no column."""
        matching = _conditions(query)
        order = [_order(name, descending) for name, descending in query.sort_by]
        select = sa.select(DEFINITIONS).where(*matching)
        select = select.order_by(*order, DEFINITIONS.c.job_definition_id)
        rows = self._database.read(select.limit(query.limit).offset(query.offset))
        count = sa.select(sa.func.count().label("definitions")).select_from(DEFINITIONS)
        total = self._database.read(count.where(*matching))[0]["definitions"]
        return DefinitionsPage(definitions=tuple(map(_as_definition, rows)), total=int(total))

    def scheduled(self) -> tuple[Definition, ...]:
        """All definitions with a schedule."""
        select = sa.select(DEFINITIONS).where(DEFINITIONS.c.schedule.is_not(None))
        return tuple(map(_as_definition, self._database.read(select)))

    def with_options(self) -> tuple[Definition, ...]:
        """All definitions that say something in their runtime environment parameters."""
        said = DEFINITIONS.c.runtime_environment_parameters.is_not(None)
        return tuple(map(_as_definition, self._database.read(sa.select(DEFINITIONS).where(said))))

    def change(self, definition_id: str, changes: Mapping[str, Any]) -> None:
        """Change some columns. Raises NoSuchDefinition."""
        values = {**changes, "update_time": milliseconds()}
        same = DEFINITIONS.c.job_definition_id == definition_id
        statement = sa.update(DEFINITIONS).where(same).values(_in_json(values))
        if not self._database.write(lambda on: on.execute(statement).rowcount):
            raise NoSuchDefinition(definition_id)

    def remove(self, definition_id: str) -> bool:
        """Forget a definition; False if there was none."""
        same = DEFINITIONS.c.job_definition_id == definition_id
        statement = sa.delete(DEFINITIONS).where(same)
        return self._database.write(lambda on: on.execute(statement).rowcount) > 0


def _in_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value) if name in IN_JSON and value is not None else value
        for name, value in values.items()
    }


def _as_row(definition: Definition) -> dict[str, Any]:
    return _in_json({name: getattr(definition, name) for name in COLUMNS})


def _as_definition(row: sa.RowMapping) -> Definition:
    values = {name: row[name] for name in COLUMNS}
    for name in IN_JSON & values.keys():
        values[name] = None if values[name] is None else json.loads(values[name])
    tags = values["tags"]
    return Definition(
        **values
        | {
            "tags": None if tags is None else tuple(tags),
            "output_formats": tuple(values["output_formats"] or ()),
            "packaged_files": tuple(values["packaged_files"] or ()),
            "name": values["name"] or "",
            "url": values["url"] or "",
            "active": bool(values["active"]),
            "update_time": values["update_time"] or values["create_time"],
        }
    )


def _order(name: str, descending: bool) -> sa.ColumnElement[Any]:
    if name not in COLUMNS:
        known = ", ".join(COLUMNS)
        raise JobRefused(f"Job definitions cannot be sorted by {name!r}: choose from {known}.")
    return DEFINITIONS.c[name].desc() if descending else DEFINITIONS.c[name].asc()


def _conditions(query: DefinitionsQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.created_after is not None:
        conditions.append(DEFINITIONS.c.create_time >= query.created_after)
    if query.name:
        conditions.append(_text("name").startswith(query.name, autoescape=True))
    conditions += [_text("tags").contains(json.dumps(tag), autoescape=True) for tag in query.tags]
    return conditions


def _text(name: str) -> sa.ColumnElement[str]:
    return sa.type_coerce(DEFINITIONS.c[name], sa.String())
