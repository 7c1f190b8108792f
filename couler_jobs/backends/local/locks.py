"""Mutexes and semaphores of all runs on this machine.

A row is a place in the queue of one lock; who holds it has `granted`. The rows of a run go with it,
so one that ended, however it did, holds nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from couler_jobs.backends.local.references import Missing, References
from couler_jobs.backends.local.store import Store, runs_under_way
from couler_jobs.backends.local.values import Lock, Locked, Wish

_locks = sa.Table(
    "locks",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("granted", sa.Boolean, nullable=False),
    sa.UniqueConstraint("name", "run", "node"),
)


class Locks:
    """The locks in `store`'s database; limits of semaphores come from `references`."""

    def __init__(self, store: Store, references: References) -> None:
        self._store, self._references = store, references
        store.write(lambda connection: _locks.create(connection, checkfirst=True))

    def take(self, uid: str, wish: Wish) -> Locked:
        """Take all locks of a wish, if each is free and nobody waited for it before."""
        now = time.time()
        try:
            limits = {lock.name: self._limit(lock) for lock in wish.locks}
        except (Missing, ValueError) as error:
            return Locked(node=wish.node, at=now, error=str(error))

        def work(connection: sa.Connection) -> str:
            _drop_those_of_ended_runs(connection)
            _queue(connection, uid, wish)
            for name, limit in limits.items():
                if why := _in_the_way(connection, name, limit, uid, wish.node):
                    return why
            own = sa.update(_locks).where(_locks.c.run == uid, _locks.c.node == wish.node)
            connection.execute(own.values(granted=True))
            return ""

        why = self._store.write(work)
        return Locked(node=wish.node, at=now, granted=not why, message=why)

    def release(self, connection: sa.Connection, uid: str, nodes: Iterable[str] | None) -> None:
        """Within a transaction: give back what these nodes hold or wait for (None: all nodes)."""
        rows = sa.delete(_locks).where(_locks.c.run == uid)
        connection.execute(rows if nodes is None else rows.where(_locks.c.node.in_(list(nodes))))

    def others(self, uid: str) -> list[str]:
        """The uids of other runs that hold or want a lock that the run `uid` wants or wanted."""
        names = sa.select(_locks.c.name).where(_locks.c.run == uid)
        return self._runs(_locks.c.name.in_(names), _locks.c.run != uid)

    def waiting(self, uid: str) -> list[str]:
        """The uids of other runs that wait for any lock."""
        return self._runs(_locks.c.granted.is_(False), _locks.c.run != uid)

    def _runs(self, *which: sa.ColumnElement[bool]) -> list[str]:
        query = sa.select(_locks.c.run).where(*which).distinct()
        return list(self._store.read(lambda c: c.execute(query).scalars().all()))

    def _limit(self, lock: Lock) -> int:
        if lock.limit is None:
            return 1
        text = self._references.config_map(*lock.limit)
        if not text.strip().isdigit():
            raise ValueError(
                f"The limit of the semaphore {lock.name} is {text.strip()!r}: it has to be a whole "
                "number."
            )
        return int(text)


def _drop_those_of_ended_runs(connection: sa.Connection) -> None:
    connection.execute(sa.delete(_locks).where(_locks.c.run.not_in(runs_under_way())))


def _queue(connection: sa.Connection, uid: str, wish: Wish) -> None:
    statement = sa.insert(_locks).prefix_with("OR IGNORE")
    rows: list[dict[str, Any]] = [
        {
            "name": lock.name,
            "run": uid,
            "node": wish.node,
            "priority": wish.priority,
            "granted": False,
        }
        for lock in wish.locks
    ]
    connection.execute(statement, rows)


def _in_the_way(connection: sa.Connection, name: str, limit: int, uid: str, node: str) -> str:
    """Why a lock cannot be had now, in Argo's words; "" if it can, or is held already."""
    rows = connection.execute(sa.select(_locks).where(_locks.c.name == name)).all()
    held = sum(row.granted for row in rows)
    own = next(row for row in rows if (row.run, row.node) == (uid, node))
    before = (row for row in rows if not row.granted and _place(row) < _place(own))
    free = limit - held
    if own.granted or sum(1 for _ in before) < free:
        return ""
    return f"Waiting for {name} lock. Lock status: {max(free, 0)}/{limit}"


def _place(row: Any) -> tuple[int, int]:
    """Who has the higher priority is first, then who came first."""
    return -row.priority, row.number
