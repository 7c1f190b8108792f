"""The cron workflows of this machine, in the same database as their runs.

A tick is claimed, and its run recorded, in one transaction: whatever is killed in between, and
however many daemons look, a tick runs once.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from couler_jobs.backends.local.store import Store, add_run
from couler_jobs.backends.local.stored import StoredRun
from couler_jobs.errors import NotFound
from couler_jobs.spec.status import Manifest

_crons = sa.Table(
    "crons",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("watched_since", sa.Float, nullable=False),
    sa.Column("last_tick", sa.Float),
    sa.Column("last_run", sa.Float),
    sa.Column("manifest", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCron:
    """One cron workflow. Times are seconds since the epoch.

    `watched_since` is when it was created or resumed or its schedule last changed: earlier ticks
    are not its. Ticks up to `last_tick` are dealt with; the one at `last_run` was the last to run.
    """

    name: str
    uid: str
    created_at: float
    watched_since: float
    manifest: Manifest
    last_tick: float | None = None
    last_run: float | None = None
    revision: int = 1

    @property
    def spec(self) -> Mapping[str, Any]:
        """The manifest's."""
        spec: Mapping[str, Any] = self.manifest["spec"]
        return spec

    @property
    def labels(self) -> Mapping[str, str]:
        """The manifest's."""
        return self.manifest["metadata"].get("labels") or {}

    @property
    def schedules(self) -> tuple[str, ...]:
        """Its lines, in either of Argo's spellings."""
        single = self.spec.get("schedule")
        return tuple(self.spec.get("schedules") or ([single] if single else []))

    @property
    def timezone(self) -> str:
        """The zone of its lines; "" means UTC."""
        return self.spec.get("timezone") or ""


class CronStore:
    """The cron workflows that `store`'s database holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.write(_make_table)

    def apply(self, manifest: Manifest, now: float) -> StoredCron:
        """Create it, or make the one of that name like this manifest."""
        name = manifest["metadata"]["name"]

        def work(connection: sa.Connection) -> StoredCron:
            known = _find(connection, name)
            cron = _created(manifest, now) if known is None else _changed(known, manifest, now)
            return _put(connection, cron)

        return self._store.write(work)

    def find(self, name: str) -> StoredCron:
        """The cron workflow of that name, or `NotFound`."""
        return self._store.read(lambda connection: _known(connection, name))

    def all(self) -> list[StoredCron]:
        """Every one, by name."""
        query = _crons.select().order_by(_crons.c.name)
        rows = self._store.read(lambda connection: connection.execute(query).all())
        return [StoredCron(**row._mapping) for row in rows]

    def suspend(self, name: str, suspended: bool, now: float) -> StoredCron:
        """Set its `spec.suspend`. Ticks that pass meanwhile are not caught up afterwards."""

        def work(connection: sa.Connection) -> StoredCron:
            known = _known(connection, name)
            spec = {**known.spec, "suspend": suspended}
            return _put(connection, _changed(known, {**known.manifest, "spec": spec}, now))

        return self._store.write(work)

    def delete(self, name: str) -> None:
        """Forget it, or `NotFound`."""
        self.find(name)
        self._store.write(lambda c: c.execute(sa.delete(_crons).where(_crons.c.name == name)))

    def claim(self, cron: StoredCron, tick: float, run: StoredRun | None = None) -> bool:
        """Take the ticks up to this one, with the record of its run.

        False when the cron workflow was deleted or changed, or a tick of it taken, since `cron` was
        read: what was decided then need not hold any more.
        """
        same = sa.and_(
            _crons.c.uid == cron.uid,
            _crons.c.revision == cron.revision,
            _crons.c.last_tick.is_not_distinct_from(cron.last_tick),
        )
        taken = {"last_tick": tick} | ({} if run is None else {"last_run": tick})
        statement = sa.update(_crons).where(same).values(taken)

        def work(connection: sa.Connection) -> bool:
            claimed = connection.execute(statement).rowcount == 1
            if claimed and run is not None:
                add_run(connection, run)
            return claimed

        try:
            return self._store.write(work)
        except sa.exc.IntegrityError:  # its run exists: one of that name was there before
            return run is not None and self.claim(cron, tick) and False


def _make_table(connection: sa.Connection) -> None:
    _crons.create(connection, checkfirst=True)
    there = {column["name"] for column in sa.inspect(connection).get_columns(_crons.name)}
    if "last_run" not in there:  # a table of the first version
        connection.exec_driver_sql("ALTER TABLE crons ADD COLUMN last_run FLOAT").close()


def _known(connection: sa.Connection, name: str) -> StoredCron:
    found = _find(connection, name)
    if found is None:
        raise NotFound(f"There is no cron workflow named {name} on this machine.")
    return found


def _put(connection: sa.Connection, cron: StoredCron) -> StoredCron:
    connection.execute(sa.delete(_crons).where(_crons.c.name == cron.name))
    connection.execute(sa.insert(_crons).values(**_row(cron)))
    return cron


def _find(connection: sa.Connection, name: str) -> StoredCron | None:
    row = connection.execute(_crons.select().where(_crons.c.name == name)).first()
    return None if row is None else StoredCron(**row._mapping)


def _created(manifest: Manifest, now: float) -> StoredCron:
    return StoredCron(
        name=manifest["metadata"]["name"],
        uid=str(uuid.uuid4()),
        created_at=now,
        watched_since=now,
        manifest=manifest,
    )


def _changed(known: StoredCron, manifest: Manifest, now: float) -> StoredCron:
    changed = replace(known, manifest=manifest, revision=known.revision + 1)
    edited = (changed.schedules, changed.timezone) != (known.schedules, known.timezone)
    resumed = bool(known.spec.get("suspend")) and not changed.spec.get("suspend")
    return replace(changed, watched_since=now) if edited or resumed else changed


def _row(cron: StoredCron) -> dict[str, Any]:
    return {name: getattr(cron, name) for name in cron.__slots__}
