"""Transactions on jupyter_scheduler's database, which other processes and hosts write too.

A write takes its lock first (`BEGIN IMMEDIATE`): SQLite answers a read that becomes a write in a
deferred transaction with "database is locked" at once, whatever the time-out. The journal mode is
left alone: WAL does not work across hosts, and pods write from another host.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from scheduler_plugin.errors import DatabaseUnavailable, JobRefused

Answer = TypeVar("Answer")

TRANSIENT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
    }
)
"""Primary result codes after which the same transaction may work a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a database is waited for, in seconds: one attempt's busy time-out, all attempts."""

    attempt: float
    total: float


IN_REQUEST = Patience(attempt=2.0, total=5.0)
"""Somebody waits in front of a browser."""
IN_STEP = Patience(attempt=30.0, total=600.0)
"""Nobody waits, and what is not written now is only healed later."""


class Database:
    """One database, opened anew for each transaction (so a file that was replaced is noticed)."""

    def __init__(self, url: str, patience: Patience = IN_REQUEST) -> None:
        self._patience = patience
        self._engine = _engine(sa.make_url(url), patience.attempt)

    def read(self, statement: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        """All rows of a SELECT. Raises DatabaseUnavailable, JobRefused as `write` does."""
        return self._transaction(lambda on: on.execute(statement).mappings().all(), write=False)

    def write(self, work: Callable[[sa.Connection], Answer]) -> Answer:
        """Do `work` in one transaction that holds the write lock; it may be done more than once.

        Raises DatabaseUnavailable when the lock was not to be had in time, JobRefused for a text
        that is no Unicode.
        """
        return self._transaction(work, write=True)

    def _transaction(self, work: Callable[[sa.Connection], Answer], *, write: bool) -> Answer:
        deadline = time.monotonic() + self._patience.total
        pause_limit = 0.05
        while True:
            try:
                with self._engine.connect() as connection:
                    connection = connection.execution_options(takes_write_lock=write)
                    with connection.begin():
                        return work(connection)
            except UnicodeEncodeError:  # JSON can carry half of a surrogate pair, no database can
                raise JobRefused(
                    "A text of the request holds half of a character: type it again."
                ) from None
            except sa.exc.DBAPIError as error:
                pause = SystemRandom().uniform(0, pause_limit)
                if not _may_pass(error):
                    raise DatabaseUnavailable(self._sentence("cannot be used", error)) from error
                if time.monotonic() + pause > deadline:
                    waited = f"could not be used for {self._patience.total:g} s"
                    raise DatabaseUnavailable(self._sentence(waited, error)) from error
                time.sleep(pause)
                pause_limit = min(2 * pause_limit, 5.0)

    def _sentence(self, what: str, error: sa.exc.DBAPIError) -> str:
        url = self._engine.url.set(query={}).render_as_string(hide_password=True)
        return (
            f"The scheduler's database {url} {what} ({error.orig}). Try again; if it stays so, "
            "look for what holds it, or restart JupyterLab, which brings its tables up to date."
        )


# SQLAlchemy quotes a failed statement's values, a job's parameters among them, in its errors, and
# a server logs an error with everything behind it.
_ENGINE: Mapping[str, Any] = {"poolclass": NullPool, "hide_parameters": True}


def _engine(url: sa.URL, busy_timeout: float) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, **_ENGINE)
    engine = sa.create_engine(
        _existing_file(url), connect_args={"timeout": busy_timeout}, **_ENGINE
    )
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _existing_file(url: sa.URL) -> sa.URL:
    """The URL that never creates the file: an empty database in its place would hide the loss."""
    database = url.database or ""
    if not database or database.startswith((":memory:", "file:")):
        return url
    path = quote(os.path.abspath(database))
    return url.set(database=f"file:{path}", query={"mode": "rw", **url.query, "uri": "true"})


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    takes_lock = connection.get_execution_options().get("takes_write_lock")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")


def _may_pass(error: sa.exc.DBAPIError) -> bool:
    """Whether a later attempt may work: by SQLite's code, never by its text."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return (code & 0xFF) in TRANSIENT
    return isinstance(error, sa.exc.OperationalError) or error.connection_invalidated
