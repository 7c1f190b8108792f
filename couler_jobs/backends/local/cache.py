"""What `memoize` remembers on this machine: outputs by cache name and key, artifacts included.

An entry is written in the transaction that ends its node, so however many runs write the same key
at once, one whole entry is there. Its artifacts are copies in a folder of their own: the run that
made them may be deleted.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from couler_jobs.backends.local.files import FileProblem, copy, stored
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.step_folder import step_folder
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.values import Cached, Lookup, Remember

_entries = sa.Table(
    "cache",
    sa.MetaData(),
    sa.Column("cache", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),  # of its artifacts; "" if it has none
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("last_hit_at", sa.Float, nullable=False),
)

Write = Callable[[sa.Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One remembered result. Times are seconds since the epoch, `size` is bytes on this disk."""

    cache: str  #: the config map's name in the template's `memoize`
    key: str
    run: str  #: uid of the run that made it, which may be deleted
    node: str  #: name of the node that made it
    size: int
    created_at: float
    last_hit_at: float


class Cache:
    """The entries in `store`'s database, and their artifacts below `home`."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home, self._store = home, store
        store.write(lambda connection: _entries.create(connection, checkfirst=True))

    # --- for people

    def entries(self, cache: str | None = None) -> list[CacheEntry]:
        """All entries, or those of one cache, newest first."""
        columns = [column for column in _entries.c if column.name not in ("outputs", "folder")]
        query = sa.select(*columns).order_by(_entries.c.created_at.desc(), _entries.c.key)
        if cache is not None:
            query = query.where(_entries.c.cache == cache)
        return [
            CacheEntry(**r._mapping) for r in self._store.read(lambda c: c.execute(query).all())
        ]

    def clear(
        self, cache: str | None = None, key: str | None = None, older_than: float | None = None
    ) -> int:
        """Forget the entries that all of these fit (no bound: every one); how many there were.

        `older_than` is in seconds since an entry was made.
        """
        query = sa.delete(_entries).returning(_entries.c.folder)
        if cache is not None:
            query = query.where(_entries.c.cache == cache)
        if key is not None:
            query = query.where(_entries.c.key == key)
        if older_than is not None:
            query = query.where(_entries.c.created_at < time.time() - older_than)
        folders = self._store.write(lambda c: c.execute(query).scalars().all())
        for folder in filter(None, folders):
            self._forget(folder)
        return len(folders)

    # --- for a supervisor

    def answers(self, uid: str, lookups: Iterable[Lookup]) -> list[Cached]:
        """What is remembered of each; artifacts are laid into the run `uid` as the node's own."""
        return [self._answer(uid, lookup) for lookup in lookups]

    def prepare(
        self, uid: str, found: Sequence[Remember], now: float
    ) -> tuple[Write, Callable[[], None]]:
        """What is to be done in the transaction that ends these nodes, and what after it."""
        rows = [row for one in found if (row := self._row(uid, one, now)) is not None]
        replaced: list[str] = []

        def write(connection: sa.Connection) -> None:
            replaced.clear()  # an attempt before this one was undone
            for row in rows:
                replaced.extend(_put(connection, row))

        def tidy() -> None:
            for folder in filter(None, replaced):
                self._forget(folder)

        return write, tidy

    def _answer(self, uid: str, lookup: Lookup) -> Cached:
        now = time.time()
        nothing = Cached(node=lookup.node, at=now)
        this = (_entries.c.cache == lookup.cache, _entries.c.key == lookup.key)
        hit = sa.update(_entries).where(*this).values(last_hit_at=now).returning(_entries)
        row = self._store.write(lambda c: c.execute(hit).first())
        if row is None:
            return nothing
        outputs: Mapping[str, Any] = row.outputs
        if row.folder:
            try:
                outputs = self._laid(uid, lookup.node, row)
            except (OSError, FileProblem):  # somebody cleared it at this moment
                return nothing
        return replace(nothing, outputs=outputs, created_at=row.created_at)

    def _laid(self, uid: str, node: str, row: Any) -> dict[str, Any]:
        """The outputs with their artifacts copied into the run."""
        folder, artifacts = step_folder(self._home.run(uid), node).name, {}
        for name in row.outputs["artifacts"]:
            target = self._home.run(uid).artifacts / folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy(self._home.cache / row.folder / name, target)
            artifacts[name] = f"{folder}/{name}"
        return {**row.outputs, "artifacts": artifacts}

    def _row(self, uid: str, found: Remember, now: float) -> dict[str, Any] | None:
        folder, size = "", len(json.dumps(found.outputs))
        artifacts = found.outputs.get("artifacts") or {}
        if artifacts:
            folder = uuid.uuid4().hex
            try:
                size += self._keep(uid, artifacts, self._home.cache / folder)
            except (OSError, FileProblem):  # no room to remember is no reason to fail
                self._forget(folder)
                return None
        return {
            "cache": found.cache,
            "key": found.key,
            "run": uid,
            "node": found.node,
            "outputs": dict(found.outputs),
            "folder": folder,
            "size": size,
            "created_at": now,
            "last_hit_at": now,
        }

    def _keep(self, uid: str, artifacts: Mapping[str, Any], folder: Path) -> int:
        folder.mkdir(parents=True)
        for name, artifact in artifacts.items():
            key = artifact["key"] if isinstance(artifact, Mapping) else artifact
            copy(stored(self._home.run(uid).artifacts, key), folder / name)
        return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())

    def _forget(self, folder: str) -> None:
        shutil.rmtree(self._home.cache / folder, ignore_errors=True)


def _put(connection: sa.Connection, row: Mapping[str, Any]) -> list[str]:
    """Write an entry; answers the folder of the one that it replaces."""
    this = (_entries.c.cache == row["cache"], _entries.c.key == row["key"])
    before = connection.execute(sa.select(_entries.c.folder).where(*this)).scalars().all()
    statement = insert(_entries).values(**row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["cache", "key"], set_=dict(row))
    )
    return list(before)
