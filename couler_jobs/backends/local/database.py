"""SQLite in WAL mode: readers never wait.

Every write begins with `BEGIN IMMEDIATE`, because a transaction that reads first and writes later
fails at once under contention, whatever its time-out.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa

from couler_jobs.backends.local.home import full_disk
from couler_jobs.errors import Unavailable

T = TypeVar("T")

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""Errors that may be gone a moment later: by their primary code, the lowest eight bits."""


class Database:
    """The database at one path; made when it is not there. Safe to use from several threads.

    `patience` is how long, in seconds, a locked, full or unreadable disk is waited for before
    `Unavailable` is raised. `durable` waits for the disk at each commit: a user who was told
    that a run exists finds it after a power cut; a supervisor's transitions need only survive
    the death of processes.
    """

    tables: ClassVar[sa.MetaData]
    """What it holds: made when it is opened."""

    def __init__(self, path: Path, *, patience: float = 10.0, durable: bool = True) -> None:
        self._path, self._patience = path, patience
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=sa.NullPool if durable else sa.StaticPool,
            connect_args={"timeout": min(patience, 5.0), "check_same_thread": durable},
        )
        synchronous = "FULL" if durable else "NORMAL"
        sa.event.listen(self._engine, "connect", _prepare(synchronous))
        sa.event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        self._patiently(self._create)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, in a transaction that reads."""

        def attempt() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return self._patiently(attempt)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, in a transaction that writes: all of it, or nothing."""

        def attempt() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        return self._patiently(attempt)

    def _create(self) -> None:
        with self._engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("PRAGMA journal_mode = WAL")
            raw.close()
        with self._writer.begin() as connection:
            self.tables.create_all(connection)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        pauses = _pauses(time.monotonic() + self._patience)
        while True:
            try:
                return attempt()
            except sa.exc.IntegrityError:
                raise
            except sa.exc.DBAPIError as error:
                passing = _code(error) in _PASSING and self._path.parent.exists()
                pause = next(pauses, None) if passing else None
                if pause is None:
                    raise Unavailable(self._sentence(error)) from error
                time.sleep(pause)

    def _sentence(self, error: sa.exc.DBAPIError) -> str:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            return full_disk(self._path)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return (
                f"The database {self._path} is damaged ({error.orig}). "
                "Move it away to go on with an empty one."
            )
        return f"The database {self._path} could not be used ({error.orig}): try again."


def _code(error: sa.exc.DBAPIError) -> int:
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


def _pauses(deadline: float) -> Iterator[float]:
    longest = 0.05
    while time.monotonic() < deadline:
        yield SystemRandom().uniform(0, longest)  # spreads writers
        longest = min(longest * 2, 1.0)


def _prepare(synchronous: str) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute(f"PRAGMA synchronous = {synchronous}").close()

    return prepare


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
